"""Some workers, while one thing is done to them: asked how they stand, told, and asked again."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from z4j_django import logs, verbs, wiring
from z4j_django.control import answers, broadcasting
from z4j_django.models import Operation, OperationTarget, WorkerRecord
from z4j_django.models.primary import primary
from z4j_django.operations import auditing, worker_effects
from z4j_django.operations.worker_effects import Effect
from z4j_django.options import Options
from z4j_django.queries import limits

logger = logs.logger("z4j_django.operations")

#: Seconds that all of it may take; and the shares of them in which workers may say how they stand,
#: and reply. One that is to end gives no reply: after a share its silence tells that it does.
TIMEOUT: Final = 5.0
_ASKING: Final = 0.5
_TELLING: Final = 0.4
_ENDING: Final = 0.2
_SILENCE: Final = 0.5
#: Seconds, besides, in which a pool of processes shows what it was told: it looks every 5.
ROUND: Final = 6.0
#: Seconds between two looks at what came of it.
_PAUSE: Final = 0.1
_EXCEPTION: Final = re.compile(r"(\w+)\((?P<quote>['\"])(?P<text>.*)(?P=quote),?\)", re.DOTALL)

_Outcomes = dict[str, auditing.Outcome]


@dataclass
class _Worker:
    """A worker while it is steered.

    Attributes:
        effect: What is done to it.
        record: What is known of it.
        before: How it stood.
        reply: What it replied; None where it did not.
        after: How it stood last; None where it did not answer.
        looks: How often that was asked.
    """

    effect: Effect
    record: WorkerRecord | None
    before: Any = None
    reply: Any = None
    after: Any = None
    looks: int = 0

    @property
    def is_seen(self) -> bool:
        """Whether it has come about."""
        if not self.looks or self.after is None:
            return bool(self.looks and self.effect.is_end)
        return self.effect.is_seen(self.before, self.after)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to look for."""
        return self.is_seen or bool(self.looks and answers.error_of(self.reply))


class Steering:
    """Has some workers do one thing, within one time."""

    def __init__(
        self, operation: Operation, options: Options, targets: Sequence[OperationTarget]
    ) -> None:
        self._operation = operation
        self._verb = verbs.VERBS[operation.verb]
        self._names = [target.target for target in targets]
        records = records_of(operation.project, self._names)
        own = self._own(options, records)
        kind = worker_effects.EFFECTS[operation.verb]
        self._workers = {
            name: _Worker(kind(options, own.get(name)), records.get(name)) for name in self._names
        }
        self._app: Any = wiring.find_celery_app().app
        self._seconds = broadcasting.patience(self._app, TIMEOUT)
        self._until = time.monotonic() + self._seconds
        self._outcomes: _Outcomes = {}
        self._ends = kind.is_end

    def outcomes(self) -> list[auditing.Outcome]:
        """Do it; what came of each."""
        why = self._deaf()
        if why:
            return [auditing.refused(why)] * len(self._names)
        try:
            self._ask()
        except TimeoutError as error:
            words = f"The broker did not answer ({error}): no worker was told."
            return [auditing.unknown(words)] * len(self._names)
        if any(self._left().values()):
            self._tell()
        return [self._outcomes[name] for name in self._names]

    def _own(
        self, options: Any, records: Mapping[str, WorkerRecord]
    ) -> Mapping[str, Mapping[str, Any]]:
        """What limits of the task were before some were set by hand, by hostname."""
        if not getattr(options, "task", ""):
            return {}
        return limits.own(list(records.values()), self._verb.name, options.task)

    def _deaf(self) -> str:
        """Why no worker hears."""
        if not self._app.conf.worker_enable_remote_control:
            return "The project's worker_enable_remote_control is off: no worker hears."
        if not broadcasting.has_remote_control(self._app):
            return "The broker's transport has no remote control: no worker hears."
        return ""

    def _left(self) -> dict[str, _Worker]:
        """Those of which nothing has come yet."""
        return {name: one for name, one in self._workers.items() if name not in self._outcomes}

    def _ask(self) -> None:
        """How each stands; those that don't answer, or where there is no point in it, are out."""
        found = self._asked(lambda one: (one.effect.asks, one.effect.question), _ASKING, twins=True)
        for name, one in self._workers.items():
            told = found.get(name, [])
            if not told:
                self._outcomes[name] = self._silent(one.record)
                continue
            one.before = told[0]
            if one.effect.is_question:
                twins = f" {len(told)} workers have this name." if len(told) > 1 else ""
                self._outcomes[name] = auditing.done(one.effect.words(None, None) + twins)
            elif len(told) > 1:
                self._outcomes[name] = auditing.refused(
                    f"{len(told)} workers answer by this name, and none was told: give each a "
                    "name of its own (celery worker -n)."
                )
            elif why := one.effect.refusal(one.before):
                self._outcomes[name] = auditing.refused(why)

    def _silent(self, record: WorkerRecord | None) -> auditing.Outcome:
        """What is said of one that does not answer."""
        seconds = f"{self._seconds * _ASKING:g} s"
        if record is None:
            words = "There is no worker of this name on record, and none answered"
        elif left := left_word(record):
            return auditing.refused(f"{left} None of its name answered.")
        else:
            words = "It did not answer"
        return auditing.unknown(f"{words} within {seconds}: it was not told.")

    def _tell(self) -> None:
        """Tell those that are left, and look until it shows of each, or the time is over."""
        left = self._left()
        self._note_limits(left)
        replies: dict[str, list[Any]] = {}
        try:
            share = _ENDING if self._ends else _TELLING
            replies = self._asked(lambda one: (one.effect.command, one.effect.arguments), share)
        except Exception as error:  # the trail must say what happened to each target
            if self._ends and isinstance(error, TimeoutError):
                self._look_at(left, replies)  # one that ends gives no reply
                return
            words = f"Whether it was told is unknown: {type(error).__name__}: {error}"
            self._outcomes |= dict.fromkeys(left, auditing.unknown(words))
            return
        self._look_at(left, replies)

    def _look_at(self, left: Mapping[str, _Worker], replies: Mapping[str, Sequence[Any]]) -> None:
        """See what came of those that were told."""
        for name, one in left.items():
            one.reply = next(iter(replies.get(name, [])), None)
            reply = answers.reply_of(one.reply)
            if not answers.error_of(one.reply) and one.effect.was_so(reply):
                self._outcomes[name] = auditing.refused(f"It says: {reply}.")
        self._look()
        self._outcomes |= {name: _outcome(one, self._seconds) for name, one in self._left().items()}

    def _look(self) -> None:
        """Ask again, until there is nothing more to see, or no time."""
        if any(one.effect.in_rounds and one.reply is not None for one in self._left().values()):
            self._until = max(self._until, time.monotonic() + ROUND)
        while not all(one.is_over for one in self._left().values()):
            if time.monotonic() + _PAUSE >= self._until:
                return
            share = _SILENCE if self._ends else 1.0
            try:
                found = self._asked(lambda one: (one.effect.looks, self._look_for(one)), share)
            except TimeoutError:
                continue
            except Exception:  # then it was not seen
                logger.exception("Workers could not be asked again.")
                return
            for name, one in self._left().items():
                one.after, one.looks = next(iter(found.get(name, [])), None), one.looks + 1
            time.sleep(_PAUSE)

    def _look_for(self, one: _Worker) -> dict[str, Any]:
        return one.effect.question if one.effect.looks == one.effect.asks else {}

    def _asked(
        self,
        what: Callable[[_Worker], tuple[str, dict[str, Any]]],
        share: float,
        *,
        twins: bool = False,
    ) -> dict[str, list[Any]]:
        """What those that are left answer, in a share of the time."""
        groups: dict[str, list[str]] = {}
        for name, one in self._left().items():
            groups.setdefault(json.dumps(what(one)), []).append(name)
        found: dict[str, list[Any]] = {}
        for key, hostnames in groups.items():
            command, arguments = json.loads(key)
            left = max(self._until - time.monotonic(), 0.05)
            found |= broadcasting.to_some(
                self._app,
                command,
                arguments,
                hostnames,
                seconds=min(share * self._seconds, left),
                twins=twins,
            )
        return found

    def _note_limits(self, left: Mapping[str, _Worker]) -> None:
        """Write down what limits were, so that they can be reset."""
        before = {
            name: one.effect.limits(one.before)
            for name, one in left.items()
            if isinstance(one.effect, worker_effects.Limit)
        }
        if before:
            auditing.note(self._operation, before=before)


def _outcome(one: _Worker, seconds: float) -> auditing.Outcome:
    effect, reply = one.effect, answers.reply_of(one.reply)
    if answers.error_of(one.reply):
        left = effect.left(one.before, one.after) if one.after is not None else ""
        return auditing.refused(" ".join(filter(None, (_in_words(reply, one), left))))
    if one.is_seen:
        return auditing.done(effect.words(one.before, one.after))
    said = f"It says: {reply}" if reply else "It did not reply"
    waited = max(seconds, ROUND) if effect.in_rounds and one.reply is not None else seconds
    words = f"{said}; nothing of it was to be seen within {waited:g} s. {effect.slow}"
    return auditing.unknown(words.strip())


def _in_words(error: str, one: _Worker) -> str:
    """A worker's own words, without what Python puts around them."""
    found = _EXCEPTION.fullmatch(error.strip())
    text = found["text"] if found else error
    if found and found[1] == "KeyError" and text == one.effect.command:
        version = one.record.version if one.record else ""
        return f"It does not know {text}; it is {version or 'of another version'}."
    kind = answers.pool(one.before)
    is_of_pool = one.effect.asks == "stats" and not one.effect.is_end
    about = f" Its pool is {kind}." if is_of_pool else ""
    end = "" if text.endswith((".", "!")) else "."
    return f"It says: {text}{end}{about}"


def left_word(record: WorkerRecord) -> str:
    """That a worker has said goodbye, in words."""
    if record.online:
        return ""
    if record.stopped_at is None:
        return "It said goodbye."
    return f"It said goodbye at {record.stopped_at.isoformat(timespec='seconds')}."


def records_of(project: str, hostnames: Sequence[str]) -> dict[str, WorkerRecord]:
    """Those of some workers that are on record, by their names."""
    rows = primary(WorkerRecord).filter(project=project, hostname__in=hostnames)
    return {one.hostname: one for one in rows}
