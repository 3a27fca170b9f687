"""What a worker is at this moment, as it says itself: everything asked for at once.

Nothing of it is on record. What it answers is bounded, and secrets are masked; the arguments of
tasks are left out: they stand on the tasks' own pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import celery
from celery.app.defaults import SETTING_KEYS

from z4j_django.conf import settings
from z4j_django.control import answers, broadcasting
from z4j_django.secrets import redaction
from z4j_django.values import clean

#: Seconds in which it may answer, however the broker behaves.
TIMEOUT: Final = 5.0
#: Tasks of each kind, and other names, that are told of.
TASKS: Final = 100
NAMES: Final = 1_000
#: Characters of a text.
_TEXT: Final = 255
_CONF: Final = redaction.Budget(nodes=2_000, depth=6, text=64 * 1024, string=1024)
#: What the names of Celery's settings begin with among Django's.
_NAMESPACE: Final = "celery_"
#: Of the agent in the worker; one without it, or with an older one, does not know it.
_PROCESSES: Final = "z4j_processes"
#: What is asked, with which arguments.
ASKED: Final[Mapping[str, dict[str, Any]]] = {
    "stats": {},
    "active": {"safe": True},
    "reserved": {},
    "scheduled": {},
    "revoked": {},
    "registered": {"taskinfoitems": list(answers.LIMITS)},
    "conf": {},
    "active_queues": {},
    _PROCESSES: {},
}


@dataclass
class LiveView:
    """What a worker answers.

    Attributes:
        hostname: Its.
        said: What it said, by what it was asked.
        silent: What it did not answer in time.
        errors: What it answered with an error, in its own words.
        trouble: Why nobody could be asked; empty where it could.
        twins: How many workers answer by this name.
    """

    hostname: str
    said: dict[str, Any] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    trouble: str = ""
    twins: int = 0

    @property
    def answers(self) -> bool:
        """Whether it answered anything."""
        return bool(self.said or self.errors)


def look(app: celery.Celery, hostname: str) -> LiveView:
    """Ask a worker everything, at once.

    Args:
        app: The project's app.
        hostname: The worker's.

    Returns:
        What it said. It never raises for what the broker or the worker does.
    """
    view = LiveView(hostname)
    if not app.conf.worker_enable_remote_control:
        view.trouble = "The project's worker_enable_remote_control is off: no worker hears."
    elif not broadcasting.has_remote_control(app):
        view.trouble = "The broker's transport has no remote control: no worker hears."
    if view.trouble:
        return view
    seconds = broadcasting.patience(app, TIMEOUT)

    def ask(command: str) -> list[Any] | Exception:
        try:
            given = ASKED[command]
            twins = command == "stats"
            found = broadcasting.to_some(
                app, command, given, [hostname], seconds=seconds, twins=twins
            )
        except Exception as error:  # whatever the transport raises
            return error
        return found.get(hostname, [])

    with ThreadPoolExecutor(len(ASKED), thread_name_prefix="z4j-live") as threads:
        for command, told in zip(ASKED, threads.map(ask, ASKED), strict=True):
            _take(view, command, told)
    return view


def _take(view: LiveView, command: str, told: list[Any] | Exception) -> None:
    name = command.removeprefix("z4j_")
    if isinstance(told, Exception):
        view.silent.append(name)
        view.trouble = view.trouble or _text(f"The broker did not do it: {told}.")
    elif not told:
        view.silent.append(name)
    elif error := answers.error_of(told[0]):
        if command != _PROCESSES:  # which needs the agent
            view.errors[name] = _text(error)
    else:
        view.said[name] = _READ[command](told[0])
    if command == "stats" and not isinstance(told, Exception):
        view.twins = len(told)


def _stats(told: Any) -> dict[str, Any]:
    processed = answers.part(told, "total")
    scale, usage = answers.part(told, "autoscaler"), answers.part(told, "rusage")
    return {
        "pid": _whole(told, "pid"),
        "uptime": _whole(told, "uptime"),
        "pool": _text(answers.pool(told)),
        "slots": answers.slots(told),
        "processes": [one for one in answers.processes(told) if isinstance(one, int)][:NAMES],
        "autoscale": {name: _whole(scale, name) for name in ("min", "max")} if scale else None,
        "prefetch": _whole(told, "prefetch_count"),
        "processed": sum(one for one in processed.values() if isinstance(one, int)),
        "cpu": round(_number(usage, "utime") + _number(usage, "stime"), 2) if usage else None,
    }


def _task(told: Any) -> dict[str, Any]:
    request = told.get("request") if isinstance(told, dict) else None
    found = request if isinstance(request, dict) else told if isinstance(told, dict) else {}
    return {
        "task_id": _text(found.get("id")),
        "name": _text(found.get("name")),
        "started_at": found.get("time_start") if _is_number(found.get("time_start")) else None,
        "pid": _whole(found, "worker_pid"),
        "eta": _text(told.get("eta")) if isinstance(told, dict) else "",
    }


def _tasks(told: Any) -> dict[str, Any]:
    found = told if isinstance(told, list) else []
    return {"count": len(found), "tasks": [_task(one) for one in found[:TASKS]]}


def _revoked(told: Any) -> dict[str, Any]:
    found = told if isinstance(told, list) else []
    return {"count": len(found), "task_ids": [_text(one) for one in found[-TASKS:]]}


def _registered(told: Any) -> dict[str, Any]:
    found = answers.limits_of(told)
    tasks = [
        {"name": _text(name), **{one: _text(limits.get(one)) for one in answers.LIMITS}}
        for name, limits in list(found.items())[:NAMES]
    ]
    return {"count": len(found), "tasks": tasks}


def _conf(told: Any) -> Any:
    """Celery's own settings; where they are Django's, all of those are among what is told."""
    found = told if isinstance(told, dict) else {}
    names = {str(name): str(name).lower().removeprefix(_NAMESPACE) for name in found}
    known = {short: found[name] for name, short in names.items() if short in SETTING_KEYS}
    return redaction.redact(dict(sorted(known.items())), budget=_CONF, rules=settings.redaction)


def _queues(told: Any) -> list[dict[str, Any]]:
    found = told if isinstance(told, list) else []
    return [
        {
            "name": _text(one.get("name")),
            "exchange": _text(answers.part(one, "exchange").get("name")),
            "routing_key": _text(one.get("routing_key")),
        }
        for one in found[:NAMES]
        if isinstance(one, dict)
    ]


def _processes(told: Any) -> dict[str, Any]:
    pool = told.get("pool") if isinstance(told, dict) else None
    load = told.get("load") if isinstance(told, dict) else None
    return {
        "load": [float(one) for one in load[:3] if _is_number(one)] if load else [],
        "cpus": _whole(told, "cpus"),
        "main": _process(answers.part(told, "main")),
        "pool": [_process(one) for one in pool[:NAMES]] if isinstance(pool, list) else [],
    }


def _process(told: Any) -> dict[str, Any]:
    found = told if isinstance(told, dict) else {}
    return {
        "pid": _whole(found, "pid"),
        "memory": _whole(found, "memory"),
        "cpu": _number(found, "cpu"),
        "age": _number(found, "age"),
    }


_READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "stats": _stats,
    "active": _tasks,
    "reserved": _tasks,
    "scheduled": _tasks,
    "revoked": _revoked,
    "registered": _registered,
    "conf": _conf,
    "active_queues": _queues,
    _PROCESSES: _processes,
}


def _text(value: Any) -> str:
    return "" if value is None else clean(str(value), _TEXT)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _whole(told: Any, name: str) -> int | None:
    value: Any = told.get(name) if isinstance(told, dict) else None
    return int(value) if _is_number(value) and abs(value) < 2**63 else None


def _number(told: Any, name: str) -> float:
    value = told.get(name) if isinstance(told, Mapping) else None
    return float(value) if value is not None and _is_number(value) else 0.0
