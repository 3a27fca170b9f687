"""What ``z4j_status`` shows: this host's journal as it lies there, all else as it is on record."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from z4j_django import wiring
from z4j_django.agent import inspection
from z4j_django.conditions import capture
from z4j_django.diagnosis import records
from z4j_django.diagnosis.findings import reason
from z4j_django.queries import health
from z4j_django.values import size


@dataclass(frozen=True)
class Status:
    """How capture stands.

    Attributes:
        at: When, in seconds since the epoch.
        view: The journal of this host.
        lag: What of it is not stored; ``None`` where the database does not say.
        health: What is on record; ``None`` likewise.
        troubles: What someone should look at, in words.
        problem: Why the database does not say.
    """

    at: float
    view: inspection.View
    lag: inspection.Lag | None
    health: health.Health | None
    troubles: Sequence[str] = ()
    problem: str = ""


def read(seconds: float) -> Status:
    """How capture stands now.

    Args:
        seconds: How long to wait for the database.

    Raises:
        OSError: If the journal can't be read.
        ImproperlyConfigured: If the settings do not say where it is.
    """
    view = inspection.look(wiring.journal_directory())
    now = time.time()
    try:
        lag = records.lag(view, seconds)
        found, troubles = records.read(seconds, lambda: (health.health(), capture.words()))
        return Status(now, view, lag, found, troubles)
    except Exception as problem:  # whatever a driver raises
        return Status(now, view, None, None, problem=reason(problem))


def document(found: Status) -> dict[str, Any]:
    """The same as plain data."""
    view, lag = found.view, found.lag
    here: dict[str, Any] = {
        "directory": str(view.directory),
        "exists": view.exists,
        "shipper": _pid(view.process or view.shipper),
        "is_process": view.process is not None,
        "segments": len(view.segments),
        "writers": view.writers,
        "size": view.size,
        "pending": lag and {**asdict(lag), "seconds": lag.seconds(found.at)},
        "dead": view.dead,
        "unreadable": view.unreadable,
    }
    if found.health is None:
        return {"journal": here, "database": found.problem}
    return {
        "journal": here,
        "database": "",
        "journals": [_plain(journal) for journal in found.health.journals],
        "losses": [asdict(loss) for loss in found.health.losses],
        "workers": asdict(found.health.workers),
        "troubles": list(found.troubles),
    }


def lines(found: Status) -> Iterator[str]:
    """The same for people."""
    yield f"Journal of this host: {found.view.directory}"
    yield from (f"  {label:<11} {value}" for label, value in _here(found))
    if found.health is None:
        yield f"The records can't be read: {found.problem}"
        return
    yield "Journals on record" + ("" if found.health.journals else ": none")
    for one in found.health.journals:
        yield f"  {one.state:<11} {one.host}:{one.directory}"
        yield f"  {'':<11} {_journal(one)}"
    yield "Losses" + ("" if found.health.losses else ": none")
    for loss in found.health.losses:
        yield f"  {loss.reason:<14} {loss.recent} in the last 24 hours, {loss.ever} ever"
    count = found.health.workers
    yield (
        f"Workers: {count.online} online, {count.silent} silent, {count.gone} gone without a word, "
        f"{count.offline} offline"
    )
    for trouble in found.troubles:
        yield f"! {trouble}"


def _plain(one: health.Journal) -> dict[str, Any]:
    """A journal with its lengths of time in seconds."""
    lag, silence = one.lag.total_seconds(), one.silence.total_seconds()
    return {**asdict(one), "lag": lag, "silence": silence}


def _here(found: Status) -> Iterator[tuple[str, str]]:
    view = found.view
    if not view.exists:
        yield "state", "not there yet: the first event makes it"
        return
    yield "shipped by", _shipper(view, found.at)
    if found.lag is None:
        yield "lag", f"unknown without the database; at most {size(view.size)}"
    else:
        lag = found.lag
        yield "lag", f"{lag.size} bytes, {lag.events} events, {lag.seconds(found.at):.1f} s"
    yield "segments", f"{len(view.segments)}, {view.writers} being written, {size(view.size)}"
    yield "set aside", f"{view.dead} events, {view.unreadable} segments"


def _shipper(view: inspection.View, now: float) -> str:
    holder = view.process or view.shipper
    if holder is None:
        return "nobody"
    since = health.span(timedelta(seconds=max(now - holder.since, 0.0)))
    kind = "process" if view.process is not None else "a thread of process"
    return f"{kind} {holder.pid or 'unknown'}, for {since}"


def _journal(one: health.Journal) -> str:
    waiting = f"{size(one.pending)} to store"
    if one.lag:
        waiting += f", for {health.span(one.lag)}"
    return (
        f"{waiting}; {size(one.size)} in all (segments: {one.segments}); "
        f"process {one.pid} reported {health.span(one.silence)} ago"
    )


def _pid(holder: inspection.Holder | None) -> int | None:
    return holder.pid if holder is not None else None
