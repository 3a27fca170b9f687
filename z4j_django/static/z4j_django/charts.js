/* Draws what stands in <figure class="z4j-chart" data-z4j-chart="…">: bars of outcomes on each other,
   or lines. The numbers come from the address; the table below says the same without scripts.

   The address answers {at: [seconds], series: [{label, outcome, values}], marks: [{at, label,
   name}], step: seconds, unit: "s" or ""}. A mark's label is short; its name is told of the place
   that one points at, and in the list below, which the elements of data-z4j-marks have. */
"use strict";
{
    const style = (node, name) => getComputedStyle(node).getPropertyValue(name).trim();

    // Custom properties are not computed to colours by themselves.
    const colour = (node, name) => {
        const probe = document.createElement("span");
        probe.className = `z4j-ink-${name}`;
        probe.hidden = true;
        node.append(probe);
        const found = style(probe, "color");
        probe.remove();
        return found;
    };

    // clientWidth is rounded up, too, where a column has half a pixel.
    const widthOf = (figure) => Math.max(Math.floor(figure.getBoundingClientRect().width), 100);

    const stacked = (rows) => {
        const sums = rows[0].map(() => 0);
        return rows.map((row) => row.map((value, place) => (sums[place] += value ?? 0)));
    };

    //: Labels of marks below each other, at most; what has no room is in the list.
    const MARK_ROWS = 3;
    const marks = (found, ink) => ({
        hooks: {
            draw: [(plot) => {
                const {ctx, bbox} = plot;
                ctx.save();
                ctx.strokeStyle = ctx.fillStyle = ink;
                ctx.setLineDash([4, 4]);
                ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
                // Where the last label of each row ends: one that would lie on it goes below.
                const rows = [];
                for (const {at, label} of [...found].sort((one, other) => one.at - other.at)) {
                    const x = Math.round(plot.valToPos(at, "x", true));
                    if (x < bbox.left || x > bbox.left + bbox.width) continue;
                    ctx.beginPath();
                    ctx.moveTo(x, bbox.top);
                    ctx.lineTo(x, bbox.top + bbox.height);
                    ctx.stroke();
                    const end = x > bbox.left + bbox.width / 2;
                    const width = ctx.measureText(label).width + 8 * devicePixelRatio;
                    const left = end ? x - width : x;
                    const free = rows.findIndex((taken) => taken <= left);
                    const row = free < 0 ? rows.length : free;
                    if (row >= MARK_ROWS) continue;
                    rows[row] = left + width;
                    ctx.textAlign = end ? "right" : "left";
                    ctx.fillText(label, x + (end ? -4 : 4) * devicePixelRatio, bbox.top + (11 + 13 * row) * devicePixelRatio);
                }
                ctx.restore();
            }],
        },
    });

    const language = document.documentElement.lang || undefined;
    const short = new Intl.NumberFormat(language, {notation: "compact"});
    const seconds = (value) => (value < 1 ? `${Math.round(value * 1000)} ms` : value < 120 ? `${+value.toFixed(1)} s` : `${Math.round(value / 60)} min`);

    const hours = new Intl.DateTimeFormat(language, {hour: "2-digit", minute: "2-digit", hourCycle: "h23"});
    const days = new Intl.DateTimeFormat(language, {day: "numeric", month: "short"});
    const times = (plot, splits) => splits.map((at) => {
        const date = new Date(at * 1000);
        const range = plot.scales.x.max - plot.scales.x.min;
        const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
        return range > 3 * 86400 || (isMidnight && range > 43200) ? days.format(date) : hours.format(date);
    });

    const options = (figure, found, isBars) => {
        const ink = colour(figure, "quiet");
        const line = colour(figure, "hairline");
        const axis = {stroke: ink, font: "11px system-ui, sans-serif", grid: {stroke: line, width: 1}, ticks: {show: false}};
        const bars = uPlot.paths.bars({size: [0.85, 40], align: 1});
        const drawn = found.series.map(({label, outcome}) => {
            const shown = colour(figure, outcome || "accent");
            return isBars
                ? {label, fill: shown, stroke: shown, width: 0, paths: bars, points: {show: false}}
                : {label, stroke: shown, width: 1.5, points: {show: false}};
        });
        // So that the label of a mark lies on no bar.
        const headroom = found.marks?.length ? 1.2 : 1.05;
        return {
            width: widthOf(figure),
            height: Math.max(Number(figure.dataset.height) || 160, 80),
            padding: [8, null, 0, null],
            cursor: {show: true, x: true, y: false, drag: {setScale: false}, points: {show: false}},
            legend: {show: false},
            scales: {y: {range: (plot, low, high) => [0, Math.max(high || 0, isBars ? 1 : 0.001) * headroom]}},
            axes: [
                {...axis, grid: {show: false}, space: 70, size: 22, values: times},
                {...axis, size: 48, values: (plot, splits) => splits.map((one) => (found.unit === "s" ? seconds(one) : short.format(one)))},
            ],
            // The highest sum is drawn first, and the others before it.
            series: [{}, ...(isBars ? drawn.reverse() : drawn)],
            plugins: [marks(found.marks ?? [], ink)],
        };
    };

    const tell = (figure, found) => {
        const note = figure.querySelector(".z4j-chart-now");
        if (!note) return () => {};
        const clock = new Intl.DateTimeFormat(language, {dateStyle: "short", timeStyle: "short"});
        return (plot) => {
            const place = plot.cursor.idx;
            const numbers = place === null || place === undefined ? "" : found.series.map(({label, values}) => `${label} ${values[place] === null ? "-" : found.unit === "s" ? seconds(values[place]) : values[place]}`).join(" · ");
            note.textContent = numbers && `${clock.format(new Date(found.at[place] * 1000))}: ${[numbers, ...named(found, place)].join(" · ")}`;
        };
    };

    /* What is marked at a place, whole. */
    const named = (found, place) => {
        const from = found.at[place];
        const until = found.at[place + 1] ?? Infinity;
        return (found.marks ?? []).filter(({at}) => at >= from && at < until).map(({name}) => name);
    };

    /* The marks as words. */
    const list = (figure, found) => {
        const place = figure.querySelector("[data-z4j-marks]");
        if (!place) return;
        const clock = new Intl.DateTimeFormat(language, {dateStyle: "short", timeStyle: "short"});
        const told = (found.marks ?? []).map(({at, name}) => `${name} (${clock.format(new Date(at * 1000))})`);
        place.textContent = `${place.dataset.z4jMarks} ${told.join(", ")}`;
        place.hidden = !told.length;
    };

    const draw = async (figure) => {
        const answer = await fetch(figure.dataset.z4jChart, {credentials: "same-origin"});
        if (!answer.ok || answer.redirected) return;
        const text = await answer.text();
        if (figure.z4jText === text && figure.z4jPlot) return;
        figure.z4jText = text;
        const found = JSON.parse(text);
        const isBars = figure.dataset.kind !== "lines";
        list(figure, found);
        const rows = found.series.map((one) => one.values);
        const data = [found.at, ...(isBars && rows.length ? stacked(rows).reverse() : rows)];
        const place = figure.querySelector(".z4j-plot");
        figure.z4jPlot?.destroy();
        const wanted = options(figure, found, isBars);
        wanted.hooks = {setCursor: [tell(figure, found)]};
        figure.z4jPlot = new uPlot(wanted, data, place);
        figure.classList.add("z4j-drawn");
    };

    const all = () => document.querySelectorAll("[data-z4j-chart]");
    const redraw = () => all().forEach((figure) => {
        figure.z4jText = "";
        draw(figure);
    });
    const watched = new WeakSet();
    const sizes = new ResizeObserver((entries) => {
        for (const {target} of entries) {
            target.z4jPlot?.setSize({width: widthOf(target), height: target.z4jPlot.height});
        }
    });
    const start = () => all().forEach((figure) => {
        if (watched.has(figure)) return;
        watched.add(figure);
        sizes.observe(figure);
        draw(figure);
    });
    // Minutes are counted: more often than twice in one there is nothing new.
    setInterval(() => {
        if (!document.hidden && localStorage.getItem("z4j-paused") !== "1") all().forEach(draw);
    }, 30000);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    new MutationObserver(redraw).observe(document.documentElement, {attributeFilter: ["data-theme", "class"]});
    document.addEventListener("z4jrefreshed", start);
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
    else start();
}
