/* What every page of ours does with scripts: it ages its times, copies ids whole, refreshes its
   parts, and says at once what is wrong with a field of JSON. Without scripts all of it reads. */
"use strict";
{
    const {now, words: said} = document.currentScript.dataset;
    const words = JSON.parse(said);
    const every = (selector, act) => document.querySelectorAll(selector).forEach(act);

    // ---- Times: the rule of formatting/moments.py ----

    const span = (seconds) => {
        const whole = Math.max(Math.floor(seconds), 0);
        for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
            if (whole >= size * (size > 60 ? 2 : 1)) {
                return words[unit].replace("%s", Math.floor(whole / size));
            }
        }
        return words.s.replace("%s", whole);
    };

    // A browser's clock may be wrong; the server says by how much.
    let ahead = 0;
    const age = (time) => {
        const seconds = (Date.now() - ahead - Date.parse(time.dateTime)) / 1000;
        let shown = span(Math.abs(seconds));
        const kind = time.dataset.z4jTime;
        if (kind === "moment" || kind === "due") {
            const past = kind === "due" ? "due" : "ago";
            shown = words[seconds > -1 ? past : "ahead"].replace("%t", shown);
        }
        if (time.textContent !== shown) {
            time.textContent = shown;
            time.setAttribute("aria-label", `${shown}, ${time.title}`);
        }
    };
    const ageAll = () => {
        if (!document.hidden) every(".z4j time[data-z4j-time]", age);
    };
    const setClock = (text) => {
        const there = Date.parse(text);
        if (there) ahead = Date.now() - there;
    };
    setClock(now);

    // ---- Ids that are shown short are copied whole ----

    document.addEventListener("copy", (event) => {
        const selection = getSelection();
        if (!selection.rangeCount) return;
        const node = selection.getRangeAt(0).commonAncestorContainer;
        const id = (node.nodeType === 1 ? node : node.parentElement)?.closest("[data-z4j-copy]");
        if (!id) return;
        event.clipboardData.setData("text/plain", id.dataset.z4jCopy);
        event.preventDefault();
    });

    // ---- Parts that refresh: htmx asks, this says when not to ----

    const PAUSED = "z4j-paused";
    const isPaused = () => localStorage.getItem(PAUSED) === "1";
    const ACTIVE = 20000;
    let lastMove = -ACTIVE;
    let pointer = null;
    const moved = (event) => {
        lastMove = performance.now();
        if (event.clientX !== undefined) pointer = [event.clientX, event.clientY];
    };
    for (const kind of ["pointermove", "pointerdown"]) document.addEventListener(kind, moved, {passive: true});
    document.addEventListener("keydown", () => { lastMove = performance.now(); });

    // What somebody points at, has the focus in, or has chosen text of, stays as it is.
    const heldIn = (part) => {
        if (performance.now() - lastMove > ACTIVE) return [];
        const found = [];
        const under = pointer && document.elementFromPoint(...pointer);
        const chosen = getSelection();
        for (const node of [under, document.activeElement, chosen.isCollapsed ? null : chosen.anchorNode?.parentElement]) {
            const held = node?.closest?.(".z4j-card, .z4j-hold");
            if (held && part.contains(held)) found.push(held);
        }
        return found;
    };

    const live = (event) => event.target.closest?.("[data-z4j-part]");
    document.addEventListener("htmx:before:request", (event) => {
        const part = live(event);
        if (part && (document.hidden || isPaused())) event.preventDefault();
    });
    document.addEventListener("htmx:before:swap", (event) => {
        const part = live(event);
        if (!part) return;
        const {ctx} = event.detail;
        const signedOut = ctx.response.raw.redirected;
        part.classList.toggle("z4j-stale", signedOut || ctx.response.status >= 400);
        setClock(ctx.response.headers.get("Date"));
        if (signedOut || ctx.response.status >= 400 || isPaused()) {
            event.preventDefault();
            return;
        }
        const held = heldIn(part);
        held.forEach((one) => one.classList.add("z4j-held"));
        part.z4jHeld = held.map((one) => [one, one.getBoundingClientRect().top]);
    });
    document.addEventListener("htmx:after:swap", (event) => {
        const part = live(event);
        if (!part) return;
        for (const [one, top] of part.z4jHeld ?? []) {
            one.classList.remove("z4j-held");
            // What has come above it must not push it from under the pointer.
            window.scrollBy(0, one.getBoundingClientRect().top - top);
        }
        part.z4jHeld = [];
        ageAll();
        document.dispatchEvent(new CustomEvent("z4jrefreshed", {detail: part}));
    });
    // Nothing has changed since: that is news, too.
    document.addEventListener("htmx:after:request", (event) => {
        const {ctx} = event.detail;
        if (!live(event) || ctx.response.raw.redirected || ctx.response.status >= 400) return;
        every("[data-z4j-updated] time", (time) => {
            time.dateTime = new Date(Date.now() - ahead).toISOString();
            time.title = new Date().toLocaleString();
            age(time);
        });
    });
    document.addEventListener("visibilitychange", () => {
        if (document.hidden) return;
        ageAll();
        every("[data-z4j-part]", (part) => part.dispatchEvent(new CustomEvent("z4jnow")));
    });

    const showPause = () => every("[data-z4j-pause]", (button) => {
        button.hidden = false;
        button.setAttribute("aria-pressed", String(isPaused()));
        button.textContent = isPaused() ? words.go : words.pause;
    });
    document.addEventListener("click", (event) => {
        if (!event.target.closest("[data-z4j-pause]")) return;
        localStorage.setItem(PAUSED, isPaused() ? "0" : "1");
        showPause();
        if (!isPaused()) every("[data-z4j-part]", (part) => part.dispatchEvent(new CustomEvent("z4jnow")));
    });

    // htmx reads this when it starts, after this script.
    const config = document.createElement("meta");
    config.name = "htmx-config";
    config.content = JSON.stringify({
        history: false, includeIndicatorCSS: false, morphSkip: ".z4j-held, .z4j-keep", morphIgnore: ["data-htmx-powered", "open"], extensions: "none",
    });
    document.head.append(config);

    // ---- Fields of JSON ----

    const masked = (value, mask) => {
        if (typeof value === "string") return value.includes(mask);
        if (value === null || typeof value !== "object") return false;
        return Object.entries(value).some(([key, inner]) => key.includes(mask) || masked(inner, mask));
    };

    const problem = (field) => {
        const text = field.value.trim();
        if (!text || text === field.defaultValue.trim()) return "";
        let value;
        try {
            value = JSON.parse(text);
        } catch (error) {
            return words.noJson.replace("%t", error.message);
        }
        const isList = Array.isArray(value);
        const isObject = value !== null && typeof value === "object" && !isList;
        if (field.dataset.z4jJson === "list" && !isList) return words.noList;
        if (field.dataset.z4jJson === "dict" && !isObject) return words.noObject;
        return masked(value, field.dataset.z4jMask) ? words.masked : "";
    };

    const watch = (field) => {
        const note = document.createElement("p");
        note.className = "z4j-problem";
        note.setAttribute("role", "status");
        field.after(note);
        field.addEventListener("input", () => {
            const found = problem(field);
            field.setCustomValidity(found);
            note.textContent = found;
        });
    };

    // ---- Operations that run: only what changes is replaced, so a focused button stays ----

    const update = (page) => {
        const isOver = !page.querySelector("[data-z4j-refresh]");
        const parts = [".z4j-running", ".z4j-counts", ".z4j-targets"];
        for (const part of isOver ? [".z4j-title", "#z4j-main"] : parts) {
            const there = page.querySelector(part);
            const here = document.querySelector(part);
            if (!there || !here) continue;
            here.replaceWith(document.adoptNode(there));
            window.htmx?.process(there);
        }
    };
    const follow = async () => {
        try {
            const answer = await fetch(location.href, {credentials: "same-origin"});
            if (answer.redirected) return;
            if (answer.ok) {
                update(new DOMParser().parseFromString(await answer.text(), "text/html"));
            }
        } finally {
            startFollowing();
        }
    };
    const startFollowing = () => {
        const main = document.querySelector("[data-z4j-refresh]");
        if (main) setTimeout(follow, Number(main.dataset.z4jRefresh));
    };

    // On a phone the line of places is longer than the page is wide.
    const showPlace = (here) => {
        const line = here.closest("ul");
        const [place, room] = [here, line].map((one) => one.getBoundingClientRect());
        line.scrollLeft += Math.max(place.right - room.right, 0) + Math.min(place.left - room.left, 0);
    };

    const ready = () => {
        document.querySelectorAll(".z4j-nav [aria-current]").forEach(showPlace);
        every("textarea[data-z4j-json]", watch);
        startFollowing();
        showPause();
        setInterval(ageAll, 1000);
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
    else ready();
}
