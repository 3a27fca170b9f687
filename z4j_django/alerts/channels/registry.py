"""All kinds of channels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from z4j_django.alerts.channels import webhook
from z4j_django.alerts.channels.base import Kind

_ALL: Final[tuple[Kind, ...]] = (webhook.KIND,)

#: The same by their keys.
KINDS: Final[Mapping[str, Kind]] = {one.key: one for one in _ALL}
