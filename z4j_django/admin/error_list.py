"""The list of errors: by state, task, release and text, in one of three orders."""

from __future__ import annotations

from typing import Any, Final

from django.http import HttpRequest
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions, verbs
from z4j_django.admin import error_pages, formatting
from z4j_django.conf import settings
from z4j_django.models import ErrorGroup
from z4j_django.queries import errors, lookups, releases
from z4j_django.queries.cursors import Cursor, Key, Span
from z4j_django.values import RELEASE_LENGTH, SHORT, is_storable, whole_number

#: Errors of one page.
PER_PAGE: Final = 50
#: Releases on offer.
_RELEASES: Final = 50
#: Which of the errors: what is shown first comes first.
_TABS: Final = {
    "open": gettext_lazy("Open"),
    "new": gettext_lazy("New"),
    "regressed": gettext_lazy("Regressed"),
    "resolved": gettext_lazy("Resolved"),
    "ignored": gettext_lazy("Ignored"),
    "all": gettext_lazy("All"),
}
_ORDERS: Final = {
    "-last_seen": gettext_lazy("Last"),
    "-first_seen": gettext_lazy("First"),
    "-count": gettext_lazy("Count"),
}
_LENGTHS: Final = {"q": SHORT, "name": SHORT, "release": RELEASE_LENGTH, "project": 64}
_HOURS: Final = 24


class ErrorList:
    """One page of the list, as an address asks for it; what means nothing there is left out.

    Args:
        admin: Whose list.
        request: The request.
    """

    def __init__(self, admin: Any, request: HttpRequest) -> None:
        self._admin = admin
        self._request = request
        asked = request.GET
        self._given = {
            name: value
            for name, length in _LENGTHS.items()
            if (value := asked.get(name, "").strip()) and is_storable(value, length)
        }
        self._tab = asked["state"] if asked.get("state") in _TABS else next(iter(_TABS))
        self._order = asked["o"] if asked.get("o") in _ORDERS else next(iter(_ORDERS))
        self._start = whole_number(asked.get("from", ""), 7) or 0
        self._project = self._given.get("project", settings.PROJECT)

    def context(self) -> dict[str, Any]:
        """The context of the page."""
        now = timezone.now()
        page = self._page()
        lines = errors.by_hour(self._project, page.rows, _HOURS, now)
        seen_in = errors.newest_releases(page.rows)
        rows = [
            {
                **self._admin.row(one),
                "line": lines[one.error_id],
                "day_count": sum(lines[one.error_id]),
                "spark": _spark(lines[one.error_id]),
                "release": seen_in.get(one.pk, ("", 0))[0],
                "more_releases": max(seen_in.get(one.pk, ("", 0))[1] - 1, 0),
            }
            for one in page.rows
        ]
        others = [one for one in lookups.projects(ErrorGroup) if one != self._project]
        return {
            "rows": rows,
            "tabs": self._tabs(),
            "columns": self._columns(),
            "query": self._given,
            "state": self._tab,
            "order": self._order,
            "is_narrowed": bool(set(self._given) - {"project"}),
            "clear_url": self._link(q="", name="", release=""),
            "releases": releases.names(self._project, _RELEASES),
            "project": self._project,
            "projects": [{"label": one, "url": self._link(project=one)} for one in others],
            "next_url": self._link(**{"from": page.following.id}) if page.following else "",
            "previous_url": self._previous(),
            "verbs": self._verbs(),
            "first": self._start + 1,
            "last": self._start + len(rows),
        }

    def _page(self) -> Any:
        wanted: dict[str, Any] = {
            "search": self._given.get("q", ""),
            "name": self._given.get("name", ""),
            "release": self._given.get("release", ""),
        }
        if self._tab in ErrorGroup.State.values:
            wanted["state"] = self._tab
        elif self._tab != "all":
            wanted["state"] = ErrorGroup.State.OPEN
        if self._tab == "new":
            wanted["first_seen"] = [Span(low=errors.new_since(), with_low=False)]
        if self._tab == "regressed":
            wanted["regressed"] = True
        found = errors.wanted(self._project, **wanted)
        cursor = Cursor(before=Key(self._start)) if self._start else Cursor()
        return errors.page(found, self._order, cursor, PER_PAGE)

    def _tabs(self) -> list[dict[str, Any]]:
        counts = errors.counts(self._project)
        counts["all"] = sum(counts[state] for state in ErrorGroup.State.values)
        return [
            {
                "label": label,
                "count": counts[name],
                "url": self._link(state=name),
                "chosen": name == self._tab,
            }
            for name, label in _TABS.items()
        ]

    def _columns(self) -> dict[str, dict[str, Any]]:
        """The columns by which the list may be ordered."""
        return {
            name.removeprefix("-"): {
                "label": label,
                "url": self._link(o=name),
                "chosen": name == self._order,
            }
            for name, label in _ORDERS.items()
        }

    def _verbs(self) -> list[dict[str, Any]]:
        """What this user may say of errors that are checked."""
        return [
            {"label": f"{_(verb.label)}…", "url": self._admin.page_url(verb.name)}
            for verb in verbs.of("error")
            if permissions.can(self._request.user, verb.name)
        ]

    def _previous(self) -> str:
        if not self._start:
            return ""
        start = max(self._start - PER_PAGE, 0)
        return self._link(**({"from": start} if start else {}))

    def _link(self, **changed: Any) -> str:
        """This list, otherwise; at its begin, unless that is what is changed."""
        given = {"state": self._tab, "o": self._order, **self._given, **changed}
        defaults = {"state": next(iter(_TABS)), "o": next(iter(_ORDERS))}
        kept = {key: value for key, value in given.items() if value not in ("", defaults.get(key))}
        return f"?{urlencode(kept)}" if kept else "?"


def row(admin: Any, error: ErrorGroup) -> dict[str, Any]:
    """What every list of errors shows of one."""
    standing = error_pages.standing(error)
    return {
        "error": error,
        "id": error.error_id,
        "url": admin.url(error),
        "standing": standing,
        "pill": error_pages.pill(error),
        "title": error.exception_type.rpartition(".")[2] or _("Everything else"),
        "message": error.message[:300],
        "name": formatting.name(error.name) if error.name else "",
        "count": formatting.count(error.count),
        "last": formatting.moment(error.last_seen),
        "first": formatting.moment(error.first_seen),
    }


def _spark(line: list[int]) -> SafeString:
    words = _("%(count)s in 24 hours") % {"count": formatting.count(sum(line))}
    return formatting.sparkline(line, words, "failed" if any(line) else "")
