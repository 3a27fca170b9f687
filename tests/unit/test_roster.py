"""Who has statistics of its own, and what becomes of names without end."""

from __future__ import annotations

import pytest

from z4j_django.store import roster
from z4j_django.store.roster import Roster
from z4j_django.values import OTHER


@pytest.fixture(autouse=True)
def few_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "NAMES", 3)
    monkeypatch.setattr(roster, "QUEUES", 2)
    monkeypatch.setattr(roster, "PAIRS", 4)


def test_the_first_names_have_a_place_and_the_others_one_together() -> None:
    found = Roster(b"").place({(f"shop.{letter}", "mail"): 100 for letter in "abcde"})
    assert [found[f"shop.{letter}", "mail"][0] for letter in "abcde"] == [
        "shop.a",
        "shop.b",
        "shop.c",
        OTHER,
        OTHER,
    ]


def test_queues_have_places_of_their_own() -> None:
    found = Roster(b"").place({("shop.a", queue): 100 for queue in ("fast", "mail", "slow")})
    assert found["shop.a", "slow"] == ("shop.a", OTHER)


def test_names_with_queues_are_few_too() -> None:
    wanted = {(name, queue): 100 for name in "abc" for queue in ("fast", "mail")}
    found = Roster(b"").place(wanted)
    assert found["b", "mail"] == ("b", "mail")
    assert found["c", "fast"] == found["c", "mail"] == ("c", OTHER)


def test_a_place_is_kept_from_one_time_to_the_next() -> None:
    first = Roster(b"")
    first.place({("shop.a", "mail"): 100, ("shop.b", "mail"): -5})
    again = Roster(first.column)
    assert again.place({("shop.b", "mail"): -5}) == {("shop.b", "mail"): ("shop.b", "mail")}
    assert not again.is_changed
    assert again.column == first.column


def test_a_name_that_fell_silent_makes_room_for_another() -> None:
    first = Roster(b"")
    first.place({("a", ""): 100, ("b", ""): 100, ("c", ""): 120})
    again = Roster(first.column)
    assert again.place({("d", ""): 120}) == {("d", ""): (OTHER, "")}
    assert again.place({("d", ""): 131}) == {("d", ""): ("d", "")}
    assert again.place({("a", ""): 131}) == {("a", ""): ("a", "")}
    assert again.place({("b", ""): 131}) == {("b", ""): (OTHER, "")}
