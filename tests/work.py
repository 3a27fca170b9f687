"""How much a database does for what a test asks of it, counted and not timed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

#: Instructions of SQLite's machine between two counts.
_STEPS = 100


def rows_read(table: str, do: Callable[[], object]) -> int:
    """Rows and index entries of a table that ``do`` has the database look at.

    SQLite tells its instructions alone, of which a row of a filter takes some thirty. MySQL counts
    the rows of derived tables as well.
    """
    vendor = connection.vendor
    return {"postgresql": _postgresql, "sqlite": _sqlite, "mysql": _mysql}[vendor](table, do)


def _postgresql(table: str, do: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        do()
    total = 0
    for one in captured:
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {one['sql']}")
            (plan,) = cursor.fetchone()
        nodes = json.loads(plan) if isinstance(plan, str) else plan
        total += sum(_rows(node) for node in _nodes(nodes) if _scans(node, table))
    return total


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    if isinstance(plan, list):
        for one in plan:
            yield from _nodes(one)
    elif isinstance(plan, dict):
        if "Node Type" in plan:
            yield plan
        for one in plan.values():
            yield from _nodes(one)


def _scans(node: dict[str, Any], table: str) -> bool:
    # A bitmap's index has no relation of its own.
    return node.get("Relation Name") == table or node["Node Type"] == "Bitmap Index Scan"


def _rows(node: dict[str, Any]) -> int:
    removed = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    return round((node["Actual Rows"] + removed) * node["Actual Loops"])


def _sqlite(table: str, do: Callable[[], object]) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += _STEPS
        return 0

    connection.ensure_connection()
    connection.connection.set_progress_handler(count, _STEPS)
    try:
        do()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return steps // 30


def _mysql(table: str, do: Callable[[], object]) -> int:
    before = _handlers()
    do()
    return _handlers() - before


def _handlers() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%'")
        return sum(int(value) for _, value in cursor.fetchall())
