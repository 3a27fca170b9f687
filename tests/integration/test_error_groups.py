"""Causes of failures, on the database of the settings."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.causes import START, failed, group, ids_in, store
from z4j_django import counters
from z4j_django.agent import events
from z4j_django.models import (
    ErrorGroup,
    ErrorRelease,
    JournalCursor,
    Release,
    Statistic,
    TaskEvent,
    TaskRecord,
)
from z4j_django.retention_policy import from_setting
from z4j_django.store import error_groups, fingerprints, releases, retention, statistics
from z4j_django.store.writer import DatabaseSink
from z4j_django.values import release_key

pytestmark = pytest.mark.django_db(transaction=True)


def moment(at: float) -> Any:
    return retention._moment(at)


def rows() -> list[dict[str, Any]]:
    """What is on record of causes and releases, as values that can be compared."""
    found = [
        *ErrorGroup.objects.order_by("fingerprint").values(),
        *ErrorRelease.objects.order_by("fingerprint", "release").values(),
        *Release.objects.order_by("key").values("project", "name", "first_seen"),
        *TaskRecord.objects.order_by("task_id").values("task_id", "error", "release"),
    ]
    for row in found:
        row.pop("id", None)
        row["regressed_at"] = bool(row.get("regressed_at"))
    return found


def clear() -> None:
    for model in (TaskRecord, TaskEvent, ErrorGroup, ErrorRelease, Release, JournalCursor):
        model.objects.all().delete()


def test_failures_of_one_cause_are_one_group() -> None:
    store([failed("a", 1, "no order 1"), failed("b", 3, "no order 2")])
    store([failed("c", 2, "no order 3", traceback="Traceback …"), failed("d", 9, "no user")])
    found = group("no order")
    assert (found.name, found.exception_type, found.count) == ("shop.pay", "ValueError", 3)
    assert (found.message, found.task_id, found.state) == ("no order 2", "b", "open")
    assert found.first_seen.timestamp() - START == 1
    assert found.last_seen.timestamp() - START == 3
    assert ids_in(found) == ["a", "b", "c"]
    assert ErrorGroup.objects.count() == 2


def test_what_is_stored_again_counts_once() -> None:
    sink = DatabaseSink()
    part = store([failed("a", 1)], sink=sink)
    sink.apply([part])
    assert group().count == 1


def test_what_the_group_shows_is_masked() -> None:
    store([failed("a", 1, "password=hunter2", traceback="token=abc123secret")])
    assert "hunter2" not in group("password").message
    assert "abc123secret" not in group("password").traceback


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_however_failures_are_split_into_batches_the_groups_are_the_same(
    data: st.DataObject,
) -> None:
    releases_of = ("", "one", "two")
    known = [
        (failed(f"t{number}", at, said), release)
        for number, (at, said, release) in enumerate(
            data.draw(
                st.lists(
                    st.tuples(
                        st.integers(1, 9),
                        st.sampled_from(["no order 1", "no user"]),
                        st.sampled_from(releases_of),
                    ),
                    min_size=1,
                    max_size=8,
                )
            )
        )
    ]
    before = data.draw(st.sampled_from(["open", "resolved", "by a release", "until", "more"]))
    found = []
    for order in (known, data.draw(st.permutations(known))):
        clear()
        store([failed("first", 0, "no order 0")], "one")
        store([failed("second", 0, "no user")], "two")
        _close(before)
        cuts = data.draw(st.sets(st.integers(1, len(order)), max_size=3))
        for begin, end in itertools.pairwise(sorted({0, *cuts, len(order)})):
            for release in releases_of:
                store([one for one, its in order[begin:end] if its == release], release)
        found.append(rows())
    assert found[0] == found[1]


def _close(how: str) -> None:
    changes: dict[str, dict[str, Any]] = {
        "open": {},
        "resolved": {"state": "resolved", "resolved_at": moment(START + 5)},
        "by a release": {
            "state": "resolved",
            "resolved_at": moment(START + 5),
            "resolved_release": release_key("two"),
        },
        "until": {"state": "ignored", "ignored_until": moment(START + 5)},
        "more": {"state": "ignored", "ignored_count": 4},
    }
    if changes[how]:
        ErrorGroup.objects.update(**changes[how])


def resolved(at: float, release: str = "") -> None:
    ErrorGroup.objects.update(
        state="resolved", resolved_at=moment(START + at), resolved_release=release_key(release)
    )


def test_what_comes_back_after_it_was_resolved_has_regressed() -> None:
    store([failed("a", 1)])
    resolved(5)
    store([failed("b", 4), failed("c", 5)])
    assert (group().state, group().regressed_at) == ("resolved", None)
    store([failed("d", 6)])
    assert group().state == "open"
    assert timezone.now() - group().regressed_at < timedelta(minutes=1)


def test_only_what_comes_of_the_release_that_resolved_it_or_a_later_one_reopens_it() -> None:
    store([failed("a", 1)], "one")
    store([events.WorkerEvent(events.WORKER_HEARTBEAT, "w@h", START + 3)], "two")
    resolved(5, "two")
    store([failed("b", 6)], "one")
    assert group().state == "resolved"
    store([events.WorkerEvent(events.WORKER_HEARTBEAT, "w@h", START + 7)], "three")
    store([failed("c", 8)], "three")
    assert group().state == "open"


@pytest.mark.parametrize("release", ["two", ""])
def test_the_release_itself_and_one_that_nobody_names_reopen_it(release: str) -> None:
    store([failed("a", 1)], "one")
    store([events.WorkerEvent(events.WORKER_HEARTBEAT, "w@h", START + 3)], "two")
    resolved(5, "two")
    store([failed("b", 6)], release)
    assert group().state == "open"


def test_a_release_that_was_never_seen_is_later_than_all_that_were() -> None:
    store([failed("a", 1)], "one")
    resolved(5, "next")
    store([failed("b", 6)], "one")
    assert group().state == "resolved"
    store([failed("c", 7)], "next")
    assert group().state == "open"


def test_what_is_ignored_until_a_moment_is_open_when_it_is_seen_after_that() -> None:
    store([failed("a", 1)])
    ErrorGroup.objects.update(state="ignored", ignored_until=moment(START + 5))
    store([failed("b", 5)])
    assert group().state == "ignored"
    store([failed("c", 6)])
    assert (group().state, group().ignored_until, group().regressed_at) == ("open", None, None)


def test_what_is_ignored_until_some_more_is_open_with_the_last_of_them() -> None:
    store([failed("a", 1)])
    ErrorGroup.objects.update(state="ignored", ignored_count=3)
    store([failed("b", 2)])
    assert group().state == "ignored"
    store([failed("c", 3)])
    assert (group().state, group().ignored_count) == ("open", None)


def test_what_is_ignored_for_ever_stays_so() -> None:
    store([failed("a", 1)])
    ErrorGroup.objects.update(state="ignored")
    store([failed("b", 2)])
    assert (group().state, group().count) == ("ignored", 2)


def test_beyond_the_limit_all_further_causes_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_groups, "LIMIT", 2)
    letters = "abcdef"
    for number, letter in enumerate(letters):
        store([failed(letter, number, f"cause {letter}"), failed(f"{letter}2", 20, "cause a")])
    assert ErrorGroup.objects.count() == 3
    assert (group("cause a").count, group("cause b").count) == (7, 1)
    other = ErrorGroup.objects.get(fingerprint=fingerprints.of_all_others("shop"))
    assert (str(other), other.count, other.message) == ("everything else", 4, "cause f")
    assert ids_in(other) == ["c", "d", "e", "f"]
    ErrorGroup.objects.filter(fingerprint=group("cause b").fingerprint).update(state="resolved")
    store([failed("g", 30, "cause g")])
    assert group("cause g").count == 1


def test_of_the_causes_of_one_batch_the_first_have_the_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(error_groups, "LIMIT", 2)
    store([failed(letter, 9 - n, f"cause {letter}") for n, letter in enumerate("abcd")], "one")
    kept = ErrorGroup.objects.exclude(name="").values_list("message", flat=True)
    assert sorted(kept) == ["cause c", "cause d"]
    assert ErrorRelease.objects.count() == 3


def statements(found: Sequence[events.Event], sink: DatabaseSink) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        store(found, "one", sink=sink)
    words = ("errorgroup", "errorrelease", "z4j_django_release")
    return [one["sql"] for one in captured if any(word in one["sql"] for word in words)]


def test_a_batch_in_which_nothing_failed_asks_nothing_of_errors() -> None:
    sink = DatabaseSink()
    store([failed("a", 1)], "one", sink=sink)
    beats = [events.TaskEvent(events.TASK_SUCCEEDED, "b", START + 2)]
    assert statements(beats, sink) == []
    assert len(statements([failed("c", 3)], sink)) == 4


def test_a_batch_that_could_not_be_stored_leaves_its_release_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sink = DatabaseSink()
    with monkeypatch.context() as broken:
        broken.setattr(error_groups, "write", lambda *given: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store([failed("a", 1)], "one", sink=sink)
    assert not Release.objects.exists()
    store([failed("a", 1)], "one", sink=sink)
    assert Release.objects.get().name == "one"


def test_the_last_sight_of_a_release_is_told_to_the_minute() -> None:
    sink = DatabaseSink()
    for at in (100, 130, 161, 40):
        store([failed(f"t{at}", at)], "one", sink=sink)
    found = Release.objects.get()
    assert found.last_seen.timestamp() - START == 161
    assert found.first_seen.timestamp() - START == 40


def test_the_releases_that_were_seen_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(releases, "LIMIT", 3)
    for number in range(5):
        store([failed(f"t{number}", number)], f"release {number}")
        if not number:
            resolved(0.5, "release 0")
    names = Release.objects.order_by("id").values_list("name", flat=True)
    assert list(names) == ["release 2", "release 3", "release 4"]
    assert ErrorRelease.objects.count() == 3
    assert group().resolved_release is None


def test_errors_go_with_the_age_of_failures() -> None:
    store([failed("old", -40 * 86_400, "cause a"), failed("new", 0, "cause b")])
    policy = from_setting({"FAILURE": timezone.now() - moment(START) + timedelta(days=30)})
    for _ in retention.prune(policy, "shop", dry_run=True):
        pass
    assert ErrorGroup.objects.count() == 2
    for tally in retention.prune(policy, "shop"):
        last = tally
    assert last.others["errors"] == 1
    assert ErrorGroup.objects.get().message == "cause b"
    assert ErrorRelease.objects.count() == 1


def by_hour(found: ErrorGroup) -> dict[int, int]:
    """The failures of an error, by hours after the start."""
    statistics.compact_all()
    rows = Statistic.objects.filter(scope=counters.ERRORS, name=found.error_id)
    assert set(rows.values_list("project", "step", "queue", "sent")) <= {("shop", 3600, "", 0)}
    return {(row.at - int(START)) // 3600: row.failed for row in rows}


def test_failures_are_counted_by_the_hour_once_each() -> None:
    sink = DatabaseSink()
    part = store([failed("a", 1), failed("b", 3), failed("u", 3, "no user")], sink=sink)
    sink.apply([part])
    assert by_hour(group()) == {-1: 2}
    late = 5 * 3600
    store([failed("c", late), failed("d", 2), failed("v", 4, "no user", name="shop.mail")])
    assert by_hour(group()) == {-1: 3, 4: 1}
    assert Statistic.objects.filter(scope=counters.ALL, step=3600).get(at__lt=START).failed == 5


def test_what_has_no_group_of_its_own_is_counted_by_the_hour_with_all_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(error_groups, "LIMIT", 1)
    store([failed("a", 1), failed("b", 2, "no user"), failed("c", 3, "no card")])
    others = ErrorGroup.objects.get(name="")
    assert (by_hour(group("no order")), by_hour(others)) == ({-1: 1}, {-1: 2})
