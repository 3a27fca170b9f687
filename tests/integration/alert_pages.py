"""What the tests of alerts share: their pages, and what was told."""

from __future__ import annotations

from typing import Any

from django.test import Client
from django.utils import timezone

from tests.integration.operators import address
from z4j_django.alerts import rules
from z4j_django.models import (
    AlertChannel,
    AlertDelivery,
    AlertRule,
)

#: Nowhere but in the form that is posted.
SENTINEL = "sentinel-4f1e9c77"
URL = f"https://hooks.shop.test/services/{SENTINEL}"
RULES, CHANNELS = address("alertrule_changelist"), address("alertchannel_changelist")
SILENCES, DELIVERIES = address("alertsilence_changelist"), address("alertdelivery_changelist")
ADD_RULE, ADD_CHANNEL = address("alertrule_add"), address("alertchannel_add")


def add_webhook(client: Client, name: str = "hooks", **given: str) -> AlertChannel:
    fields = {"name": name, "url": URL, "is_enabled": "on", **given}
    answer = client.post(f"{ADD_CHANNEL}?kind=webhook", fields)
    assert answer.status_code == 302, shown_errors(answer)
    return AlertChannel.objects.get(name=name)


def add_rule(client: Client, **given: Any) -> AlertRule:
    fields = {"name": "night", "severity": "critical", "is_enabled": "on", **given}
    answer = client.post(ADD_RULE, fields)
    assert answer.status_code == 302, shown_errors(answer)
    return AlertRule.objects.get(name=fields["name"])


def shown_errors(answer: Any) -> dict[str, Any]:
    context = answer.context or {}
    return dict(context["form"].errors) if "form" in context else {}


def options_of(row: AlertChannel) -> Any:
    (channel,) = (one for one in rules.channels(row.project) if one.name == row.name)
    return channel.opened(row.project)


def delivery(**fields: Any) -> AlertDelivery:
    now = timezone.now()
    given = {
        **{"rule": "night", "channel": "hooks", "kind": "webhook", "status": "firing"},
        **{"state": "sent", "summary": "A worker is gone: w1", "attempts": 1, "answer": "200"},
        **{"created_at": now, "next_at": now, "finished_at": now},
    }
    return AlertDelivery.objects.create(**{**given, **fields})


def telling(key: str, subject: str, **problem: Any) -> dict[str, Any]:
    at = timezone.now().isoformat()
    one = {
        **{"key": key, "title": "T", "severity": "critical", "subject": subject, "url": ""},
        **{"evidence": "It is so.", "remedy": "Look.", "since": at, "until": None, **problem},
    }
    return {
        **{"id": "", "rule": "night", "group": "g", "status": "firing", "project": "default"},
        **{"environment": "", "release": "", "at": at, "problems": [one], "more": 0, "url": ""},
    }
