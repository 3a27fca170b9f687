"""What rules do by themselves: retry, cancel, pause a queue, as the actor ``rule NAME``.

Only where ``Z4J["ALERTS"]["AUTOMATION"]`` says so; a rule only writes down what it would do, until
it is told otherwise. Each act is written down before it is done: so no two hosts do it, and who is
killed halfway leaves a trail. What goes on though it was acted on stops the rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import QuerySet

from z4j_django import logs, operations, verbs
from z4j_django.alerts import rules, silences, telling
from z4j_django.alerts.causes import Place
from z4j_django.alerts.planning import Holding
from z4j_django.conditions.attention import described, is_of_others
from z4j_django.conf import settings
from z4j_django.exceptions import Z4JError
from z4j_django.models import AlertAct, AlertRule, ConditionRecord, Operation
from z4j_django.models.primary import primary, up_to_date, update
from z4j_django.queries.selection import Selection
from z4j_django.secrets.masking import mask_text
from z4j_django.values import clean, counted

logger = logs.logger("z4j_django.operations")

#: How long an act has to help, before there is another one of the same.
PAUSE: Final = timedelta(minutes=5)
#: For how long a rule of the settings stays stopped. One of the database does until someone
#: lets it act again.
STOPPED: Final = timedelta(days=1)
#: Problems of one rule that are acted on in one round, at most.
_AT_ONCE: Final = 20
_HOUR: Final = timedelta(hours=1)
_BEGUN: Final = "It was begun; what came of it is not known."
_STOPS: Final = "The rule stops: what it did {times} did not help."
_Acts = list[tuple[AlertAct, rules.Automation, ConditionRecord]]


def act(project: str, now: datetime) -> None:
    """Have the rules of a project do what they are to do, if they may.

    Args:
        project: Whose rules.
        now: The moment, by the database's clock.
    """
    if not settings.ALERTS.AUTOMATION:
        return
    mine = [one for one in rules.rules(project) if one.is_enabled and one.automation is not None]
    if not mine:
        return
    telling.make_row(project, now)
    begun: _Acts = []
    with up_to_date(AlertAct):
        telling.lock_row(project)
        looked = _Look(project, now)
        for rule in mine:
            begun += looked.begun(rule)
    for one, automation, record in begun:
        _carry_out(one, automation, record)


@dataclass(frozen=True)
class _Past:
    """What a rule did to one thing since it holds: how often, and when last."""

    times: int
    last: datetime | None


class _Look:
    """A project's conditions, at one moment."""

    def __init__(self, project: str, now: datetime) -> None:
        self.project = project
        self.now = now
        rows = primary(ConditionRecord).filter(project=project, is_open=True)
        self._records = {Place(one.key, one.subject): one for one in rows[: telling.LIMIT]}
        holding = [telling.holding(place, one) for place, one in self._records.items()]
        self._holding: list[Holding] = holding
        self._silenced = silences.Silences(project, now).hold_back(holding)

    def begun(self, rule: rules.Rule) -> _Acts:
        """What a rule does now, written down."""
        automation = rule.automation
        if automation is None or self._is_stopped(rule, automation):
            return []
        lately = primary(AlertAct).filter(project=self.project, rule=rule.name, stops=False)
        left = automation.hourly_limit - lately.filter(at__gt=self.now - _HOUR).count()
        found: _Acts = []
        stop = self._stops(rule).order_by("-at").values_list("at", flat=True).first()
        for record in self._wanted(rule):
            if len(found) >= min(left, _AT_ONCE):
                break
            past = self._past(rule, record, automation.is_dry_run, stop)
            if automation.is_dry_run and past.times:
                continue  # once is enough to see it
            if past.last is not None and self.now - past.last < PAUSE:
                continue
            if past.times >= automation.breaker_limit:
                self._stop(rule, record, automation)
                return found
            row = self._write(rule, record, automation, automation.is_dry_run, _BEGUN)
            found.append((row, automation, record))
        return found

    def _wanted(self, rule: rules.Rule) -> Iterator[ConditionRecord]:
        after = timedelta(seconds=rule.after)
        for one in self._holding:
            record = self._records[one.place]
            if is_of_others(record):
                continue  # it names nothing that could be acted on
            is_about = any(rule.is_about(one.place.key, name, one.severity) for name in one.names)
            if is_about and one.place not in self._silenced and self.now - record.since >= after:
                yield record

    def _past(
        self, rule: rules.Rule, record: ConditionRecord, is_dry_run: bool, stop: datetime | None
    ) -> _Past:
        """What it did since the thing holds, and since the rule was last stopped."""
        mine = primary(AlertAct).filter(
            project=self.project,
            rule=rule.name,
            condition=record.key,
            subject=record.subject,
            at__gte=record.since,
            is_dry_run=is_dry_run,
            stops=False,
        )
        if stop is not None:
            mine = mine.filter(at__gt=stop)
        moments = list(mine.order_by("-at").values_list("at", flat=True)[:1_000])
        return _Past(len(moments), moments[0] if moments else None)

    def _is_stopped(self, rule: rules.Rule, automation: rules.Automation) -> bool:
        if rule.source == "database":
            return automation.stopped_at is not None
        return self._stops(rule).filter(at__gt=self.now - STOPPED).exists()

    def _stops(self, rule: rules.Rule) -> QuerySet[AlertAct]:
        return primary(AlertAct).filter(project=self.project, rule=rule.name, stops=True)

    def _stop(
        self, rule: rules.Rule, record: ConditionRecord, automation: rules.Automation
    ) -> None:
        words = _STOPS.format(times=counted(automation.breaker_limit, "time"))
        row = self._write(rule, record, automation, False, words)
        row.stops = True
        row.save(update_fields=["stops"])
        mine = primary(AlertRule).filter(project=self.project, name=rule.name)
        mine.update(stopped_at=self.now, stopped_why=f"{words} ({record})")
        logger.warning("The rule %s does nothing more by itself: %s (%s)", rule.name, words, record)

    def _write(
        self,
        rule: rules.Rule,
        record: ConditionRecord,
        automation: rules.Automation,
        is_dry_run: bool,
        words: str,
    ) -> AlertAct:
        return primary(AlertAct).create(
            project=self.project,
            rule=rule.name,
            condition=record.key,
            subject=record.subject,
            since=record.since,
            verb=automation.verb,
            is_dry_run=is_dry_run,
            at=self.now,
            words=words,
        )


def _carry_out(one: AlertAct, automation: rules.Automation, record: ConditionRecord) -> None:
    """Do it, or say what would be done; and write down what came of it."""
    operation: Operation | None = None
    try:
        if one.is_dry_run:
            words = _forecast(automation, record)
        else:
            operation = _performed(f"rule {one.rule}", automation, record)
            words = _summary(operation)
    except (Z4JError, ValueError) as error:
        words = f"It was refused: {error}"
    except Exception as error:  # whatever a transport raises
        logger.warning("The rule %s failed: %s", one.rule, type(error).__name__)
        words = f"It failed: {type(error).__name__}: {error}"
    told = clean(mask_text(words, settings.redaction), 1_000)
    mine = primary(AlertAct).filter(pk=one.pk)
    update(mine, words=told, operation_id=operation.pk if operation is not None else None)


def _performed(actor: str, automation: rules.Automation, record: ConditionRecord) -> Operation:
    verb, options = verbs.VERBS[automation.verb], automation.options
    if verb.noun == "task":
        how: Mapping[str, Any] = {**options, "actor": actor}
        return operations.bulk(verb.name, selection=_selection(record), **how)
    many = verb.noun in ("worker", "error")
    target = [record.subject] if many else record.subject
    return operations.perform(verb.name, target, options, actor=actor)


def _forecast(automation: rules.Automation, record: ConditionRecord) -> str:
    verb = verbs.VERBS[automation.verb]
    if verb.noun != "task":
        return f"It would do this to {record.subject}: {verb.summary.lower()}."
    found = operations.preview(_selection(record))
    return f"It would do this to {counted(found.count, 'task')}: {verb.summary.lower()}."


def _selection(record: ConditionRecord) -> Selection:
    """The tasks that a condition is about."""
    (one,) = described([record])
    return Selection.from_params({"search": one.tasks}, record.project)


def _summary(operation: Operation) -> str:
    if operation.finished_at is None:
        return f"{counted(operation.total, 'target')}, left to a worker."
    parts = ((name, getattr(operation, name)) for name in ("done", "refused", "failed", "unknown"))
    return ", ".join(f"{count:,} {name}" for name, count in parts if count) + "."
