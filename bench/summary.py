"""The figures beside their targets, in one table. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from bench import tables

#: Tasks in the tables for which the targets of reading and pruning are meant.
LARGE, PRUNED = 10_000_000, 1_000_000
SQLITE = 1_000_000
#: Events a second that one shipper should store.
INGEST = {"postgresql": 50_000, "sqlite": 50_000, "mariadb": 20_000}
NO_TARGET = "to compare"

Row = tuple[str, str, str, str]


def summary(documents: Mapping[str, tables.Document]) -> str:
    """One table of all benchmarks, and when and where each was taken."""
    rows: list[Row] = []
    for name, part in PARTS.items():
        if name in documents:
            rows += part(documents[name])
    text = tables.table(["what", "target", "measured", "met"], rows)
    places: dict[str, list[str]] = {}
    for name in PARTS:
        if name in documents:
            places.setdefault(_place(documents[name]), []).append(name)
    taken = []
    for place, names in places.items():
        load = max(documents[name]["machine"]["load"] for name in names)
        taken.append(f"{', '.join(names).capitalize()}: {place}, load before at most {load}.")
    left = [name for name in PARTS if name not in documents]
    if left:
        taken.append(f"Not measured: {', '.join(left)}.")
    return "\n\n".join([text, "\n".join(taken)])


def _place(document: tables.Document) -> str:
    machine, versions = document["machine"], document["versions"]
    return (
        f"taken {document['taken']}, {machine['processor']}, {machine['cores']} cores, Python "
        f"{versions['Python']}, Celery {versions['celery']}, Django {versions['Django']}"
    )


def _met(holds: bool) -> str:
    return "yes" if holds else "**no**"


def _met_at(holds: bool, large: bool) -> str:
    return _met(holds) if large or not holds else "at this size"


def _capture(document: tables.Document) -> Iterator[Row]:
    results = document["results"]
    ours, other = tables.LISTENERS
    compared = {
        "one task": ("Capture: all four events of a task", 25),
        "run": ("Capture: start and success of a task", None),
        "fail, traceback of 20 frames": ("Capture: start and failure, 20 frames", 60),
        "publish, 200 rows of kwargs": ("Capture: publish with 200 rows of arguments", 150),
    }
    # What it records of these.
    others = {"one task": " for three of them", "run": "", "fail, traceback of 20 frames": ""}
    for key, (what, target) in compared.items():
        row = results[key]
        measured = f"{tables.number(row[ours]['median'])} µs"
        if other in row and key in others:
            measured += f"; {other} {tables.number(row[other]['median'])} µs{others[key]}"
        if target is None:
            yield what, NO_TARGET, measured, ""
        else:
            yield what, f"≤ {target} µs", measured, _met(row[ours]["median"] <= target)


def _throughput(document: tables.Document) -> Iterator[Row]:
    for name, row in document["results"].items():
        if name == "bare":
            continue
        what = f"Worker's throughput, {name}, to bare"
        if "missing" in row:
            yield what, NO_TARGET, row["missing"], ""
            continue
        ratio = row["ratio"]
        measured = f"{ratio['median']:.2f} ({tables.between(ratio, tables.ratio)})"
        if name == "recorded in PostgreSQL":
            yield what, "≥ 0.95", measured, _met(ratio["median"] >= 0.95)
        else:
            yield what, NO_TARGET, measured, ""
    yield from _shipper(document)


def _shipper(document: tables.Document) -> Iterator[Row]:
    row = document["results"].get("recorded in PostgreSQL", {})
    costs = row.get("processes", {}).get("shipper")
    if costs is None:
        return
    cpu = costs["cpu"]["median"] / row["tasks"] * 1e6
    peak = costs["peak"]["median"]
    yield "Shipper beside that worker: CPU a task", "≤ 70 µs", f"{cpu:.0f} µs", _met(cpu <= 70)
    yield "Shipper beside that worker: peak memory", "≤ 60 MB", f"{peak:.0f} MB", _met(peak <= 60)


def _ingest(document: tables.Document) -> Iterator[Row]:
    for row in document["results"]:
        if row["shippers"] != 1 or row.get("without"):
            continue
        what = f"One shipper into {tables.VENDORS[row['database']]}"
        if "missing" in row:
            yield what, NO_TARGET, row["missing"], ""
            continue
        events, size, target = (
            row["events"]["median"],
            row["bytes"]["median"],
            INGEST[row["database"]],
        )
        measured = f"{events:,.0f} events/s, {row['cpu']['median']:.0f} µs of CPU a task"
        yield what, f"≥ {target:,} events/s", measured, _met(events >= target)
        what = f"On disk in {tables.VENDORS[row['database']]}: record, events, indexes"
        yield what, "≤ 1,500 bytes a task", f"{size:,.0f} bytes a task", _met(size <= 1500)


def _read(document: tables.Document) -> Iterator[Row]:
    targets = {"postgresql": (LARGE, 100), "sqlite": (SQLITE, 150)}
    for row in document["results"]:
        what = f"Pages of admin and API on {tables.VENDORS[row['database']]}, the slowest"
        if "missing" in row:
            yield what, NO_TARGET, row["missing"], ""
            continue
        name, page = max(row["pages"].items(), key=lambda one: one[1]["p95"])
        measured = f"p95 {page['p95']:.0f} ms ({name}) at {row['rows']:,} tasks"
        if row["database"] not in targets:
            yield what, NO_TARGET, measured, ""
            continue
        rows, limit = targets[row["database"]]
        verdict = _met_at(page["p95"] <= limit, row["rows"] >= rows)
        yield what, f"p95 ≤ {limit} ms at {rows:,} tasks", measured, verdict
    queries = _most_queries(document)
    if queries is not None:
        yield "Queries of a page, at most", "≤ 12", str(queries), _met(queries <= 12)


def _most_queries(document: tables.Document) -> int | None:
    pages = [page for row in document["results"] for page in row.get("pages", {}).values()]
    return max((page["queries"] for page in pages), default=None)


def _prune(document: tables.Document) -> Iterator[Row]:
    results: dict[str, Any] = document["results"]
    what = "The list's p95 while old tasks are pruned, to before"
    target = f"≤ 2 ({PRUNED:,} of {LARGE:,} tasks)"
    if "missing" in results:
        yield what, target, results["missing"], ""
        return
    newest = results["pages"]["newest"]
    ratio = newest["during"]["p95"] / newest["before"]["p95"]
    measured = f"{ratio:.2f} ({results['tasks']:,} of {results['rows']:,})"
    yield what, target, measured, _met_at(ratio <= 2, results["rows"] >= LARGE)


PARTS = {
    "capture": _capture,
    "throughput": _throughput,
    "ingest": _ingest,
    "read": _read,
    "prune": _prune,
}
