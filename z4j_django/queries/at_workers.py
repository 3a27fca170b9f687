"""What its worker tells of a task that it took: whether it runs, is too late, or was left."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import (
    BooleanField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Func,
    OuterRef,
    Q,
    Subquery,
    Value,
)
from django.db.models.functions import Coalesce

from z4j_django import states
from z4j_django.models import WorkerRecord
from z4j_django.queries import liveness

#: A worker needs some time to end a task, and its word some to come.
ENDING: Final = timedelta(seconds=10)

#: The worker that took a task last. Its constraint leads there.
_WORKER: Final = WorkerRecord.objects.filter(
    project=OuterRef("project"), hostname=OuterRef("worker")
)
#: What a worker said last of itself.
SAYS: Final = {
    f"worker_{column}": Subquery(_WORKER.values(column))
    for column in ("online", "started_at", "last_seen", "stopped_at")
}


def silent(now: datetime) -> Q:
    """The condition that its worker has said nothing for a while, and no goodbye."""
    # Asked for as a value: of what merely exists PostgreSQL may first collect all, in the whole
    # table of the workers.
    silence = ExpressionWrapper(liveness.silent(now), output_field=BooleanField())
    worker = _WORKER.annotate(is_silent=silence).values("is_silent")
    return Q(Coalesce(Subquery(worker), Value(False)))


def _left_by_worker(taken_at: str) -> Q:
    """Its worker said goodbye after it took the task, or came up since as another process.

    The moment alone would not do: to Celery's events a reconnect is a start, too.
    """
    stopped = Q(online=False, stopped_at__gte=OuterRef(taken_at))
    is_another = Q(pid__isnull=False) & ~Q(pid=OuterRef("pid"))
    began_anew = Q(started_at__gt=OuterRef(taken_at)) & is_another
    return Q(Exists(_WORKER.filter(stopped | began_anew)))


def lost() -> Q:
    """The condition that its worker was lost since it took the task."""
    received = Q(state=states.RECEIVED) & _left_by_worker("received_at")
    return received | Q(state=states.STARTED) & _left_by_worker("started_at")


def past_time_limit(now: datetime) -> Q:
    """The condition that a task runs which its worker should have ended, on one that is there."""
    began = Q(started_at__lt=_Before(Value(now - ENDING, DateTimeField()), F("time_limit")))
    return Q(time_limit__isnull=False) & began & runs(now)


class _Before(Func):
    """So many seconds, of a column, before a moment; Django has no words for it to MariaDB."""

    output_field = DateTimeField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """With Django's own function."""
        template = "django_format_dtdelta('-', %(expressions)s * 1000000)"
        return self.as_sql(compiler, connection, template=template, **context)

    def as_mysql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """By its interval."""
        words = {"template": "(%(expressions)s SECOND)", "arg_joiner": " - INTERVAL "}
        return self.as_sql(compiler, connection, **words, **context)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """By many of its intervals."""
        words = {"template": "(%(expressions)s * INTERVAL '1 second')", "arg_joiner": " - "}
        return self.as_sql(compiler, connection, **words, **context)


def runs(now: datetime) -> Q:
    """The condition that a task runs, as far as its worker tells."""
    return Q(state=states.STARTED) & ~_left_by_worker("started_at") & ~silent(now)
