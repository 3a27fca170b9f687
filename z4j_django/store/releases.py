"""The releases that were seen, as the database keeps them."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final

from django.apps import apps

from z4j_django.store import sql
from z4j_django.store.release_rows import ReleaseRow

#: Releases of a project that are kept: those seen last.
LIMIT: Final = 1_000
#: Seconds by which the last sight of a release may lag: its row is every shipper's, and one that
#: wrote it with each batch would have the others wait.
LAG: Final = 60.0

_MERGE: Final = sql.Merge(
    key=("project", "key"),
    rules={"name": sql.STANDS, "first_seen": sql.SMALLER, "last_seen": sql.GREATER},
)


class Writer:
    """Writes down the releases of batches, and remembers between which moments they were seen."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int], tuple[float, float]] = {}

    def write(self, connection: Any, rows: Iterable[ReleaseRow]) -> None:
        """Merge what a batch tells into the table, in the batch's transaction."""
        fresh = sorted(filter(self._is_news, rows), key=attrgetter("project", "key"))
        if not fresh:
            return
        sql.upsert(connection, _model("Release"), _MERGE, fresh)
        for row in fresh:
            if (row.project, row.key) not in self._known:
                _let_the_oldest_go(connection.alias, row.project)

    def remember(self, rows: Iterable[ReleaseRow]) -> None:
        """Know what is written, once the transaction is over."""
        for row in filter(self._is_news, rows):
            key = (row.project, row.key)
            first, last = self._known.get(key, (row.first_seen, row.last_seen))
            self._known[key] = min(first, row.first_seen), max(last, row.last_seen)
        while len(self._known) > LIMIT:
            del self._known[next(iter(self._known))]

    def _is_news(self, row: ReleaseRow) -> bool:
        first, last = self._known.get((row.project, row.key), (float("inf"), 0.0))
        return row.first_seen < first or row.last_seen > last + LAG


def _let_the_oldest_go(alias: str, project: str) -> None:
    """Keep the table small, when a new one has come; records go on without their name."""
    of_project = {
        name: _model(name)._default_manager.using(alias).filter(project=project)
        for name in ("Release", "ErrorRelease", "ErrorGroup")
    }
    newest = of_project["Release"].order_by("-last_seen", "-id")
    if old := list(newest.values_list("key", flat=True)[LIMIT : LIMIT + 100]):
        of_project["Release"].filter(key__in=old).delete()
        of_project["ErrorRelease"].filter(release__in=old).delete()
        # What such a one resolved, any later failure opens again.
        of_project["ErrorGroup"].filter(resolved_release__in=old).update(resolved_release=None)


def _model(name: str) -> Any:
    return apps.get_model("z4j_django", name)
