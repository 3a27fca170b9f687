/* JSON fields say at once what is wrong; pages of running operations follow them. */
"use strict";
{
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
            return `This is no JSON: ${error.message}`;
        }
        const isList = Array.isArray(value);
        const isObject = value !== null && typeof value === "object" && !isList;
        if (field.dataset.z4jJson === "list" && !isList) return "This has to be a list: [ … ]";
        if (field.dataset.z4jJson === "dict" && !isObject) return "This has to be an object: { … }";
        if (masked(value, field.dataset.z4jMask)) {
            return "A masked value can't be sent as it stands: type the real one.";
        }
        return "";
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

    // While it goes on only what changes is replaced, so that a focused button stays where it is.
    const update = (page) => {
        const isOver = !page.querySelector("[data-z4j-refresh]");
        const parts = [".z4j-progress", ".z4j-counts", ".z4j-targets"];
        for (const part of isOver ? [".z4j-title", "#content-main"] : parts) {
            const there = page.querySelector(part);
            const here = document.querySelector(part);
            if (there && here) here.replaceWith(document.adoptNode(there));
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
            start();
        }
    };

    const start = () => {
        const main = document.querySelector("[data-z4j-refresh]");
        if (main) setTimeout(follow, Number(main.dataset.z4jRefresh));
    };

    const ready = () => {
        document.querySelectorAll("textarea[data-z4j-json]").forEach(watch);
        start();
    };

    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
    else ready();
}
