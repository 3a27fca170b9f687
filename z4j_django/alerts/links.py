"""Where the pages are that a message links to.

Who sends a message may know no addresses at all (see ``handover``). So the admin is found by its
root: what the settings say, or what the sites framework and the project's addresses say, in a
process that has them. What lies below the root is the same everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from z4j_django import handover
from z4j_django.conf import settings
from z4j_django.models import ConditionRecord

_APP: Final = "z4j_django"
#: Of what kind of subject which page tells more, where no tasks do, below the app's own.
_PAGES: Final[Mapping[str, str]] = {
    "worker": "workerrecord/",
    "journal": "journalrecord/",
    "project": "workerrecord/",
    "queue": "operation/queues/",
    "schedule": "taskrecord/schedules/",
    "error": "errorgroup/{subject}/change/",
}


def problem(record: ConditionRecord) -> str:
    """The absolute address of the page of a condition, as ``attention`` has it; or nothing.

    Args:
        record: With what its declaration says.
    """
    if not (first := first_page()):
        return ""
    if record.tasks and record.subject_kind != "error":
        return f"{first}taskrecord/?{urlencode({'q': record.tasks}, errors='replace')}"
    page = _PAGES.get(record.subject_kind, f"{ConditionRecord._meta.model_name}/")
    if not record.subject:
        page = page.partition("{")[0]  # the list of all
    return first + page.format(subject=quote(record.subject, safe="", errors="replace"))


def first_page() -> str:
    """The absolute address of this app's pages; empty where none is known."""
    base = root()
    return f"{base.rstrip('/')}/{_APP}/" if base else ""


def root() -> str:
    """The absolute address of the admin; empty where none is known."""
    if settings.BASE_URL:
        return str(settings.BASE_URL)
    if (given := handover.told("site")) is not None:
        return str(given["root"])
    from z4j_django import wiring  # which imports Celery, as this process has done

    return wiring.site_root()
