/* Draws a workflow from left to right: dagre finds the places, this the shapes and the keys. */
"use strict";
{
    const SVG = "http://www.w3.org/2000/svg";
    const WIDTH = 216;
    const HEIGHT = 48;
    const JOINT = 12;
    const MARGIN = 12;
    const ZOOM = {least: 0.1, most: 2, step: 1.25, readable: 0.6};
    //: Beyond so many nodes a layout that is quick comes before one that is beautiful.
    const MANY = 150;

    const create = (name, attributes, ...children) => {
        const found = document.createElementNS(SVG, name);
        for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
        found.append(...children);
        return found;
    };

    // The picture runs from left to right; what is said in it as its language does.
    const text = (kind, x, y, words) => create("text", {class: kind, x, y}, document.dir === "rtl" ? `\u2068${words}\u2069` : words);

    /* As much of a name's end as there is room for. */
    const fitted = (() => {
        const context = document.createElement("canvas").getContext("2d");
        return (name, room, font) => {
            context.font = font;
            const letters = Array.from(name);
            if (context.measureText(name).width <= room) return name;
            let [least, most] = [0, letters.length];
            while (least < most) {
                const middle = Math.ceil((least + most) / 2);
                const end = letters.slice(letters.length - middle).join("");
                if (context.measureText(`…${end}`).width <= room) least = middle;
                else most = middle - 1;
            }
            return `…${letters.slice(letters.length - least).join("")}`;
        };
    })();

    /* Where everything has its place. */
    const layout = ({nodes, links}) => {
        const graph = new dagre.graphlib.Graph();
        const isLarge = nodes.length > MANY;
        graph.setGraph({
            rankdir: "LR", nodesep: 14, ranksep: 56, marginx: MARGIN, marginy: MARGIN,
            ranker: isLarge ? "longest-path" : "network-simplex",
        });
        graph.setDefaultEdgeLabel(() => ({}));
        nodes.forEach((node, number) => {
            const isJoint = node.id === undefined;
            graph.setNode(String(number), {
                width: isJoint ? JOINT : WIDTH, height: isJoint ? JOINT : HEIGHT,
            });
        });
        for (const [source, target, critical] of links) {
            graph.setEdge(String(source), String(target), {weight: critical ? 4 : 1});
        }
        dagre.layout(graph, isLarge ? {disableOptimalOrderHeuristic: true} : {});
        return graph;
    };

    const line = (points) => {
        const [first, ...rest] = points;
        const last = rest.pop();
        let path = `M${first.x},${first.y}`;
        rest.forEach((point, number) => {
            const next = rest[number + 1] || last;
            const end = next === last ? next : {x: (point.x + next.x) / 2, y: (point.y + next.y) / 2};
            path += ` Q${point.x},${point.y} ${end.x},${end.y}`;
        });
        return rest.length ? path : `${path} L${last.x},${last.y}`;
    };

    const drawLinks = (graph, {links}) => {
        const group = create("g", {class: "z4j-flow-links", "aria-hidden": "true"});
        for (const [source, target, critical] of links) {
            const [from, to] = [graph.node(String(source)), graph.node(String(target))];
            const points = graph.edge(String(source), String(target)).points.slice(1, -1);
            points.unshift({x: from.x + from.width / 2, y: from.y});
            points.push({x: to.x - to.width / 2, y: to.y});
            const kind = critical ? "z4j-flow-link z4j-flow-critical" : "z4j-flow-link";
            const marker = critical ? "url(#z4j-flow-arrow-critical)" : "url(#z4j-flow-arrow)";
            group.append(create("path", {class: kind, d: line(points), "marker-end": marker}));
        }
        return group;
    };

    /* How many of a node's steps stand how, as a bar at its foot. */
    const drawCounts = (counts, width) => {
        const whole = counts.reduce((sum, [, count]) => sum + count, 0);
        let x = 0;
        return counts.map(([word, count]) => {
            const part = (width * count) / whole;
            const rect = create("rect", {class: `z4j-flow-part z4j-flow-part-${word}`, x, y: HEIGHT - 5, width: part, height: 5});
            x += part;
            return rect;
        });
    };

    const drawNode = (node, place, font) => {
        if (node.id === undefined) {
            return create("circle", {class: "z4j-flow-joint", cx: place.x, cy: place.y, r: JOINT / 2},
                create("title", {}, node.said));
        }
        const classes = ["z4j-flow-node"];
        if (node.critical) classes.push("z4j-flow-critical");
        if (node.unsent) classes.push("z4j-flow-unsent");
        if (node.failed) classes.push("z4j-flow-failed");
        if (node.count) classes.push("z4j-flow-folded");
        const attributes = {
            class: classes.join(" "), "aria-label": node.label, tabindex: "-1",
            transform: `translate(${place.x - WIDTH / 2},${place.y - HEIGHT / 2})`,
        };
        if (node.url) attributes.href = node.url;
        else attributes.role = "img";
        const shape = {width: WIDTH, height: HEIGHT, rx: 4};
        const behind = node.count ? [create("rect", {class: "z4j-flow-box z4j-flow-behind", x: 4, y: 4, ...shape})] : [];
        const room = WIDTH - 20 - (node.count ? 9 * (String(node.count).length + 2) : 0);
        const name = text("z4j-flow-name", 10, 19, fitted(node.name, room, font));
        if (node.count) name.append(create("tspan", {class: "z4j-flow-times"}, ` × ${node.count}`));
        const inside = create("g", {"clip-path": "url(#z4j-flow-clip)"},
            name, text("z4j-flow-said", 10, 35, node.said), ...drawCounts(node.counts, WIDTH));
        return create("a", attributes, create("title", {}, node.label), ...behind,
            create("rect", {class: "z4j-flow-box", ...shape}), inside);
    };

    const arrow = (id, kind) => create("marker", {
        id, class: kind, viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto",
    }, create("path", {d: "M0,0 L8,4 L0,8 z"}));

    const definitions = () => create("defs", {},
        arrow("z4j-flow-arrow", "z4j-flow-arrow"), arrow("z4j-flow-arrow-critical", "z4j-flow-arrow z4j-flow-critical"),
        create("clipPath", {id: "z4j-flow-clip"}, create("rect", {width: WIDTH - 6, height: HEIGHT})));

    /* One node takes part in the tab order; the arrow keys move on from it. */
    const walk = (svg, graph, {nodes, links}, chosen) => {
        const drawn = new Map();
        const after = nodes.map(() => []);
        const before = nodes.map(() => []);
        for (const [source, target] of links) {
            after[source].push(target);
            before[target].push(source);
        }
        const at = (number) => graph.node(String(number));
        const isJoint = (number) => nodes[number].id === undefined;
        const nearest = (from, numbers) => {
            const through = numbers.flatMap((one) => isJoint(one) ? [] : [one]);
            const distance = (one) => Math.abs(at(one).y - at(from).y);
            return through.sort((one, other) => distance(one) - distance(other))[0];
        };
        const beyond = (numbers, on) => numbers.flatMap((one) => isJoint(one) ? on[one] : [one]);
        const beside = (from, down) => {
            const place = at(from);
            const found = nodes.map((_, number) => number).filter((one) => {
                const other = at(one);
                if (isJoint(one) || Math.abs(other.x - place.x) > WIDTH / 2) return false;
                return down ? other.y > place.y : other.y < place.y;
            });
            return nearest(from, found);
        };
        const moves = {
            ArrowRight: (from) => nearest(from, beyond(after[from], after)),
            ArrowLeft: (from) => nearest(from, beyond(before[from], before)),
            ArrowDown: (from) => beside(from, true),
            ArrowUp: (from) => beside(from, false),
            Home: () => nodes.findIndex((node) => node.id !== undefined),
            End: () => nodes.length - 1,
        };
        const wanted = nodes.findIndex((node) => chosen !== undefined && node.id === chosen);
        let current = wanted < 0 ? moves.Home() : wanted;
        const choose = (number) => {
            drawn.get(current).setAttribute("tabindex", "-1");
            current = number;
            drawn.get(number).setAttribute("tabindex", "0");
        };
        svg.addEventListener("focusin", (event) => {
            const number = Number(event.target.dataset.z4jNumber);
            if (drawn.has(number)) choose(number);
        });
        svg.addEventListener("keydown", (event) => {
            if (event.ctrlKey || event.metaKey || event.altKey || !moves[event.key]) return;
            event.preventDefault();
            const next = moves[event.key](current);
            if (next === undefined || !drawn.has(next)) return;
            choose(next);
            drawn.get(next).focus({preventScroll: true});
            drawn.get(next).scrollIntoView({block: "nearest", inline: "nearest"});
        });
        return {
            add: (number, element) => {
                element.dataset.z4jNumber = number;
                if (!isJoint(number)) drawn.set(number, element);
            },
            ready: () => { if (drawn.has(current)) choose(current); },
            chosen: () => nodes[current]?.id,
            focus: () => drawn.get(current)?.focus({preventScroll: true}),
        };
    };

    /* The picture scrolls in its frame; to zoom is to change its size. What is drawn anew in it
       has the size of what was there, and the place. */
    const frame = (section, canvas) => {
        let scale = 1;
        let svg = null;
        let size = null;
        const resize = () => {
            svg.setAttribute("width", size.width * scale);
            svg.setAttribute("height", size.height * scale);
        };
        const zoom = (wanted, x = canvas.clientWidth / 2, y = canvas.clientHeight / 2) => {
            const next = Math.min(ZOOM.most, Math.max(ZOOM.least, wanted));
            const left = ((canvas.scrollLeft + x) / scale) * next - x;
            const top = ((canvas.scrollTop + y) / scale) * next - y;
            scale = next;
            resize();
            canvas.scrollTo(left, top);
        };
        const fitting = (least) => Math.max(Math.min(canvas.clientWidth / size.width, 600 / size.height, 1), least);
        const fit = (least) => zoom(fitting(least), 0, 0);
        const actions = {
            in: () => zoom(scale * ZOOM.step), out: () => zoom(scale / ZOOM.step), fit: () => fit(ZOOM.least),
        };
        section.querySelectorAll("[data-z4j-zoom]").forEach((button) => {
            button.addEventListener("click", actions[button.dataset.z4jZoom]);
        });
        canvas.addEventListener("wheel", (event) => {
            if (!event.ctrlKey && !event.metaKey) return;
            event.preventDefault();
            const {left, top} = canvas.getBoundingClientRect();
            zoom(scale * (event.deltaY < 0 ? ZOOM.step : 1 / ZOOM.step), event.clientX - left, event.clientY - top);
        }, {passive: false});
        drag(canvas);
        return (drawn, extent) => {
            const isFirst = svg === null;
            const {scrollLeft, scrollTop} = canvas;
            [svg, size] = [drawn, extent];
            // Its size is known before it is in the page, where each look at a size lays all out.
            if (isFirst) scale = fitting(ZOOM.readable);
            resize();
            canvas.replaceChildren(svg);
            if (!isFirst) canvas.scrollTo(scrollLeft, scrollTop);
        };
    };

    const drag = (canvas) => {
        let from = null;
        let moved = false;
        canvas.addEventListener("pointerdown", (event) => {
            if (event.pointerType !== "mouse" || event.button !== 0) return;
            from = {x: event.clientX + canvas.scrollLeft, y: event.clientY + canvas.scrollTop};
            moved = false;
        });
        canvas.addEventListener("pointermove", (event) => {
            if (!from || !event.buttons) return;
            const left = from.x - event.clientX;
            const top = from.y - event.clientY;
            moved = moved || Math.hypot(left - canvas.scrollLeft, top - canvas.scrollTop) > 4;
            if (moved) canvas.scrollTo(left, top);
        });
        window.addEventListener("pointerup", () => { from = null; });
        canvas.addEventListener("dragstart", (event) => event.preventDefault());
        // What ends a drag is no click on a step.
        canvas.addEventListener("click", (event) => { if (moved) event.preventDefault(); }, true);
    };

    /* What leads from where to where: as long as that is the same, everything stays in its place. */
    const shapeOf = ({nodes, links}) => JSON.stringify([
        nodes.map((node) => node.id ?? null), links.map(([source, target]) => [source, target]),
    ]);

    const pictures = new WeakMap();
    const draw = (section) => {
        const words = document.getElementById(section.dataset.z4jPicture).textContent;
        const before = pictures.get(section);
        if (before?.words === words) return;
        const data = JSON.parse(words);
        if (!data.nodes.length || typeof dagre === "undefined") return;
        const canvas = section.querySelector("[data-z4j-canvas]");
        const shape = shapeOf(data);
        const graph = before?.shape === shape ? before.graph : layout(data);
        const size = graph.graph();
        const svg = create("svg", {
            class: "z4j-flow-graph", viewBox: `0 0 ${size.width} ${size.height}`, role: "group",
            "aria-label": canvas.dataset.z4jLabel,
        }, definitions(), drawLinks(graph, data));
        const keys = walk(svg, graph, data, before?.keys.chosen());
        const font = `600 13px ${getComputedStyle(canvas).fontFamily}`;
        data.nodes.forEach((node, number) => {
            const element = drawNode(node, graph.node(String(number)), font);
            keys.add(number, element);
            svg.append(element);
        });
        keys.ready();
        const hasFocus = canvas.contains(document.activeElement);
        section.hidden = false;
        const show = before?.show ?? frame(section, canvas);
        if (!before) {
            const outline = section.parentElement.querySelector("[data-z4j-outline]");
            if (outline) outline.open = false;
        }
        show(svg, size);
        if (hasFocus) keys.focus();
        pictures.set(section, {words, shape, graph, keys, show});
        section.dataset.z4jDrawn = "yes";
    };
    const drawAll = () => document.querySelectorAll("[data-z4j-picture]").forEach(draw);

    /* On a page of something else: the picture, once one looks there. It refreshes by itself. */
    const embed = async (section) => {
        const answer = await fetch(section.dataset.z4jWorkflow, {credentials: "same-origin"});
        if (!answer.ok || answer.redirected) return;
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        const found = page.querySelector("[data-z4j-part]");
        if (!found) return;
        const {nodes} = JSON.parse(found.querySelector("#z4j-flow-data").textContent);
        // Of what stands alone there is nothing to see.
        section.hidden = nodes.length < 2;
        if (section.hidden) return;
        section.append(document.adoptNode(found));
        section.querySelectorAll("[data-z4j-picture]").forEach(draw);
        window.htmx?.process(found);
    };

    const seen = new IntersectionObserver((entries) => {
        for (const entry of entries) {
            if (!entry.isIntersecting) continue;
            seen.unobserve(entry.target);
            embed(entry.target);
        }
    });

    const ready = () => {
        drawAll();
        document.querySelectorAll("[data-z4j-workflow]").forEach((section) => seen.observe(section));
    };

    document.addEventListener("z4jrefreshed", drawAll);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
    else ready();
}
