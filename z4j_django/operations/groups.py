"""A group or chord again: all of it, what failed of it, or the chord's body alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from z4j_django import control, permissions, states, verb_options, verbs, wiring
from z4j_django.agent import embedded_steps
from z4j_django.conf import settings
from z4j_django.control import results, workflow_publishing
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, TaskRecord
from z4j_django.models.primary import primary
from z4j_django.operations import (
    asking,
    auditing,
    originals,
    planning,
    repeating,
    signatures,
    workflow,
)
from z4j_django.secrets.masking import mask_text
from z4j_django.values import UNSTORABLE

#: Seconds in which the broker, and the result backend, must answer before anything is done.
_TIMEOUT: Final = 10.0
#: Seconds in which a workflow must be published, and what each of its tasks may add.
_PUBLISHING: Final = 30.0
_EACH: Final = 0.02
#: Tasks that a sentence names.
_NAMED: Final = 5

_REPLAYED: Final = "Its result stands and is replayed."
_RESUMED: Final = "Its result stands and is replayed; the chain goes on after it."
_CHAINED: Final = "The rest of its chain follows."

_Result = OperationTarget.Outcome


@dataclass(frozen=True)
class Plan:
    """What a retry of a group will do.

    Attributes:
        options: What was asked for.
        group: The group, taken apart.
        new_group_id: Id of the group that is published.
        ids: New ids by old ones; an id that is kept stands for itself.
        targets: What becomes of each task that is published, by its old id.
        kept: Ids that stay, whose old results are removed.
        known: The tasks that were on record when it was made.
    """

    options: verb_options.RetryGroupOptions
    group: planning.GroupPlan
    new_group_id: str
    ids: dict[str, str]
    targets: dict[str, str]
    kept: list[str]
    known: frozenset[str]

    @property
    def runs(self) -> list[str]:
        """The tasks that run again."""
        return [old for old, note in self.targets.items() if note not in (_REPLAYED, _RESUMED)]

    @property
    def replays(self) -> list[str]:
        """The tasks whose results stand, and are replayed for the chord's body."""
        return [old for old, note in self.targets.items() if note in (_REPLAYED, _RESUMED)]

    @property
    def body_id(self) -> str:
        """The old id of the chord's body, of a chain its first step's; empty for a group."""
        step = embedded_steps.chord_body({"chord": self.group.body})
        return step.task_id if step is not None else ""


def perform(
    group_id: str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Run a group or chord again; see :func:`z4j_django.operations.retry_group`."""
    permissions.require(actor, verbs.RETRY_GROUP.name)
    plan = preview(group_id, options, project=project, surface=surface)
    app = wiring.find_celery_app().app
    _require_broker(app)
    operation = auditing.begin(
        verbs.RETRY_GROUP.name,
        list(plan.targets),
        actor=actor,
        surface=surface,
        project=project,
        parameters={
            "group_id": group_id,
            **plan.options.as_json(),
            "new_group_id": plan.new_group_id,
            "body_id": plan.body_id,
            "new_body_id": plan.ids.get(plan.body_id, ""),
        },
    )

    def claim(targets: Sequence[OperationTarget]) -> dict[int, auditing.Outcome]:
        return _claim(plan, targets)

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return _publish(app, operation, plan, targets)

    return auditing.carry_out(operation, act, at_once=operation.total, claim=claim)


def preview(
    group_id: str,
    options: Mapping[str, Any],
    *,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Plan:
    """What a retry of a group would do, or why it would not.

    Args:
        group_id: Its id.
        options: Those of the verb.
        project: Whose group it is; by default this project's.
        surface: By which way it was asked for.

    Raises:
        OperationError: If it can't be done; the message names what is missing.
    """
    read: Any = asking.options_of(verbs.RETRY_GROUP.name, options, surface=surface)
    app = wiring.find_celery_app().app
    project = settings.PROJECT if project is None else project
    if UNSTORABLE.search(group_id):
        raise OperationError(f"{group_id[:60]!a} is no id of a group.")
    workflow_publishing.require_canvas(app)
    planner = planning.Planner(app, project)
    planner.require_begun(group_id)
    failed = read.members == "failed"
    group = planner.stopped(group_id) if failed else planner.plan(group_id, read.members)
    body_runs = planner.body_runs(group.group_id)
    group = _worth_it(group, read.members, body_runs, group_id)
    under_way = planner.under_way | planner.busy_after(group.group_id)
    if under_way and not read.force:
        raise OperationError(_under_way(group_id, list(under_way.values())))
    targets = {_old_id(leaf): _note(leaf) for leaf in group.leaves()}
    planning.require_few(len(targets))
    kept = _kept(group) if read.keep_ids else []
    plan = Plan(
        options=read,
        group=group,
        new_group_id=signatures.new_id(),
        ids={old: old for old in kept},
        targets=targets,
        kept=kept,
        known=planner.known,
    )
    if not read.force:
        repeating.require_none_of_group(project, group_id, _involved(project, plan), plan.known)
    _require_results(app, plan, body_runs)
    _put_together(plan, 0)  # what can't be, is told before anything is done
    return plan


def _worth_it(
    group: planning.GroupPlan, members: str, body_runs: list[TaskRecord], asked: str
) -> planning.GroupPlan:
    """The plan without what is needless; refused where nothing is left."""
    after = f", which comes after {asked}," if group.group_id != asked else ""
    all_stand = (
        f"Nothing to run again: all {len(group.parts)} members of {group.group_id}{after} succeeded"
    )
    if group.body is None:
        if members == "body":
            raise OperationError(f"{group.group_id} is a group, not a chord: it has no body.")
        parts = [part for part in group.parts if not isinstance(part, planning.Replay)]
        if not parts:
            raise OperationError(f"{all_stand}.")
        return planning.GroupPlan(group.group_id, parts, None)
    outer = workflow.outer_chord(group.body)
    if outer is not None:
        raise OperationError(
            f"{group.group_id} is part of the chord {outer}: retry that one. With "
            'members="failed" it runs again only what failed, in here too.'
        )
    stand = all(isinstance(part, planning.Replay) for part in group.parts)
    if members == "failed" and stand and body_runs and body_runs[0].state == states.SUCCESS:
        raise OperationError(f"{all_stand}, and its body did.")
    return group


def _under_way(group_id: str, records: list[TaskRecord]) -> str:
    named = ", ".join(
        f"{record.task_id} is {originals.in_words(record)}" for record in records[:_NAMED]
    )
    more = " ..." if len(records) > _NAMED else ""
    return (
        f"{len(records)} tasks of {group_id} have not ended: {named}{more}. Cancel them or wait; "
        "with force they run a second time."
    )


def _old_id(leaf: planning.Replay | planning.Run | planning.Resume) -> str:
    return leaf.task_id if isinstance(leaf, planning.Replay) else leaf.message.task_id


def _note(leaf: planning.Replay | planning.Run | planning.Resume) -> str:
    if isinstance(leaf, planning.Run):
        return _CHAINED if leaf.message.rest else ""
    return _REPLAYED if isinstance(leaf, planning.Replay) else _RESUMED


def _kept(group: planning.GroupPlan) -> list[str]:
    """The ids of a chord's body and what follows; of a group, of what follows its members."""
    if group.body is not None:
        return list(workflow.carried({"chord": group.body}))
    return [
        task_id
        for part in group.parts
        if isinstance(part, planning.Run | planning.Resume)
        for task_id in workflow.carried({"chain": part.message.rest})
    ]


def _require_results(app: Any, plan: Plan, body_runs: list[TaskRecord]) -> None:
    task_ids = plan.replays
    try:
        gone = results.missing(app, task_ids, _TIMEOUT)
    except OperationError:
        raise
    except Exception as error:  # whatever the backend raises
        raise OperationError(
            f"The result backend does not answer, nothing was published: {_told(error)}"
        ) from error
    if gone:
        named = ", ".join(gone[:_NAMED]) + (" ..." if len(gone) > _NAMED else "")
        raise OperationError(
            f"Of {len(task_ids)} results that the chord's body needs, {len(gone)} are not in the "
            f'result backend (any more): {named}. Nothing was published; members="all" runs '
            f"every member again{_or_the_body(plan, body_runs)}."
        )


def _or_the_body(plan: Plan, body_runs: list[TaskRecord]) -> str:
    """What else can be done where a body has had all the results before."""
    had_all = [run.task_id for run in body_runs if run.received_at is not None]
    if plan.runs or not had_all:
        return ""
    return f", and a retry of the task {had_all[0]} the body, whose own message has the results"


def _require_broker(app: Any) -> None:
    try:
        control.connect(app, _TIMEOUT)
    except Exception as error:  # whatever the transport raises
        raise OperationError(
            f"The broker does not answer, nothing was published: {_told(error)}"
        ) from error


def _told(error: Exception) -> str:
    """An error of a transport, whose words may hold its address with the password."""
    return mask_text(f"{type(error).__name__}: {error}", settings.redaction)


def _put_together(plan: Plan, operation: int) -> workflow.Signature:
    """The workflow that is published."""
    shared = workflow.Publishing(operation, plan.ids, settings.OPERATIONS_QUEUE)
    return _signature(plan.group, plan.new_group_id, shared)


def _signature(
    group: planning.GroupPlan, new_group_id: str, shared: workflow.Publishing
) -> workflow.Signature:
    tasks = [_member(part, shared) for part in group.parts]
    if group.body is None:
        return workflow.group(new_group_id, tasks)
    return workflow.chord(new_group_id, tasks, workflow.body(group.body, shared))


def _member(part: planning.Part, shared: workflow.Publishing) -> workflow.Signature:
    match part:
        case planning.Replay():
            return workflow.replay(part.task_id, results.REPLAY_TASK, shared)
        case planning.Run():
            return workflow.run(part.message, shared)
        case planning.Resume():
            return workflow.resumed(part.message, results.REPLAY_TASK, shared)
        case planning.Nested():
            chord = _signature(part.plan, shared.new(part.plan.group_id), shared)
            return workflow.member(chord)


def _involved(project: str, plan: Plan) -> set[str]:
    """What is run again, replayed or fed: the tasks published, the group's members, its body."""
    members = primary(TaskRecord).filter(project=project, group_id=plan.group.group_id)
    found = {*plan.targets, plan.body_id, *members.values_list("task_id", flat=True)}
    return found - {""}


def _claim(plan: Plan, targets: Sequence[OperationTarget]) -> dict[int, auditing.Outcome]:
    """Refuse all of it where somebody was quicker; else write down the ids it is published by."""
    project, group_id = targets[0].project, plan.group.group_id
    involved = _involved(project, plan)
    repeating.locked(project, involved)
    if not plan.options.force:
        try:
            repeating.require_none_of_group(project, group_id, involved, plan.known)
        except OperationError as error:
            return {target.pk: auditing.refused(str(error)) for target in targets}
    for target in targets:
        target.result_id = plan.ids[target.target]
    OperationTarget.objects.bulk_update(targets, ["result_id"], batch_size=500)
    return {}


def _publish(
    app: Any, operation: Operation, plan: Plan, targets: Sequence[OperationTarget]
) -> list[auditing.Outcome]:
    built = _put_together(plan, operation.pk)
    sent = workflow_publishing.publish(
        app,
        built,
        [target.result_id for target in targets],
        forget=plan.kept,
        timeout=_PUBLISHING + _EACH * len(targets),
    )
    return [_outcome(target, plan, sent) for target in targets]


def _outcome(
    target: OperationTarget, plan: Plan, sent: workflow_publishing.Sent
) -> auditing.Outcome:
    new_id = target.result_id
    if new_id in sent.ids:
        note = plan.targets[target.target]
        if sent.error is not None:
            note = f"{note} It was sent, but not all of its group was: the group can't complete."
        return auditing.done(note.strip(), new_id)
    if isinstance(sent.error, TimeoutError):
        reason = "Whether it was sent is unknown: the broker did not take the whole group in time."
        return auditing.Outcome(_Result.UNKNOWN, reason, new_id)
    if sent.error is None:
        return auditing.Outcome(_Result.UNKNOWN, "Celery did not say that it was sent.", new_id)
    return auditing.failed(f"It was not sent: {type(sent.error).__name__}: {sent.error}")
