"""Rules, channels, silences and deliveries over HTTP."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration import api_client, nouns
from tests.integration.alert_pages import SENTINEL, URL, delivery, telling
from tests.integration.api_client import address, body, problem
from z4j_django.alerts import rules, sending, told
from z4j_django.alerts.channels import base
from z4j_django.models import AlertChannel, AlertDelivery, AlertRule, AlertSilence

pytestmark = pytest.mark.django_db


def get(*parts: Any, **query: Any) -> Any:
    return body(api_client.client().get(address("alerts", *parts), query))


def post(*parts: Any, **given: Any) -> Any:
    where = address("alerts", *parts)
    return api_client.client().post(where, json.dumps(given), content_type="application/json")


def add_channel(name: str = "hooks") -> AlertChannel:
    sealed = rules.seal_secrets("default", name, {"url": URL})
    return AlertChannel.objects.create(name=name, kind="webhook", sealed=sealed)


def test_channels_tell_where_they_lead_and_no_secret(settings: Any) -> None:
    add_channel()
    letters = {"kind": "email", "to": "ops@shop.test"}
    settings.Z4J = {
        "ALERTS": {"CHANNELS": {"mail": letters, "more": {"kind": "slack", "url": URL}}}
    }
    AlertChannel.objects.create(name="odd", kind="pigeon")
    answer = api_client.client().get(address("alerts", "channels"))
    assert SENTINEL not in answer.content.decode()
    found = {one.pop("name"): one for one in body(answer)["results"]}
    assert found["mail"]["options"] == {"to": "ops@shop.test"}
    assert (found["more"]["place"], found["more"]["secrets"]) == ("hooks.shop.test", ["url"])
    assert (found["hooks"]["source"], found["hooks"]["options"]) == ("database", {})
    assert found["odd"]["fault"] == "There is no such kind of channels here."


def test_rules_are_told_as_they_count(settings: Any) -> None:
    assert [one["source"] for one in get("rules")["results"]] == ["default"]
    settings.Z4J = {"ALERTS": {"RULES": {"loud": {"severity": "warning"}}}}
    AlertRule.objects.create(
        name="night",
        conditions=["worker_silent"],
        quiet_from="22:00",
        quiet_until="07:00",
        verb="pool_grow",
        verb_options={"n": 1},
    )
    loud, night = get("rules")["results"]
    assert (loud["source"], loud["quiet"], loud["automation"]) == ("settings", None, None)
    assert night["quiet"] == {
        **{"begin": "22:00:00", "end": "07:00:00", "zone": "", "holds_critical": False}
    }
    assert night["automation"]["verb"] == "pool_grow"


def test_silences_are_made_listed_and_ended() -> None:
    assert post("worker_gone", "silence", until=60, subject="w?").status_code == 202
    (row,) = get("silences", holds="true")["results"]
    assert (row["condition"], row["subject"], row["ended_at"]) == ("worker_gone", "w?", None)
    assert post("silences", row["id"], "end").status_code == 202
    assert get("silences", holds="true")["results"] == []
    (row,) = get("silences", holds="false")["results"]
    assert row["ended_by"] == "api-superuser"
    problem(post("silences", row["id"], "end"), 409)
    problem(post("made_up", "silence", until=60), 409)
    problem(post("all", "silence"), 400)


def test_a_channel_is_tried_and_the_answer_told(monkeypatch: pytest.MonkeyPatch) -> None:
    add_channel()
    monkeypatch.setattr(sending, "send", lambda *how: base.Answer("sent", "200: ok"))
    operation = body(post("channels", "hooks", "test"), 202)
    (row,) = get("deliveries")["results"]
    (target,) = operation["targets"]
    assert (target["outcome"], target["reason"]) == ("done", "200: ok")
    assert target["result_id"] == str(row["id"])
    assert (row["status"], row["state"], row["answer"]) == ("test", "sent", "200: ok")
    problem(post("channels", "none", "test"), 409)


def test_deliveries_are_found_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "LOOKED_THROUGH", 4)
    mine = [
        delivery(channel="a", message=telling("worker_gone", "w1" if number % 3 else "w2")).pk
        for number in range(11)
    ]
    delivery(channel="b", state="failed", message=telling("beat_stopped", "w1"))
    where = address("alerts", "deliveries")
    wanted = [key for place, key in enumerate(mine) if place % 3][::-1]
    query = "condition=worker_gone&subject=w1"
    for limit in (1, 2, 50):
        assert nouns.listed(f"{where}?{query}&limit={limit}", "id") == wanted
    assert nouns.listed(f"{where}?channel=b", "state") == ["failed"]
    assert nouns.listed(f"{where}?state=failed", "channel") == ["b"]
    assert nouns.listed(f"{where}?channel=a&limit=2", "id") == mine[::-1]


def test_and_back_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told, "LOOKED_THROUGH", 4)
    mine = [delivery(message=telling("worker_gone", "w1")).pk for _ in range(9)][::-1]
    page = get("deliveries", condition="worker_gone", limit=2)
    found, seen = [one["id"] for one in page["results"]], []
    while page["next"]:
        page = body(api_client.client().get(page["next"]))
        found += [one["id"] for one in page["results"]]
    assert found == mine
    while page["previous"]:
        seen = [one["id"] for one in page["results"]] + seen
        page = body(api_client.client().get(page["previous"]))
    assert [one["id"] for one in page["results"]] + seen == mine


def test_one_says_what_it_said() -> None:
    row = delivery(message=telling("worker_gone", "w1", evidence="It was heard of last at noon."))
    assert "It was heard of last at noon." in get("deliveries", row.pk)["text"]
    AlertDelivery.objects.update(message={"rule": 1})
    assert get("deliveries", row.pk)["text"] == ""
    problem(api_client.client().get(address("alerts", "deliveries", row.pk + 1)), 404)


@pytest.mark.parametrize("name", nouns.HOSTILE)
def test_hostile_names_find_themselves(name: str) -> None:
    delivery(channel=name, rule=name, message=telling("worker_gone", name))
    delivery()
    found = get("deliveries", channel=name, rule=name, condition="worker_gone", subject=name)
    assert [one["channel"] for one in found["results"]] == [name]
    assert post("channels", name, "test").status_code == 409
    until = timezone.now() + timedelta(hours=1)
    AlertSilence.objects.create(subject=name, created_by=name, since=until, until=until)
    assert get("silences")["results"][0]["subject"] == name


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("deliveries", "state=lost"),
        ("deliveries", "condition=made_up"),
        ("deliveries", "limit=0"),
        ("deliveries", "channel="),
        ("silences", "holds=maybe"),
        ("rules", "limit=1"),
        ("channels", "x=1"),
    ],
)
def test_what_can_not_be_is_a_400(path: str, query: str) -> None:
    problem(api_client.client().get(f"{address('alerts', path)}?{query}"), 400)


def test_what_is_listed_costs_no_more_for_more_of_it() -> None:
    few = [len(nouns.reads(address("alerts", path))) for path in ("rules", "deliveries")]
    for number in range(5):
        delivery(message=telling("worker_gone", "w1"))
        AlertRule.objects.create(name=f"r{number}")
    many = [len(nouns.reads(address("alerts", path))) for path in ("rules", "deliveries")]
    assert many == few
