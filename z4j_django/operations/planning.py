"""What running a group again takes: decided in full before anything is published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db.models import QuerySet

from z4j_django import states
from z4j_django.conf import settings
from z4j_django.control import bodies, workflow_publishing
from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import originals, retry_chains, seats, workflow
from z4j_django.queries import groups

#: Chords within chords, and steps of a chain that are walked.
_DEPTH: Final = 20
_STEPS: Final = 1_000
#: Members that are looked at for the chord's body.
_SAMPLE: Final = 20


@dataclass(frozen=True)
class Replay:
    """A member whose result stands."""

    task_id: str


@dataclass(frozen=True)
class Run:
    """A task that runs again, and the rest of its chain after it."""

    message: workflow.Message


@dataclass(frozen=True)
class Resume:
    """A chain that goes on after a step whose result stands."""

    message: workflow.Message


@dataclass(frozen=True)
class Nested:
    """A chord whose body is the member."""

    plan: GroupPlan


Part = Replay | Run | Resume | Nested


@dataclass(frozen=True)
class GroupPlan:
    """A group or chord, to be put together again.

    Attributes:
        group_id: Its old id.
        parts: In the order of their indexes.
        body: The signature of the chord's body; ``None`` for a group.
    """

    group_id: str
    parts: Sequence[Part]
    body: Mapping[str, Any] | None

    def leaves(self) -> Iterator[Replay | Run | Resume]:
        """The tasks that are published, those of nested chords included."""
        for part in self.parts:
            if isinstance(part, Nested):
                yield from part.plan.leaves()
            else:
                yield part


def require_few(count: int) -> None:
    """See that no more tasks are acted on than is allowed at once.

    Raises:
        OperationError: If there are.
    """
    if count > settings.BULK_LIMIT:
        raise OperationError(
            f"{count:,} tasks are more than Z4J['BULK_LIMIT'] allows at once, "
            f"{settings.BULK_LIMIT:,}."
        )


class Planner:
    """Makes plans, and remembers what it met on the way.

    Args:
        app: The project's app.
        project: Whose groups they are.

    Attributes:
        under_way: Tasks that wait or run, and would be run a second time.
    """

    def __init__(self, app: Any, project: str) -> None:
        self._app = app
        self._project = project
        self._chains = retry_chains.RetryChains(project)
        self._seats = seats.Seats(self._chains, self._known_message)
        self._messages: dict[str, workflow.Message | OperationError] = {}
        self.under_way: dict[str, TaskRecord] = {}

    @property
    def known(self) -> frozenset[str]:
        """The tasks that it found on record."""
        return self._chains.known

    def plan(self, group_id: str, mode: str, depth: int = _DEPTH) -> GroupPlan:
        """What it takes to run a group again.

        Raises:
            OperationError: If it can't be done; the message says what is missing.
        """
        if depth <= 0:
            raise OperationError(f"Its chords are nested more than {_DEPTH} deep.")
        group = self._groups(group_id).first()
        if group is None:
            raise OperationError(f"There is no group {group_id} on record.")
        require_few(group.size)  # before all of them are read
        members = self._chains.members(group)
        self._chains.load(one.parent_id for one in members)
        parts = [
            self._part(seat, mode, f"Member {index} of {group_id}", depth)
            for index, seat in enumerate(self._seats.arranged(group, members))
        ]
        is_chord = group.kind == GroupRecord.Kind.CHORD
        return GroupPlan(group_id, parts, self._body(group_id, members) if is_chord else None)

    def stopped(self, group_id: str, depth: int = _DEPTH) -> GroupPlan:
        """What it takes to run again what failed: in the group, or in the one that is its body.

        Raises:
            OperationError: As of :meth:`plan`.
        """
        plan = self.plan(group_id, "failed", depth)
        if not all(isinstance(part, Replay) for part in plan.parts):
            return plan
        inner = self._inner(group_id)
        if inner is None or not self._has_begun(inner):
            return plan
        return self.stopped(inner.group_id, depth - 1)

    def require_begun(self, group_id: str) -> None:
        """See that a group which is a chord's body is retried by itself only once it has begun.

        Raises:
            OperationError: If it has not.
        """
        group = self._groups(group_id).first()
        if group is None or (outer := groups.around(group)) is None:
            return
        if not self._has_begun(group):
            raise OperationError(
                f"It is the body of the chord {outer.group_id}, and never ran: retry that one."
            )

    def body_runs(self, group_id: str) -> list[TaskRecord]:
        """The runs on record of a chord's body, the newest first."""
        body_id = self._groups(group_id).values_list("body_id", flat=True).first()
        record = self._chains.record(body_id) if body_id else None
        return self._chains.runs(record) if record else []

    def busy_after(self, group_id: str, depth: int = _DEPTH) -> dict[str, TaskRecord]:
        """The tasks of a chord's body that wait or run."""
        inner = self._inner(group_id) if depth > 0 else None
        runs = self.body_runs(group_id)[:1]
        if inner is not None:
            runs += [self._chains.runs(one)[0] for one in self._chains.members(inner)]
        busy = {run.task_id: run for run in runs if retry_chains.is_under_way(run)}
        return busy | self.busy_after(inner.group_id, depth - 1) if inner is not None else busy

    def outermost(self, group_id: str) -> str:
        """The chord that comes before all whose body is a chord, down to this one."""
        for _ in range(_DEPTH):
            group = self._groups(group_id).first()
            outer = groups.around(group) if group is not None else None
            if outer is None:
                break
            group_id = outer.group_id
        return group_id

    def _groups(self, group_id: str) -> QuerySet[GroupRecord]:
        return primary(GroupRecord).filter(project=self._project, group_id=group_id)

    def _inner(self, group_id: str) -> GroupRecord | None:
        group = self._groups(group_id).first()
        return groups.inner(group) if group is not None else None

    def _has_begun(self, group: GroupRecord) -> bool:
        """Whether a member of it, or a retry of one, ever left."""
        members = self._chains.members(group)
        return any(
            map(retry_chains.is_published, (r for m in members for r in self._chains.runs(m)))
        )

    def _part(self, seat: list[TaskRecord], mode: str, whose: str, depth: int) -> Part:
        newest = seat[0]
        if mode == "all":
            return self._again(seat, whose, depth)
        if newest.state == states.SUCCESS:
            return Replay(newest.task_id)
        if mode == "body":
            raise OperationError(
                f"{whose} has not succeeded: {originals.in_words(newest)}. Its body alone can only "
                'run when all have; members="failed" runs what failed, and then the body.'
            )
        return self._what_failed(seat, whose, depth)

    def _what_failed(self, seat: list[TaskRecord], whose: str, depth: int) -> Part:
        runs = [
            run
            for run in seat
            if retry_chains.is_published(run) and not retry_chains.is_replay(run)
        ]
        if runs:
            return self._run(runs, whose)
        if group_id := self._chord_with_body(seat):
            return Nested(self.stopped(self.outermost(group_id), depth - 1))
        carrier = self._chains.record(seat[0].parent_id)
        if carrier is None:
            raise OperationError(
                f"{whose}, {seat[0].task_id}, never ran, and no task is on record that would have "
                "published it."
            )
        return self._where_it_stopped(carrier, seat[0].task_id, whose, depth)

    def _where_it_stopped(
        self, carrier: TaskRecord, member_id: str, whose: str, depth: int
    ) -> Part:
        """How a chain goes on that never came to its last step."""
        first = self._message(carrier, whose)
        if member_id in workflow.after_chord(first):
            return Nested(self.stopped(str(first.headers.get("group")), depth - 1))
        for _ in range(_STEPS):
            runs = self._chains.runs(carrier)
            if runs[0].state != states.SUCCESS:
                return self._run(runs, whose)
            message = self._message(runs[0], whose)
            if not message.rest:
                return Replay(runs[0].task_id)
            following = message.rest[-1]
            following_id = str(following["options"].get("task_id"))
            if following.get("subtask_type") == "chord" and self._is_on_record(following_id):
                return Nested(self.stopped(following_id, depth - 1))
            after = self._chains.record(following_id)
            if after is None or not retry_chains.is_published(after):
                return Resume(message)
            carrier = after
        raise OperationError(f"{whose}: the step at which its chain stopped can't be found.")

    def _again(self, seat: list[TaskRecord], whose: str, depth: int) -> Part:
        """A member from its very beginning: of a chain, the first step that is known."""
        self._note(seat[0])
        start = seat[-1]
        for _ in range(_STEPS):
            if group_id := self._chord_with_body([start]):
                return Nested(self.plan(self.outermost(group_id), "all", depth - 1))
            parent = self._chains.record(start.parent_id)
            message = self._known_message(parent) if parent else None
            if message is None or parent is None:
                break
            if start.task_id in workflow.after_chord(message):
                return Nested(self.plan(str(message.headers.get("group")), "all", depth - 1))
            if start.task_id not in workflow.steps(message.rest):
                break
            start = parent
        runs = [run for run in self._chains.runs(start) if not retry_chains.is_replay(run)]
        return self._run(runs, whose)

    def _run(self, runs: list[TaskRecord], whose: str) -> Run:
        """A task again, from the message of its newest run that is there."""
        self._note(runs[0])
        problem: OperationError | None = None
        for run in runs:
            try:
                message = self._message(run, whose)
            except OperationError as error:
                problem = problem or error
            else:
                return Run(self._publishable(message, whose))
        raise problem or OperationError(f"{whose} has no run on record.")

    def _publishable(self, message: workflow.Message, whose: str) -> workflow.Message:
        """The message with the queue that it goes to; Celery won't refuse it halfway."""
        try:
            workflow_publishing.require_callable(
                self._app, message.name, message.args, message.kwargs
            )
            queue = workflow_publishing.queue_for(self._app, message.exchange, message.routing_key)
        except OperationError as error:
            raise OperationError(f"{whose}, {message.task_id}, can't run again. {error}") from None
        return replace(message, queue=queue)

    def _note(self, newest: TaskRecord) -> None:
        if retry_chains.is_under_way(newest):
            self.under_way[newest.task_id] = newest

    def _body(self, group_id: str, members: list[TaskRecord]) -> Mapping[str, Any]:
        """The chord's body, from the first message that has it."""
        problem = ""
        for member in sorted(members, key=lambda one: not retry_chains.is_published(one))[:_SAMPLE]:
            source = (
                member
                if retry_chains.is_published(member)
                else self._chains.record(member.parent_id)
            )
            if source is None:
                continue
            try:
                message = self._message(source, f"Member {member.group_index} of {group_id}")
            except OperationError as error:
                problem = problem or f" {error}"
                continue
            if (found := workflow.chord_body(message, group_id)) is not None:
                return found
        raise OperationError(f"The body of the chord {group_id} can't be found.{problem}")

    def _chord_with_body(self, seat: list[TaskRecord]) -> str | None:
        found = primary(GroupRecord).filter(
            project=self._project, body_id__in=[run.task_id for run in seat]
        )
        return found.order_by("-id").values_list("group_id", flat=True).first()

    def _is_on_record(self, group_id: str) -> bool:
        return self._groups(group_id).exists()

    def _known_message(self, record: TaskRecord) -> workflow.Message | None:
        try:
            return self._message(record, "")
        except OperationError:
            return None  # whether it is a step of the same chain, nobody can say

    def _message(self, record: TaskRecord, whose: str) -> workflow.Message:
        task_id = record.task_id
        if task_id not in self._messages:
            try:
                self._messages[task_id] = self._opened(task_id)
            except OperationError as error:
                self._messages[task_id] = error
        found = self._messages[task_id]
        if isinstance(found, OperationError):
            raise OperationError(f"{whose}, {task_id}, can't run again. {found}")
        return found

    def _opened(self, task_id: str) -> workflow.Message:
        original = originals.find(self._project, task_id)
        body = bodies.decode(original.body, original.content_type, original.content_encoding)
        serializer = workflow_publishing.serializer_of(original.content_type)
        return workflow.opened(task_id, original, body, serializer)
