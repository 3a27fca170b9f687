"""The header ``traceparent``: from a message into its task's row."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from celery import Celery
from celery.signals import before_task_publish

from tests.recording import Recorder, recording
from z4j_django.agent import batching, events, messages, traces
from z4j_django.store.folding import Fold

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
HEADER = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{TRACE[::-1]}-{SPAN[::-1]}-00"

app = Celery("traces", broker="memory://", backend="cache+memory://", set_as_current=False)


@app.task
def add(first: int, second: int) -> int:
    return first + second


@pytest.fixture
def recorder():
    with recording() as found, app.connection_for_write():
        app.set_current()
        yield found


def told(recorder: Recorder) -> list[str]:
    """The headers that the recorded messages had."""
    return [one.message.traceparent for one in recorder.events if one.message is not None]


class TestHeader:
    @pytest.mark.parametrize(
        ("headers", "found"),
        [
            ({"traceparent": HEADER}, HEADER),
            ({"headers": {"traceparent": HEADER}}, HEADER),  # as Datadog puts it there
            ({"traceparent": OTHER, "headers": {"traceparent": HEADER}}, OTHER),
            ({"traceparent": f"cc-{TRACE}-{SPAN}-01"}, f"cc-{TRACE}-{SPAN}-01"),
            ({"traceparent": f"cc-{TRACE}-{SPAN}-01-{'x' * 10**6}"}, f"cc-{TRACE}-{SPAN}-01"),
        ],
        ids=("its own", "of Datadog", "both", "a later version", "a long one"),
    )
    def test_it_is_found_where_tracers_put_it(self, headers: dict[str, Any], found: str) -> None:
        assert traces.header(headers.get) == found
        assert traces.ids(found) in ((TRACE, SPAN), (TRACE[::-1], SPAN[::-1]))

    @pytest.mark.parametrize(
        "value",
        [
            *("", "x", 7, True, HEADER.encode(), [HEADER], {"traceparent": HEADER}),
            *(HEADER.upper(), f" {HEADER}", f"{HEADER} ", f"{HEADER}\n", HEADER[:-1]),
            *(f"{HEADER}0", f"{HEADER}-", f"{HEADER}-more"),
            *(f"ff-{TRACE}-{SPAN}-01", f"0-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01x"),
            *(f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01"),
            *(f"00-{TRACE}-{SPAN}-0g", f"00_{TRACE}_{SPAN}_01", f"00-{SPAN}-{TRACE}-01"),
            *(f"00-{TRACE[:-1]}٣-{SPAN}-01", f"00-{TRACE[:-1]}\x00-{SPAN}-01", "0" * 10**6),
        ],
        ids=lambda value: repr(value)[:80],
    )
    def test_what_is_not_valid_counts_for_none(self, value: object) -> None:
        for headers in ({"traceparent": value}, {"headers": {"traceparent": value}}):
            assert traces.header(headers.get) == ""

    @pytest.mark.parametrize("inner", [None, "x", [("traceparent", HEADER)], {}])
    def test_nor_is_it_looked_for_in_what_holds_no_headers(self, inner: object) -> None:
        assert traces.header({"headers": inner}.get) == ""


class TestCapture:
    def test_a_publish_tells_the_header_that_it_was_given(self, recorder: Recorder) -> None:
        add.apply_async((1, 2), headers={"traceparent": HEADER})
        add.apply_async((1, 2))
        assert told(recorder) == [HEADER, ""]

    def test_a_tracer_that_hears_of_the_publish_after_us_has_the_last_word(
        self, recorder: Recorder
    ) -> None:
        def inject(headers: dict[str, Any], **kwargs: Any) -> None:
            headers["traceparent"] = OTHER

        before_task_publish.connect(inject)
        add.apply_async((1, 2))
        add.apply_async((1, 2), headers={"traceparent": HEADER})
        before_task_publish.disconnect(inject)
        assert told(recorder) == [OTHER, OTHER]

    def test_a_delivery_tells_it_too(self) -> None:
        headers = {"id": "a", "task": "shop.add", "traceparent": HEADER}
        event = messages.delivered(events.TASK_RECEIVED, headers, {}, at=1.0)
        assert event.message is not None
        assert event.message.traceparent == HEADER

    def test_so_does_a_task_that_is_applied_in_place(self, recorder: Recorder) -> None:
        add.apply((1, 2), headers={"traceparent": HEADER})
        assert told(recorder) == [HEADER]

    def test_a_message_without_it_takes_no_byte_more(self, recorder: Recorder) -> None:
        add.apply_async((1, 2))
        assert b"traceparent" not in events.encode(recorder.events[0])


class TestRow:
    def row(self, *found: events.Event) -> Any:
        fold = Fold()
        lines = b"".join(map(events.encode, found))
        header = events.Header(events.SCHEMA, "shop", "host", 7)
        fold.add_slice(batching.Slice("segment", header, 0, len(lines), lines))
        return fold.tasks["shop", "a"]

    def event(self, kind: str, at: float, traceparent: str, **fields: Any) -> events.TaskEvent:
        message = events.Message("shop.add", complete=True, traceparent=traceparent)
        return events.TaskEvent(kind, "a", at, "shop.add", message=message, **fields)

    def test_it_has_the_trace_and_the_span_that_published_it(self) -> None:
        row = self.row(self.event(events.TASK_SENT, 1.0, HEADER))
        assert (row.trace_id, row.parent_span_id) == (TRACE, SPAN)

    def test_the_first_attempt_says_who_published_it(self) -> None:
        again = self.event(events.TASK_SENT, 3.0, OTHER, retries=1)
        row = self.row(again, self.event(events.TASK_SENT, 1.0, HEADER))
        assert (row.trace_id, row.parent_span_id) == (TRACE, SPAN)

    def test_what_a_journal_says_is_looked_at_again(self) -> None:
        row = self.row(self.event(events.TASK_SENT, 1.0, "0" * 5000))
        assert (row.trace_id, row.parent_span_id) == ("", "")

    def test_a_line_of_an_older_process_says_nothing_of_it(self) -> None:
        line = msgspec.json.decode(events.encode(self.event(events.TASK_SENT, 1.0, HEADER)))
        del line["message"]["traceparent"]
        [event], skipped = events.decode(msgspec.json.encode(line) + b"\n")
        assert skipped == 0
        row = self.row(event)
        assert (row.name, row.trace_id) == ("shop.add", "")

    def test_an_event_that_is_bared_keeps_it(self) -> None:
        bared = events.bared(self.event(events.TASK_SENT, 1.0, HEADER))
        assert self.row(bared).trace_id == TRACE
