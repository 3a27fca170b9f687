"""Alertmanager, by its API."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final

from msgspec import UNSET, UnsetType

from z4j_django.alerts import targets
from z4j_django.alerts.channels import posting, prometheus
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending
from z4j_django.alerts.message import Message
from z4j_django.options import option

_PATH: Final = "/api/v2/alerts"
#: Seconds after which a firing alert is sent again.
REPEATS: Final = 60.0
#: How long an alert lives there that is not sent again, as that of a test is not.
LIFE: Final = timedelta(seconds=4 * REPEATS)


class AlertmanagerOptions(ChannelOptions, frozen=True, kw_only=True):
    """Where it is."""

    url: Annotated[
        posting.URL,
        option(
            "Where it is, such as `http://alertmanager:9093`. Each one of a cluster wants a "
            "channel of its own.",
            label="URL",
            metavar="URL",
            check=targets.wrong_url,
        ),
    ]
    token: Annotated[
        posting.Token | UnsetType,
        posting.token_option("A token that is sent along as `Authorization: Bearer`."),
    ] = UNSET


def payload(message: Message) -> list[dict[str, Any]]:
    """The alerts."""
    return [
        {
            "labels": prometheus.labels_of(message, one),
            "annotations": prometheus.annotations_of(message, one),
            "startsAt": prometheus.rfc3339(one.since),
            "endsAt": prometheus.rfc3339(one.until or message.at + LIFE),
            "generatorURL": one.url or message.url,
        }
        for one in message.problems
    ]


def deliver(given: AlertmanagerOptions, message: Message, sending: Sending) -> Answer:
    """Post the alerts."""
    url = given.url.rstrip("/").removesuffix(_PATH) + _PATH
    body = posting.as_json(payload(message))
    return posting.post(given, url, body, sending, posting.bearer(given.token))


KIND: Final = Kind(
    key="alertmanager",
    title="Alertmanager",
    about=(
        f"Posts alerts to `{_PATH}`, each minute while they hold, and their end. Routes, groups "
        "and silences are Alertmanager's."
    ),
    options=AlertmanagerOptions,
    deliver=deliver,
    place=lambda given: posting.host(given.url),
    is_idempotent=True,
    repeats=REPEATS,
)
