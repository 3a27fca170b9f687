"""Sends what was written down, in a thread of its own, and writes down what came of it.

A delivery is claimed before it is sent. One whose claimant was killed meanwhile is sent again
where the channel takes that for the same; anywhere else nobody knows whether it arrived, and the
log says so. It goes on whichever process goes on with it.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db.models import F, Min, Q, QuerySet
from django.db.models.functions import Coalesce
from msgspec import ValidationError

from z4j_django import logs
from z4j_django.alerts import composing, rules
from z4j_django.background import Background
from z4j_django.models import AlertDelivery
from z4j_django.models.primary import primary, update

if TYPE_CHECKING:
    from z4j_django.alerts.channels.base import Answer

logger = logs.logger("z4j_django.alerts")

#: Seconds between two messages to one channel.
SPACE: Final = 1.0
#: For how long one message is tried.
GIVE_UP: Final = timedelta(days=1)
#: How old a claim gets before its claimant is taken for killed: sending takes less.
CLAIM: Final = timedelta(seconds=60)
#: Seconds from one try to the next: first, and at most.
FIRST: Final = 15.0
MOST: Final = 900.0
#: Seconds for which the thread waits for what is due soon, in place of a new one.
_SOON: Final = 10.0
#: Deliveries of killed processes that are looked at together.
_WINDOW: Final = 200

_State = AlertDelivery.State
_Status = AlertDelivery.Status
_ARRIVED: Final = (_State.SENT, _State.PERHAPS)
_GONE: Final = "The channel is not there any more, or is switched off."
_OVER: Final = "It was over before it could be told."
_LATER: Final = "A later message says more."
_KILLED: Final = "The process that sent it was killed meanwhile; whether it arrived is unknown."
_UNREADABLE: Final = "Another version of z4j_django has written it."


class Sender:
    """Sends the alerts of a project, whenever it is told to.

    Args:
        project: Which.
        clock: The moment, by the database's clock.
        holder: What the log calls this process.
    """

    def __init__(self, project: str, clock: Callable[[], datetime], holder: str) -> None:
        self.project = project
        self._clock = clock
        self._holder = holder
        self._sending = self._background()
        self._stop = threading.Event()
        #: When the delivery that is being sent was claimed, on the monotonic clock.
        self._busy_since: float | None = None
        #: When each channel may be sent to again.
        self._rests_until: dict[str, float] = {}

    @property
    def hangs(self) -> bool:
        """Whether it is at one message for longer than any may take."""
        since = self._busy_since
        return since is not None and time.monotonic() - since > CLAIM.total_seconds()

    def begin(self) -> None:
        """Send, if there is anything to send, and nobody sends still."""
        if self._sending.is_busy and not self.hangs:
            return
        if self._stop.is_set() or not _unfinished(self.project).exists():
            return
        if self.hangs:
            self._sending, self._busy_since = self._background(), None
        self._sending.begin(self.run)

    @staticmethod
    def _background() -> Background:
        return Background("z4j-alerts", logger, "The alerts could not be sent")

    def join(self, seconds: float) -> None:
        """Wait until all that is due is sent, or so long."""
        self._sending.join(seconds)

    def end(self, seconds: float) -> None:
        """Send nothing more; what is being sent has so many seconds."""
        self._stop.set()
        self.join(seconds)

    def run(self) -> None:
        """Send all that is due, and what will be in a moment."""
        mine = self._sending
        recover(self.project, self._clock())
        channels = {one.name: one for one in rules.channels(self.project) if one.is_enabled}
        while not self._stop.is_set():
            if self._sending is not mine:
                return  # it hung, and another thread has taken its place
            row, wait = self._next()
            if row is not None:
                self._send(row, channels)
            elif wait is None or wait > _SOON:
                return
            else:
                self._stop.wait(wait)

    def _next(self) -> tuple[AlertDelivery | None, float | None]:
        """What is sent next; or how long that takes, if it is not for ever."""
        now, clock = self._clock(), time.monotonic()
        resting = {name: at - clock for name, at in self._rests_until.items() if at > clock}
        pending = primary(AlertDelivery).filter(project=self.project, state=_State.PENDING)
        row = pending.exclude(channel__in=list(resting)).order_by("next_at", "id").first()
        if row is not None and row.next_at <= now:
            return row, None
        waits = [] if row is None else [(row.next_at - now).total_seconds()]
        left = pending.filter(channel__in=list(resting)).order_by().values_list("channel")
        for channel, at in left.annotate(at=Min("next_at")):
            waits.append(max((at - now).total_seconds(), resting[channel]))
        return None, min(waits, default=None)

    def _send(self, row: AlertDelivery, channels: Mapping[str, rules.Channel]) -> None:
        channel = channels.get(row.channel)
        if words := _GONE if channel is None else _needless(row):
            _finish(row, _State.PENDING, _State.DROPPED, words, self._clock())
            return
        if _is_behind(row):
            recover(self.project, self._clock())
            self._rest(row.channel, SPACE)
            return
        if channel is None or not _claim(row, self._holder, self._clock()):
            return
        self._busy_since = time.monotonic()
        try:
            answer = _sent(self.project, channel, row)
        finally:
            self._busy_since = None
        self._settle(row, answer)

    def _settle(self, row: AlertDelivery, answer: Answer) -> None:
        self._rest(row.channel, SPACE)
        now = self._clock()
        again = answer.outcome == "later"
        if answer.outcome == "unknown":
            again = _is_idempotent(row.kind)
        if not again:
            state = {"sent": _State.SENT, "refused": _State.REFUSED}.get(answer.outcome)
            _finish(row, _State.SENDING, state or _State.PERHAPS, answer.text, now)
        elif now - (row.finished_at or row.created_at) >= GIVE_UP:
            words = f"It was given up after a day. {answer.text}"
            _finish(row, _State.SENDING, _State.FAILED, words, now)
        else:
            wait = max(answer.retry_after or 0.0, _pause(row.attempts))
            self._rest(row.channel, min(wait, MOST))
            mine = primary(AlertDelivery).filter(pk=row.pk, state=_State.SENDING)
            next_at = now + timedelta(seconds=wait)
            update(mine, state=_State.PENDING, next_at=next_at, answer=answer.text)

    def _rest(self, channel: str, seconds: float) -> None:
        until = time.monotonic() + seconds
        self._rests_until[channel] = max(self._rests_until.get(channel, 0.0), until)


def recover(project: str, now: datetime) -> None:
    """Say of what a killed process was sending what that means."""
    left = primary(AlertDelivery).filter(
        project=project, state=_State.SENDING, claimed_at__lt=now - CLAIM
    )
    for row in left.order_by("id")[:_WINDOW]:
        if row.status != _Status.TEST and _is_idempotent(row.kind):
            mine = primary(AlertDelivery).filter(pk=row.pk, state=_State.SENDING)
            update(mine.filter(claimed_at=row.claimed_at), state=_State.PENDING, next_at=now)
        else:
            _finish(row, _State.SENDING, _State.PERHAPS, _KILLED, now)


def is_stuck(project: str, now: datetime, age: timedelta) -> bool:
    """Whether anything waits to be sent for longer than that."""
    pending = primary(AlertDelivery).filter(project=project, state=_State.PENDING)
    since = Coalesce("finished_at", "created_at")  # of what is sent again: since when it is
    return pending.annotate(waits_since=since).filter(waits_since__lt=now - age).exists()


def _unfinished(project: str) -> QuerySet[AlertDelivery]:
    mine = primary(AlertDelivery)
    return mine.filter(project=project, state__in=(_State.PENDING, _State.SENDING))


def _needless(row: AlertDelivery) -> str:
    """Why a delivery need not be sent any more, in a sentence."""
    others = primary(AlertDelivery).filter(notice=row.notice_id)
    if others.filter(number__gt=row.number).exists():
        return _LATER
    if row.status == _Status.RESOLVED:
        told = Q(state__in=(*_ARRIVED, _State.SENDING))
        if _is_idempotent(row.kind):
            told |= Q(claimed_at__isnull=False)  # it may have arrived, whatever became of it
        if not others.filter(told, status=_Status.FIRING).exists():
            return _OVER
    return ""


def _is_behind(row: AlertDelivery) -> bool:
    """Whether an earlier message of the same alert is being sent still."""
    others = primary(AlertDelivery).filter(notice=row.notice_id, number__lt=row.number)
    return others.filter(state=_State.SENDING).exists()


def _claim(row: AlertDelivery, holder: str, now: datetime) -> bool:
    mine = primary(AlertDelivery).filter(pk=row.pk, state=_State.PENDING)
    row.attempts += 1
    return bool(
        update(
            mine,
            state=_State.SENDING,
            claimed_by=holder,
            claimed_at=now,
            attempts=F("attempts") + 1,
        )
    )


def _sent(project: str, channel: rules.Channel, row: AlertDelivery) -> Answer:
    from z4j_django.alerts import sending  # it brings HTTP and mail along
    from z4j_django.alerts.channels.base import Answer

    try:
        message = composing.unpacked(row.message, f"z4j-{row.pk}")
    except (ValidationError, TypeError):
        return Answer("refused", _UNREADABLE)
    return sending.send(project, channel, message)


def _is_idempotent(kind: str) -> bool:
    from z4j_django.alerts.channels.registry import KINDS

    return kind in KINDS and KINDS[kind].is_idempotent


def _pause(attempts: int) -> float:
    """Seconds until the next try: twice as many each time, and not the same for all."""
    wait = min(FIRST * 2.0 ** max(min(attempts, 20) - 1, 0), MOST)
    return wait * random.uniform(0.8, 1.2)  # noqa: S311  # it keeps no secret


def _finish(row: AlertDelivery, before: str, state: str, answer: str, now: datetime) -> None:
    mine = primary(AlertDelivery).filter(pk=row.pk, state=before)
    update(mine, state=state, answer=answer, finished_at=now)
