"""How a worker is told each verb, and what it shows of it when it is asked again.

A reply says what a worker will do. So it is asked before and after: what can't be done, or is so
already, is refused before it is told, and done is what was seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from z4j_django import verb_options, verbs
from z4j_django.control import answers
from z4j_django.options import given
from z4j_django.values import counted

#: What stands in the place of a limit that was never there.
_NONE: Final = "none"
#: Of the agent in the worker: Celery itself has none.
_SOFT_SHUTDOWN: Final = "z4j_soft_shutdown"


class Effect:
    """What one verb does to one worker.

    Attributes:
        command: Of Celery's remote control.
        asks: The command that shows how a worker stands.
        is_question: Whether it is nothing but that command.
        is_end: Whether it shows in that a worker answers no more.
        slow: Why it may show later.
        in_rounds: Whether a pool of processes does it when it looks after itself, and not at once.
        options: The verb's.
        own: What limits were before some were set by hand, by their names; None where none were.
    """

    command = ""
    asks = "stats"
    is_question: ClassVar = False
    is_end: ClassVar = False
    slow = ""
    in_rounds: ClassVar = False

    def __init__(self, options: Any, own: Mapping[str, Any] | None = None) -> None:
        self.options = options
        self.own = own

    @property
    def arguments(self) -> dict[str, Any]:
        """What the command is given."""
        return {}

    @property
    def question(self) -> dict[str, Any]:
        """What the command that shows it is given."""
        return {}

    @property
    def looks(self) -> str:
        """The command that shows what came of it."""
        return self.asks

    def refusal(self, before: Any) -> str:
        """Why there is no point in it, as a worker stands; nothing where there is one."""
        return ""

    def was_so(self, reply: str) -> bool:
        """Whether a worker replies that there was nothing to do."""
        return False

    def is_seen(self, before: Any, after: Any) -> bool:
        """Whether it has come about."""
        raise NotImplementedError

    def words(self, before: Any, after: Any) -> str:
        """What has come about."""
        return ""

    def left(self, before: Any, after: Any) -> str:
        """What a worker that broke off has done of it all the same."""
        return ""


class _Ping(Effect):
    command = asks = "ping"
    is_question = True

    def is_seen(self, before: Any, after: Any) -> bool:
        return True

    def words(self, before: Any, after: Any) -> str:
        return "It answered."


class _Pool(Effect):
    """By a number of processes."""

    sign: ClassVar = 1
    in_rounds = True

    @property
    def arguments(self) -> dict[str, Any]:
        return {"n": self.options.n}

    def is_seen(self, before: Any, after: Any) -> bool:
        by: int = self.sign * self.options.n
        return answers.slots(after) == answers.slots(before) + by

    def words(self, before: Any, after: Any) -> str:
        has, had = answers.slots(after), answers.slots(before)
        return f"It has {counted(has, 'slot', 'slots')}, and had {had}."

    def left(self, before: Any, after: Any) -> str:
        return self.words(before, after) if answers.slots(before) != answers.slots(after) else ""


class _Grow(_Pool):
    command = verbs.POOL_GROW.name


class _Shrink(_Pool):
    command = verbs.POOL_SHRINK.name
    sign = -1

    def refusal(self, before: Any) -> str:
        has = answers.slots(before)
        if has and has <= self.options.n and not answers.part(before, "autoscaler"):
            return f"It has {counted(has, 'slot', 'slots')}: none would be left."
        return ""


class _Autoscale(Effect):
    command = verbs.AUTOSCALE.name

    @property
    def arguments(self) -> dict[str, Any]:
        return {"max": self.options.max, "min": given(self.options.min)}

    def is_seen(self, before: Any, after: Any) -> bool:
        found, least = answers.part(after, "autoscaler"), given(self.options.min)
        return found.get("max") == self.options.max and least in (None, found.get("min"))

    def words(self, before: Any, after: Any) -> str:
        found = answers.part(after, "autoscaler")
        return f"It scales between {found.get('min')} and {found.get('max')}."


class _Restart(Effect):
    """Celery tells the processes to end, and each looks when it has been given one more task."""

    command = verbs.POOL_RESTART.name
    slow = "Each of its processes ends when it has run one more task."
    in_rounds = True

    def refusal(self, before: Any) -> str:
        if not answers.processes(before):
            return f"Its pool ({answers.pool(before)}) has no processes that could be started anew."
        return ""

    def is_seen(self, before: Any, after: Any) -> bool:
        return bool(self._new(before, after))

    def words(self, before: Any, after: Any) -> str:
        new, count = len(self._new(before, after)), len(answers.processes(after))
        if new == count:
            return f"All of its {counted(count, 'process', 'processes')} are new."
        return f"New of its {count} processes: {new}. {self.slow}"

    def _new(self, before: Any, after: Any) -> set[Any]:
        return set(answers.processes(after)).difference(answers.processes(before))


class _Shutdown(Effect):
    """What it shows is that it answers no more: to a warm one it gives no reply."""

    command = verbs.SHUTDOWN.name
    is_end = True

    def __init__(self, options: Any, own: Mapping[str, Any] | None = None) -> None:
        super().__init__(options, own)
        if options.soft:
            self.command = _SOFT_SHUTDOWN

    def is_seen(self, before: Any, after: Any) -> bool:
        pid = after.get("pid")  # one that is ending may answer with an error
        return pid is not None and bool(pid != before.get("pid"))

    def words(self, before: Any, after: Any) -> str:
        if after is not None:
            return f"It ended, and process {after.get('pid')} has its name now."
        if self.options.soft:
            return "It answers no more: what it runs has its time, and then it ends."
        return "It answers no more: it ends what it runs, and then itself."


class _Consumer(Effect):
    asks = "active_queues"

    def takes(self, queues: Any) -> bool:
        """Whether a worker takes from the queue, as it says itself."""
        told = queues if isinstance(queues, list) else []
        return any(isinstance(one, dict) and one.get("name") == self.options.queue for one in told)


class _AddConsumer(_Consumer):
    command = verbs.ADD_CONSUMER.name

    @property
    def arguments(self) -> dict[str, Any]:
        asked: verb_options.AddConsumerOptions = self.options
        return {
            "queue": asked.queue,
            "exchange": given(asked.exchange),
            "exchange_type": asked.exchange_type,
            "routing_key": given(asked.routing_key),
        }

    def refusal(self, before: Any) -> str:
        return f"It takes from {self.options.queue} already." if self.takes(before) else ""

    def is_seen(self, before: Any, after: Any) -> bool:
        return self.takes(after)

    def words(self, before: Any, after: Any) -> str:
        return f"It takes from {self.options.queue}."


class _CancelConsumer(_Consumer):
    command = verbs.CANCEL_CONSUMER.name

    @property
    def arguments(self) -> dict[str, Any]:
        return {"queue": self.options.queue}

    def refusal(self, before: Any) -> str:
        return "" if self.takes(before) else f"It does not take from {self.options.queue}."

    def is_seen(self, before: Any, after: Any) -> bool:
        return not self.takes(after)

    def words(self, before: Any, after: Any) -> str:
        return f"It takes no more from {self.options.queue}."


class Limit(Effect):
    """A limit of the tasks of one name."""

    asks = "registered"
    names: ClassVar[tuple[str, ...]] = ()

    @property
    def question(self) -> dict[str, Any]:
        """What of the tasks is asked."""
        is_builtin = self.options.task.startswith("celery.")
        return {"taskinfoitems": list(answers.LIMITS), "builtins": is_builtin}

    def limits(self, registered: Any) -> dict[str, str]:
        """Those of the task, as a worker tells them."""
        found = answers.limits_of(registered).get(self.options.task, {})
        return {name: found[name] for name in self.names if name in found}

    def refusal(self, before: Any) -> str:
        """That there is no such task, or no limit to take back."""
        if self.options.task not in answers.limits_of(before):
            return f"It has no task {self.options.task}."
        if self.options.reset and self.own is None:
            return "None was set by hand since it started."
        return ""

    @property
    def wanted(self) -> dict[str, Any]:
        """The limits as they are to be; None for none."""
        if self.options.reset:
            return {name: (self.own or {}).get(name) for name in self.names}
        return self.asked

    @property
    def asked(self) -> dict[str, Any]:
        """The same, as they were asked for."""
        raise NotImplementedError

    def is_seen(self, before: Any, after: Any) -> bool:
        """Whether the limits are as they are to be."""
        found = self.limits(after)
        return all(_same(found.get(name), value) for name, value in self.wanted.items())

    def words(self, before: Any, after: Any) -> str:
        """What they are, and were."""
        return f"{self.told(self.limits(after))}; before: {self.told(self.limits(before))}."

    def told(self, limits: Mapping[str, Any]) -> str:
        """Limits in words."""
        raise NotImplementedError


class _RateLimit(Limit):
    command = verbs.RATE_LIMIT.name
    names = ("rate_limit",)

    @property
    def arguments(self) -> dict[str, Any]:
        return {"task_name": self.options.task, **self.wanted}

    @property
    def asked(self) -> dict[str, Any]:
        return {"rate_limit": self.options.rate.strip()}

    def told(self, limits: Mapping[str, Any]) -> str:
        return f"rate limit {limits.get('rate_limit', _NONE)}"


class _TimeLimit(Limit):
    command = verbs.TIME_LIMIT.name
    names = ("time_limit", "soft_time_limit")

    @property
    def arguments(self) -> dict[str, Any]:
        wanted = self.wanted
        return {
            "task_name": self.options.task,
            "hard": _number(wanted["time_limit"]),
            "soft": _number(wanted["soft_time_limit"]),
        }

    @property
    def asked(self) -> dict[str, Any]:
        hard, soft = given(self.options.hard), given(self.options.soft)
        return {"time_limit": hard, "soft_time_limit": soft}

    def told(self, limits: Mapping[str, Any]) -> str:
        hard, soft = (limits.get(name, _NONE) for name in self.names)
        return f"time limit {hard}, soft {soft}"


class _Events(Effect):
    """What shows it is that a worker that is told again says that it is so already."""

    asks = "ping"

    @property
    def looks(self) -> str:
        return self.command

    def was_so(self, reply: str) -> bool:
        return "already" in reply

    def is_seen(self, before: Any, after: Any) -> bool:
        return self.was_so(answers.reply_of(after))

    def words(self, before: Any, after: Any) -> str:
        return f"It says: {answers.reply_of(after)}."


class _EnableEvents(_Events):
    command = verbs.ENABLE_EVENTS.name


class _DisableEvents(_Events):
    command = verbs.DISABLE_EVENTS.name


EFFECTS: Final[dict[str, type[Effect]]] = {
    effect.command: effect
    for effect in (
        *(_Ping, _Grow, _Shrink, _Autoscale, _AddConsumer, _CancelConsumer),
        *(_RateLimit, _TimeLimit, _Restart, _Shutdown, _EnableEvents, _DisableEvents),
    )
}


def _same(told: str | None, wanted: Any) -> bool:
    if told is None or wanted is None:
        return told is None and wanted is None
    try:
        return float(told) == float(wanted)
    except ValueError:
        return told == str(wanted)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)
