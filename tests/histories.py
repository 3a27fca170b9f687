"""Generated lives of tasks, for the laws of merging."""

from __future__ import annotations

import msgspec
from hypothesis import strategies as st

from z4j_django.agent import events

START = 1_800_000_000.0

_SILENT_ENDS = [events.TASK_SUCCEEDED, events.TASK_IGNORED, events.TASK_REVOKED]
_FAILED_ENDS = [events.TASK_FAILED, events.TASK_REJECTED]


@st.composite
def lives(draw: st.DrawFn, task_id: str = "task") -> list[events.TaskEvent]:
    """All events of one task: attempts, purges, redeliveries, and how it ends.

    Hosts disagree about the time by up to a minute; no two events fall on one microsecond.
    """
    skew = {host: draw(st.integers(-60, 60)) for host in ("publisher", "w1@a", "w2@b")}
    life: list[events.TaskEvent] = []
    clock = 0.0

    def add(kind: str, retries: int, host: str, **fields: object) -> None:
        nonlocal clock
        clock += draw(st.floats(0.001, 5.0)) + len(life) * 1e-5
        at = round(START + clock + skew[host], 6) + len(life) * 1e-6
        worker = "" if host == "publisher" else host
        life.append(
            events.TaskEvent(
                kind=kind,
                task_id=task_id,
                at=at,
                name="shop.add",
                retries=retries,
                worker=worker,
                **fields,  # type: ignore[arg-type]
            )
        )

    for retries in range(draw(st.integers(1, 3))):
        add(events.TASK_SENT, retries, "publisher", message=draw(messages(task_id)))
        for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
            add(events.TASK_REVOKED, retries, "publisher", detail="purged", requeued=True)
            if draw(st.booleans()):
                message = draw(messages(task_id))
                add(events.TASK_SENT, retries, "publisher", message=message, requeued=True)
        for _ in range(draw(st.integers(0, 2))):
            host = draw(st.sampled_from(["w1@a", "w2@b"]))
            limit = draw(st.sampled_from([None, 60, 90]))
            message = draw(messages(task_id))
            add(events.TASK_RECEIVED, retries, host, message=message, time_limit=limit)
            if draw(st.booleans()):
                add(events.TASK_STARTED, retries, host)
                for _ in range(draw(st.integers(0, 2))):
                    said = events.Progress(clock, 100.0, f"so far {len(life)}")
                    add(events.TASK_PROGRESS, retries, host, progress=said)
            end = draw(st.sampled_from([None, *_SILENT_ENDS, *_FAILED_ENDS, events.TASK_RETRY]))
            failure = events.Failure("ValueError", f"no {clock}", "Traceback …")
            if end is not None:
                add(
                    end,
                    retries,
                    host,
                    runtime=clock,
                    failure=failure if end in _FAILED_ENDS else None,
                    result=msgspec.Raw(str(len(life)).encode()),
                )
    return life


@st.composite
def messages(draw: st.DrawFn, task_id: str) -> events.Message:
    """What a message of the task may say; sources know more or less of it."""
    body = events.Step("body", "shop.total", chord=draw(st.sampled_from([None, events.Step("b2")])))
    whole = draw(st.booleans())
    return events.Message(
        name="shop.add",
        queue=draw(st.sampled_from(["", "mail", "default"])),
        routing_key="key",
        priority=draw(st.sampled_from([None, 0, 9])),
        eta=draw(st.sampled_from(["", "2027-01-16T00:00:00+00:00", "2027-02-01T10:00:00"])),
        root_id=draw(st.sampled_from([task_id, "root"])),
        parent_id=draw(st.sampled_from(["", "parent"])),
        group_id=draw(st.sampled_from(["", "g1"])),
        group_index=draw(st.sampled_from([None, 0, 4])),
        args=msgspec.Raw(b"[1]") if whole else events.NULL,
        kwargs=msgspec.Raw(b'{"user_id":42}') if whole else events.NULL,
        complete=whole,
        chord=draw(st.sampled_from([None, body])),
        chain=draw(st.sampled_from([(), (events.Step("last", "shop.add", "g1", 7, body),)])),
    )
