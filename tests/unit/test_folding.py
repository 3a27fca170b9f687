"""The laws of merging, and what a merged row says."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.histories import lives
from z4j_django import states
from z4j_django.agent import events
from z4j_django.store.folding import Fold
from z4j_django.store.rows import GroupRow, TaskRow
from z4j_django.values import FIRST_MOMENT, LAST_MOMENT

HEADER = events.Header(schema=1, project="shop", host="h", pid=7)


def folded(found: Sequence[events.Event]) -> Fold:
    fold = Fold()
    fold.add(found, HEADER)
    return fold


def row_of(*found: events.TaskEvent) -> TaskRow:
    return folded(found).tasks["shop", found[0].task_id]


def event(kind: str, at: float, **fields: object) -> events.TaskEvent:
    return events.TaskEvent(kind=kind, task_id="a", at=at, **fields)  # type: ignore[arg-type]


def run(kind: str = events.TASK_SUCCEEDED, **fields: object) -> list[events.TaskEvent]:
    message = events.Message(name="shop.add", queue="mail")
    return [
        event(events.TASK_SENT, 1.0, message=message),
        event(events.TASK_RECEIVED, 2.0, worker="w@h", message=message),
        event(events.TASK_STARTED, 3.0, worker="w@h"),
        event(kind, 4.0, worker="w@h", **fields),
    ]


@settings(max_examples=200, deadline=None)
@given(lives(), st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(life: list[events.TaskEvent], random: object) -> None:
    expected = folded(life)
    shuffled = list(life)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = folded(shuffled)
    assert found.tasks == expected.tasks
    assert found.groups == expected.groups


@settings(max_examples=100, deadline=None)
@given(lives(), st.data())
def test_a_repeated_event_changes_nothing_but_the_deliveries(
    life: list[events.TaskEvent], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(life), max_size=5))
    expected, found = folded(life), folded([*life, *again])
    for rows in (expected.tasks, found.tasks):
        for row in rows.values():
            row.deliveries = 0
    assert found.tasks == expected.tasks
    assert found.groups == expected.groups


def heard_of(message: events.Message | None) -> events.Message | None:
    """What Celery's own events tell of a message."""
    if message is None:
        return None
    told = ("name", "queue", "routing_key", "eta", "root_id", "parent_id")
    return events.Message(**{field: getattr(message, field) for field in told})


@st.composite
def watched_lives(draw: st.DrawFn) -> list[events.TaskEvent]:
    """Lives of which a bystander heard something too, or alone."""
    found: list[events.TaskEvent] = []
    for number, there in enumerate(draw(lives())):
        heard = msgspec.structs.replace(
            there,
            observed=True,
            at=there.at + draw(st.floats(0.001, 0.5)) + number * 1e-6,
            name=draw(st.sampled_from(["", there.name])),
            nesting=0,
            message=draw(st.sampled_from([None, heard_of(there.message)])),
            result=events.NULL,
        )
        found += draw(st.sampled_from([[there], [heard], [there, heard]]))
    return found


@settings(max_examples=200, deadline=None)
@given(watched_lives(), st.data())
def test_what_was_observed_merges_in_any_order_and_any_number(
    life: list[events.TaskEvent], data: st.DataObject
) -> None:
    expected = folded(life)
    shuffled = folded(data.draw(st.permutations(life)))
    assert (shuffled.tasks, shuffled.groups) == (expected.tasks, expected.groups)
    observed = [each for each in life if each.observed]
    again = folded([*life, *observed])
    assert (again.tasks, again.groups) == (expected.tasks, expected.groups)


@settings(max_examples=200, deadline=None)
@given(watched_lives())
def test_what_was_observed_adds_no_delivery_and_outdoes_no_fact(
    life: list[events.TaskEvent],
) -> None:
    there = [each for each in life if not each.observed]
    known, all_rows = folded(there).tasks, folded(life).tasks
    for key, row in all_rows.items():
        captured = known.get(key)
        assert row.deliveries == (captured.deliveries if captured else 0)
        if captured and captured.name:
            assert row.facts_order == captured.facts_order
            assert (row.args, row.group_id, row.queue) == (
                captured.args,
                captured.group_id,
                captured.queue,
            )
    sends = [row for row in folded(life).timeline if row.kind == events.TASK_SENT]
    assert len(sends) == sum(each.kind == events.TASK_SENT for each in there)


def test_of_what_was_observed_nothing_is_made_up() -> None:
    message = events.Message(name="shop.add")
    addressed = events.Message(name="shop.add", queue="mail")
    seen = [
        event(events.TASK_SENT, 2.5, message=addressed, observed=True),
        event(events.TASK_RECEIVED, 2.0, worker="w@h", message=message, observed=True),
        event(events.TASK_SUCCEEDED, 4.0, worker="w@h", runtime=0.5, observed=True),
    ]
    for order in itertools.permutations(seen):
        row = row_of(*order)
        assert (row.state, row.worker, row.runtime) == (states.SUCCESS, "w@h", 0.5)
        assert (row.pid, row.result, row.args, row.kwargs, row.deliveries) == ((None,) * 4 + (0,))
        assert row.queue == "mail"  # though the publisher's clock is behind
        assert [line.pid for line in folded(order).timeline] == [None, None]


def test_every_permutation_of_a_plain_run_is_a_success() -> None:
    expected = row_of(*run(result=msgspec.Raw(b"3"), runtime=0.5))
    assert (expected.state, expected.result, expected.runtime) == (states.SUCCESS, "3", 0.5)
    moments = (expected.sent_at, expected.received_at, expected.started_at, expected.finished_at)
    assert moments == (1.0, 2.0, 3.0, 4.0)
    for order in itertools.permutations(run(result=msgspec.Raw(b"3"), runtime=0.5)):
        assert row_of(*order) == expected


def test_a_send_is_pending_and_a_send_of_a_retry_is_retry() -> None:
    assert row_of(event(events.TASK_SENT, 1.0)).state == states.PENDING
    row = row_of(event(events.TASK_SENT, 1.0, retries=1))
    assert (row.state, row.retries) == (states.RETRY, 1)


def test_a_newer_attempt_replaces_the_state_of_an_older_one() -> None:
    failed = run(events.TASK_RETRY, failure=events.Failure("KeyError", "x"))
    row = row_of(*failed, event(events.TASK_SENT, 3.5, retries=1))
    assert (row.state, row.retries, row.started_at, row.exception_type) == ("RETRY", 1, None, "")
    assert row.sent_at == 1.0


def test_a_publishers_clock_does_not_outdo_the_worker() -> None:
    assert row_of(event(events.TASK_SENT, 99.0), *run()[1:]).state == states.SUCCESS


def test_a_task_that_replaced_itself_ends_as_its_replacement() -> None:
    replaced = run(events.TASK_IGNORED, retries=0)
    replacement = [msgspec.structs.replace(each, nesting=1, at=each.at + 2) for each in run()]
    for order in (replaced + replacement, replacement + replaced):
        row = row_of(*order)
        assert (row.state, row.deliveries, row.sent_at) == (states.SUCCESS, 2, 1.0)


def test_a_redelivery_does_not_undo_an_end_but_a_later_end_does() -> None:
    lost = run(events.TASK_FAILED, failure=events.Failure("WorkerLostError"))
    again = [event(events.TASK_RECEIVED, 5.0), event(events.TASK_STARTED, 6.0)]
    row = row_of(*lost, *again)
    assert (row.state, row.deliveries, row.started_at) == (states.FAILURE, 2, 6.0)
    row = row_of(*lost, *again, event(events.TASK_SUCCEEDED, 7.0))
    assert (row.state, row.exception_type) == (states.SUCCESS, "")


def test_a_clock_that_is_ahead_does_not_undo_an_end() -> None:
    ahead = [event(events.TASK_RECEIVED, 62.0), event(events.TASK_STARTED, 63.0)]
    for order in itertools.permutations([*ahead, *run()[1:]]):
        assert row_of(*order).state == states.SUCCESS


def test_a_message_that_went_back_to_the_queue_runs_again() -> None:
    back = run(events.TASK_REJECTED, requeued=True)
    row = row_of(*back, event(events.TASK_RECEIVED, 5.0), event(events.TASK_STARTED, 6.0))
    assert (row.state, row.finished_at) == (states.STARTED, None)


def test_what_was_purged_is_revoked_until_it_is_put_back_and_runs() -> None:
    sent, *ran = run()
    purged = event(events.TASK_REVOKED, 1.5, requeued=True, detail="purged by operation 7")
    back = event(events.TASK_SENT, 1.75, requeued=True, detail="restored by operation 8")
    row = row_of(sent, purged)
    assert (row.state, row.exception_message, row.pid) == ("REVOKED", "purged by operation 7", 7)
    row = row_of(sent, purged, back)
    assert (row.state, row.exception_message, row.finished_at) == ("PENDING", "", None)
    assert (row.sent_at, row.pid) == (1.0, None)
    for order in itertools.permutations([sent, purged, back, *ran[:2]]):
        assert row_of(*order).state == states.STARTED
    assert row_of(sent, purged, back, *ran).state == states.SUCCESS


def test_a_purge_of_what_has_ended_does_not_undo_the_end() -> None:
    purged = event(events.TASK_REVOKED, 9.0, requeued=True)
    assert row_of(*run(), purged).state == states.SUCCESS


def test_the_whole_message_outdoes_the_cut_one() -> None:
    cut = events.Message(name="shop.add", args=msgspec.Raw(b'["\\u2026"]'))
    whole = events.Message(name="shop.add", args=msgspec.Raw(b"[1]"), complete=True)
    row = row_of(
        event(events.TASK_SENT, 1.0, message=cut), event(events.TASK_RECEIVED, 2.0, message=whole)
    )
    assert row.args == "[1]"


def test_the_header_tells_when_a_message_was_sent() -> None:
    assert row_of(event(events.TASK_RECEIVED, 2.0, sent_at=1.25)).sent_at == 1.25


def test_a_chords_body_is_known_before_it_runs() -> None:
    body = events.Step("body", "shop.total")
    member = events.Message(name="shop.add", group_id="g", group_index=1, chord=body, root_id="r")
    fold = folded([event(events.TASK_SENT, 1.0, message=member)])
    row = fold.tasks["shop", "body"]
    assert (row.name, row.state, row.group_id) == ("shop.total", states.PENDING, "")
    assert fold.tasks["shop", "a"].chord_id == "body"
    assert fold.groups["shop", "g"] == GroupRow(
        "shop", "g", "chord", 2, "body", "shop.total", "r", 1.0
    )


def test_a_body_that_names_its_own_chord_is_no_member_of_it() -> None:
    body = events.Message(name="shop.total", group_id="g")
    fold = folded([event(events.TASK_SENT, 1.0, message=body)])
    assert fold.groups == {}
    assert fold.tasks["shop", "a"].group_id == ""


def test_a_nested_chords_body_is_a_member_of_the_outer_one() -> None:
    outer = events.Step("outer", "shop.total")
    inner = events.Step("inner", "shop.total", "outer-group", 0, chord=outer)
    member = events.Message(group_id="inner-group", group_index=0, chord=inner)
    fold = folded([event(events.TASK_SENT, 1.0, message=member)])
    assert fold.groups["shop", "inner-group"].body_id == "inner"
    assert fold.groups["shop", "outer-group"].body_id == "outer"
    assert fold.tasks["shop", "inner"].group_id == "outer-group"


def test_the_members_of_a_body_do_not_count_for_its_chords_size() -> None:
    body = events.Step("body", "celery.group", size=5)
    fed = events.Message(group_id="g", group_index=1, chord=body)
    of_the_body = events.Message(group_id="g", group_index=4)
    found = [event(events.TASK_SENT, 1.0, message=one) for one in (fed, of_the_body)]
    for fold in (folded(found), folded(found[::-1])):
        row = fold.groups["shop", "g"]
        assert (row.kind, row.size, row.body_id) == ("chord", 2, "body")
        assert (fold.groups["shop", "body"].kind, fold.groups["shop", "body"].size) == ("group", 5)
        assert ("shop", "body") not in fold.tasks


def test_a_body_that_is_a_group_under_the_id_of_its_chord_has_one_of_its_own() -> None:
    body = events.Step("g", "celery.group", size=5)
    fed = events.Message(group_id="g", group_index=1, chord=body)
    fold = folded([event(events.TASK_SENT, 1.0, message=fed)])
    chord = fold.groups["shop", "g"]
    assert (chord.kind, chord.size, chord.body_id) == ("chord", 2, "g.body")
    assert (fold.groups["shop", "g.body"].kind, fold.groups["shop", "g.body"].size) == ("group", 5)


def test_a_chains_last_step_is_a_member_before_it_is_sent() -> None:
    last = events.Step("last", "shop.add", "g", 3)
    fold = folded([event(events.TASK_SENT, 1.0, message=events.Message(chain=[last]))])
    assert fold.groups["shop", "g"].size == 4
    assert fold.tasks["shop", "last"].group_index == 3


def test_a_step_that_is_not_sent_yet_names_its_carrier_and_what_it_retries() -> None:
    last = events.Step("last", "shop.add", "g", 3, retry_of="old", operation=7)
    fold = folded([event(events.TASK_SENT, 1.0, message=events.Message(chain=[last]))])
    row = fold.tasks["shop", "last"]
    assert (row.parent_id, row.retry_of, row.operation) == ("a", "old", 7)


def test_an_id_beyond_the_column_keeps_its_difference() -> None:
    fold = folded([events.TaskEvent("task_sent", "x" * 300 + end, 1.0) for end in "ab"])
    one, other = fold.tasks.values()
    assert one.task_id != other.task_id
    assert len(one.task_id) == len(other.task_id) == 255


def test_hostile_numbers_stay_within_the_database() -> None:
    for at in (FIRST_MOMENT, 0.0, LAST_MOMENT):
        row = row_of(event(events.TASK_STARTED, at, retries=2**40, nesting=2**40))
        assert 0 <= row.attempt < 2**63
        assert 0 <= row.state_order < 2**63
        assert 0 <= row.facts_order < 2**63
        assert row.started_at == at
    hostile = events.Message(eta="9999-12-31T23:59:59+99:99", expires="never")
    assert row_of(event(events.TASK_SENT, 1.0, message=hostile)).eta is None


@pytest.mark.parametrize("at", [-86_400.25, 0.0, 4_000_000_000.0, 5_680_281_600.5])
def test_each_moment_is_what_it_was(at: float) -> None:
    message = events.Message(group_id="g", group_index=0, eta="1969-12-31T00:00:00")
    fold = folded(
        [
            event(events.TASK_SENT, at, message=message),
            event(events.TASK_RECEIVED, at),
            event(events.TASK_SUCCEEDED, at),
            event(events.TASK_STARTED, at, sent_at=at),
            events.LossEvent(events.UNWRITTEN, 1, at),
        ]
    )
    row = fold.tasks["shop", "a"]
    assert row.eta == -86_400.0
    assert {row.sent_at, row.received_at, row.started_at, row.finished_at} == {at}
    assert {*(line.at for line in fold.timeline), fold.losses[0].at} == {at}
    assert fold.groups["shop", "g"].first_seen == at


@pytest.mark.parametrize(
    ("said", "kept"), [(-86_400.25, -86_400.25), (1e9 + 3600, 1e9 + 3600), (4e9, 1e9)]
)
def test_a_worker_was_there_when_it_says_or_at_the_latest_when_that_is_stored(
    said: float, kept: float
) -> None:
    fold = Fold(now=1e9)
    kinds = (events.WORKER_ONLINE, events.WORKER_OFFLINE)
    fold.add([events.WorkerEvent(kind, "w@h", said) for kind in kinds], HEADER)
    worker = fold.workers["shop", "w@h"]
    assert {worker.started_at, worker.last_seen, worker.stopped_at} == {kept}
    assert not worker.online


def test_secrets_do_not_reach_the_row() -> None:
    message = events.Message(
        args=msgspec.Raw(b'["o-1","tok_visa_4242"]'),
        kwargs=msgspec.Raw(b'{"db_password":"hunter2"}'),
        params=("order", "card_token"),
        complete=True,
    )
    failure = events.Failure("ValueError", "password=hunter2", "Traceback\npassword=hunter2")
    row = row_of(
        event(events.TASK_SENT, 1.0, message=message),
        event(events.TASK_FAILED, 2.0, failure=failure),
    )
    assert "o-1" in (row.args or "")
    for secret in ("hunter2", "tok_visa"):
        assert secret not in repr(row)
