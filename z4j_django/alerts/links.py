"""Where the pages are that a message links to.

The process that sends a message may know no addresses at all (see ``handover``): there the base
is what the settings say, or what the worker that started it found out.
"""

from __future__ import annotations

from typing import Final

from z4j_django.conf import settings

#: The name of what was handed over, and the path of an admin whose address nobody knows.
TOLD: Final = "site"
_APP: Final = "z4j_django"


def first_page() -> str:
    """The absolute address of this app's pages; empty where none is known."""
    base = _base()
    return f"{base}{_APP}/" if base else ""


def _base() -> str:
    if settings.BASE_URL:
        return f"{settings.BASE_URL.rstrip('/')}/"
    return ""
