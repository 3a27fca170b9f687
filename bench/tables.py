"""The documents of the benchmarks as Markdown, which a terminal can show as it is. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
VENDORS = {"postgresql": "PostgreSQL", "sqlite": "SQLite", "mariadb": "MariaDB"}
#: What is published of ours and of others in a capture.
LISTENERS = ("z4j_django", "z4j-celery")
EVENTS = {
    "publish": "task_sent",
    "receive": "task_received",
    "task_started": "task_started",
    "task_succeeded": "task_succeeded",
    "run": "task_started, task_succeeded",
    "one task": "all four",
    "run, left out by a sample": "sampled",
    "fail, traceback of 20 frames": "task_started, task_failed",
    "retry": "task_started, task_retry",
    "ignore": "task_started, task_ignored",
    "reject": "task_started, task_rejected",
    "revoke": "task_revoked",
    "receive from a publisher without the agent": "task_received",
    "publish, 200 rows of kwargs": "task_sent",
    "receive, 200 rows of kwargs, publisher without the agent": "task_received",
}
WORDS = {
    "task_started": "the signal of a start alone",
    "task_succeeded": "the signal of a success alone",
    "one task": "one task: publish, receive and run",
}


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows as Markdown, with the columns in line."""
    widths = [max(len(row[i]) for row in [headings, *rows]) for i in range(len(headings))]
    lines = []
    for line in [headings, ["-" * width for width in widths], *rows]:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def number(value: float) -> str:
    """As many digits as say something."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def between(found: Mapping[str, float], form: Callable[[float], str] = number) -> str:
    """From the lowest to the highest."""
    return f"{form(found['low'])} to {form(found['high'])}"


def ratio(value: float) -> str:
    return f"{value:.2f}"


def taken(document: Document) -> str:
    """When, on what and with which versions a document was taken."""
    machine = document["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    return (
        f"Taken {document['taken']} on {machine['processor']} ({machine['architecture']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']}; load before: "
        f"{machine['load']}). {versions}."
    )


def whole(document: Document) -> str:
    """Everything about one benchmark."""
    compared = document["compared"]
    body = BODIES[document["benchmark"]](document)
    return f"{compared[0].upper()}{compared[1:]}.\n\n{body}\n\n{taken(document)}"


def capture(document: Document) -> str:
    results = document["results"]
    others = [name for name in LISTENERS if name in results["run"]]
    rows = []
    for what, events in EVENTS.items():
        row = results[what]
        cells = [WORDS.get(what, what), events, number(row["bare"])]
        for name in others:
            cells += [number(row[name]["median"]), between(row[name])]
        rows.append(cells)
    headings = ["µs of CPU", "events", "bare"]
    for name in others:
        headings += [f"{name} adds", "spread"]
    text = table(headings, rows)
    if LISTENERS[1] in others:
        text += (
            "\n\nz4j-celery records nothing at a publish, a rejection or an ignored task; its"
            " events stay in memory."
        )
    else:
        text += "\n\nz4j-celery is not installed."
    return f"{text} Medians of {document['settings']['rounds']} rounds, lowest to highest."


def throughput(document: Document) -> str:
    rates, processes = [], []
    for name, row in document["results"].items():
        if "missing" in row:
            rates.append([name, row["missing"], "", "", "", "", ""])
            continue
        rates.append(
            [
                name,
                f"{row['tasks']:,}",
                f"{row['rate']['median']:,.0f}",
                f"{row['ratio']['median']:.2f}",
                between(row["ratio"], ratio),
                "" if row["stored"] is None else f"{row['stored']:,}",
                "" if row["behind"] is None else f"{row['behind']['median']:.1f}",
            ]
        )
        for role, costs in row["processes"].items():
            cpu = costs["cpu"]["median"]
            per_task = f"{cpu / row['tasks'] * 1e6:.0f}"
            processes.append([name, role, f"{cpu:.2f}", per_task, f"{costs['peak']['median']:.0f}"])
    headings = ["worker", "tasks", "tasks/s", "ratio", "spread", "on record", "s behind"]
    costs = table(["worker", "process", "CPU s", "CPU µs/task", "peak MB"], processes)
    return (
        f"{table(headings, rates)}\n\n{costs}\n\nMedians of {document['settings']['rounds']} "
        "rounds in turns; each ratio is to the bare worker of the same round, its spread from the "
        "lowest to the highest. The slow variants have fewer tasks: their rates compare all the "
        "same, being taken between the first and the last tasks. “On record”: tasks with "
        "all of it, in the last round; “s behind”: how long after the last task. CPU "
        "is without the start of the process."
    )


def ingest(document: Document) -> str:
    rows = []
    for row in document["results"]:
        without = f", without {row['without']}" if row.get("without") else ""
        cells = [VENDORS[row["database"]] + without, str(row["shippers"])]
        if "missing" in row:
            rows.append([*cells, row["missing"], "", "", "", "", ""])
            continue
        rows.append(
            [
                *cells,
                f"{row['events']['median']:,.0f}",
                between(row["events"]),
                f"{row['cpu']['median']:.0f}",
                f"{row['server']['median']:.0f}" if row.get("server", {}).get("median") else "",
                f"{row['peak']['median']:.0f}",
                f"{row['bytes']['median']:,.0f}",
            ]
        )
    headings = ["database", "shippers", "events/s", "spread", "CPU µs/task", "server's", "peak MB"]
    settings = document["settings"]
    return (
        f"{table([*headings, 'bytes/task on disk'], rows)}\n\nA journal of "
        f"{4 * settings['tasks']:,} events, four a task, shared between the shippers; medians of "
        f"{settings['rounds']} rounds in turns. CPU and peak are the "
        "shippers'; beside it stands the CPU of PostgreSQL's processes that serve them; on disk: "
        "records, events and all indexes, without vacuum."
    )


def read(document: Document) -> str:
    vendors = [row for row in document["results"] if "missing" not in row]
    rows = []
    for name in vendors[0]["pages"] if vendors else ():
        pages = [row["pages"][name] for row in vendors]
        times = [_times(page) for page in pages]
        queries = str(max(page["queries"] for page in pages))
        plan = pages[0]["plan"].replace("z4j_task_", "").replace("z4j_", "")
        rows.append([name, *times, queries, plan])
    names = [VENDORS[row["database"]] for row in vendors]
    sizes = "; ".join(f"{VENDORS[row['database']]}: {row['rows']:,} tasks" for row in vendors)
    headings = [
        "page; p50 / p95 in ms (of CPU)",
        *names,
        "queries",
        f"plan ({names[0] if names else ''})",
    ]
    text = f"{table(headings, rows)}\n\n{sizes}. {document['settings']['calls']} calls of each page"
    missing = [row for row in document["results"] if "missing" in row]
    left = "".join(f" {VENDORS[row['database']]}: {row['missing']}." for row in missing)
    return f"{text}, in turns.{left}"


def _times(page: Mapping[str, Any]) -> str:
    """How long a page took, and where it is known what CPU: a busy machine makes the one longer."""
    found = f"{page['p50']:.1f} / {page['p95']:.1f}"
    cpu = page.get("cpu")
    return f"{found} ({cpu['p50']:.1f} / {cpu['p95']:.1f})" if cpu else found


def prune(document: Document) -> str:
    results = document["results"]
    if "missing" in results:
        return f"PostgreSQL: {results['missing']}."
    rows = []
    for name, page in results["pages"].items():
        for when in ("before", "during", "after"):
            times = page[when]
            cells = [f"{times[key]:.2f}" for key in ("p50", "p95", "p99", "max")]
            rows.append([name, when, *cells, f"{times['p95'] / page['before']['p95']:.2f}"])
    return (
        f"{table(['ms', 'pruning', 'p50', 'p95', 'p99', 'longest', 'p95 to before'], rows)}\n\n"
        f"{results['rows']:,} tasks, of which {results['tasks']:,} were pruned in "
        f"{results['seconds']:.1f} s, with {results['events']:,} events and "
        f"{results['groups']:,} groups."
    )


def watch(document: Document) -> str:
    """The dearest conditions, and whole rounds."""
    results = document["results"]
    keys = next(iter(results.values()))["process"]

    def cost(scene: str, key: str) -> float:
        return float(results[scene]["process"][key] + results[scene]["server"][key])

    dearest = sorted(keys, key=lambda key: -max(cost(scene, key) for scene in results))
    rows = [
        [
            key,
            *(
                f"{results[s]['process'][key]:.1f} + {results[s]['server'][key]:.1f}"
                for s in results
            ),
        ]
        for key in dearest[:10]
    ]
    parts = ("process", "server")
    wholes = {scene: [found["rounds"][part] for part in parts] for scene, found in results.items()}
    rows.append(
        [
            "the whole round",
            *(" + ".join(number(one["median"]) for one in w) for w in wholes.values()),
        ]
    )
    # A round is made every 15 seconds: a hundredth of a core is 150 ms of it.
    shares = [[f"{one['median'] / 150:.2f} %" for one in whole] for whole in wholes.values()]
    rows.append(["of a core", *(" + ".join(share) for share in shares)])
    rows.append(["findings", *(str(found["findings"]) for found in results.values())])
    told = "CPU in ms, of the process + of the database"
    return (
        f"{table([told, *results], rows)}\n\nMedians of {document['settings']['rounds']} rounds; "
        "the ten dearest conditions."
    )


def scrape(document: Document) -> str:
    """What a scrape costs, and of what that is made."""
    results = document["results"]
    if "missing" in results:
        return f"PostgreSQL: {results['missing']}."
    rows = [
        [
            name,
            _times(one),
            str(one["queries"]),
            f"{one['lines']:,}",
            f"{one['bytes'] / 1e6:.2f}",
        ]
        for name, one in results["scrapes"].items()
    ]
    headings = ["a scrape", "p50 / p95 in ms (of CPU)", "queries", "lines", "MB"]
    seen = results["seen"]
    return (
        f"{table(headings, rows)}\n\n{seen['names']} names with their queues, {seen['queues']} "
        f"queues, {seen['workers']} workers; {results['rows']:,} tasks. "
        f"{document['settings']['calls']} scrapes of each, in turns, through Django's test client."
    )


#: How each benchmark is shown.
BODIES: dict[str, Callable[[Document], str]] = {
    "capture": capture,
    "throughput": throughput,
    "ingest": ingest,
    "read": read,
    "prune": prune,
    "watch": watch,
    "scrape": scrape,
}
