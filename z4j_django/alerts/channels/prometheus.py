"""A message as Alertmanager knows it: alerts with labels, annotations and a fingerprint. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from z4j_django.alerts.message import Message, Problem

#: What stands for "it goes on".
NO_END: Final = "0001-01-01T00:00:00Z"
_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3


def labels_of(message: Message, one: Problem) -> dict[str, str]:
    """What an alert is known by: the same from its first word to its last."""
    found = {
        "alertname": one.key,
        "project": message.project,
        "environment": message.environment,
        "severity": one.severity,
        "subject": one.subject,
    }
    return {name: value for name, value in found.items() if value}


def annotations_of(message: Message, one: Problem) -> dict[str, str]:
    """What is said of an alert."""
    found = {
        "summary": f"{one.title}: {one.subject}" if one.subject else one.title,
        "description": one.evidence,
        "remedy": one.remedy,
        "release": message.release,
        "rule": message.rule,
    }
    return {name: value for name, value in found.items() if value}


def rfc3339(at: datetime) -> str:
    """A moment as Go reads it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fingerprint(of: Mapping[str, str]) -> str:
    """What Alertmanager calls an alert with these labels: FNV-1a over the sorted names."""
    digest = _FNV_OFFSET
    for name, value in sorted(of.items()):
        for byte in name.encode() + b"\xff" + value.encode() + b"\xff":
            digest = (digest ^ byte) * _FNV_PRIME & 0xFFFF_FFFF_FFFF_FFFF
    return f"{digest:016x}"


def webhook(message: Message, base_url: str) -> dict[str, Any]:
    """The body of Alertmanager's webhooks, version 4."""
    alerts = [_alert(message, one) for one in message.problems]
    return {
        "version": "4",
        "groupKey": message.group,
        "truncatedAlerts": message.more,
        "status": "resolved" if message.status == "resolved" else "firing",
        "receiver": message.rule,
        "groupLabels": {"project": message.project},
        "commonLabels": _common([one["labels"] for one in alerts]),
        "commonAnnotations": _common([one["annotations"] for one in alerts]),
        "externalURL": message.url or base_url,
        "alerts": alerts,
    }


def _alert(message: Message, one: Problem) -> dict[str, Any]:
    own = labels_of(message, one)
    return {
        "status": "firing" if one.until is None else "resolved",
        "labels": own,
        "annotations": annotations_of(message, one),
        "startsAt": rfc3339(one.since),
        "endsAt": NO_END if one.until is None else rfc3339(one.until),
        "generatorURL": one.url or message.url,
        "fingerprint": fingerprint(own),
    }


def _common(all_of_them: Sequence[Mapping[str, str]]) -> dict[str, str]:
    first, *others = all_of_them
    return {
        name: value
        for name, value in first.items()
        if all(one.get(name) == value for one in others)
    }
