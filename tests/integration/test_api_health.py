"""The health of capture over the API."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.integration import nouns
from tests.integration.api_client import WHO, address, body, client, problem
from z4j_django.agent import events
from z4j_django.models import JournalLoss, JournalRecord, Operation, WorkerRecord
from z4j_django.operations import auditing

pytestmark = pytest.mark.django_db

HEALTH = address("health")
BOTH = ("view_journalrecord", "view_journalloss")


def journal(**fields: object) -> None:
    given = {"host": "web1", "directory": "/srv/j", "pid": 7, "seen_at": timezone.now(), **fields}
    JournalRecord.objects.create(**given)


def test_all_is_well() -> None:
    journal(segments=3, size=100)
    WorkerRecord.objects.create(hostname="w", online=True, last_seen=timezone.now())
    found = body(client().get(HEALTH))
    assert (found["healthy"], found["troubles"], found["losses"]) == (True, [], [])
    assert found["workers"] == {"online": 1, "silent": 0, "gone": 0, "offline": 0}
    [only] = found["journals"]
    assert only["seen_at"].endswith("Z")
    assert 0 <= only["silence"] < 60
    assert {**only, "seen_at": "", "silence": 0.0} == {
        "host": "web1",
        "directory": "/srv/j",
        "state": "shipping",
        "pid": 7,
        "segments": 3,
        "size": 100,
        "pending": 0,
        "seen_at": "",
        "lag": 0.0,
        "silence": 0.0,
    }


def test_what_is_wrong_stands_in_words_and_numbers() -> None:
    now = timezone.now()
    journal(seen_at=now, pending=9, oldest=now - timedelta(minutes=5))
    JournalLoss.objects.create(host="web1", reason=events.UNWRITTEN, count=3, at=now)
    WorkerRecord.objects.create(hostname="w", online=True, last_seen=now - timedelta(minutes=5))
    found = body(client().get(HEALTH))
    assert found["healthy"] is False
    assert [trouble.split(" ")[0] for trouble in found["troubles"]] == ["3", "The", "No", "w"]
    assert (found["journals"][0]["state"], found["journals"][0]["lag"]) == ("behind", 300.0)
    assert found["losses"] == [{"reason": events.UNWRITTEN, "recent": 3, "ever": 3}]
    assert found["workers"]["silent"] == 1


def test_an_empty_database_says_that_nobody_ships_or_works() -> None:
    found = body(client().get(HEALTH))
    assert found["troubles"] == [
        "Nobody ships: no shipper has ever reported.",
        "No worker is online: none was ever heard of.",
    ]


def test_whoever_may_not_view_workers_is_told_nothing_of_them() -> None:
    journal()
    WorkerRecord.objects.create(hostname="w", online=True, last_seen=None)
    found = body(nouns.holder(*BOTH).get(HEALTH))
    assert (found["workers"], found["healthy"]) == (None, True)


@pytest.mark.parametrize("name", nouns.HOSTILE)
def test_a_name_is_only_text(name: str) -> None:
    journal(host=name, directory=name)
    [only] = body(client().get(HEALTH))["journals"]
    assert (only["host"], only["directory"]) == (name, name)


def test_it_takes_six_queries_however_much_there_is() -> None:
    for number in range(20):
        journal(host=f"web{number}")
        WorkerRecord.objects.create(hostname=f"w{number}")
    assert len(nouns.reads(HEALTH)) == 6


def test_what_is_no_parameter_is_told() -> None:
    told = problem(client().get(HEALTH, {"project": "default"}), 400)
    assert [one["name"] for one in told["errors"]] == ["project"]


@pytest.mark.parametrize("who", WHO)
def test_viewers_may_look(who: str) -> None:
    assert client(who).get(HEALTH).status_code == nouns.SEEN_BY[who]


def test_both_permissions_are_wanted() -> None:
    assert nouns.holder(*BOTH).get(HEALTH).status_code == 200
    for one, other in (BOTH, BOTH[::-1]):
        told = problem(nouns.holder(one).get(HEALTH), 403)
        assert f"z4j_django.{other}" in told["detail"]


def test_a_journal_that_nobody_ships_any_more_is_dismissed() -> None:
    journal(seen_at=timezone.now() - timedelta(days=3))
    where = address("journals", "web1:/srv/j", "dismiss")
    problem(client("z4j operator").post(where, content_type="application/json"), 403)
    told = body(client("z4j admin").post(where, content_type="application/json"), 202)
    assert (told["verb"], told["counts"]["done"], told["parameters"]) == (
        "dismiss_journal",
        1,
        {"host": "web1", "directory": "/srv/j"},
    )
    assert not JournalRecord.objects.exists()
    assert (
        "no journal"
        in problem(client().post(where, content_type="application/json"), 409)["detail"]
    )


def test_a_journal_that_is_shipped_stays() -> None:
    journal()
    where = address("journals", "web1:/srv/j", "dismiss")
    assert (
        "is shipped"
        in problem(client().post(where, content_type="application/json"), 409)["detail"]
    )
    assert JournalRecord.objects.exists()


def test_one_that_is_reported_meanwhile_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    journal(seen_at=timezone.now() - timedelta(days=3))
    where = address("journals", "web1:/srv/j", "dismiss")
    begin = auditing.begin

    def begun(*args: object, **kwargs: object) -> Operation:
        JournalRecord.objects.update(seen_at=timezone.now())
        return begin(*args, **kwargs)

    monkeypatch.setattr(auditing, "begin", begun)
    refused = problem(client().post(where, content_type="application/json"), 409)
    assert refused["operation"]["counts"]["refused"] == 1
    assert JournalRecord.objects.exists()
