"""Which problem explains which."""

from __future__ import annotations

from z4j_django.alerts.causes import CAUSES, Facts, Family, Place, becomes
from z4j_django.conditions.registry import CONDITIONS

FACTS = Facts({"mail": ["w1@a", "w2@b"]}, {"a": ["a:/journal"]})
QUEUE = Place("queue_without_consumer", "mail")
GONE = Place("worker_gone", "w1@a")
JOURNAL = Place("journal_stopped", "a:/journal")
NOBODY = Place("no_workers", "")


def test_all_that_is_named_there_is() -> None:
    named = {key for one in CAUSES for key in (one.key, *one.explains)}
    assert named <= CONDITIONS.keys()


def test_a_queue_is_explained_by_its_worker_and_that_by_the_journal_of_its_host() -> None:
    family = Family([QUEUE, GONE, JOURNAL, NOBODY], FACTS)
    assert family.above(QUEUE) == (GONE, JOURNAL)
    assert family.root(QUEUE) == family.root(GONE) == JOURNAL
    assert family.root(JOURNAL) == JOURNAL


def test_what_does_not_hold_explains_nothing() -> None:
    assert Family([QUEUE], FACTS).root(QUEUE) == QUEUE
    assert Family([QUEUE, NOBODY], FACTS).root(QUEUE) == NOBODY
    assert Family([QUEUE, Place("worker_gone", "w9@z")], FACTS).root(QUEUE) == QUEUE


def test_nothing_explains_itself_whatever_is_declared() -> None:
    places = [Place(key, "x") for key in CONDITIONS]
    facts = Facts({"x": ["x"]}, {"": ["x"]})
    for place in places:
        above = Family(places, facts).above(place)
        assert place not in above
        assert len(set(above)) == len(above)


def test_one_that_is_silent_is_gone_some_time_later() -> None:
    assert becomes(Place("worker_silent", "w1@a"), GONE)
    assert not becomes(GONE, Place("worker_silent", "w1@a"))
    assert not becomes(Place("worker_silent", "w2@b"), GONE)
