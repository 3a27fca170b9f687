"""Celery's signals about tasks, turned into events.

This code runs inside other people's tasks and publishes. It never raises, takes no lock while the
disk is well, touches no database, and does nothing but encode an event and write it to the
journal. Each handler names its signal; the table is in ``docs/reference/events.md``.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from typing import Any, Final

import msgspec
from celery import exceptions, signals, states
from celery.app.task import Context

from z4j_django.agent import events, exits, held_requests, messages, originals
from z4j_django.agent.encoding import encode_value
from z4j_django.agent.failures import describe, describe_raised, summary
from z4j_django.agent.publish_signals import PublishSignals
from z4j_django.agent.sampling import ALL, FAILURES, NOTHING, Sampling
from z4j_django.agent.signal_handlers import Recorder, never_raises

#: Of a retry that no task asked for: the worker stops, or has lost its broker.
CANCELLED: Final = "cancelled by the worker"

#: Ends that leave a task noise.
_GOOD_ENDS: Final = frozenset({events.TASK_SUCCEEDED, events.TASK_IGNORED})

#: Seconds by which an end that comes after the run's own comes after its receipt, at least: on
#: a clock that is behind, the run started and ended at that very moment.
_AFTER: Final = 2e-6


class TaskSignals(PublishSignals):
    """The handlers of all signals about tasks, and what they remember between two of them.

    Args:
        recorder: Where the events go.
        sampling: Which tasks are noise.
        payload_limit: Bytes of a message's body that is kept for a retry; of a larger one only
            the size is. Without it, no message is kept.
    """

    def __init__(
        self,
        recorder: Recorder,
        sampling: Sampling | None = None,
        payload_limit: int | None = None,
    ) -> None:
        super().__init__(recorder, sampling)
        self.payload_limit = payload_limit
        #: The worker's own time limit, which its pool has for what no task and no message limits.
        self._time_limit: Any = None
        #: The run of this thread that Celery failed around.
        self._internal = threading.local()
        #: The tasks that run in this process.
        self.running: dict[str, messages.Run] = {}
        #: Requests in this worker's hands: a hard time limit tells no more than the id.
        self._requests = held_requests.HeldRequests()
        #: Requests whose failure is on record; a hard time limit is signalled twice.
        self._failed: weakref.WeakSet[Any] = weakref.WeakSet()

    def handlers(self) -> dict[Any, Callable[..., None]]:
        """All of this class, by signal."""
        return {
            **super().handlers(),
            signals.worker_ready: self.worker_ready,
            signals.task_received: self.task_received,
            signals.task_prerun: self.task_prerun,
            signals.task_postrun: self.task_postrun,
            signals.task_failure: self.task_failure,
            signals.task_retry: self.task_retry,
            signals.task_revoked: self.task_revoked,
            signals.task_rejected: self.task_rejected,
            signals.task_unknown: self.task_unknown,
            signals.task_internal_error: self.task_internal_error,
        }

    @never_raises
    def worker_ready(self, sender: Any, **kwargs: Any) -> None:
        """A worker takes tasks: its options may limit all of them."""
        worker = sender.controller
        self._time_limit = worker.time_limit or worker.soft_time_limit

    @never_raises
    def task_received(self, sender: Any, request: Any, **kwargs: Any) -> None:
        """A worker took the message from the queue."""
        self._requests.add(request)
        headers = request.request_dict
        stamped = messages.stamp(headers)
        now = time.time()
        headers[messages.HEADER] = marked = {**stamped, "received": now}
        if not request.app.use_fast_trace_task:  # an embedded worker does not tell its runs
            marked["worker"] = headers.get("hostname")
        if "at" not in stamped:  # nobody has decided yet
            marked["keep"] = self._keep(messages.text(headers.get("task")), headers)
        if messages.kept(marked) == ALL:
            limit = self.payload_limit
            original = originals.original(request.message, limit) if limit else None
            message = self._record_message(
                events.TASK_RECEIVED,
                request,
                now,
                stamped,
                original=original,
                time_limit=messages.seconds(self._limit_of(request)),
            )
            marked.update(messages.chosen(message))  # for its next attempt

    @never_raises
    def task_prerun(self, sender: Any, task_id: str, task: Any, **kwargs: Any) -> None:
        """The task's code is about to run, here."""
        request = task.request
        context = request.__dict__
        stamped = messages.stamp(context)
        now = time.time()
        received = messages.moment(stamped, "received")
        if received is not None and received > now:
            now = received  # a clock that was set back must not turn the order round
        self._internal.task_id = None
        message = None
        if request.is_eager:
            keep = self._keep(task.name, context)
            context[messages.HEADER] = {"keep": keep}
            message = messages.eager(task, request) if keep == ALL else None
        else:
            keep = messages.kept(stamped)
        start = messages.of_run(events.TASK_STARTED, now, task_id, task, request, message)
        thread = threading.get_ident()
        self.running[task_id] = messages.Run(start, time.monotonic(), keep, thread)
        if keep == ALL:
            self.recorder.record(start)

    @never_raises
    def task_postrun(
        self, sender: Any, task_id: str, task: Any, retval: Any, state: str | None, **kwargs: Any
    ) -> None:
        """The task's code is done. Failures and retries have signals of their own."""
        run = self.running.pop(task_id, None)
        if state == states.SUCCESS:
            result, _ = encode_value(retval)
            self._end(events.TASK_SUCCEEDED, task_id, task, run, result=result)
        elif state == states.IGNORED:
            self._end(events.TASK_IGNORED, task_id, task, run)
        elif state == states.REJECTED:
            requeued = bool(getattr(retval, "requeue", False))
            detail = "rejected, back to the queue" if requeued else "rejected"
            self._end(events.TASK_REJECTED, task_id, task, run, requeued=requeued, detail=detail)
        elif state is None:
            error = exits.untold(task_id, task.request)
            if error is not None:
                failure = describe_raised(error)
                self._end(events.TASK_FAILED, task_id, task, run, failure=failure)

    @never_raises
    def task_failure(
        self, sender: Any, task_id: str, exception: Any, einfo: Any = None, **kwargs: Any
    ) -> None:
        """The task raised; or, in the worker's main process, it lost its child or its time."""
        if self._was_internal(task_id):
            return  # Celery 5.7 tells an internal error once more as a failure
        request = self._requests.get(task_id)
        if request is not None and task_id not in self.running:
            if request in self._failed:
                return
            self._failed.add(request)
        if isinstance(exception, exceptions.Reject):
            return  # Celery 5.7 tells a rejection as a failure too; task_postrun has told it
        failure = describe(exception, einfo)
        self._end(events.TASK_FAILED, task_id, sender, self.running.get(task_id), failure=failure)

    @never_raises
    def task_retry(
        self, sender: Any, request: Any, reason: Any = None, einfo: Any = None, **kwargs: Any
    ) -> None:
        """The task asked to be run again."""
        cause = getattr(reason, "exc", None)
        failure = describe(cause, einfo) if isinstance(cause, BaseException) else None
        detail = CANCELLED if reason is None else messages.text(getattr(reason, "message", None))
        self._end(
            events.TASK_RETRY,
            request.id,
            sender,
            self.running.get(request.id),
            failure=failure,
            detail="" if failure is not None else detail,
            request=request,
        )

    @never_raises
    def task_revoked(
        self, sender: Any, request: Any, terminated: Any, signum: Any, expired: Any, **kwargs: Any
    ) -> None:
        """The worker threw the task away, or was told to kill it."""
        reason = "expired" if expired else "revoked"
        if terminated:
            reason = f"terminated by {signum}" if signum else "terminated"
        stamped = messages.stamp(request.__dict__)
        if messages.kept(stamped) == NOTHING:
            return
        now = self._not_before_received(request.id, time.time())
        self._record_message(events.TASK_REVOKED, request, now, stamped, detail=reason)

    @never_raises
    def task_rejected(self, sender: Any, message: Any, exc: Any = None, **kwargs: Any) -> None:
        """The worker could not read the message."""
        detail = summary(exc) if exc is not None else "not a task message"
        failure = events.Failure("InvalidTaskError", detail)
        self.recorder.record(messages.refused(message, sender.hostname, failure))

    @never_raises
    def task_unknown(
        self, sender: Any, message: Any, exc: Any, name: str, id: str, **kwargs: Any
    ) -> None:
        """The worker has no task of this name."""
        text = f"No task named {name!r} is registered in this worker."
        failure = events.Failure("NotRegistered", text)
        self.recorder.record(messages.refused(message, sender.hostname, failure))

    @never_raises
    def task_internal_error(
        self,
        sender: Any,
        task_id: str,
        exception: Any,
        einfo: Any = None,
        request: Any = None,
        **kwargs: Any,
    ) -> None:
        """Celery itself failed around the task: it could not store the result, for instance.

        The run may be over, and its context gone; which attempt it was, the signal tells.
        """
        if self._was_internal(task_id):
            return
        self._internal.task_id = task_id
        failure = describe(exception, einfo)
        self._end(
            events.TASK_FAILED,
            task_id,
            sender,
            self.running.get(task_id),
            request=Context(request) if request else None,
            failure=failure,
            detail="internal error",
        )

    def _record_message(
        self,
        kind: str,
        request: Any,
        at: float,
        stamped: dict[str, Any],
        *,
        original: events.Original | None = None,
        time_limit: int | None = None,
        detail: str = "",
    ) -> events.Message | None:
        """Record what happened to a whole message; ``request`` is a Request or a Context."""
        headers = getattr(request, "request_dict", None) or request.__dict__
        payload = getattr(request, "_payload", None)
        embed = payload[2] if payload else headers
        event = messages.delivered(
            kind,
            headers,
            headers.get("delivery_info") or {},
            stamped=stamped,
            sent_at=messages.moment(stamped, "at"),
            at=at,
            worker=messages.text(headers.get("hostname")),
            content=(headers.get("args"), headers.get("kwargs"), embed),
            original=original,
            time_limit=time_limit,
            detail=detail,
        )
        self.recorder.record(event)
        return event.message

    def _limit_of(self, request: Any) -> Any:
        """How long a worker lets a task run: what ends it for good, or else what it is told by."""
        given, task = request.time_limits, request.task
        # The publisher's header, whatever it is.
        hard, soft = given if type(given) in (list, tuple) and len(given) == 2 else (None, None)
        return hard or task.time_limit or soft or task.soft_time_limit or self._time_limit

    def _end(
        self,
        kind: str,
        task_id: str,
        task: Any,
        run: messages.Run | None,
        *,
        request: Any = None,
        result: msgspec.Raw = events.NULL,
        failure: events.Failure | None = None,
        requeued: bool = False,
        detail: str = "",
    ) -> None:
        if run is None or run.keep != ALL:
            if request is None:
                request = self._request_of(task_id, task)
            keep = messages.kept(messages.stamp(request.__dict__))
            if keep == NOTHING:
                return
            if keep == FAILURES:
                if kind in _GOOD_ENDS:
                    self.recorder.record(events.SampledEvent(task.name, time.time()))
                    return
                self._record_what_led_to_it(task_id, task, request, run)
        now = time.time()
        if run is None:
            now = self._not_before_received(task_id, now, request)
            attempt = messages.of_run(kind, now, task_id, task, request)
        else:
            attempt = run.start
        self.recorder.record(
            events.TaskEvent(
                kind=kind,
                task_id=attempt.task_id,
                at=now if now > attempt.at else attempt.at,
                name=attempt.name,
                retries=attempt.retries,
                nesting=attempt.nesting,
                worker=attempt.worker,
                queue=attempt.queue,
                runtime=None if run is None else time.monotonic() - run.clock,
                result=result,
                failure=failure,
                requeued=requeued,
                detail=detail,
            )
        )

    def _record_what_led_to_it(
        self, task_id: str, task: Any, request: Any, run: messages.Run | None
    ) -> None:
        """The receipt and the start of a task that was noise until it failed."""
        stamped = messages.stamp(request.__dict__)
        received = messages.moment(stamped, "received")
        if received is not None:
            self._record_message(events.TASK_RECEIVED, request, received, stamped)
        held = self._requests
        started = (
            run.start.at if run is not None else getattr(held.get(task_id), "time_start", None)
        )
        if started:
            message = messages.eager(task, request) if request.is_eager else None
            self.recorder.record(
                messages.of_run(events.TASK_STARTED, started, task_id, task, request, message)
            )

    def _was_internal(self, task_id: str) -> bool:
        """Whether this run's failure is on record as Celery's own."""
        return getattr(self._internal, "task_id", None) == task_id

    def _request_of(self, task_id: str, task: Any) -> Any:
        """The context of a task: where it runs its own, elsewhere that of the message."""
        own = task.request
        if own.id == task_id:
            return own
        request = self._requests.get(task_id)
        return own if request is None else request._context

    def _not_before_received(self, task_id: str, now: float, context: Any = None) -> float:
        request = self._requests.get(task_id)
        if request is not None:
            now = max(now, request.time_start or 0.0)
        elif context is None:
            return now
        headers = context.__dict__ if request is None else request.request_dict
        received = messages.moment(messages.stamp(headers), "received")
        return now if received is None else max(now, received + _AFTER)
