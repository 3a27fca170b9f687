"""How a workflow is shown: as a picture, as a waterfall, as a list; all made of one flow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from z4j_django import states
from z4j_django.admin import formatting
from z4j_django.admin.readonly import UNNAMED
from z4j_django.models import TaskRecord
from z4j_django.queries import outlines, steps
from z4j_django.queries.filter import words
from z4j_django.queries.flows import Flow, Node
from z4j_django.queries.steps import Step

#: Characters of a name that the picture is given; it finds out itself how many it has room for.
NAME_LENGTH: Final = 64
#: States that are marked as bad.
_BAD: Final = (states.FAILURE, states.REJECTED)
#: Units of the waterfall's axis, and how wide the shortest bar is.
AXIS: Final = 1000
_LEAST: Final = 3

#: What is said of how many of a node's steps stand in a way, where they are not well.
_FEW: Final[dict[str, Callable[[int], str]]] = {
    states.FAILURE: lambda count: ngettext("%d failed", "%d failed", count) % count,
    states.REVOKED: lambda count: ngettext("%d revoked", "%d revoked", count) % count,
    states.REJECTED: lambda count: ngettext("%d rejected", "%d rejected", count) % count,
    states.IGNORED: lambda count: ngettext("%d ignored", "%d ignored", count) % count,
    states.RETRY: lambda count: ngettext("%d to be retried", "%d to be retried", count) % count,
    states.STARTED: lambda count: ngettext("%d running", "%d running", count) % count,
    states.RECEIVED: lambda count: ngettext("%d received", "%d received", count) % count,
    states.PENDING: lambda count: ngettext("%d waiting", "%d waiting", count) % count,
    steps.NOT_SENT: lambda count: ngettext("%d not sent yet", "%d not sent yet", count) % count,
    steps.NEVER_SENT: lambda count: ngettext("%d never sent", "%d never sent", count) % count,
    steps.UNKNOWN: lambda count: ngettext("%d not on record", "%d not on record", count) % count,
}


@dataclass(frozen=True)
class Addresses:
    """Where the pages lead to.

    Attributes:
        task: The page of a task; nothing where there is none.
        opened: This page with a node opened.
        filtered: The list of tasks under a filter.
    """

    task: Callable[[TaskRecord], str | None]
    opened: Callable[[str], str]
    filtered: Callable[[str], str]


def few(counts: Iterable[tuple[str, int]]) -> list[str]:
    """What is not well, and how many: ``3 failed``, ``2 never sent``."""
    found = dict(counts)
    return [say(found[word]) for word, say in _FEW.items() if found.get(word)]


def share(counts: Sequence[tuple[str, int]]) -> str:
    """How many of several are done: ``47 of 50, 3 failed``."""
    whole = sum(count for _word, count in counts)
    done = dict(counts).get(states.SUCCESS, 0)
    first = _("%(done)s of %(whole)s") % {"done": f"{done:,}", "whole": f"{whole:,}"}
    return ", ".join([first, *few(counts)])


def shortened(name: str) -> str:
    """A name whose end is never cut."""
    return name if len(name) <= NAME_LENGTH else f"…{name[1 - NAME_LENGTH :]}"


def summary(flow: Flow) -> str:
    """The whole in a few sentences."""
    whole = sum(count for _word, count in flow.counts)
    done = dict(flow.counts).get(states.SUCCESS, 0)
    parts = [ngettext("%d succeeded", "%d succeeded", done) % done, *few(flow.counts)]
    tasks = ngettext("%d task", "%d tasks", whole) % whole
    return f"{tasks}: {', '.join(parts)}."


def length(flow: Flow) -> str:
    """How long it took, and how long of that the critical path waited and ran."""
    if flow.begins is None or flow.ends is None:
        return ""
    seconds = formatting.duration((flow.ends - flow.begins).total_seconds())
    running = any(step.word in states.UNFINISHED for step in flow.steps)
    took = _("It has taken %s so far.") if running else _("It took %s.")
    if len(flow.path) < 2:
        return took % seconds
    paces = [step.pace for step in flow.path if step.pace is not None]
    way = _("The critical path of %(count)d tasks waited %(wait)s and ran %(run)s.") % {
        "count": len(flow.path),
        "wait": formatting.duration(sum(pace.wait or 0.0 for pace in paces)),
        "run": formatting.duration(sum(pace.run or 0.0 for pace in paces)),
    }
    return f"{took % seconds} {way}"


def badge(word: str) -> SafeString:
    """How a step stands."""
    return formatting.pill(word, colour=_class(word))


def _name(step: Step) -> str:
    return step.name or str(UNNAMED)


def _times(step: Step) -> str:
    """How long a step waited and ran, as far as is known."""
    if step.pace is None:
        return ""
    parts = ((_("waited %s"), step.pace.wait), (_("ran %s"), step.pace.run))
    return ", ".join(text % formatting.duration(value) for text, value in parts if value)


def _said(node: Node) -> str:
    """The line below a node's name."""
    if node.is_folded:
        return share(node.counts)
    if not node.steps:
        return _("when all have ended")
    [step] = node.steps
    run = step.pace.run if step.pace is not None else None
    parts = [step.word, formatting.duration(run) if run is not None else ""]
    if step.earlier:
        count = len(step.earlier) + 1
        parts.append(ngettext("%d attempt", "%d attempts", count) % count)
    return " · ".join(filter(None, parts))


def picture(flow: Flow, where: Addresses) -> dict[str, Any]:
    """The nodes and what leads from which to which, for the script that draws them."""
    place = {id(node): number for number, node in enumerate(flow.nodes)}
    following = set(zip(flow.path, flow.path[1:], strict=False))
    return {
        "nodes": [_drawn(node, where) for node in flow.nodes],
        "links": [
            [place[id(one)], place[id(two)], int(_is_critical(one, two, following))]
            for one in flow.nodes
            for two in one.after
        ],
    }


def _is_critical(one: Node, two: Node, following: set[tuple[Step, Step]]) -> bool:
    if not (one.steps and two.steps):
        return (one.is_critical or not one.steps) and (two.is_critical or not two.steps)
    if not (one.is_critical and two.is_critical):
        return False
    return any((first, second) in following for first in one.steps for second in two.steps)


def _drawn(node: Node, where: Addresses) -> dict[str, Any]:
    """A node; what is false or empty is left out."""
    if not node.steps:
        return {"said": _said(node)}
    step = node.steps[0]
    name, said = _name(step), _said(node)
    shown: dict[str, Any] = {
        "id": node.key,
        "name": shortened(name),
        "said": said,
        "label": ", ".join(filter(None, [name, said, "" if node.is_folded else _times(step)])),
        "critical": node.is_critical,
    }
    if node.is_folded:
        shown |= {
            "count": len(node.steps),
            "counts": [(_class(word), count) for word, count in node.counts],
            "url": where.opened(node.key),
        }
    else:
        record = step.task.record
        shown |= {
            "counts": [(_class(step.word), 1)],
            "unsent": not step.is_sent,
            "failed": step.word in _BAD,
            "url": where.task(record) if record is not None else None,
        }
    return {name: value for name, value in shown.items() if value}


def _class(word: str) -> str:
    return word.lower().replace(" ", "-")


def nested(items: Sequence[outlines.Item[Node]], where: Addresses) -> SafeString:
    """The nodes as a nested list."""
    rows = format_html_join(
        "", "<li>{}{}</li>", ((_line(one, where), _branches(one, where)) for one in items)
    )
    return format_html("<ol>{}</ol>", rows)


def _branches(item: outlines.Item[Node], where: Addresses) -> SafeString:
    if not item.branches:
        return SafeString("")
    rows = format_html_join("", "<li>{}</li>", ((nested(row, where),) for row in item.branches))
    return format_html("<ul>{}</ul>", rows)


def _line(item: outlines.Item[Node], where: Addresses) -> SafeString:
    node = item.node
    if not node.steps:
        return format_html("<span>{}</span>", _said(node))
    step = node.steps[0]
    mark = (
        format_html(' <span class="z4j-quiet">{}</span>', _("critical path"))
        if node.is_critical
        else ""
    )
    if node.is_folded:
        return format_html(
            '<bdi>{}</bdi> &times; {}: {}{} <a href="{}">{}</a>{}',
            _name(step),
            f"{len(node.steps):,}",
            share(node.counts),
            mark,
            where.opened(node.key),
            _("Show each"),
            _wrong(node, where),
        )
    record = step.task.record
    address = where.task(record) if record is not None else None
    shown = format_html("<bdi>{}</bdi>", _name(step))
    link = format_html('<a href="{}">{}</a>', address, shown) if address else shown
    return formatting.joined(
        badge(step.word),
        link,
        format_html('<span class="z4j-quiet">{}</span>{}', _times(step), mark),
    )


def _wrong(node: Node, where: Addresses) -> SafeString:
    """The way to what failed of a group."""
    [first, *_rest] = node.steps
    failed = sum(step.word == states.FAILURE for step in node.steps)
    if not (failed and first.group_id):
        return SafeString("")
    shown = ngettext("The one that failed", "The %d that failed", failed)
    shown = shown % failed if "%d" in shown else shown
    address = where.filtered(f"state:FAILURE group:{words.shown(first.group_id, '*')}")
    return format_html(' · <a href="{}">{}</a>', address, shown)


def waterfall(
    flow: Flow, starts: Mapping[str, Sequence[datetime]], where: Addresses
) -> tuple[list[str], SafeString]:
    """The axis' labels, and a row of a table for each step.

    Args:
        flow: The workflow.
        starts: When each attempt of some of its tasks began.
        where: Where the rows lead to.
    """
    axis = _Axis(flow)
    rows = (_row(step, axis, starts.get(step.task.task_id, ()), where) for step in flow.steps)
    return axis.labels, format_html_join("\n", "{}", ((row,) for row in rows))


class _Axis:
    """From the first moment of a workflow to the last."""

    def __init__(self, flow: Flow) -> None:
        self._begins, self._ends = flow.begins, flow.ends
        self.seconds = 0.0
        if flow.begins is not None and flow.ends is not None:
            self.seconds = max(0.0, (flow.ends - flow.begins).total_seconds())

    @property
    def labels(self) -> list[str]:
        """What stands at its quarters."""
        return [formatting.duration(self.seconds * part / 4) for part in range(5)]

    def place(self, moment: datetime | None) -> float | None:
        """Where a moment is on it."""
        if moment is None or self._begins is None:
            return None
        if not self.seconds:
            return 0.0
        found = AXIS * (moment - self._begins).total_seconds() / self.seconds
        return min(float(AXIS), max(0.0, found))


def _row(step: Step, axis: _Axis, starts: Sequence[datetime], where: Addresses) -> SafeString:
    # Put together here: a template takes five times as long for a thousand.
    record, pace = step.task.record, step.pace
    address = where.task(record) if record is not None else None
    shown = formatting.name(_name(step))
    return format_html(
        '<tr class="{}"><th scope="row">{}{}</th><td class="z4j-flow-state">{}</td>'
        '<td class="z4j-flow-axis">{}</td><td class="z4j-number" data-label="{}">{}</td>'
        '<td class="z4j-number" data-label="{}">{}</td></tr>',
        "z4j-flow-critical" if step.is_critical else "",
        format_html('<a href="{}">{}</a>', address, shown) if address else shown,
        _critical() if step.is_critical else "",
        badge(step.word),
        _drawn_bar(step, axis, starts),
        _("Wait"),
        formatting.duration(pace.wait) if pace and pace.wait is not None else "",
        _("Run"),
        formatting.duration(pace.run) if pace and pace.run is not None else "",
    )


def _critical() -> SafeString:
    return format_html('<span class="z4j-hidden">{}</span>', _("critical path"))


def _drawn_bar(step: Step, axis: _Axis, starts: Sequence[datetime]) -> SafeString:
    """The wait pale, the run full, and a mark where each attempt before the newest began."""
    parts: list[SafeString] = []
    record = step.task.record
    begins, ends = axis.place(step.begins), axis.place(step.ends)
    if begins is not None:
        parts.append(_piece("z4j-flow-wait", begins, ends))
    marks = list(starts)
    for earlier in step.earlier:
        if earlier.started_at is not None:
            parts.append(
                _piece(
                    "z4j-flow-ran", axis.place(earlier.started_at), axis.place(earlier.finished_at)
                )
            )
            marks.append(earlier.started_at)
    if record is not None and record.started_at is not None:
        parts.append(
            _piece(
                f"z4j-flow-run z4j-flow-run-{_class(step.word)}",
                axis.place(record.started_at),
                ends,
            )
        )
        marks = [mark for mark in marks if mark < record.started_at]
    parts += [_mark(axis.place(mark)) for mark in marks]
    return format_html(
        '<svg class="z4j-flow-bar" viewBox="0 0 {} 12" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>',
        AXIS,
        _said_of_bar(step, len(marks)),
        format_html_join("", "{}", ((part,) for part in parts)),
    )


def _said_of_bar(step: Step, marks: int) -> str:
    attempts = ngettext("%d attempt before", "%d attempts before", marks) % marks if marks else ""
    return ", ".join(filter(None, [_times(step), attempts])) or _("no times on record")


def _piece(kind: str, begins: float | None, ends: float | None) -> SafeString:
    first = begins or 0.0
    width = max(float(_LEAST), (ends if ends is not None else first) - first)
    first = min(first, AXIS - width)
    return _rect(kind, first, width)


def _mark(place: float | None) -> SafeString:
    return format_html(
        '<rect class="z4j-flow-mark" x="{}" width="2" height="12"/>', f"{place or 0:.1f}"
    )


def _rect(kind: str, first: float, width: float) -> SafeString:
    return format_html(
        '<rect class="{}" x="{}" width="{}" height="12"/>', kind, f"{first:.1f}", f"{width:.1f}"
    )
