/* The list of tasks: its search box offers how a filter may go on, a combobox over what the server
   says; its checkboxes are counted, and all of them set at once. Without scripts it is a list with a
   search box and checkboxes. */
"use strict";
{
    const WAIT = 120;

    const combobox = (place) => {
        const input = place.querySelector("input[type=text], input[type=search]");
        if (!input) return;
        const box = document.createElement("span");
        box.className = "z4j-combobox";
        input.replaceWith(box);
        const list = document.createElement("ul");
        list.id = "z4j-suggestions";
        list.className = "z4j-suggestions";
        list.hidden = true;
        list.setAttribute("role", "listbox");
        list.setAttribute("aria-label", place.dataset.label);
        const status = document.createElement("span");
        status.className = "z4j-hidden visually-hidden";
        status.setAttribute("role", "status");
        box.append(input, list, status);
        for (const [name, value] of Object.entries({
            role: "combobox", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
            "aria-autocomplete": "list", "aria-controls": list.id, "aria-expanded": "false",
        })) input.setAttribute(name, value);

        let found = [];
        let active = -1;
        let timer = 0;
        let asked = null;
        const known = new Map();

        const mark = (index) => {
            active = index;
            [...list.children].forEach((option, place) => {
                option.setAttribute("aria-selected", String(place === index));
                if (place === index) option.scrollIntoView({block: "nearest"});
            });
            if (index < 0) input.removeAttribute("aria-activedescendant");
            else input.setAttribute("aria-activedescendant", list.children[index].id);
        };

        const close = () => {
            clearTimeout(timer);
            asked?.abort();
            list.hidden = true;
            found = [];
            input.setAttribute("aria-expanded", "false");
            mark(-1);
        };

        const show = (suggestions) => {
            const chosen = found[active]?.text;
            found = suggestions;
            list.replaceChildren(...suggestions.map((one, index) => {
                const option = document.createElement("li");
                option.id = `z4j-suggestion-${index}`;
                option.setAttribute("role", "option");
                const term = document.createElement("bdi");
                term.textContent = one.shown;
                const help = document.createElement("span");
                help.textContent = one.help;
                option.append(term, help);
                return option;
            }));
            list.hidden = !suggestions.length;
            input.setAttribute("aria-expanded", String(!list.hidden));
            status.textContent = suggestions.length
                ? place.dataset.count.replace("%s", suggestions.length) : "";
            // What was chosen before a later answer came stays chosen.
            mark(suggestions.findIndex((one) => one.text === chosen));
        };

        const ask = async () => {
            const at = input.selectionStart ?? input.value.length;
            const query = new URLSearchParams({q: input.value, at}).toString();
            if (known.has(query)) return show(known.get(query));
            asked?.abort();
            const mine = asked = new AbortController();
            try {
                const answer = await fetch(`${place.dataset.z4jSuggest}?${query}`, {
                    credentials: "same-origin", signal: mine.signal,
                });
                if (!answer.ok || answer.redirected) return;
                const {suggestions} = await answer.json();
                known.set(query, suggestions);
                if (mine === asked && document.activeElement === input) show(suggestions);
            } catch (error) {
                if (error.name !== "AbortError") close();  // the box works without
            }
        };
        const askSoon = () => {
            clearTimeout(timer);
            timer = setTimeout(ask, WAIT);
        };

        const take = (index) => {
            const one = found[index];
            close();
            input.value = one.text;
            input.focus();
            input.setSelectionRange(one.at, one.at);
            ask();
        };

        input.addEventListener("input", askSoon);
        input.addEventListener("click", askSoon);
        input.addEventListener("blur", () => setTimeout(close, 0));
        input.addEventListener("keydown", (event) => {
            const last = found.length - 1;
            if (event.key === "ArrowDown" && list.hidden) ask();
            else if (event.key === "ArrowDown") mark(active < last ? active + 1 : -1);
            else if (event.key === "ArrowUp" && !list.hidden) mark(active < 0 ? last : active - 1);
            else if (event.key === "Enter" && active >= 0) take(active);
            else if (event.key === "Escape" && !list.hidden) close();
            else return;
            event.preventDefault();
        });
        // Before the box loses the focus.
        list.addEventListener("mousedown", (event) => {
            event.preventDefault();
            const option = event.target.closest("[role=option]");
            if (option) take([...list.children].indexOf(option));
        });
    };

    const selection = (form) => {
        const all = form.querySelector("[data-z4j-all]");
        const counter = form.querySelector("[data-z4j-count]");
        if (!all || !counter) return;
        const boxes = [...form.querySelectorAll("input[name=_selected_action]")];
        const count = () => {
            const chosen = boxes.filter((box) => box.checked).length;
            counter.textContent = counter.dataset.z4jCount
                .replace("%s", chosen).replace("%t", boxes.length);
            all.checked = chosen === boxes.length;
            all.indeterminate = chosen > 0 && chosen < boxes.length;
        };
        let last = null;
        form.addEventListener("click", (event) => {
            const place = boxes.indexOf(event.target);
            if (place < 0) return;
            if (event.shiftKey && last !== null) {
                const [from, to] = [Math.min(last, place), Math.max(last, place)];
                boxes.slice(from, to + 1).forEach((box) => { box.checked = event.target.checked; });
            }
            last = place;
        });
        form.addEventListener("change", (event) => {
            if (event.target === all) boxes.forEach((box) => { box.checked = all.checked; });
            count();
        });
        // Coming back, a browser sets them as they were.
        window.addEventListener("pageshow", count);
        all.hidden = false;
        count();
    };

    const ready = () => {
        document.querySelectorAll("[data-z4j-suggest]").forEach(combobox);
        document.querySelectorAll("[data-z4j-selection]").forEach(selection);
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
    else ready();
}
