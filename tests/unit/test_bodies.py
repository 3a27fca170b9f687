"""Bodies of task messages: read and written in the message's own serializer."""

from __future__ import annotations

import datetime
import json
import pickle
from typing import Any

import celery
import pytest
from kombu.serialization import registry

from z4j_django.control import bodies
from z4j_django.exceptions import OperationError
from z4j_django.secrets.masking import MASK

# Without Celery's fixup for Django, whose checks ask the database.
app = celery.Celery("test", broker="memory://", fixups=[], set_as_current=False)
EMBED: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


@app.task(name="pay", shared=False, bind=True)
def pay(self: Any, order: int, *, card: str = "a secret default") -> None: ...


@app.task(name="anything", shared=False, typing=False)
def anything(x: int) -> None: ...


@app.task(name="many", shared=False)
def many(first: int, *tokens: str) -> None: ...


class Dangerous:
    def __reduce__(self) -> Any:
        return pytest.fail, ("it was unpickled",)


@pytest.mark.parametrize("serializer", ["json", "yaml", "msgpack"])
def test_what_is_read_and_written_again_is_the_same(serializer: str) -> None:
    args = [1, 2.5, "é", None, True, [[]], {"a": {}}, 2**53]
    content_type, encoding, body = registry.dumps([args, {"k": "v"}, EMBED], serializer=serializer)
    raw = body.encode() if isinstance(body, str) else body
    read = bodies.decode(raw, content_type, encoding)
    assert read == (args, {"k": "v"}, EMBED)
    written = bodies.encode(*read, content_type, encoding)
    assert registry.loads(written, content_type, encoding, accept={content_type}) == [
        args,
        {"k": "v"},
        EMBED,
    ]


def test_what_kombu_marks_in_json_stays_marked() -> None:
    moment = datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC)
    content_type, encoding, body = registry.dumps([[moment, b"x"], {}, EMBED], serializer="json")
    read = bodies.decode(body.encode(), content_type, encoding)
    written = bodies.encode(*read, content_type, encoding)
    assert registry.loads(written, content_type, encoding)[0] == [moment, b"x"]


def test_a_pickled_body_is_never_unpickled() -> None:
    body = pickle.dumps([[Dangerous()], {}, EMBED])
    with pytest.raises(OperationError, match="never unpickled"):
        bodies.decode(body, "application/x-python-serialize", "binary")


def test_yaml_makes_no_objects() -> None:
    body = b"- [!!python/object/apply:os.getcwd []]\n- {}\n- {}\n"
    with pytest.raises(OperationError, match="can't be read"):
        bodies.decode(body, "application/x-yaml", "utf-8")


@pytest.mark.parametrize(
    ("body", "content_type", "encoding"),
    [
        (b"{", "application/json", "utf-8"),
        (b"\xff", "application/json", "utf-8"),
        (b"[]", "application/json", "no such encoding"),
        (b"[" * 100_000, "application/json", "utf-8"),
        (b'[[], {}, {}, "more"]', "application/json", "utf-8"),
        (b'["text", {}, {}]', "application/json", "utf-8"),
        (b'{"task": "pay", "args": []}', "application/json", "utf-8"),
        (b"\xc1", "application/x-msgpack", "binary"),
        (b"", "text/plain", "utf-8"),
        (b"", "", ""),
    ],
)
def test_what_can_not_be_read_is_refused(body: bytes, content_type: str, encoding: str) -> None:
    with pytest.raises(OperationError):
        bodies.decode(body, content_type, encoding)


@pytest.mark.parametrize("content_type", ["application/json", "application/x-msgpack"])
def test_what_can_not_be_written_is_refused(content_type: str) -> None:
    with pytest.raises(OperationError, match="can't write it"):
        bodies.encode([object()], {}, EMBED, content_type, "utf-8")


def test_arguments_are_checked_where_the_task_is_known() -> None:
    bodies.check_arguments(app, "pay", [1], {"card": "x"})
    bodies.check_arguments(app, "somebody else's", [1, 2, 3], {})
    bodies.check_arguments(app, "anything", [1, 2, 3], {})
    with pytest.raises(OperationError) as raised:
        bodies.check_arguments(app, "pay", [], {})
    assert str(raised.value) == (
        "pay(order, *, card=…) can't be called like this: missing a required argument: 'order'."
    )
    with pytest.raises(OperationError, match="unexpected keyword argument 'cord'"):
        bodies.check_arguments(app, "pay", [1], {"cord": "x"})


def test_positional_parameters_have_names_where_the_task_is_known() -> None:
    assert bodies.parameter_names(app, "pay", 2) == ["order"]
    assert bodies.parameter_names(app, "pay", 0) == []
    assert bodies.parameter_names(app, "somebody else's", 1) == []


def test_parameters_have_names_also_where_celery_does_not_check_them() -> None:
    assert bodies.parameter_names(app, "anything", 1) == ["x"]


def test_all_that_a_star_takes_goes_by_its_name() -> None:
    assert bodies.parameter_names(app, "many", 3) == ["first", "tokens", "tokens"]
    assert bodies.parameter_names(app, "many", 1) == ["first"]


def test_a_header_shows_what_celery_would_write() -> None:
    price = {"__type__": "decimal", "__value__": "1.50"}
    assert bodies.repr_header(app, "(1,)", [1], [1, "x"]) == "(1, 'x')"
    assert bodies.repr_header(app, None, [1], [price]) == "(Decimal('1.50'),)"
    assert bodies.repr_header(app, "{'k': Decimal('1.50')}", {"k": price}, {"k": [2]}) == (
        "{'k': [2]}"
    )
    assert len(bodies.repr_header(app, "()", [], ["x" * 10_000])) < 1_100


def test_a_header_hides_what_the_publisher_had_hidden() -> None:
    assert bodies.repr_header(app, "('***',)", ["hunter2"], ["hunter3"]) == MASK
    assert bodies.repr_header(app, "{'pin': '*'}", {"pin": 1}, {"pin": 2, "n": 1}) == MASK


def test_json_keeps_what_it_can_not_say_in_ascii() -> None:
    body = bodies.encode(["é"], {}, EMBED, "application/json", "utf-8")
    assert json.loads(body)[0] == ["é"]
