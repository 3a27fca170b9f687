"""Rows that a database makes of numbers, by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

#: Rows that one statement seeds.
CHUNK = 100_000
#: The longest time that tasks are spread over; without it, one comes each second.
DAYS = 90


class Scale:
    """How many tasks there are, when each comes, and how the database says so.

    Args:
        rows: Tasks.
        vendor: The database's.
        end: When the newest comes.
    """

    def __init__(self, rows: int, vendor: str, end: datetime) -> None:
        self.rows = rows
        self.vendor = vendor
        self.step = min(1.0, DAYS * 86_400 / rows)
        self.end = end.replace(microsecond=0)
        self.begin = self.end - timedelta(seconds=rows * self.step)
        self.text = {"postgresql": "varchar", "sqlite": "text", "mysql": "char"}[vendor]

    def at(self, number: str, seconds: str = "0") -> str:
        """When the task of a number comes, and so many seconds later."""
        return self.moment(f"({number}) * {self.step} + {seconds}")

    def moment(self, seconds: str) -> str:
        """So many seconds after the begin."""
        begin = f"{self.begin:%Y-%m-%d %H:%M:%S}"
        return {
            "postgresql": f"timestamptz '{begin}Z' + ({seconds}) * interval '1 s'",
            "sqlite": f"datetime('{begin}', ({seconds}) || ' seconds')",
            "mysql": f"timestamp('{begin}') + INTERVAL ({seconds}) SECOND",
        }[self.vendor]

    def number(self, expression: str) -> str:
        """A number as text."""
        return f"cast({expression} as {self.text})"

    def uuid(self, number: str) -> str:
        """The id that belongs to a number."""
        h = f"md5({self.number(number)})"
        if self.vendor == "postgresql":
            return f"cast(cast({h} as uuid) as varchar)"
        parts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        return " || '-' || ".join(f"substr({h}, {start}, {length})" for start, length in parts)


def defaults(model: Any, columns: dict[str, str]) -> dict[str, str]:
    """The columns that ``columns`` leaves out and that may not be null, with their defaults."""
    return {
        field.column: repr(field.get_default())
        for field in model._meta.concrete_fields
        if not (field.primary_key or field.null or field.column in columns)
    }


def insert(cursor: Any, model: Any, columns: dict[str, str], rows: int, where: str) -> None:
    """Fill a table from the numbers 1 to ``rows`` (``i``) for which ``where`` holds."""
    columns = columns | defaults(model, columns)
    digits = "(select 0 as d" + "".join(f" union all select {n}" for n in range(1, 10)) + ")"
    tables = ", ".join(f"{digits} d{n}" for n in range(5))
    number = " + ".join(f"d{n}.d * {10**n}" for n in range(5))
    integer = "signed" if cursor.db.vendor == "mysql" else "bigint"
    names = ", ".join(map(cursor.db.ops.quote_name, columns))
    values = ", ".join(columns.values())
    table = model._meta.db_table
    events = "(select 0 as k union all select 1 union all select 2 union all select 3)"
    beside = f" cross join {events} kinds" if "kind" in columns and "detail" in columns else ""
    for first in range(1, rows + 1, CHUNK):
        series = f"(select cast({first} + {number} as {integer}) as i from {tables}) series"
        cursor.execute(
            f"insert into {table} ({names}) select {values} from {series}{beside} "
            f"where i <= {rows} and {where} order by i"
        )
