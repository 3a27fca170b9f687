"""Whether workers took tasks of a queue that came later, asked of few of these.

They could be millions. Two tell: the newest, and one that came a little before it, as the newest
may be on its way. So what is said of a task is true, but while many wait in a queue, nothing is
said of one that was passed over; nor where nobody consumes it.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models import BooleanField, ExpressionWrapper, F, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from z4j_django.models import TaskRecord

#: How many came after the other one. A page may ask of thousands of tasks.
_A_FEW: Final = 16


class _InQueue(Exact):
    """That a task is in a queue, so that it is found along the queue's index.

    Told so by an equality, PostgreSQL would take the primary key for a frequent queue, and read
    through all that is newer where that queue's are old; see ``index_ranges.rows``. To MySQL and
    MariaDB, nothing else leads to the index.
    """

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Between the queue and itself."""
        (queue, _), (same, _) = compiler.compile(self.lhs), compiler.compile(self.rhs)
        return f"{queue} >= {same} AND {queue} <= {same}", []


def condition() -> Q:
    """The condition that workers took a task that was sent to its queue later."""
    newest = TaskRecord.objects.filter(_InQueue(F("queue"), OuterRef("queue"))).order_by(
        "-queue", "-id"
    )
    return _was_taken(newest[:1]) | _was_taken(newest[_A_FEW : _A_FEW + 1])


def _was_taken(one: Any) -> Q:
    """Whether the row of a subquery is such; as a value, so that it looks for no other."""
    # A worker takes a task whose ETA lies ahead and keeps it, but a broker may do so, too.
    later = Q(sent_at__gt=OuterRef("sent_at"))
    later &= Q(sent_at__gt=Coalesce(OuterRef("eta"), OuterRef("sent_at")))
    is_found = later & Q(project=OuterRef("project"), received_at__isnull=False)
    told = ExpressionWrapper(is_found, output_field=BooleanField())
    found = Subquery(one.annotate(was_taken=told).values("was_taken"))
    return Q(Coalesce(found, Value(False)))
