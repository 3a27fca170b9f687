"""What the project's own code may listen to."""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

#: Sent once when something begins to be wrong, and once when it is over, by the process that looks
#: after the project. Receivers get ``sender``, the class of the problem; ``alert``, the problem (a
#: ``z4j_django.alerts.message.Problem``); ``status``, ``firing`` or ``resolved``; ``project``.
alert_changed: Final = Signal()
