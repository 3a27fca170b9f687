"""What each service is sent, by its own documentation, whatever stands in the texts."""

from __future__ import annotations

import json
import re
import socket
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.messages_of_alerts import NOW, PAGE, hostile, message, problem
from z4j_django import options
from z4j_django.alerts import http, wording
from z4j_django.alerts.channels import (
    alertmanager,
    apprise_process,
    base,
    discord,
    others,
    pagerduty,
    posting,
    prometheus,
    slack,
    teams,
    webhook,
)
from z4j_django.alerts.channels.base import secret_names
from z4j_django.alerts.channels.registry import KINDS
from z4j_django.alerts.message import Message
from z4j_django.exceptions import OptionsError

WORST = wording.prepared(hostile(100, more=5))
PLAIN = wording.prepared(message())
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


def _texts(value: Any) -> list[str]:
    """Each text of a payload."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


# --- Alertmanager's -----------------------------------------------------------------------------


def test_a_webhook_has_the_payload_of_alertmanagers_version_4() -> None:
    two = wording.prepared(
        message(problem(), problem(subject="sms", until=NOW - timedelta(minutes=1)), more=3)
    )
    found = prometheus.webhook(two, "https://shop.example/admin/z4j/")
    first, second = found.pop("alerts")
    common = {
        "alertname": "queue_without_consumer",
        "project": "shop",
        "environment": "production",
        "severity": "critical",
    }
    said = {
        "description": "41 messages wait, the oldest for 3 minutes.",
        "remedy": "Start a worker with -Q mail.",
        "release": "v1.2",
        "rule": "on call",
    }
    assert found == {
        "version": "4",
        "groupKey": "shop/on call/mail",
        "truncatedAlerts": 3,
        "status": "firing",
        "receiver": "on call",
        "groupLabels": {"project": "shop"},
        "commonLabels": common,
        "commonAnnotations": said,
        "externalURL": "https://shop.example/admin/z4j/",
    }
    assert first == {
        "status": "firing",
        "labels": common | {"subject": "mail"},
        "annotations": said | {"summary": "Queue without a consumer: mail"},
        "startsAt": "2026-11-29T08:27:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": PAGE,
        "fingerprint": prometheus.fingerprint(common | {"subject": "mail"}),
    }
    assert second["status"] == "resolved"
    assert second["endsAt"] == "2026-11-29T08:29:00.000Z"


def test_all_of_a_resolved_message_is_resolved() -> None:
    found = prometheus.webhook(wording.prepared(message(status="resolved")), "")
    assert found["status"] == found["alerts"][0]["status"] == "resolved"
    assert found["alerts"][0]["endsAt"] == "2026-11-29T08:30:00.000Z"


def test_a_release_does_not_make_another_alert() -> None:
    other = wording.prepared(message(release="v1.3", rule="another"))
    first, second = (alertmanager.payload(one)[0]["labels"] for one in (PLAIN, other))
    assert first == second


def test_a_firing_alert_ends_by_itself_unless_it_is_sent_again() -> None:
    (found,) = alertmanager.payload(PLAIN)
    assert found["endsAt"] == "2026-11-29T08:34:00.000Z"
    assert alertmanager.KIND.repeats == 60
    (found,) = alertmanager.payload(wording.prepared(message(status="resolved")))
    assert found["endsAt"] == "2026-11-29T08:30:00.000Z"


def test_a_signature_is_of_the_timestamp_and_the_body() -> None:
    # By `printf '1700000000.{}' | openssl dgst -sha256 -hmac sixteen-or-more-x`.
    assert webhook.signature("sixteen-or-more-x", "1700000000", b"{}") == "sha256=" + (
        "5bea57db699aaed890e71ac8ab0e8217bd01cc6f0e8e96304b77257a6b44a45f"
    )


# --- Chats --------------------------------------------------------------------------------------


def test_slack_takes_the_blocks() -> None:
    found = slack.payload(WORST)
    blocks = found["blocks"]
    assert len(blocks) <= 50
    assert blocks[0]["type"] == "header"
    assert blocks[0]["text"]["type"] == "plain_text"
    assert 0 < wording.units(blocks[0]["text"]["text"]) <= 150
    for block in blocks[1:]:
        for text in [block["text"]] if "text" in block else block["elements"]:
            assert text["verbatim"] is True
            assert 0 < wording.units(text["text"]) <= 3_000
    assert wording.units(found["text"]) <= 3_000


def test_nothing_is_a_mention_or_a_link_in_slack_but_our_own() -> None:
    found = slack.payload(WORST)
    for text in _texts([block for block in found["blocks"] if block["type"] != "header"]):
        links = re.findall("<([^>]*)>", text)
        assert all(link.startswith("https://shop.example/admin/z4j/") for link in links)
        assert not re.search("&(?!amp;|lt;|gt;)", text)
    assert "<" not in found["text"]
    assert "<https://shop.example/admin/z4j/?a=1&amp;b=2|" in json.dumps(slack.payload(PLAIN))


def test_slack_gets_as_much_as_it_takes() -> None:
    body = posting.fitted(lambda count: slack.payload(WORST, count), 20, 40_000)
    assert len(body) <= 40_000
    sections = [one for one in json.loads(body)["blocks"] if one["type"] == "section"]
    assert len(sections) > 5
    assert f"And {105 - len(sections)} more." in body.decode()


def test_discord_takes_the_embed() -> None:
    found = discord.payload(WORST)
    (embed,) = found["embeds"]
    assert wording.units(embed["title"]) <= 256
    assert wording.units(embed["description"]) <= 4_096
    assert wording.units(embed["footer"]["text"]) <= 2_048
    told = (embed["title"], embed["description"], embed["footer"]["text"])
    assert sum(map(wording.units, told)) <= 6_000
    assert "And 1" in embed["description"]


def test_nothing_is_a_mention_or_markup_in_discord_but_our_own() -> None:
    found = discord.payload(wording.prepared(hostile()))
    assert found["allowed_mentions"] == {"parse": []}
    (embed,) = found["embeds"]
    text = re.sub(r"^\*\*\[(.*)\]\(https://shop\S+\)\*\*$", r"\1", embed["description"], flags=re.M)
    text = text.replace("08:27:00", "")
    for part in (embed["title"], text):
        assert not re.search(r"(?<!\\)(?:\\\\)*[*_~`|>#\[\]()<@]", part), part


def test_teams_takes_the_card() -> None:
    body = posting.fitted(lambda count: teams.payload(WORST, count), 20, teams.LENGTH)
    assert len(body) <= 28 * 1024
    found = json.loads(body)
    assert found["type"] == "message"
    (attachment,) = found["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard"
    titles = [block for block in card["body"] if block.get("separator")]
    assert len(titles) >= 5
    assert f"And {105 - len(titles)} more." in _texts(card)


def test_no_text_of_a_card_is_where_teams_reads_markdown_or_dates() -> None:
    card = teams.payload(WORST)["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}
    assert {action["url"] for action in card["actions"]} == {
        PAGE,
        "https://shop.example/admin/z4j/",
    }


# --- PagerDuty and apprise ----------------------------------------------------------------------


def _pagerduty(told: Message) -> dict[str, Any]:
    given = options.read(pagerduty.PagerDutyOptions, {"routing_key": ROUTING_KEY})
    return pagerduty.payload(given, told)


def test_pagerduty_takes_the_event() -> None:
    found = _pagerduty(PLAIN)
    assert found["event_action"] == "trigger"
    assert found["routing_key"] == ROUTING_KEY
    assert found["dedup_key"] == "shop/on call/mail"
    payload = found["payload"]
    assert payload["severity"] == "critical"
    assert payload["source"] == "shop · production"
    assert payload["timestamp"] == "2026-11-29T08:27:00+00:00"
    assert payload["custom_details"] == {
        "001 Critical: Queue without a consumer: mail": "since 2026-11-29 08:27:00 UTC. "
        "41 messages wait, the oldest for 3 minutes. To do: Start a worker with -Q mail."
    }
    assert found["links"][0]["href"] == PAGE


def test_pagerduty_takes_the_worst() -> None:
    found = _pagerduty(WORST)
    assert len(found["payload"]["summary"]) <= 1_024
    assert len(posting.as_json(found)) <= 512 * 1024
    assert len(found["payload"]["custom_details"]) == 101
    endless = _pagerduty(wording.prepared(message(group="g" * 3_000)))
    assert len(endless["dedup_key"]) <= 255


def test_a_test_wakes_nobody() -> None:
    assert _pagerduty(wording.prepared(message(status="test")))["payload"]["severity"] == "info"


@pytest.mark.parametrize("call", ["@everyone", "@here", "<@U1>", "<!channel>", "@channel", "<@&5>"])
def test_nobody_is_called_by_what_apprise_sends(call: str) -> None:
    assert call not in others._harmless(f"a {call} b")
    assert others._harmless("celery@host <b>") == "celery@host <b>"


@pytest.mark.parametrize(
    ("is_sent", "is_out", "log", "outcome"),
    [
        (True, True, "", "sent"),
        (False, True, "Failed to send JSON notification: Forbidden, error=403.", "refused"),
        (False, True, "Failed to send JSON POST notification: error=302.", "refused"),
        (False, True, "Failed to send to Slack: Too many, error=429.", "later"),
        (False, True, "A Connection error occurred sending JSON notification", "unknown"),
        (False, False, "A Connection error occurred sending JSON notification", "later"),
    ],
)
def test_what_came_of_it_is_read_from_apprises_log(
    is_sent: bool, is_out: bool, log: str, outcome: str
) -> None:
    guard = apprise_process.Guard(allows_private=False)
    guard.is_out = is_out
    assert apprise_process.outcome(is_sent, guard, log)[0] == outcome


@pytest.mark.parametrize(("port", "is_refused"), [(6379, True), (5432, True), (8000, False)])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_apprise_speaks_to_no_database(address: str, port: int, is_refused: bool) -> None:
    assert _refused((address, port)) is is_refused


@pytest.mark.parametrize("port", [25, 465, 514, 587])
def test_apprise_speaks_to_servers_of_mail_and_of_logs(port: int) -> None:
    assert not _refused(("127.0.0.1", port))


def _refused(address: tuple[str, int]) -> bool:
    guard = apprise_process.Guard(allows_private=True)
    guard.is_out = True  # so that it does not say so
    with socket.socket() as connecting:
        try:
            guard.look("socket.connect", (connecting, address))
        except PermissionError:
            assert str(address[1]) in guard.refused
            return True
    return False


# --- All of them --------------------------------------------------------------------------------


def test_each_kind_is_declared_whole() -> None:
    assert list(KINDS) == [
        "email",
        "webhook",
        "alertmanager",
        "slack",
        "discord",
        "teams",
        "pagerduty",
        "apprise",
    ]
    for kind in KINDS.values():
        assert kind.title
        assert kind.about.endswith(".")
        for one in options.described(kind.options).values():
            assert one.help.endswith(".")
            assert one.bounds[1] is not None
    assert {key: secret_names(kind) for key, kind in KINDS.items()} == {
        "email": (),
        "webhook": ("url", "key", "token"),
        "alertmanager": ("token",),
        "slack": ("url",),
        "discord": ("url",),
        "teams": ("url",),
        "pagerduty": ("routing_key",),
        "apprise": ("url",),
    }
    assert {key for key, kind in KINDS.items() if kind.is_idempotent} == {
        "alertmanager",
        "pagerduty",
    }


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("email", {"to": "sentinel"}),
        ("email", {"to": "a@example.com\nBcc: sentinel@example.com"}),
        ("email", {"to": "a@example.com", "sender": "x@example.com\r\nsentinel: 1"}),
        ("email", {"to": ", ,"}),
        ("webhook", {"url": "http://sentinel:sentinel@example.com/"}),
        ("webhook", {"url": "https://example.com/", "key": "sentinel"}),
        ("webhook", {"url": "https://example.com/", "token": "sentinel\r\nX: y"}),
        ("webhook", {"url": "https://example.com/", "token": "sëntinel"}),
        ("slack", {"url": "sentinel"}),
        ("slack", {}),
        ("pagerduty", {"routing_key": "sentinel"}),
        ("pagerduty", {"routing_key": "sentinel\n" * 4}),
        ("apprise", {"url": "sentinel"}),
        ("apprise", {"url": "json://x/\nsentinel"}),
    ],
)
def test_what_can_not_be_is_refused_without_what_was_given(
    kind: str, given: dict[str, str]
) -> None:
    with pytest.raises(OptionsError) as caught:
        options.read(KINDS[kind].options, given)
    assert "sentinel" not in str(caught.value)


@pytest.mark.parametrize(
    "echo",
    [
        "{url}",
        "no such hook: /services/T0/{token}",
        r"{{\"path\": \"\/services\/T0\/{token}\"}}",
        "{token} is no token",
        "{lower} is none, either",
        "https%3A%2F%2Fhooks.example%2Fservices%2FT0%2F{token}",
    ],
)
def test_an_answer_is_told_without_what_is_secret(echo: str) -> None:
    token = "S3cr3tS3cr3tS3cr3t"
    url = f"https://hooks.example/services/T0/{token}"
    given = options.read(slack.SlackOptions, {"url": url})
    told = base.said("a\n" + echo.format(url=url, token=token, lower=token.lower()), given)
    assert token.lower() not in told.lower()
    assert "••••••" in told
    assert "\n" not in told


def test_what_is_percent_encoded_in_a_url_is_secret_as_it_is_meant() -> None:
    given = options.read(slack.SlackOptions, {"url": "https://hooks.example/x?key=p%40ss%2Fw0rd"})
    assert "p@ss/w0rd" not in base.said("no: p@ss/w0rd", given)


def test_a_secret_that_an_answers_end_cuts_is_not_told() -> None:
    token = "S3cr3t" * 50
    given = options.read(slack.SlackOptions, {"url": f"https://hooks.example/{token}"})
    reply = http.Reply(404, {}, f"no {token[:-1]}".encode(), is_whole=False)
    assert "S3cr3t" not in posting.answer(reply, given).text


def test_no_repr_shows_what_is_secret() -> None:
    given = options.read(
        webhook.WebhookOptions,
        {"url": "https://example.com/sentinel", "key": "sentinel-sentinel", "token": "sentinel"},
    )
    assert "sentinel" not in repr(given) + str(given) + repr(given.__rich_repr__())
    assert "sentinel" in json.dumps(given.as_json())
