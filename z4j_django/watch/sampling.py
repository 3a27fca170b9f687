"""Samples the queues: how many messages wait, who consumes, and since when the oldest waits.

The broker is asked in a thread of its own: one that does not answer holds up nobody. No message
is touched: how long the oldest has waited, the records tell.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from z4j_django import broadcasts, broker, handover, logs, states
from z4j_django.models import QueueSample, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.queries import queues
from z4j_django.secrets.masking import mask_text
from z4j_django.values import clean, identifier

logger = logs.logger("z4j_django.watch")

#: Seconds between two samples of a queue.
EVERY: Final = 60.0
#: Seconds in which the broker has to tell of all queues.
TIMEOUT: Final = 10.0
#: Queues that are sampled, at most.
LIMIT: Final = 500
#: Seconds between two looks at which queues are on record: each costs a look at its newest task.
_RECORDS_EVERY: Final = 600.0
#: A queue to which nothing was sent for so long is looked at only where someone consumes it.
_RECENT: Final = timedelta(days=1)
#: Waiting tasks whose times are looked at, those on record for the longest first.
_WAITING_LIMIT: Final = 20_000


@dataclass(frozen=True)
class Told:
    """What the broker told of a queue.

    Attributes:
        depth: Messages that wait.
        consumers: Who takes them.
        unknown: Why the depth is not known, in words.
    """

    depth: int | None = None
    consumers: int | None = None
    unknown: str = ""


@dataclass(frozen=True)
class Source:
    """Where to ask: what was handed over to this process, or else the project's app.

    Attributes:
        queues: Those that the app names.
        connect: Makes a connection, which has that many seconds; nothing where there is no app.
        unknown: Why nobody can be asked, in words.
        mailbox: What makes the mailbox of the app's workers (see ``broadcasts``).
    """

    queues: list[str]
    connect: Callable[[float], Any] | None = None
    unknown: str = ""
    mailbox: Mapping[str, Any] = field(default_factory=dict)


def source() -> Source:
    """Where to ask, in this process."""
    if (given := handover.told("broker")) is not None:
        return Source(
            given["queues"],
            lambda s: broker.connection(given, s),
            given["unknown"],
            given.get("mailbox", {}),
        )
    from z4j_django import wiring  # which imports Celery, as this process has done

    try:
        app = wiring.find_celery_app().app
        names, mailbox = broker.queue_names(app), broadcasts.describe(app)
    except Exception as error:  # whatever the app's settings hold
        return Source([], unknown=f"{type(error).__name__}: {error}")
    eager = "Tasks run where they are called (task_always_eager)."
    unknown = eager if app.conf.task_always_eager else ""
    return Source(names, lambda s: app.connection_for_write(connect_timeout=s), unknown, mailbox)


class Asking:
    """Asks the broker of some queues, while others do something else.

    Args:
        source: Where.
        names: The queues.
        seconds: How long it may take.
    """

    def __init__(self, source: Source, names: list[str], seconds: float = TIMEOUT) -> None:
        self.names = names
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._told: dict[str, Told] = {}
        self._why_not = (
            mask_text(source.unknown) or f"The broker did not answer within {seconds:g} s."
        )
        self._thread = threading.Thread(target=self._run, name="z4j-sampling", daemon=True)
        if source.connect is not None and not source.unknown:
            self._connect = source.connect
            self._thread.start()

    @property
    def hangs(self) -> bool:
        """Whether it still waits for the broker."""
        return self._thread.is_alive()

    @property
    def is_over(self) -> bool:
        """Whether no more is to be expected of it."""
        return not self.hangs or time.monotonic() >= self._deadline

    def wait(self) -> None:
        """Until it is over."""
        if self.hangs:
            self._thread.join(max(self._deadline - time.monotonic(), 0.0))

    def told(self) -> dict[str, Told]:
        """What was told of each queue so far."""
        unknown = Told(unknown=self._why_not)
        return {name: self._told.get(name, unknown) for name in self.names}

    def _run(self) -> None:
        try:
            with broker.opened(self._connect(self._seconds), self._seconds) as connection:
                for name, depth, consumers in broker.counts(connection, self.names):
                    why_not = "" if depth is not None else "The broker has no such queue."
                    self._told[name] = Told(depth, consumers, why_not)
        except Exception as error:  # whatever a transport raises
            self._why_not = mask_text(f"{type(error).__name__}: {error}")


class Sampler:
    """Samples the queues of a project now and then.

    Args:
        project: Which.
        clock: Seconds, monotonic.
    """

    def __init__(self, project: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.project = project
        self._clock = clock
        self._next = clock()
        self._asking: Asking | None = None
        self._at: datetime | None = None
        self._recorded: list[str] = []
        self._recorded_until = clock()

    def begin(self, at: datetime, seconds: float = TIMEOUT) -> None:
        """Ask the broker, if it is time to.

        Args:
            at: The moment, by the database's clock.
            seconds: How long it may take.
        """
        if self._clock() < self._next or self._at is not None:
            return
        self._next = self._clock() + EVERY
        self._at = at
        if self._asking is None or not self._asking.hangs:  # else that goes for this time, too
            where = source()
            self._asking = Asking(where, self._names(where, at), seconds)

    def collect(self, wait: bool = False) -> None:
        """Store what the broker told, once it did or its time is up.

        Args:
            wait: Until then.
        """
        if self._asking is None or self._at is None:
            return
        if wait:
            self._asking.wait()
        if self._asking.is_over:
            at, self._at = self._at, None
            store(self.project, at, self._asking.told())

    def _names(self, where: Source, at: datetime) -> list[str]:
        if self._clock() >= self._recorded_until:
            self._recorded_until = self._clock() + _RECORDS_EVERY
            self._recorded = queues.recent(self.project, at - _RECENT, LIMIT)
        names = (*where.queues, *sorted(queues.consumed(self.project)), *self._recorded)
        return list(dict.fromkeys(identifier(name) for name in names))[:LIMIT]


def store(project: str, at: datetime, told: Mapping[str, Told]) -> None:
    """Keep a sample of each queue."""
    oldest = oldest_waiting(project, at, told)
    primary(QueueSample).bulk_create(
        QueueSample(
            project=project,
            queue=name,
            at=at,
            depth=one.depth,
            consumers=one.consumers,
            oldest_at=oldest.get(name),
            unknown=clean(one.unknown),
        )
        for name, one in told.items()
    )


def oldest_waiting(
    project: str, at: datetime, told: Mapping[str, Told]
) -> dict[str, datetime | None]:
    """When the oldest task that waits in each queue was sent, as far as the records tell.

    A record may stay PENDING for ever, of a task that a worker without this app ran. So where the
    broker tells that n messages wait, it is the n-th newest that counts.
    """
    if not any(one.depth != 0 for one in told.values()):
        return {}
    waiting = primary(TaskRecord).filter(project=project, state=states.PENDING)
    rows = waiting.order_by("id").values_list("queue", "sent_at", "eta", "expires")
    sent: dict[str, list[datetime]] = {}
    for queue, sent_at, eta, expires in rows[:_WAITING_LIMIT]:
        if sent_at and (eta is None or eta <= at) and (expires is None or expires > at):
            sent.setdefault(queue, []).append(sent_at)
    return {name: _oldest(sent.get(name, ()), one.depth) for name, one in told.items()}


def _oldest(sent: Iterable[datetime], depth: int | None) -> datetime | None:
    newest_first = sorted(sent, reverse=True)
    if depth is None:
        return newest_first[-1] if newest_first else None
    return min(itertools.islice(newest_first, depth), default=None)
