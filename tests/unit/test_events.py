"""The journal's lines."""

from __future__ import annotations

import msgspec

from z4j_django.agent import events

HEADER = events.Header(schema=1, project="shop", host="web-1", pid=7)


def test_an_event_survives_its_line() -> None:
    event = events.TaskEvent(
        kind=events.TASK_SENT,
        task_id="a",
        at=1.5,
        message=events.Message(
            name="shop.add",
            args=msgspec.Raw(b"[1,2]"),
            complete=True,
            chord=events.Step("body", chord=events.Step("outer")),
        ),
    )
    found, skipped = events.decode(events.encode(event))
    assert skipped == 0
    assert found[0].message.chord.chord.task_id == "outer"
    assert events.encode(found[0]) == events.encode(event)


def test_what_is_unknown_is_left_out_of_the_line() -> None:
    line = events.encode(events.TaskEvent(kind=events.TASK_STARTED, task_id="a", at=1.5))
    assert line == b'{"of":"task","kind":"task_started","task_id":"a","at":1.5}\n'


def test_a_torn_line_is_counted_and_its_neighbours_are_read() -> None:
    whole = events.encode(events.WorkerEvent(events.WORKER_HEARTBEAT, "w1", 1.0))
    found, skipped = events.decode(whole + whole[:9] + b"\n" + whole)
    assert len(found) == 2
    assert skipped == 1


def test_a_line_of_the_wrong_shape_is_counted() -> None:
    found, skipped = events.decode(b'{"of":"task","kind":"task_sent","task_id":7,"at":"x"}\n')
    assert (found, skipped) == ([], 1)


def test_a_line_whose_time_is_no_moment_is_counted() -> None:
    for name, at in (("at", -1e300), ("at", 1e300), ("sent_at", 1e300)):
        line = events.encode(events.TaskEvent(**{"kind": "x", "task_id": "a", "at": 1.0, name: at}))
        assert events.decode(line) == ([], 1)


def test_a_line_nested_beyond_reason_is_counted() -> None:
    line = b'{"of":"task","kind":"x","task_id":"a","at":1.0,"result":' + b"[" * 100_000 + b"\n"
    assert events.decode(line) == ([], 1)


def test_a_lone_surrogate_does_not_lose_the_event() -> None:
    failure = events.Failure("OSError", "no such file: caf\udce9")
    line = events.encode(
        events.TaskEvent(kind=events.TASK_FAILED, task_id="a", at=1.0, failure=failure)
    )
    found, skipped = events.decode(line)
    assert skipped == 0
    assert found[0].failure.message == "no such file: caf?"


def test_a_header_is_told_from_an_event() -> None:
    assert events.decode_header(events.encode(HEADER)) == HEADER
