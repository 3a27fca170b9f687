"""Tasks as a file: CSV for a spreadsheet, NDJSON for a program, read and sent page by page."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, ClassVar, Final

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.db.models import JSONField
from django.http import StreamingHttpResponse
from django.urls import path
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from z4j_django import logs
from z4j_django.api import base, problems, rendering
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import Whole
from z4j_django.api.serializers import tasks as serializers
from z4j_django.api.terms import ORDERING, TERMS
from z4j_django.api.views import tasks as lists
from z4j_django.exceptions import Z4JError
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters
from z4j_django.queries.tasks import HEAVY_FIELDS

logger = logs.logger("z4j_django.api")

#: Tasks that are held in memory; where their large columns are asked for, fewer.
PAGE: Final = 500
_HEAVY_PAGE: Final = 50

#: What a spreadsheet takes for a formula, in each of its widths.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")  # noqa: RUF001  # on purpose
_JSON_FIELDS: Final = frozenset(
    one.name for one in TaskRecord._meta.fields if isinstance(one, JSONField)
)

_LIMIT: Final = Whole("limit", "How many tasks at most.", default=10_000, maximum=100_000)


class UnboundedError(Z4JError):
    """The file would take too long to find, and ends here."""


class CSV(BaseRenderer):
    """For the negotiation: the view writes the file by itself."""

    media_type = "text/csv"
    format = "csv"


class NDJSON(BaseRenderer):
    """The same for one JSON object a line."""

    media_type = "application/x-ndjson"
    format = "ndjson"


class NDJSONText(NDJSON):
    """The same lines for those who can only read text."""

    media_type = "text/plain"


class _Export(base.View):
    """What both files share."""

    reads = "taskrecord"
    filename: ClassVar[str]

    def write(self, names: tuple[str, ...], pages: Iterable[list[dict[str, Any]]]) -> Iterator[Any]:
        """The file in pieces, of which the first needs no page."""
        raise NotImplementedError

    def get(self, request: Request) -> StreamingHttpResponse:
        """The file; its first page is read at once, so that what fails can still be told."""
        asked, names = self.asked[TERMS.name], self.asked["fields"]
        if terms := asked.unindexed():
            reason = _UNINDEXED.format(terms=", ".join(terms))
            raise problems.Invalid([{"name": TERMS.name, "reason": reason}])
        order = asked.order(self.asked["ordering"])
        show = serializers.Rows(request, names)
        read = (show.all(page) for page in _pages(asked, order, names, self.asked["limit"]))
        chunks = self.write(names, _begun(read))
        content: Any = _in_turns(chunks) if isinstance(request._request, ASGIRequest) else chunks
        kind = request.accepted_media_type
        return StreamingHttpResponse(
            content,
            content_type=f"{kind}; charset=utf-8" if kind.startswith("text/") else kind,
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": f'attachment; filename="{self.filename}"',
            },
        )


def _endpoint(id: str, summary: str, description: str, answer: str, renderers: Any) -> Endpoint:
    return Endpoint(
        id,
        summary,
        f"{description} A transfer that breaks off is not complete.",
        parameters=(TERMS, ORDERING, lists.FIELDS, _LIMIT),
        answer=answer,
        media_types=tuple(one.media_type for one in renderers),
    )


class CSVView(_Export):
    """``tasks.csv``."""

    renderer_classes: ClassVar = [CSV]
    filename = "tasks.csv"
    endpoints: ClassVar = {
        "get": _endpoint(
            "tasks_csv",
            "Export tasks as CSV",
            "The tasks of a filter as a table, with the names of the fields in its first line. "
            "Texts that a spreadsheet would take for formulas begin with an apostrophe; arguments "
            "and results are JSON.",
            "The table.",
            renderer_classes,
        )
    }

    def write(self, names: tuple[str, ...], pages: Iterable[list[dict[str, Any]]]) -> Iterator[str]:
        """A line of names, then a line for each task."""
        buffer = io.StringIO()
        writer = csv.writer(buffer)
        writer.writerow(names)
        for page in pages:
            writer.writerows([cell(name, row[name]) for name in names] for row in page)
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()


class NDJSONView(_Export):
    """``tasks.ndjson``."""

    renderer_classes: ClassVar = [NDJSON, NDJSONText]
    filename = "tasks.ndjson"
    endpoints: ClassVar = {
        "get": _endpoint(
            "tasks_ndjson",
            "Export tasks as NDJSON",
            "The tasks of a filter, one JSON object a line.",
            "The lines.",
            renderer_classes,
        )
    }

    def write(
        self, names: tuple[str, ...], pages: Iterable[list[dict[str, Any]]]
    ) -> Iterator[bytes]:
        """A line for each task."""
        for page in pages:
            yield b"".join(rendering.encode(row) + b"\n" for row in page)


def cell(name: str, value: Any) -> Any:
    """A value as a cell of a table, which no spreadsheet takes for a formula."""
    if name in _JSON_FIELDS:
        # A text is in quotes here, and what begins with a sign is a number.
        return "" if value is None else rendering.encode(value).decode()
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


_UNINDEXED: Final = (
    "No index leads to {terms}, and a file is not searched for through the whole table. Put a term "
    "beside it that has an index, such as sent:<1d."
)


def _pages(
    asked: filters.Filter, order: str, names: tuple[str, ...], limit: int
) -> Iterator[list[TaskRecord]]:
    """The tasks, a page at a time."""
    tasks = TaskRecord.objects.only(*serializers.columns(names))
    size = PAGE if set(names).isdisjoint(HEAVY_FIELDS) else _HEAVY_PAGE
    found = asked.pages(tasks, limit, size, order=order)
    yield from found
    if found.gave_up:
        logger.warning("An export of tasks broke off: %d were looked through.", found.examined)
        raise UnboundedError


def _begun(pages: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """The same pages, the first of which is read now."""
    first = next(pages, [])

    def rest() -> Iterator[list[dict[str, Any]]]:
        yield first
        yield from pages

    return rest()


async def _in_turns(chunks: Iterator[Any]) -> AsyncIterator[Any]:
    """The same pieces for a server that awaits them, each made in the thread of the database."""
    step = sync_to_async(lambda: next(chunks, None), thread_sensitive=True)
    while (chunk := await step()) is not None:
        yield chunk


urlpatterns = [
    path("tasks.csv", CSVView.as_view(), name="tasks-csv"),
    path("tasks.ndjson", NDJSONView.as_view(), name="tasks-ndjson"),
]
