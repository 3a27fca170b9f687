"""What stands in a column of JSON, compared alike on every database.

Django's own key transforms are not: they take a key that looks like a number for a place in a
list, and on SQLite the text "true" for the boolean.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TypeAlias

from django.db.models import BooleanField, F, Func

#: Leads to a value inside a document: an integer is a place in a list, a text is a key.
Path: TypeAlias = tuple[int | str, ...]

#: A condition with its parameters.
_Test: TypeAlias = tuple[str, list[Any]]


class Holds(Func):
    """Whether a document holds one of some plain values at a path; never NULL.

    Args:
        column: The column.
        path: Where, with at least one step.
        values: Texts, numbers, booleans and None. A number is found however it is written.
    """

    output_field = BooleanField()

    def __init__(self, column: str, path: Path, values: Sequence[Any]) -> None:
        super().__init__(F(column))
        self.path = path
        self.values = values

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> _Test:
        """By a path, which it would as soon take for keys as for places."""
        column, own = self._column(compiler)
        tests, params = [], []
        for depth, step in enumerate(self.path):
            kind = "array" if isinstance(step, int) else "object"
            tests.append(f"jsonb_typeof({column} #> %s::text[]) = '{kind}'")
            params += [*own, [str(one) for one in self.path[:depth]]]
        values = [json.dumps(value) for value in self.values]
        marks = ", ".join(["%s::jsonb"] * len(values))
        tests.append(f"({column} #> %s::text[]) IN ({marks})")
        params += [*own, [str(one) for one in self.path], *values]
        return f"COALESCE({' AND '.join(tests)}, FALSE)", params

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Level by level, for there are keys that a path can't have."""
        source, params = self._column(compiler)
        levels, keys = [], []
        for number, step in enumerate(self.path):
            level = f"level_{number}"
            levels.append(f"json_each({source}) {level}")
            keys.append(f"{level}.key = %s")
            params.append(step)
            source = f"CASE WHEN {level}.type IN ('array', 'object') THEN {level}.value END"
        tests = [_on_sqlite(level, value) for value in self.values]
        conditions = [*keys, f"({' OR '.join(test for test, _ in tests)})"]
        sql = f"SELECT 1 FROM {', '.join(levels)} WHERE {' AND '.join(conditions)}"  # noqa: S608
        return f"EXISTS ({sql})", [*params, *(one for _, given in tests for one in given)]

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> _Test:
        """By a path that sees lists to be lists: MySQL finds a value at the place 0 of itself."""
        column = self._column(compiler)
        tests = [
            _joined(("JSON_TYPE(", []), _extract(column, self.path[:depth]), (") = 'ARRAY'", []))
            for depth, step in enumerate(self.path)
            if isinstance(step, int)
        ]
        found = _extract(column, self.path)
        options = [_on_mysql(found, value) for value in self.values]
        sql = f"({' OR '.join(option for option, _ in options)})"
        tests.append((sql, [one for _, given in options for one in given]))
        sql = " AND ".join(test for test, _ in tests)
        return f"COALESCE({sql}, FALSE)", [one for _, given in tests for one in given]

    def _column(self, compiler: Any) -> _Test:
        sql, params = compiler.compile(self.get_source_expressions()[0])
        return sql, list(params)


def _on_sqlite(level: str, value: Any) -> _Test:
    if value is None or isinstance(value, bool):
        return f"{level}.type = %s", [json.dumps(value)]
    if isinstance(value, str):
        return f"({level}.type = 'text' AND {level}.atom = %s)", [value]
    # Read by SQLite like the one in the document: it rounds some numbers in its own way.
    same = f"{level}.atom = JSON_EXTRACT(%s, '$')"
    return f"({level}.type IN ('integer', 'real') AND {same})", [json.dumps(value)]


def _extract(column: _Test, path: Path) -> _Test:
    """The value at a path. MariaDB finds a key only as it is written, escaped or not."""
    sql, params = column
    plain, escaped = _mysql_path(path, escape=False), _mysql_path(path, escape=True)
    if plain == escaped:
        return f"JSON_EXTRACT({sql}, %s)", [*params, plain]
    both = f"COALESCE(JSON_EXTRACT({sql}, %s), JSON_EXTRACT({sql}, %s))"
    return both, [*params, plain, *params, escaped]


def _mysql_path(path: Path, *, escape: bool) -> str:
    steps = (
        f"[{step}]" if isinstance(step, int) else "." + json.dumps(step, ensure_ascii=escape)
        for step in path
    )
    return "$" + "".join(steps)


def _on_mysql(found: _Test, value: Any) -> _Test:
    kind = _joined(("JSON_TYPE(", []), found, (")", []))
    text = _joined(("JSON_UNQUOTE(", []), found, (")", []))
    if value is None:
        return _joined(kind, (" = 'NULL'", []))
    if isinstance(value, bool):
        return _joined(kind, (" = 'BOOLEAN' AND ", []), text, (" = %s", [json.dumps(value)]))
    if isinstance(value, str):
        # As bytes: no collation takes notice of spaces at the end.
        same = _joined(("CAST(", []), text, (" AS BINARY) = CAST(%s AS BINARY)", [value]))
        return _joined(kind, (" = 'STRING' AND ", []), same)
    same = ("FALSE", [])
    if value == int(value):
        same = _joined(same, (" OR ", []), text, (" = %s", [str(int(value))]))
    if value == float(value):
        with_point = _joined(text, (" REGEXP '[.eE]' AND ", []), text)
        same = _joined(same, (" OR ", []), with_point, (" + 0e0 = %s", [float(value)]))
    numbers = " IN ('INTEGER', 'UNSIGNED INTEGER', 'DOUBLE', 'DECIMAL') AND ("
    return _joined(kind, (numbers, []), same, (")", []))


def _joined(*parts: _Test) -> _Test:
    return "".join(sql for sql, _ in parts), [one for _, given in parts for one in given]
