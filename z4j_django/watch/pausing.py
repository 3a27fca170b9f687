"""Keeps workers from taking tasks of queues that are paused, and has them do so again.

The workers are asked what they take from, and those are told to leave it that take from a paused
queue: they came up later, or somebody told them to. All of it goes on in a thread of its own: a
broker or workers that do not answer hold up nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from django.utils.module_loading import import_string

from z4j_django import broadcasts, broker, logs
from z4j_django.background import Background
from z4j_django.models import PausedQueue
from z4j_django.models.primary import delete, update
from z4j_django.queries import pauses, queue_table, workers
from z4j_django.timeouts import within
from z4j_django.values import is_storable
from z4j_django.watch import lease, sampling

logger = logs.logger("z4j_django.watch")

#: Seconds in which the workers have to answer each question.
ANSWER: Final = 2.0
#: Seconds for the broker, and the answers, in all.
TIMEOUT: Final = 5.0
#: Seconds of these for the connection, and for what there is to say beside the answers.
_MARGIN: Final = 0.5
#: How long workers that do not answer are told again that a queue is resumed.
FORGET: Final = timedelta(hours=1)
#: What resumes the queues of a project whose time is over. It stands above this package, and takes
#: some megabytes: it is loaded when it is needed.
_RESUME_OVERDUE: Final = "z4j_django.operations.pausing.resume_overdue"

T = TypeVar("T")
#: What came of a worker, by its hostname: whether it did as it was told.
Told = dict[str, bool]


class Keeper:
    """Looks after the paused queues of a project, whenever it is told to.

    Args:
        project: Which.
    """

    def __init__(self, project: str) -> None:
        self.project = project
        self._looking = Background(
            "z4j-pausing", logger, "The paused queues could not be looked after"
        )

    def begin(self) -> None:
        """Look, if there is anything to look after, and nobody looks still."""
        if not self._looking.is_busy and pauses.kept(self.project).exists():
            self._looking.begin(lambda: look_after(self.project))


def look_after(project: str) -> None:
    """See that nobody takes from what is paused, and that all do who took from what is resumed."""
    now, troubles = lease.now(), list[Exception]()

    def attempt(step: Callable[..., object], *args: Any) -> None:
        try:
            step(*args)
        except Exception as error:  # whatever a transport or database raises: the others go on
            troubles.append(error)

    if pauses.current(project).filter(until__lte=now).exists():
        attempt(import_string(_RESUME_OVERDUE), project, now)
    for one in pauses.kept(project).exclude(resumed_at=None):
        attempt(release, one)
    if paused := list(pauses.current(project)):
        attempt(stop, project, paused)
    delete(pauses.kept(project).filter(resumed_at__lt=now - FORGET))
    if troubles:
        raise troubles[0]


def stop(project: str, paused: Iterable[PausedQueue]) -> dict[str, Told]:
    """Have no worker take from some queues.

    Returns:
        Of each queue, the workers that took from it, or should have told whether they do: whether
        they stopped.
    """
    by_name = {one.queue: one for one in paused}
    at = lease.now()
    takers = queue_table.consumers(workers.online(project, at))
    on_record = {name: {one.hostname for one in mine} for name, mine in takers.items()}
    found = _connected(lambda there, mailbox: _stop(there, mailbox, by_name, on_record))
    for name, told in found.items():
        _note(by_name[name], told, at)
    return found


def _stop(
    connection: Any,
    mailbox: Mapping[str, Any],
    names: Collection[str],
    on_record: Mapping[str, set[str]],
) -> dict[str, Told]:
    """Ask all workers, and tell those that take from a queue, or do on record and don't answer.

    Those that don't are told last: what time is left, their silence may take.
    """
    until = time.monotonic() + TIMEOUT - _MARGIN
    online = set().union(*on_record.values())
    told = broadcasts.ask(connection, mailbox, "active_queues", {}, seconds=ANSWER, expected=online)
    taking = {
        name: [hostname for hostname, queues in told.items() if name in _names(queues)]
        for name in names
    }
    silent = {name: on_record.get(name, set()) - told.keys() for name in names}
    found: dict[str, Told] = {name: {} for name in names}
    calls = [(name, sorted(only)) for part in (taking, silent) for name, only in part.items()]
    calls = [(name, only) for name, only in calls if only]
    for place, (name, only) in enumerate(calls):
        share = max(until - time.monotonic(), 0.0) / (len(calls) - place)
        seconds = min(ANSWER, share)
        found[name] |= _tell(connection, mailbox, "cancel_consumer", name, only, seconds)
    return found


def release(pause: PausedQueue) -> Told:
    """Have those workers take from a resumed queue that did so before; forget who did as told.

    Returns:
        Of each of them, whether it does.
    """
    hostnames = list(pause.consumers.values_list("hostname", flat=True))
    told: Told = {}
    if hostnames:
        told = _connected(
            lambda there, mailbox: _tell(there, mailbox, "add_consumer", pause.queue, hostnames)
        )
    delete(pause.consumers.filter(hostname__in=[name for name, done in told.items() if done]))
    if not pause.consumers.exists():
        delete(pauses.kept(pause.project).filter(pk=pause.pk).exclude(resumed_at=None))
    return told


def _tell(
    connection: Any,
    mailbox: Mapping[str, Any],
    command: str,
    queue: str,
    only: list[str],
    seconds: float = ANSWER,
) -> Told:
    # Without more than its name a worker takes the queue as its own app has it.
    told = broadcasts.ask(
        connection, mailbox, command, {"queue": queue}, seconds=seconds, only=only, expected=only
    )
    return {name: isinstance(told.get(name), dict) and "ok" in told[name] for name in only}


def _connected(call: Callable[[Any, Mapping[str, Any]], T]) -> T:
    """What ``call`` makes of a connection and the app's mailbox.

    Raises:
        TimeoutError: If it takes too long in all.
        ConnectionError: If there is nobody to ask, or the transport tells workers nothing.
    """
    where = sampling.source()
    connect = where.connect
    if connect is None or where.unknown:
        raise ConnectionError(where.unknown)

    def ask() -> T:
        with broker.opened(connect(TIMEOUT), TIMEOUT) as connection:
            if not broadcasts.is_heard(connection):
                raise ConnectionError("The broker's transport has no remote control of workers.")
            return call(connection, where.mailbox)

    return within(TIMEOUT, ask)


def _note(pause: PausedQueue, told: Told, at: datetime) -> None:
    """Write down who took from a paused queue, and whether they stopped."""
    mine = pause.consumers
    # Who answers may call himself whatever he likes.
    named = {hostname: stopped for hostname, stopped in told.items() if is_storable(hostname)}
    update(mine.exclude(hostname__in=named).filter(consumes=True), consumes=False)
    for hostname, stopped in named.items():
        mine.update_or_create(hostname=hostname, defaults={"consumes": not stopped, "at": at})
    update(PausedQueue.objects.filter(pk=pause.pk), looked_at=at)


def _names(queues: Any) -> set[str]:
    """The queues that a worker says it takes from."""
    told = queues if isinstance(queues, list) else []
    return {str(one.get("name")) for one in told if isinstance(one, dict)}
