"""How a database goes about a query, in one vocabulary for all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

_POSTGRESQL_INDEX = re.compile(r"Index (?:Only )?Scan(?: Backward)? (?:using|on) (\w+)")
_SQLITE_INDEX = re.compile(r"USING (?:COVERING )?INDEX (\w+)")


@dataclass(frozen=True)
class Plan:
    """What a plan touches.

    Attributes:
        indexes: The indexes it walks; ``primary`` is the one on the primary key.
        scans: It reads a whole table, in no order that helps.
        sorts: It sorts rows.
        text: The plan in the database's own words.
    """

    indexes: frozenset[str]
    scans: bool
    sorts: bool
    text: str

    def __str__(self) -> str:
        parts = [*sorted(self.indexes)]
        parts += ["scan"] if self.scans else []
        parts += ["sort"] if self.sorts else []
        return " + ".join(parts) or "constant"


def explain(connection: Any, sql: str, params: Any = None) -> Plan:
    """The plan of a query, which is not run."""
    words = {"sqlite": "EXPLAIN QUERY PLAN "}.get(connection.vendor, "EXPLAIN ")
    with connection.cursor() as cursor:
        cursor.execute(words + sql, params)
        columns = [column[0] for column in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
    return {"postgresql": _postgresql, "sqlite": _sqlite, "mysql": _mysql}[connection.vendor](rows)


def _postgresql(rows: list[dict[str, Any]]) -> Plan:
    text = "\n".join(row["QUERY PLAN"] for row in rows)
    found = _POSTGRESQL_INDEX.findall(text)
    indexes = {"primary" if name.endswith("_pkey") else name for name in found}
    # An incremental sort orders the rows of one key at a time, and stops with the page.
    sorts = re.search(r"(?<!Incremental )Sort  \(", text) is not None
    return Plan(frozenset(indexes), "Seq Scan" in text, sorts, text)


def _sqlite(rows: list[dict[str, Any]]) -> Plan:
    text = "\n".join(row["detail"] for row in rows)
    indexes = set(_SQLITE_INDEX.findall(text))
    by_key = "INTEGER PRIMARY KEY" in text
    # Without an index and without a sort, a scan walks the table by its key, to the page's end.
    derived = set(re.findall(r"(?:CO-ROUTINE|MATERIALIZE) (\w+)$", text, re.MULTILINE))
    whole = bool(set(re.findall(r"SCAN (\w+)$", text, re.MULTILINE)) - derived)
    sorts = "TEMP B-TREE" in text
    if by_key or (whole and not sorts):
        indexes.add("primary")
    return Plan(frozenset(indexes), whole and sorts, sorts, text)


def _mysql(rows: list[dict[str, Any]]) -> Plan:
    text = "\n".join(str(row) for row in rows)
    # What it has derived is no table of ours.
    ours = [row for row in rows if not str(row["table"]).startswith("<")]
    keys = {str(row["key"]) for row in ours if row["key"]}
    indexes = {"primary" if key == "PRIMARY" else name for key in keys for name in key.split(",")}
    scans = any(row["type"] == "ALL" and row["table"] for row in ours)
    return Plan(frozenset(indexes), scans, "filesort" in text, text)
