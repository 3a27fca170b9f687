"""What the schema can't say: what is on record, the filter grammar, and what goes with what.

schemathesis makes up requests from the schema. Where that says only that a text is a filter or a
cursor, this makes one up that really is. No check is changed here.
"""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation.meta import TestPhase

#: What the records of the server hold, as ``seed`` has printed it.
VALUES: Final = json.loads(Path(os.environ["CONTRACT_VALUES"]).read_text())

_STATES: Final = ("PENDING", "RECEIVED", "STARTED", "RETRY", "SUCCESS", "failure", "Revoked")
#: What no query and no path can hold: half a surrogate pair, NUL.
_TEXTS: Final = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
)
_WORDS: Final = st.text("abcdefghijklmnopqrstuvwxyz0123456789_.@", min_size=1, max_size=12).filter(
    lambda word: word.strip(".")
)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _known(*names: str) -> st.SearchStrategy[str]:
    """Texts that are on record, and now and then others."""
    known = st.sampled_from([one for name in names for one in VALUES[name]])
    return st.integers(0, 4).flatmap(lambda die: known if die else _TEXTS)


def _lists(one: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(one, min_size=1, max_size=3).map(",".join)


_AGE: Final = st.builds("{}{}".format, st.integers(1, 400), st.sampled_from("smhdw"))
_LENGTH: Final = st.builds(
    "{}{}".format, st.integers(0, 5000), st.sampled_from(["", "ms", "s", "m", "h", "d", "w"])
)
_DAY: Final = st.builds("20{:02}-{:02}-{:02}".format, *map(st.integers, (10, 1, 1), (40, 12, 28)))
_MOMENT: Final = st.one_of(_DAY, _DAY.map("{}T10:30:00Z".format), _DAY.map("{}T10:30:00".format))
_SIGN: Final = st.sampled_from(["<", "<=", ">", ">="])


def _ranges(one: st.SearchStrategy[Any]) -> st.SearchStrategy[str]:
    """``a..``, ``..a`` and ``a..a``: of others it would have to know which end is smaller."""
    return st.builds(lambda form, end: form.replace("a", str(end)), _FORMS, one)


_FORMS: Final = st.sampled_from(["a..", "..a", "a..a"])
_WHOLE: Final = st.integers(-9, 999_999_999)

_SHAPES: Final = {
    "state": _lists(st.sampled_from(_STATES)),
    "pattern": _lists(
        st.one_of(
            _known("names", "queues", "workers").map(_quoted), _WORDS, _WORDS.map("{}*".format)
        )
    ),
    "status": _lists(
        st.sampled_from(
            ["due", "retrying", "EXPIRED", "unsent", "silent", "lost", "redelivered", "internal"]
        ),
    ),
    "text": _lists(st.one_of(_known("tasks", "groups").map(_quoted), _WORDS)),
    "moment": _lists(
        st.one_of(
            st.builds("{}{}".format, _SIGN, _AGE),
            st.builds("{}{}".format, st.one_of(_SIGN, st.just("")), _MOMENT),
            _ranges(_AGE),
            _ranges(_MOMENT),
        )
    ),
    "duration": _lists(
        st.one_of(
            st.builds("{}{}".format, st.one_of(_SIGN, st.just("")), _LENGTH), _ranges(_LENGTH)
        )
    ),
    "integer": _lists(
        st.one_of(st.builds("{}{}".format, st.one_of(_SIGN, st.just("")), _WHOLE), _ranges(_WHOLE))
    ),
    "json": _lists(
        st.one_of(_TEXTS.map(_quoted), st.sampled_from(["42", "true", "null", "-1.5e3", "1" * 30]))
    ),
}
_TERMS: Final = {
    "state": "state",
    "is": "status",
    **dict.fromkeys(("name", "queue", "worker", "error"), "pattern"),
    **dict.fromkeys(("id", "group", "root", "parent", "retry_of", "schedule"), "text"),
    **dict.fromkeys(("trace", "project"), "text"),
    **dict.fromkeys(("sent", "received", "started", "finished"), "moment"),
    "runtime": "duration",
    **dict.fromkeys(("retries", "deliveries", "priority"), "integer"),
    **dict.fromkeys(("args.0", "kwargs.user_id", 'kwargs."a.b".c', "args.1.0"), "json"),
}


@st.composite
def _filters(draw: st.DrawFn) -> str:
    terms = []
    for _ in range(draw(st.integers(1, 4))):
        sign = draw(st.sampled_from(["", "", "-"]))
        name = draw(st.sampled_from([*_TERMS, ""]))
        if name:
            terms.append(f"{sign}{name}:{draw(_SHAPES[_TERMS[name]])}")
        else:
            terms.append(sign + draw(st.one_of(_WORDS, _TEXTS.filter(str.strip).map(_quoted))))
    return " ".join(terms)


def _token(row: int) -> str:
    from z4j_django.queries.cursors import Key

    return Key(row).token()


def _place() -> str:
    """A place in the list of names."""
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((-2.0, "shop.add"))).decode()


_FORMATS: Final[dict[str, st.SearchStrategy[str]]] = {
    "z4j-filter": _filters(),
    "z4j-state": _SHAPES["state"],
    "z4j-status": _SHAPES["status"],
    "z4j-text": _SHAPES["text"],
    "z4j-pattern": _SHAPES["pattern"],
    "z4j-moment": _SHAPES["moment"],
    "z4j-duration": _SHAPES["duration"],
    "z4j-integer": _SHAPES["integer"],
    "z4j-cursor": st.builds(
        str.__add__, st.sampled_from("ab"), st.sampled_from(VALUES["rows"]).map(_token)
    ),
    "z4j-since": st.sampled_from(VALUES["since"]),
    # What is put off may be so for a year, at most.
    "date-time": st.datetimes(
        datetime(1970, 1, 1), datetime.now() + timedelta(days=300), timezones=st.just(UTC)
    ).map(datetime.isoformat),
    "z4j-task-id": _known("tasks").filter(lambda text: text == text.strip()),
    "z4j-group-id": _known("groups"),
    "z4j-queue": _known("queues").filter(str.isprintable),
    "z4j-worker": _known("workers"),
    "z4j-task-name": _known("counted").filter(lambda text: text.isprintable() and text.strip()),
    "z4j-place": st.just(_place()),
}
for _name, _strategy in _FORMATS.items():
    schemathesis.openapi.format(_name, _strategy)


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """Has valid requests have nothing in them that excludes another part of them."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    name = case.operation.definition.raw["operationId"]
    if case.query:
        _put(case, "query", _together(name, _as_terms(case.query)))
    if case.meta.phase.name is not TestPhase.STATEFUL and (known := _NUMBERS.get(name)):
        number = case.path_parameters["id"]
        if isinstance(number, int) and number % 3:
            _put(case, "path_parameters", {"id": known[number % len(known)]})
    if isinstance(case.body, dict):
        _put(case, "body", _storable(case.body))


def _put(case: Any, name: str, value: Any) -> None:
    if value != getattr(case, name):
        setattr(case, name, value)


def _as_terms(query: dict[str, Any]) -> dict[str, Any]:
    """What it has learned from answers goes in quotes where it is not a term as it stands."""
    return {
        key: _quoted(value) if key in _TERMS and value in _ODD else value
        for key, value in query.items()
    }


def _together(name: str, query: dict[str, Any]) -> dict[str, Any]:
    """Parameters that go with one another."""
    if name in ("statistics_series", "task_types_list", "task_types_retrieve"):
        # Which steps a range may have, and which ranges there are, no schema says.
        return {key: query[key] for key in query if key not in ("since", "until", "step")}
    if "since" in query:
        return {key: query[key] for key in query if key not in ("ordering", "limit", "cursor")}
    if "cursor" in query and name == "tasks_list":
        return {**query, "ordering": "-id"}  # cursors of other orders are others
    if name in ("tasks_csv", "tasks_ndjson"):
        return {**query, "sent": "<99w"}  # a file wants a term that has an index
    return query


def _storable(value: Any) -> Any:
    """The same without NUL, which no text of a body may hold, however deep."""
    if isinstance(value, dict):
        return {_storable(key): _storable(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_storable(one) for one in value]
    return value.replace("\0", "") if isinstance(value, str) else value


#: Texts on record that are no value of a term without quotes.
_ODD: Final = frozenset(
    text
    for known in VALUES.values()
    for text in known
    if isinstance(text, str) and not text.isalnum()
)
_NUMBERS: Final = {
    **dict.fromkeys(
        ("operations_retrieve", "operations_targets", "operations_abort"), VALUES["operations"]
    ),
    "schedules_retrieve": VALUES["schedules"],
}
