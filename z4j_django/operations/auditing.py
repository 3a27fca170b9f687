"""The one way in for every write: permission, audit row, act, outcome.

An operation is written down before anything is done, and each target before it is acted on. So
a process that is killed halfway leaves a trail that another one can go on from: what is pending
is done, and what had begun is told as unknown, never done twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db import models
from django.utils import timezone

from z4j_django import control, logs, permissions
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget
from z4j_django.models.primary import reread, update
from z4j_django.operations import admins_log, transactions
from z4j_django.secrets.masking import mask_text

logger = logs.logger("z4j_django.operations")

Surface = Literal["admin", "api", "command", "python"]
_Kind = OperationTarget.Kind
_Result = OperationTarget.Outcome

#: Characters of a reason.
REASON: Final = 1_000
#: Targets that the admin's log names.
_NAMED: Final = 2
#: Targets that are read at once.
_CHUNK: Final = 100
#: What a target that a killed process had begun says.
CUT_OFF: Final = "The process that did it was killed meanwhile; whether it was done is unknown."
_INTERRUPTED: Final = "The process that did it was interrupted; whether it was done is unknown."


class TakenOverError(OperationError):
    """Another process carries out the same operation."""


@dataclass(frozen=True)
class Outcome:
    """What came of one target.

    Attributes:
        result: One of ``OperationTarget.Outcome``'s last four.
        reason: In words, with the state that was found.
        result_id: Id of the task or group that was published.
    """

    result: str
    reason: str = ""
    result_id: str = ""


def done(reason: str = "", result_id: str = "") -> Outcome:
    """It was done."""
    return Outcome(_Result.DONE, reason, result_id)


def refused(reason: str) -> Outcome:
    """It was not done, and ``reason`` says why."""
    return Outcome(_Result.REFUSED, reason)


def failed(reason: str) -> Outcome:
    """It was tried, and went wrong."""
    return Outcome(_Result.FAILED, reason)


def unknown(reason: str) -> Outcome:
    """Nobody can say: the broker or the workers did not answer in time."""
    return Outcome(_Result.UNKNOWN, reason)


#: Acts on some targets; an outcome for each, in their order.
Act = Callable[[Sequence[OperationTarget]], Sequence[Outcome]]
#: Looks at some targets in the transaction that marks them as begun: it may have others wait for
#: its end. The outcomes, by the targets' keys, of those that are not to be acted on.
Claim = Callable[[Sequence[OperationTarget]], Mapping[int, Outcome]]


def begin(
    verb: str,
    targets: Sequence[str],
    *,
    actor: permissions.Actor,
    surface: Surface,
    kind: str = _Kind.TASK,
    project: str | None = None,
    parameters: dict[str, Any] | None = None,
    selection: dict[str, Any] | None = None,
    waiting: bool = False,
    holds: str | None = None,
    claim: Callable[[], dict[str, Any]] | None = None,
) -> Operation:
    """Open an operation, with a row for each target.

    Args:
        verb: One of ``verbs.VERBS``.
        targets: Ids or names; one given twice counts once.
        actor: Who asks.
        surface: By which way.
        kind: What the targets are.
        project: Whose they are; by default this project's.
        parameters: What was asked for besides; redacted by the caller where it is the user's data.
        selection: The filter that the targets were found by.
        waiting: Whether it is begun later, by a worker.
        holds: What no other may be at meanwhile.
        claim: Called first, in the transaction that writes it down; more ``parameters``.

    Raises:
        PermissionDenied: If ``actor`` may not do this.
        OperationError: If there is no target, the project is another one than this, the caller is
            inside a transaction, or another operation is at what it holds.
    """
    permissions.require(actor, verb)
    if selection is not None:
        permissions.require(actor, "bulk")
    named = _distinct(targets)
    operation = Operation(
        project=own_project(project),
        verb=verb,
        state=Operation.State.WAITING if waiting else Operation.State.RUNNING,
        actor=permissions.name_of(actor),
        user_id=permissions.key_of(actor),
        surface=surface,
        parameters=parameters or {},
        selection=selection,
        holds=holds,
        total=len(named),
    )
    _write_down(operation, kind, named, claim)
    _tell(operation, actor, named)
    return operation


def _distinct(targets: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(target for target in targets if target))
    if not unique:
        raise OperationError("Nothing to act on: no target was given.")
    return unique


def _write_down(
    operation: Operation,
    kind: str,
    targets: Sequence[str],
    claim: Callable[[], dict[str, Any]] | None,
) -> None:
    operation.created_at = operation.updated_at = timezone.now()
    with transactions.own_transaction():
        claimed = claim() if claim is not None else {}
        operation.parameters = {**operation.parameters, **claimed}
        with transactions.only_one(operation.holds):
            operation.save(force_insert=True)
        rows = [
            OperationTarget(
                operation=operation,
                project=operation.project,
                position=place,
                kind=kind,
                target=target,
            )
            for place, target in enumerate(targets)
        ]
        OperationTarget.objects.bulk_create(rows, batch_size=500)


def _tell(operation: Operation, actor: permissions.Actor, targets: Sequence[str]) -> None:
    """Say in the log, and in the admin's, what was begun."""
    logger.info("%s, %d targets, by %s.", operation, len(targets), operation.surface)
    more = f" and {len(targets) - _NAMED:,} more" if len(targets) > _NAMED else ""
    admins_log.tell(operation, actor, ", ".join(targets[:_NAMED]) + more)


def carry_out(
    operation: Operation, act: Act, *, at_once: int = 1, claim: Claim | None = None
) -> Operation:
    """Act on all targets that are pending, and finish the operation.

    Args:
        operation: Opened by :func:`begin`.
        act: What to do. What it raises is the outcome of its targets.
        at_once: Targets that it is given together.
        claim: Called with them before.

    Returns:
        The operation, with its counts; not over yet where another process took it over.
    """
    try:
        for _ in steps(operation, act, at_once=at_once, claim=claim):
            pass
    except TakenOverError:
        reread(operation)
        return operation
    return finish(operation)


def steps(
    operation: Operation, act: Act, *, at_once: int = 1, claim: Claim | None = None
) -> Iterator[int]:
    """The same, step by step, for a caller that paces it; the number of targets of each step.

    It ends early where an abort was asked for.

    Raises:
        TakenOverError: If another process is at it: that one finishes it.
    """
    _cut_off(operation)
    pending = operation.targets.filter(outcome=_Result.PENDING).order_by("position")
    while chunk := list(pending[: max(_CHUNK // at_once, 1) * at_once]):
        for first in range(0, len(chunk), at_once):
            if not goes_on(operation):
                return
            part = chunk[first : first + at_once]
            _act(part, act, claim)
            yield len(part)


def close(operation: Operation) -> Operation:
    """Say of an operation whose process is dead that it is over, before its end."""
    _cut_off(operation)
    operation.state = Operation.State.ABORTED
    return finish(operation)


def finish(operation: Operation) -> Operation:
    """Count the outcomes, and say that it is over: aborted, where a target has none."""
    counted = dict(
        operation.targets.values_list("outcome").annotate(models.Count("id")).order_by("outcome")
    )
    names = (_Result.DONE, _Result.REFUSED, _Result.FAILED, _Result.UNKNOWN)
    over = sum(counted.get(name, 0) for name in names)
    if over < max(operation.total, sum(counted.values())):
        operation.state = Operation.State.ABORTED
    elif operation.state != Operation.State.ABORTED:
        operation.state = Operation.State.FINISHED
    operation.updated_at = operation.finished_at = timezone.now()
    operation.holds = None
    for name in names:
        setattr(operation, name, counted.get(name, 0))
    fields = ("state", "updated_at", "finished_at", "holds", *map(str, names))
    values = {name: getattr(operation, name) for name in fields}
    update(Operation.objects.filter(pk=operation.pk), **values)
    return operation


def settle(target: OperationTarget, outcome: Outcome) -> bool:
    """Write down what came of ``target``.

    Returns:
        Whether it was open still. What another process found of it stands.
    """
    target.outcome = outcome.result
    target.reason = mask_text(outcome.reason, settings.redaction)[:REASON]
    if outcome.result != _Result.UNKNOWN or outcome.result_id:
        target.result_id = outcome.result_id  # of an unknown one stands what was to be published
    target.at = timezone.now()
    still_open = OperationTarget.objects.filter(
        pk=target.pk, outcome__in=(_Result.PENDING, _Result.ACTING)
    )
    fields = ("outcome", "reason", "result_id", "at")
    return bool(update(still_open, **{name: getattr(target, name) for name in fields}))


def goes_on(operation: Operation) -> bool:
    """Say that somebody carries it out; false where an abort was asked for, or it was given up.

    Whoever asks then stops, and :func:`finish` says that it was aborted.
    """
    rows = Operation.objects.filter(
        pk=operation.pk, abort_requested=False, finished_at=None, holds=operation.holds
    )
    if update(rows, updated_at=timezone.now()):
        return True
    operation.state = Operation.State.ABORTED
    return False


def note(operation: Operation, **facts: Any) -> None:
    """Add to the ``parameters`` of an operation, to which others may add meanwhile."""
    with transactions.up_to_date():
        # The write comes first: it has all others wait for this transaction's end.
        Operation.objects.filter(pk=operation.pk).update(verb=operation.verb)
        reread(operation, "parameters")
        operation.parameters.update(facts)
        operation.save(update_fields=["parameters"])


def own_project(project: str | None) -> str:
    """This project's name.

    Raises:
        OperationError: If ``project`` is another one.
    """
    own: str = settings.PROJECT
    if project is not None and project != own:
        raise OperationError(
            f"Tasks of the project {project} are operated from there: "
            f"here, in {own}, its broker is not known."
        )
    return own


def _cut_off(operation: Operation) -> None:
    """Say of what a dead process had begun that nobody knows."""
    begun = operation.targets.filter(outcome=_Result.ACTING)
    update(begun, outcome=_Result.UNKNOWN, reason=CUT_OFF, at=timezone.now())


def _act(targets: Sequence[OperationTarget], act: Act, claim: Claim | None) -> None:
    try:
        refusals = _claim(targets, claim)
    except (TakenOverError, control.TimeIsUp):
        raise
    except Exception as error:  # the trail must say what happened to each target
        refusals = dict.fromkeys((target.pk for target in targets), _broke(error, targets))
        _settle_all(targets, list(refusals.values()))
    left = [target for target in targets if target.pk not in refusals]
    if not left:
        return
    try:
        outcomes = act(left)
    except TimeoutError as error:
        outcomes = [unknown(str(error) or "The broker did not answer in time.")] * len(left)
    except (control.TimeIsUp, KeyboardInterrupt, SystemExit):
        for target in left:
            settle(target, unknown(_INTERRUPTED))
        raise
    except Exception as error:
        outcomes = [_broke(error, left)] * len(left)
    _settle_all(left, outcomes)


def _broke(error: Exception, targets: Sequence[OperationTarget]) -> Outcome:
    logger.exception("An operation failed on %d targets.", len(targets))
    return failed(f"{type(error).__name__}: {error}")


def _settle_all(targets: Sequence[OperationTarget], outcomes: Sequence[Outcome]) -> None:
    mine = [settle(target, outcome) for target, outcome in zip(targets, outcomes, strict=True)]
    if not all(mine):
        raise TakenOverError


def _claim(targets: Sequence[OperationTarget], claim: Claim | None) -> Mapping[int, Outcome]:
    """Mark all of the targets as begun, or none, where another process was quicker.

    Returns:
        What came of those that are refused, by their keys.
    """
    ids = [target.pk for target in targets]
    with transactions.up_to_date():
        # The write comes first: SQLite takes its lock here, and not halfway.
        pending = OperationTarget.objects.filter(pk__in=ids, outcome=_Result.PENDING)
        if pending.update(outcome=_Result.ACTING, at=timezone.now()) != len(ids):
            raise TakenOverError
        refusals = claim(targets) if claim is not None else {}
        for target in targets:
            if target.pk in refusals:
                settle(target, refusals[target.pk])
    return refusals
