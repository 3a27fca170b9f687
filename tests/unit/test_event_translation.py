"""Celery's own events, turned into ours."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from z4j_django.agent import bootstrap, event_translation, events, failures

NOW = 1_800_000_000.5


class Seen:
    """An translator and what it records."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.translator = event_translation.Translator(self.events.append)

    def say(self, kind: str, at: float = NOW, **fields: Any) -> None:
        event = {"type": kind, "hostname": "w@h", "timestamp": at, "utcoffset": -5, "pid": 7}
        if kind.startswith("task-"):
            event["uuid"] = "a"
        self.translator.take({**event, **fields})

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.events]

    @property
    def last(self) -> Any:
        return self.events[-1]


@pytest.fixture
def seen() -> Seen:
    """Of a worker that has said who it is, and has no agent."""
    seen = Seen()
    seen.say("worker-online", sw_ident="py-celery", sw_ver="5.7.0")
    return seen


def test_a_worker_is_told_with_its_process_and_its_version(seen: Seen) -> None:
    assert seen.events == [
        events.WorkerEvent(
            events.WORKER_ONLINE, "w@h", NOW, version="celery 5.7.0", observed=True, pid=7
        )
    ]


def test_of_the_heartbeats_one_in_ten_seconds_is_enough(seen: Seen) -> None:
    for second in range(0, 24, 2):
        seen.say("worker-heartbeat", NOW + second)
    seen.say("worker-offline", NOW + 25)
    assert [(event.kind, event.at - NOW) for event in seen.events[1:]] == [
        (events.WORKER_HEARTBEAT, 0.0),
        (events.WORKER_HEARTBEAT, 10.0),
        (events.WORKER_HEARTBEAT, 20.0),
        (events.WORKER_OFFLINE, 25.0),
    ]


def test_a_send_tells_the_address_and_no_worker(seen: Seen) -> None:
    seen.say(
        "task-sent",
        hostname="gen1@h",
        name="shop.add",
        args="(1,)",
        kwargs="{'card': '4242'}",
        retries=2,
        root_id="r",
        parent_id="p",
        queue="mail",
        exchange="x",
        routing_key="k",
        eta="2027-01-16T00:00:00+00:00",
        expires=None,
    )
    assert seen.last == events.TaskEvent(
        kind=events.TASK_SENT,
        task_id="a",
        at=NOW,
        name="shop.add",
        retries=2,
        message=events.Message(
            name="shop.add",
            queue="mail",
            exchange="x",
            routing_key="k",
            eta="2027-01-16T00:00:00+00:00",
            root_id="r",
            parent_id="p",
        ),
        observed=True,
    )


def test_a_receipt_tells_the_name_and_the_arguments_are_left_empty(seen: Seen) -> None:
    seen.say("task-received", name="shop.add", args="(1, ...)", kwargs="{}", root_id="a")
    assert (seen.last.worker, seen.last.name) == ("w@h", "shop.add")
    assert seen.last.message == events.Message(name="shop.add", root_id="a")


def test_what_an_event_does_not_say_is_left_empty(seen: Seen) -> None:
    seen.say("task-started")
    assert seen.last == events.TaskEvent(
        kind=events.TASK_STARTED, task_id="a", at=NOW, worker="w@h", observed=True
    )


def test_a_result_is_a_repr_and_is_left_out(seen: Seen) -> None:
    seen.say("task-succeeded", result="'a secret'", runtime=0.25)
    assert (seen.last.kind, seen.last.runtime) == (events.TASK_SUCCEEDED, 0.25)
    assert bytes(seen.last.result) == b"null"


@pytest.mark.parametrize(
    ("said", "kind", "message"),
    [
        ("ValueError('x')", "ValueError", "x"),
        ("""ValueError("it's")""", "ValueError", "it's"),
        (
            r"""ValueError('it\'s \\ \n \x41 \u00e9 \U0001f6d2')""",
            "ValueError",
            "it's \\ \n A é 🛒",
        ),
        ("OSError(28, 'no space')", "OSError", "28, no space"),
        ("KeyError('a',)", "KeyError", "a"),
        ("SoftTimeLimitExceeded()", "SoftTimeLimitExceeded", ""),
        ("HTTPError(<Response [500]>)", "HTTPError", "<Response [500]>"),
        ("ValueError('cut off, as reprs", "ValueError", "'cut off, as reprs"),
        ("OutOfStock('a (b) c')", "OutOfStock", "a (b) c"),
        ("__import__('os').system('id')", "__import__", "'os').system('id'"),
        ("<Refusal: no>", "Refusal", "<Refusal: no>"),
        ("", "Refusal", "from the traceback"),
    ],
)
def test_an_exceptions_repr_is_read_without_running_it(
    seen: Seen, said: str, kind: str, message: str
) -> None:
    trace = (
        'Traceback (most recent call last):\n  File "x"\nshop.errors.Refusal: from the traceback\n'
    )
    seen.say("task-failed", exception=said, traceback=trace)
    assert seen.last.failure == events.Failure(kind, message, trace)


@pytest.mark.parametrize(
    ("said", "head", "kind", "message"),
    [
        (
            "FileNotFoundError(2, 'gone')", "FileNotFoundError: [Errno 2] gone: 'a.csv'",
            "FileNotFoundError", "[Errno 2] gone: 'a.csv'",
        ),
        ("Refusal(402)", "shop.Refusal: refused\nby the bank", "Refusal", "refused\nby the bank"),
        ("ValueError('a', 7)", "ValueError: ('a', 7)", "ValueError", "a, 7"),
        ("KeyError('sku')", "KeyError: 'sku'", "KeyError", "sku"),
        ("1 error\nin a", "pydantic.Invalid: 1 error\nin a", "Invalid", "1 error\nin a"),
        ("OSError(28, 'no space')", "celery.exceptions.Retry: in 9s", "OSError", "28, no space"),
    ],
)  # fmt: skip
def test_an_exception_is_told_as_its_traceback_tells_it(
    seen: Seen, said: str, head: str, kind: str, message: str
) -> None:
    trace = f'Traceback (most recent call last):\n  File "x"\n    call()\n{head}\n'
    seen.say("task-failed", exception=said, traceback=trace)
    assert seen.last.failure == events.Failure(kind, message, trace)


def test_a_failure_that_says_nothing_has_no_exception(seen: Seen) -> None:
    seen.say("task-failed", exception=None, traceback=None)
    assert (seen.last.kind, seen.last.failure) == (events.TASK_FAILED, None)


def test_a_retry_without_a_cause_has_no_exception(seen: Seen) -> None:
    seen.say("task-retried", exception="None", traceback="celery.exceptions.Retry: in 180s")
    assert (seen.last.kind, seen.last.failure) == (events.TASK_RETRY, None)


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"terminated": True, "signum": 15, "expired": False}, "terminated by 15"),
        ({"terminated": True, "signum": None, "expired": False}, "terminated"),
        ({"terminated": False, "signum": None, "expired": True}, "expired"),
        ({"terminated": False, "signum": None, "expired": False}, "revoked"),
    ],
)
def test_a_revoke_says_why(seen: Seen, fields: dict[str, Any], detail: str) -> None:
    seen.say("task-revoked", **fields)
    assert (seen.last.kind, seen.last.detail) == (events.TASK_REVOKED, detail)


def test_a_rejection_says_whether_it_comes_back_and_is_no_failure_as_well(seen: Seen) -> None:
    seen.say("task-failed", exception="reject requeue=False: not for us", traceback="…")
    seen.say("task-rejected", requeue=False)
    seen.say("task-rejected", requeue=True)
    assert [(event.kind, event.detail) for event in seen.events[1:]] == [
        (events.TASK_REJECTED, "rejected"),
        (events.TASK_REJECTED, "rejected, back to the queue"),
    ]


def test_every_event_of_an_attempt_has_its_number(seen: Seen) -> None:
    seen.say("task-received", name="shop.add", retries=0)
    seen.say("task-sent", hostname="gen1@h", name="shop.add", retries=1)
    seen.say("task-retried")
    seen.say("task-received", name="shop.add", retries=1)
    seen.say("task-started")
    seen.say("task-succeeded")
    assert [event.retries for event in seen.events[1:]] == [0, 1, 0, 1, 1, 1]


@pytest.mark.parametrize(
    "order",
    [
        "received 0, started 0, sent 1, retried 0, received 1, started 1, retried 1, received 2",
        "received 0, started 0, sent 1, received 1, retried 0, started 1, succeeded 1",
        "received 0, sent 1, received 1, started 0, retried 0, started 1, failed 1",
        "received 0, started 0, received 1, started 1, retried 0, succeeded 1",
        "received 0, started 0, received 1, started 1, succeeded 1",
        "received 0, retried 0, received 0, started 0, succeeded 0",
        "received 0, started 0, received 0, started 0, succeeded 0",
        "sent 1, started 1, succeeded 1",
    ],
)
def test_attempts_that_overlap_are_told_apart(seen: Seen, order: str) -> None:
    steps = [step.split() for step in order.split(", ")]
    for kind, number in steps:
        said = {"retries": int(number)} if kind in ("sent", "received") else {}
        seen.say(f"task-{kind}", name="shop.add", **said)
    assert [event.retries for event in seen.events[1:]] == [int(number) for _, number in steps]


def test_another_worker_that_is_quicker_does_not_confuse_the_attempts(seen: Seen) -> None:
    seen.say("worker-online", hostname="other@h")
    seen.say("task-received", name="shop.add", retries=0)
    seen.say("task-received", hostname="other@h", name="shop.add", retries=1)
    seen.say("task-retried")
    seen.say("task-succeeded", hostname="other@h")
    assert [event.retries for event in seen.events[2:]] == [0, 1, 0, 1]


def test_an_attempt_whose_receipt_was_missed_follows_the_retry(seen: Seen) -> None:
    seen.say("task-received", name="shop.add", retries=0)
    seen.say("task-retried")
    seen.say("task-started")
    assert [event.retries for event in seen.events[1:]] == [0, 0, 1]


def test_a_worker_that_records_itself_is_left_out() -> None:
    seen = Seen()
    seen.say("worker-online", **{bootstrap.MARK: "0.1.0"})
    seen.say("task-received", name="shop.add")
    seen.say("worker-offline", **{bootstrap.MARK: "0.1.0"})
    seen.say("task-succeeded")  # buffered until after the end
    assert seen.events == []
    assert seen.translator.counts == event_translation.Counts(taken=0, left_out=4, odd=0)


def test_a_strangers_tasks_wait_until_it_says_who_it_is() -> None:
    for mark, kept in (({bootstrap.MARK: "0.1.0"}, []), ({}, ["task_started", "worker_heartbeat"])):
        seen = Seen()
        seen.say("task-started")
        assert (seen.events, seen.translator.has_strangers) == ([], True)
        seen.say("worker-heartbeat", **mark)
        assert (seen.kinds, seen.translator.has_strangers) == (kept, False)


def test_a_stranger_that_stays_silent_is_taken_after_a_while() -> None:
    seen = Seen()
    seen.say("task-started")
    seen.translator.release()
    assert seen.events == []
    seen.translator.release(held_for=0.0)
    seen.say("task-succeeded")
    assert seen.kinds == [events.TASK_STARTED, events.TASK_SUCCEEDED]


def test_no_more_than_so_many_events_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_translation, "HELD", 3)
    seen = Seen()
    for number in range(3):
        seen.say("task-started", uuid=str(number), hostname="one@h")
    seen.say("task-started", uuid="3", hostname="other@h")
    assert [event.task_id for event in seen.events] == ["0", "1", "2"]


def test_a_restart_without_the_agent_is_noticed() -> None:
    seen = Seen()
    seen.say("worker-online", **{bootstrap.MARK: "0.1.0"})
    seen.say("worker-online", NOW + 1)
    seen.say("task-started")
    assert seen.kinds == [events.WORKER_ONLINE, events.TASK_STARTED]


def test_events_of_the_projects_own_are_let_be(seen: Seen) -> None:
    for kind in ("task-progress", "order-paid", "task-cancelled"):
        seen.say(kind)
    assert (len(seen.events), seen.translator.counts.odd) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        None,
        7,
        "task-started",
        {},
        {"type": ["task-started"]},
        [[{"type": "task-started"}]],
        {"type": "task-started", "hostname": "w@h", "timestamp": NOW},
        {"type": "task-started", "hostname": "w@h", "timestamp": NOW, "uuid": ["a"]},
        {"type": "task-started", "hostname": "w@h", "timestamp": "now", "uuid": "a"},
        {"type": "task-started", "hostname": "w@h", "timestamp": float("nan"), "uuid": "a"},
        {"type": "task-started", "hostname": "w@h", "timestamp": 10**400, "uuid": "a"},
        {"type": "task-started", "hostname": {}, "timestamp": NOW, "uuid": "a"},
        {"type": "worker-online", "timestamp": NOW},
    ],
)
def test_what_celery_does_not_send_is_counted_and_harms_nothing(
    seen: Seen, body: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        seen.translator.take(body)
    assert (len(seen.events), seen.translator.counts.odd) == (1, 100)
    assert len(caplog.records) == 1
    seen.say("task-started")
    assert seen.kinds[1:] == [events.TASK_STARTED]


def test_an_odd_event_in_a_list_does_not_take_the_others_with_it(seen: Seen) -> None:
    good = {"type": "task-started", "hostname": "w@h", "timestamp": NOW, "uuid": "a"}
    seen.translator.take([good, None, good])
    assert (len(seen.events), seen.translator.counts.odd) == (3, 1)


def test_huge_texts_and_wrong_types_are_cut_or_left_out(seen: Seen) -> None:
    huge = "x" * 10_000_000
    seen.say("task-failed", exception=huge, traceback=huge, runtime="long", name={"a": 1})
    seen.say("task-received", name=huge, queue=[huge], retries="two", eta=7.5, parent_id=huge)
    failed, received = seen.events[1:]
    assert len(events.encode(failed)) < failures.MESSAGE + failures.TRACEBACK + 1_000
    assert len(events.encode(received)) < 5_000
    assert (received.retries, received.message.queue, received.message.eta) == (0, "", "")


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_types = st.sampled_from(
    [
        "task-sent",
        "task-received",
        "task-failed",
        "task-retried",
        "task-revoked",
        "task-rejected",
        "worker-online",
        "worker-heartbeat",
    ]
)
_ours = ["uuid", "hostname", "timestamp", "name", "retries", "exception", "traceback", "runtime"]
_fields = st.sampled_from([*_ours, "queue", "eta", "signum", "pid"])


@given(_types, st.dictionaries(_fields, _anything))
@example("worker-heartbeat", {"timestamp": 0})
def test_whatever_an_event_says_it_can_be_written_and_read(
    kind: str, fields: dict[str, Any]
) -> None:
    seen = Seen()
    seen.say("worker-online")
    seen.say(kind, **fields)
    seen.translator.release(held_for=0.0)
    counts = seen.translator.counts
    assert counts.taken + counts.left_out + counts.odd == 2
    for event in seen.events:
        assert events.decode(events.encode(event))[1] == 0


@given(st.text(max_size=300) | st.from_regex(r"\w+\((['\"]\\?.*, ?)*\)?", fullmatch=True))
def test_any_text_can_stand_for_an_exception(text: str) -> None:
    seen = Seen()
    seen.say("worker-online")
    seen.say("task-failed", exception=text)
    assert seen.translator.counts.odd == 0
