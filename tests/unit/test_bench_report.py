from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench import report, summary, tables


def spread(median: float, low: float | None = None, high: float | None = None) -> dict[str, float]:
    return {"median": median, "low": low or median, "high": high or median}


def document(benchmark: str, results: Any, **settings: Any) -> dict[str, Any]:
    return {
        "benchmark": benchmark,
        "taken": "2026-11-21",
        "compared": "one thing with another",
        "machine": {
            "processor": "Some CPU",
            "architecture": "x86_64",
            "cores": 4,
            "memory_gb": 24,
            "system": "Linux 6.1",
            "load": 0.3,
        },
        "versions": {"Python": "3.11.7", "celery": "5.7.0", "Django": "5.2.19"},
        "settings": settings,
        "results": results,
    }


def capture(ours: float, other: float | None = None) -> dict[str, Any]:
    row: dict[str, Any] = {"bare": 13.5, "z4j_django": spread(ours, ours - 1, ours + 1)}
    if other is not None:
        row["z4j-celery"] = spread(other)
    return document("capture", dict.fromkeys(tables.EVENTS, row), rounds=11, calls=1000)


def throughput(ratio: float, shipper: float) -> dict[str, Any]:
    worker = {"cpu": spread(1.5), "peak": spread(77.0)}
    shares = {"tasks": 1000, "rate": spread(1000.0), "stored": None, "behind": None}
    results = {
        "bare": {**shares, "ratio": spread(1.0), "processes": {"worker": worker}},
        "recorded in PostgreSQL": {
            **shares,
            "stored": 1000,
            "behind": spread(0.2),
            "ratio": spread(ratio, 0.9, 1.1),
            "processes": {
                "worker": worker,
                "shipper": {"cpu": spread(shipper), "peak": spread(58.0)},
            },
        },
        "Flower with -E": {"missing": "not installed"},
    }
    return document("throughput", results, tasks=1000, rounds=3)


def read(vendor: str, rows: int, p95: float) -> dict[str, Any]:
    pages = {
        "list": {"p50": 10.0, "p95": p95, "queries": 9, "plan": "primary"},
        "task": {"p50": 5.0, "p95": 7.0, "queries": 12, "plan": "z4j_event_task + sort"},
    }
    results = [{"database": vendor, "rows": rows, "seeded": 1.0, "pages": pages}]
    return document("read", results, rows=rows, calls=20)


def prune(rows: int, before: float, during: float) -> dict[str, Any]:
    times = {"p50": 1.0, "p99": 3.0, "max": 4.0}
    pages = {
        "newest": {
            "before": {**times, "p95": before},
            "during": {**times, "p95": during},
            "after": {**times, "p95": before},
        }
    }
    counts = {"tasks": rows // 10, "events": 4, "groups": 1, "seconds": 2.0}
    return document("prune", {"rows": rows, **counts, "pages": pages}, rows=rows)


def ingest(events: float) -> dict[str, Any]:
    costs = {"cpu": spread(60.0), "peak": spread(58.0), "bytes": spread(1500.0)}
    results = [
        {"database": "postgresql", "shippers": 1, "events": spread(events), **costs},
        {"database": "mariadb", "shippers": 1, "missing": "no server: OperationalError"},
    ]
    return document("ingest", results, tasks=250_000, rounds=3)


def lines(*documents: dict[str, Any]) -> dict[str, list[str]]:
    """The cells of the summary, by what they are about."""
    text = summary.summary({one["benchmark"]: one for one in documents})
    rows = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_a_figure_stands_beside_its_target_and_whether_it_is_met() -> None:
    found = lines(capture(24.9), ingest(49_999.0))
    assert found["Capture: all four events of a task"] == ["≤ 25 µs", "24.9 µs", "yes"]
    assert found["One shipper into PostgreSQL"] == [
        "≥ 50,000 events/s",
        "49,999 events/s, 60 µs of CPU a task",
        "**no**",
    ]


def test_the_other_tool_is_shown_where_it_was_installed() -> None:
    found = lines(capture(24.9, other=41.0))
    assert found["Capture: all four events of a task"][1] == (
        "24.9 µs; z4j-celery 41.0 µs for three of them"
    )
    assert "z4j-celery is not installed" in tables.whole(capture(24.9))


def test_the_worker_and_its_shipper_have_targets() -> None:
    found = lines(throughput(ratio=0.97, shipper=0.071))
    assert found["Worker's throughput, recorded in PostgreSQL, to bare"] == [
        "≥ 0.95",
        "0.97 (0.90 to 1.10)",
        "yes",
    ]
    assert found["Shipper beside that worker: CPU a task"] == ["≤ 70 µs", "71 µs", "**no**"]
    assert found["Shipper beside that worker: peak memory"] == ["≤ 60 MB", "58 MB", "yes"]


def test_what_could_not_be_measured_says_why() -> None:
    found = lines(throughput(0.97, 0.05), ingest(60_000.0))
    assert found["Worker's throughput, Flower with -E, to bare"][1] == "not installed"
    assert found["One shipper into MariaDB"][1] == "no server: OperationalError"


def test_every_process_of_a_worker_has_a_row() -> None:
    shown = tables.whole(throughput(0.97, 0.05))
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in shown.splitlines()]
    assert ["recorded in PostgreSQL", "shipper", "0.05", "50", "58"] in cells
    assert ["bare", "worker", "1.50", "1500", "77"] in cells


@pytest.mark.parametrize(
    ("rows", "p95", "verdict"),
    [
        (10_000_000, 99.0, "yes"),
        (10_000_000, 101.0, "**no**"),
        (100_000, 99.0, "at this size"),
        (100_000, 101.0, "**no**"),
    ],
)
def test_a_small_table_does_not_prove_the_target_of_a_large_one(
    rows: int, p95: float, verdict: str
) -> None:
    found = lines(read("postgresql", rows, p95))
    row = found["Pages of admin and API on PostgreSQL, the slowest"]
    assert row == [
        "p95 ≤ 100 ms at 10,000,000 tasks",
        f"p95 {p95:.0f} ms (list) at {rows:,} tasks",
        verdict,
    ]


def test_pruning_is_told_by_how_much_it_moves_the_list() -> None:
    found = lines(prune(10_000_000, before=4.0, during=6.0))
    assert found["The list's p95 while old tasks are pruned, to before"] == [
        "≤ 2 (1,000,000 of 10,000,000 tasks)",
        "1.50 (1,000,000 of 10,000,000)",
        "yes",
    ]


def test_benchmarks_that_did_not_run_are_named() -> None:
    text = summary.summary({"capture": capture(24.9)})
    assert text.endswith("Not measured: throughput, ingest, read, prune.")


def test_only_what_stands_between_the_markers_is_replaced() -> None:
    text = (
        "before\n<!-- figures: read -->\nold\n<!-- /figures -->\nbetween\n"
        "<!-- figures: prune -->\nkept\n<!-- /figures -->\nafter\n"
    )
    assert report.replace(text, {"read": "new"}) == text.replace("old", "new")


def test_filling_a_block_again_changes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- figures: summary -->\n<!-- /figures -->\n")
    texts = report.blocks({"prune": prune(200_000, 4.0, 5.0)})
    assert list(report.write([page], texts)) == [page]
    assert list(report.write([page], texts)) == []
    assert "at this size" in page.read_text()


def test_the_largest_tables_count_where_a_benchmark_ran_twice(tmp_path: Path) -> None:
    for number, one in enumerate(
        [
            read("postgresql", 10_000_000, 80.0),
            read("postgresql", 100_000, 20.0),
            read("sqlite", 100_000, 30.0),
            prune(200_000, 4.0, 5.0),
        ]
    ):
        (tmp_path / f"{number}.json").write_text(json.dumps(one))
    found = report.load(tmp_path)
    rows = [(row["database"], row["rows"]) for row in found["read"]["results"]]
    assert rows == [("postgresql", 10_000_000), ("sqlite", 100_000)]
    assert found["prune"]["results"]["rows"] == 200_000


def test_every_document_of_ours_has_the_blocks_that_the_report_fills() -> None:
    root = Path(report.__file__).resolve().parent.parent
    readme, performance = ((root / name).read_text() for name in report.DOCUMENTS)
    assert "<!-- figures: summary -->" in readme
    for name in ("summary", *tables.BODIES):
        assert f"<!-- figures: {name} -->" in performance
