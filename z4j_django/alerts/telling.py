"""One round: what holds is compared with what was told, and what is to be told is written down.

All of it is one transaction, in which a row of the project is locked first: so two hosts that
both think they look after a project decide one after the other, and the second finds that it is
told already. Nothing is sent here: who sends reads what was written down (see ``sender``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q

from z4j_django.alerts import composing, planning, rules
from z4j_django.alerts.causes import Facts, Family, Place
from z4j_django.alerts.planning import Decision, Holding, Member, Notice
from z4j_django.alerts.silences import Silences
from z4j_django.models import (
    AlertDelivery,
    AlertNotice,
    ConditionRecord,
    Lease,
    WorkerRecord,
)
from z4j_django.models.primary import primary, up_to_date
from z4j_django.queries import queue_table

#: Problems that are looked at in one round: more than there can be of all conditions.
LIMIT: Final = 5_000
#: Problems of one notice that are kept in mind after their end.
ENDED: Final = 500
#: How far ahead the last round may be, by the database's clock, before that was set back.
_AHEAD: Final = timedelta(minutes=2)
_WORKERS: Final = ("worker_gone", "worker_silent", "worker_not_consuming", "slots_held")
_ARRIVED: Final = (AlertDelivery.State.SENT, AlertDelivery.State.PERHAPS)
_Pair = tuple[str, str]


def tell(project: str, now: datetime) -> bool:
    """Decide whom to tell what, and write it down.

    Args:
        project: Whose conditions.
        now: The moment, by the database's clock.

    Returns:
        Whether anybody is ever told anything.
    """
    channels = {one.name: one for one in rules.channels(project)}
    open_now = primary(AlertNotice).filter(project=project, is_open=True)
    if not channels and not open_now.exists():
        return False
    make_row(project, now)
    with up_to_date(AlertNotice):
        if _lock(project, now):
            _Round(project, now, channels).run()
    return True


def make_row(project: str, now: datetime) -> None:
    """See that there is the row that is locked."""
    if not primary(Lease).filter(project=project, name=Lease.ALERTS).exists():
        row = Lease(project=project, name=Lease.ALERTS, until=now)
        with up_to_date(Lease):  # apart from the lock: two who made it would wait for each other
            primary(Lease).bulk_create([row], ignore_conflicts=True)


def lock_row(project: str) -> None:
    """Have all others wait for the end of this transaction."""
    mine = primary(Lease).filter(project=project, name=Lease.ALERTS)
    mine.update(name=Lease.ALERTS)


def _lock(project: str, now: datetime) -> bool:
    """Have all others wait for the end of this transaction; false where one was there later."""
    mine = primary(Lease).filter(project=project, name=Lease.ALERTS)
    earlier = Q(done_at=None) | Q(done_at__lte=now) | Q(done_at__gt=now + _AHEAD)
    return bool(mine.filter(earlier).update(done_at=now))


class _Round:
    """What one round looks at."""

    def __init__(self, project: str, now: datetime, channels: Mapping[str, rules.Channel]) -> None:
        self.project = project
        self.now = now
        self.channels = channels
        self.records = {
            Place(one.key, one.subject): one
            for one in primary(ConditionRecord).filter(project=project, is_open=True)[:LIMIT]
        }
        self.holding = {place: holding(place, one) for place, one in self.records.items()}
        self.family = Family(self.records, self._facts())
        self.composer = composing.Composer(project, now, self.records, self.family)
        self.notices: dict[_Pair, list[Notice]] = {}
        for row in primary(AlertNotice).filter(project=project, is_open=True).order_by("id"):
            self.notices.setdefault((row.rule, row.channel), []).append(_notice(row))

    def run(self) -> None:
        """All pairs of a rule and a channel, and then what is left of others."""
        mine = [one for one in rules.rules(self.project) if one.is_enabled]
        wanted = {
            rule.name: {
                place: one
                for place, one in self.holding.items()
                if any(rule.is_about(place.key, name, one.severity) for name in one.names)
            }
            for rule in mine
        }
        silences = Silences(self.project, self.now)
        everything = {place: one for found in wanted.values() for place, one in found.items()}
        silenced = silences.hold_back(everything.values())
        notes = silences.notes(self.holding)
        for rule in mine:
            terms = _terms(rule, self.now)
            for channel in rule.tells(self.channels.values()):
                notices = self.notices.pop((rule.name, channel.name), [])
                found = self._plan(wanted[rule.name], notices, terms, silenced, notes)
                self._carry_out(rule.name, channel, found)
        for (name, to), notices in self.notices.items():
            self._see_to(name, to, notices)
        silences.save()
        self._keep_alive()

    def _plan(
        self,
        wanted: Mapping[Place, Holding],
        notices: Iterable[Notice],
        terms: planning.Terms,
        silenced: frozenset[Place] = frozenset(),
        notes: Mapping[Place, str] | None = None,
    ) -> planning.Plan:
        return planning.plan(
            self.now, wanted, silenced, notes or {}, self.family, self.holding, notices, terms
        )

    def _see_to(self, rule: str, to: str, notices: list[Notice]) -> None:
        """Notices of a rule that there is no more: whoever was told is told when it is over."""
        channel = self.channels.get(to)
        if channel is None or not channel.is_enabled:
            for notice in notices:
                self._close(notice)
            return
        found = self._plan({}, notices, _ONLY_THE_END)
        told = [
            one if one.act == "resolve" else replace(one, act="keep") for one in found.decisions
        ]
        self._carry_out(rule, channel, replace(found, decisions=told))

    def _carry_out(self, rule: str, channel: rules.Channel, plan: planning.Plan) -> None:
        # A notice of the same group may come in the place of one that is gone.
        primary(AlertNotice).filter(pk__in=[one.row.pk for one in plan.gone if one.row]).delete()
        for decision in plan.decisions:
            self._do(rule, channel, decision)

    def _do(self, rule: str, channel: rules.Channel, decision: Decision) -> None:
        notice = decision.notice
        row = notice.row or AlertNotice(
            project=self.project,
            rule=rule,
            channel=channel.name,
            group=composing.group_of(notice.root),
        )
        if decision.act in ("tell", "repeat"):
            for place, member in notice.members.items():
                if place in self.holding:
                    member.is_told, member.severity = True, self.holding[place].severity
            left = [place for place in notice.members if place in self.holding]
            notice.named.update(self.composer.causes(left))
            row.told_at = self.now
        self._forget_some(notice)
        stored = notice.severity, _stored(notice)
        is_new = row.pk is None or (row.severity, row.members) != stored
        row.severity, row.members = stored
        if notice.told_at is None:
            row.opened_at = notice.opened_at
        if decision.act == "keep":
            if is_new:
                row.save()
            return
        if decision.act == "resolve":
            row.is_open, row.closed_at = None, self.now
        row.number += 1
        row.save()
        self._write(row, notice, channel, "resolved" if decision.act == "resolve" else "firing")

    def _write(self, row: AlertNotice, notice: Notice, channel: rules.Channel, status: Any) -> None:
        """Write a message down, for whoever sends it."""
        message = self.composer.message(
            notice, row.rule, row.group, status, self._ended(row, notice)
        )
        primary(AlertDelivery).create(
            project=self.project,
            notice=row,
            number=row.number,
            rule=row.rule,
            channel=channel.name,
            kind=channel.kind,
            status=status,
            summary=composing.summary(message),
            message=composing.packed(message),
            created_at=self.now,
            next_at=self.now,
        )

    def _keep_alive(self) -> None:
        """Have what holds be sent again to channels that forget it otherwise, as one message."""
        told = primary(AlertNotice).filter(project=self.project, is_open=True)
        told = told.exclude(told_at=None).order_by("id")
        names = {name for name, one in self.channels.items() if one.is_enabled}
        if not names or not told.exists():
            return
        from z4j_django.alerts.channels.registry import KINDS  # it brings HTTP and mail along

        every = {kind.key: kind.repeats for kind in KINDS.values() if kind.repeats}
        names = {name for name in names if self.channels[name].kind in every}
        for row in told.filter(channel__in=names):
            last = row.deliveries.order_by("-number").first()
            age = timedelta(seconds=every[self.channels[row.channel].kind] or 0.0)
            if last is None or last.status != AlertDelivery.Status.FIRING:
                continue
            sent = primary(AlertDelivery).filter(pk=last.pk)
            sent = sent.filter(state__in=_ARRIVED, finished_at__lte=self.now - age)
            if sent.exists():
                message = self.composer.message(_notice(row), row.rule, row.group, "firing", {})
                sent.update(
                    state=AlertDelivery.State.PENDING,
                    # It waits, and is tried, from now on.
                    attempts=0,
                    finished_at=self.now,
                    next_at=self.now,
                    message=composing.packed(message),
                )

    def _close(self, notice: Notice) -> None:
        mine = primary(AlertNotice).filter(pk=notice.row.pk)
        if notice.told_at is None:
            mine.delete()
        else:
            mine.update(is_open=None, closed_at=self.now)

    def _forget_some(self, notice: Notice) -> None:
        """No notice grows for ever, however long it is open."""
        over = [place for place in notice.members if place not in self.holding]
        for place in over[:-ENDED] if len(over) > ENDED else ():
            del notice.members[place]

    def _ended(self, row: AlertNotice, notice: Notice) -> dict[Place, ConditionRecord]:
        """Those of its problems that hold no more, as they were last."""
        over = {place for place in (*notice.members, *notice.named) if place not in self.holding}
        if not over:
            return {}
        rows = primary(ConditionRecord).filter(
            project=self.project,
            key__in={place.key for place in over},
            subject__in=list({place.subject for place in over})[:ENDED],
            ended_at__gte=row.opened_at,
        )
        found = {Place(one.key, one.subject): one for one in rows.order_by("id")[:LIMIT]}
        return {place: one for place, one in found.items() if place in over}

    def _facts(self) -> Facts:
        """What workers take from, and which journals a host has, as far as any is in trouble."""
        hosts: dict[str, set[str]] = {}
        for place in self.records:
            if place.key == "journal_stopped":
                hosts.setdefault(place.subject.partition(":")[0], set()).add(place.subject)
        names = {place.subject for place in self.records if place.key in _WORKERS}
        if not names:
            return Facts(journals=hosts)
        workers = WorkerRecord.objects.filter(project=self.project, hostname__in=names)
        takers: dict[str, set[str]] = {}
        for worker in workers.only("hostname", "queues"):
            for queue in queue_table.queues_of(worker):
                takers.setdefault(queue, set()).add(worker.hostname)
        return Facts({queue: sorted(found) for queue, found in takers.items()}, hosts)


#: Of a rule that there is no more.
_ONLY_THE_END: Final = planning.Terms(timedelta.max, lambda severity: 0.0, lambda severity: False)


def _terms(rule: rules.Rule, now: datetime) -> planning.Terms:
    quiet = rule.quiet
    return planning.Terms(
        timedelta(seconds=rule.after),
        rule.repeats_after,
        lambda severity: quiet is not None and quiet.holds(now, severity),
    )


def holding(place: Place, record: ConditionRecord) -> Holding:
    """A stored condition, as it is planned with."""
    task = record.numbers.get("task") if isinstance(record.numbers, dict) else None
    names = (place.subject, task) if isinstance(task, str) and task else (place.subject,)
    return Holding(place, record.severity, names)


def _notice(row: AlertNotice) -> Notice:
    stored = row.members
    members = {}
    for key, subject, seen_at, severity, is_told, note in stored["members"]:
        place = Place(key, subject)
        moment = datetime.fromisoformat(seen_at)
        members[place] = Member(place, moment, severity, is_told, note)
    named = {Place(*one) for one in stored["named"]}
    return Notice(Place(*stored["root"]), members, row.told_at, named, row)


def _stored(notice: Notice) -> dict[str, Any]:
    return {
        "root": list(notice.root),
        "named": [list(one) for one in sorted(notice.named)],
        "members": list(_members(notice)),
    }


def _members(notice: Notice) -> Iterator[list[Any]]:
    for place, one in notice.members.items():
        yield [*place, one.seen_at.isoformat(), one.severity, one.is_told, one.note]
