"""Celery's signals about what is published, turned into events; see ``task_signals``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
from celery import signals

from z4j_django.agent import beat_signals, events, messages, traces
from z4j_django.agent.open_publishes import OpenPublishes
from z4j_django.agent.sampling import ALL, FAILURES, Sampling
from z4j_django.agent.signal_handlers import Recorder, SignalHandlers, never_raises


class PublishSignals(SignalHandlers):
    """The handlers of a publish, which decides for all that comes after what is recorded of it.

    Args:
        recorder: Where the events go.
        sampling: Which tasks are noise.
    """

    def __init__(self, recorder: Recorder, sampling: Sampling | None = None) -> None:
        super().__init__(recorder)
        self.sampling = sampling or Sampling({})
        self._publishing = OpenPublishes()

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {
            signals.before_task_publish: self.before_task_publish,
            signals.after_task_publish: self.after_task_publish,
        }

    @never_raises
    def before_task_publish(
        self,
        sender: str,
        body: Any,
        exchange: str,
        routing_key: str,
        headers: dict[str, Any],
        properties: dict[str, Any],
        declare: Any = None,
        **kwargs: Any,
    ) -> None:
        """Stamp the header, and keep what ``after_task_publish`` is not told."""
        about = headers if "id" in headers else body  # task protocol 1 has it in the body
        stamped = messages.stamp(headers)
        origin = messages.origin_of(stamped) if stamped else {}
        if name := beat_signals.entry():
            origin["schedule"] = messages.text(name)
        now = time.time()
        task_id = about.get("id")
        keep = self._keep(sender, about)
        if keep != ALL:
            headers[messages.HEADER] = {"at": now, "keep": keep, **origin}
            self._publishing.begin(task_id, None)
            return
        message = messages.message(
            about.get,
            name=sender,
            exchange=exchange,
            routing_key=routing_key,
            queue=messages.published_queue(declare, exchange, routing_key),
            priority=properties.get("priority"),
            content=body if about is headers else (body.get("args"), body.get("kwargs"), body),
            stamped=origin,
        )
        chosen = messages.chosen(message)
        headers[messages.HEADER] = {"at": now, **origin, **chosen}
        send = events.TaskEvent(
            kind=events.TASK_SENT,
            task_id=messages.text(task_id),
            at=now,
            name=sender,
            retries=messages.number(about.get("retries")) or 0,
            nesting=messages.number(about.get("replaced_task_nesting")) or 0,
            message=message,
        )
        self._publishing.begin(task_id, send)

    @never_raises
    def after_task_publish(
        self, sender: str, headers: dict[str, Any], body: Any, **kwargs: Any
    ) -> None:
        """The message left: a send is on record only now."""
        send = self._publishing.end((headers if "id" in headers else body)["id"])
        if send is None:  # noise
            return
        if traces.may_have(headers):
            send = _traced(send, traces.header(headers.get))
        self.recorder.record(send)

    def _keep(self, name: str, headers: Any) -> str:
        if name in self.sampling.whole:
            return ALL
        keep = self.sampling.keep(name, messages.text(headers.get("id")))
        if keep == FAILURES and (headers.get("retries") or headers.get("replaced_task_nesting")):
            return ALL  # an attempt before this one is on record
        return keep


def _traced(send: events.TaskEvent, header: str) -> events.TaskEvent:
    """The send with the trace that its message left with.

    A tracer that hears of a publish after us puts its header on the message after us.
    """
    message = send.message
    if message is None or message.traceparent == header:
        return send
    replaced = msgspec.structs.replace(message, traceparent=header)
    return msgspec.structs.replace(send, message=replaced)
