"""All kinds of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from z4j_django.alerts.channels import (
    alertmanager,
    discord,
    mail,
    others,
    pagerduty,
    slack,
    teams,
    webhook,
)
from z4j_django.alerts.channels.base import Kind

#: In the order in which they are offered.
_ALL: Final[tuple[Kind, ...]] = (
    mail.KIND,
    webhook.KIND,
    alertmanager.KIND,
    slack.KIND,
    discord.KIND,
    teams.KIND,
    pagerduty.KIND,
    others.KIND,
)

#: The same by their keys.
KINDS: Final[Mapping[str, Kind]] = {one.key: one for one in _ALL}
