"""What an operator says of errors: that they are resolved, ignored, or open again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.db.models import F
from django.utils import timezone
from msgspec import UNSET

from z4j_django import permissions, verb_options, verbs
from z4j_django.exceptions import OperationError
from z4j_django.models import ErrorGroup, Operation, OperationTarget
from z4j_django.models.primary import primary, update
from z4j_django.operations import asking, auditing
from z4j_django.options import Options, given
from z4j_django.queries import releases
from z4j_django.queries.filter.values import stored
from z4j_django.values import of_error_id, release_key

#: Errors that are named at once.
LIMIT: Final = 1_000
_State = ErrorGroup.State


@dataclass(frozen=True)
class _Change:
    """What becomes of an error.

    Attributes:
        values: Its columns.
        words: What is said of it then.
    """

    values: Mapping[str, Any]
    words: str = ""


def perform(
    verb: str,
    error_ids: Iterable[str] | str,
    options: Mapping[str, Any],
    *,
    actor: permissions.Actor,
    project: str | None = None,
    surface: auditing.Surface = "python",
) -> Operation:
    """Do a verb to some errors; see :func:`z4j_django.operations.perform`."""
    read = asking.asked(verb, options, actor=actor, surface=surface)
    _require_ahead(read)
    operation = auditing.begin(
        verb,
        _ids(error_ids),
        actor=actor,
        surface=surface,
        kind=OperationTarget.Kind.ERROR,
        project=project,
        parameters=read.as_json(),
    )
    change = _CHANGES[verb](read, operation.project)

    def act(targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        return [_changed(target, change, _POINTLESS_IN.get(verb, "")) for target in targets]

    return auditing.carry_out(operation, act)


def preview(
    verb: str, project: str | None, error_ids: Iterable[str] | str
) -> list[tuple[str, auditing.Outcome]]:
    """What would come of each error."""
    pointless = _POINTLESS_IN.get(verb, "")
    found = []
    for error_id in _ids(error_ids):
        row = _rows(auditing.own_project(project), error_id).first()
        would = auditing.done(f"It is {row.state}.") if row else auditing.refused(_MISSING)
        if row is not None and row.state == pointless:
            would = auditing.refused(f"It is {row.state} already.")
        found.append((error_id, would))
    return found


def _require_ahead(options: Options) -> None:
    """See that an error is ignored for a time that is not over: else it were not ignored at all.

    Raises:
        OperationError: If it is.
    """
    until = getattr(options, "until", UNSET)
    if isinstance(until, datetime) and until <= datetime.now(UTC):
        raise OperationError(f"until: {until.isoformat()} is over already.")


def _changed(target: OperationTarget, change: _Change, pointless: str) -> auditing.Outcome:
    """In one statement: of two operators in one instant, one finds it as the other left it."""
    rows = _rows(target.project, target.target)
    if update(rows.exclude(state=pointless), **change.values):
        return auditing.done(change.words)
    row = rows.first()
    return auditing.refused(f"It is {row.state} already." if row else _MISSING)


def _resolve(options: verb_options.ResolveErrorsOptions, project: str) -> _Change:
    newest = releases.newest(project)
    name = given(options.release, newest.name if newest else "")
    values = {
        **_OPEN,
        "state": _State.RESOLVED,
        "resolved_at": timezone.now(),
        "resolved_in": name,
        "resolved_release": release_key(name),
    }
    return _Change(values, f"Since the release {name}." if name else "")


def _ignore(options: verb_options.IgnoreErrorsOptions, project: str) -> _Change:
    until: datetime | None = given(options.until)
    more: int | None = given(options.more)
    values = {**_OPEN, "state": _State.IGNORED}
    if more is not None:
        values["ignored_count"] = F("count") + more
    words = "For ever."
    if until is not None:
        values["ignored_until"] = stored(until)
        words = f"Until {until.isoformat()}."
    elif more is not None:
        words = f"Until it was seen {more:,} times more."
    return _Change(values, words)


def _reopen(options: verb_options.NoOptions, project: str) -> _Change:
    return _Change(_OPEN)


_MISSING: Final = "There is no such error on record."
#: An error of which nobody has said anything.
_OPEN: Final[Mapping[str, Any]] = {
    "state": _State.OPEN,
    "regressed_at": None,
    "ignored_until": None,
    "ignored_count": None,
}
_CHANGES: Final[dict[str, Callable[[Any, str], _Change]]] = {
    verbs.RESOLVE_ERRORS.name: _resolve,
    verbs.IGNORE_ERRORS.name: _ignore,
    verbs.REOPEN_ERRORS.name: _reopen,
}
#: The state in which there is nothing for a verb to change.
_POINTLESS_IN: Final[dict[str, str]] = {
    verbs.RESOLVE_ERRORS.name: _State.RESOLVED,
    verbs.REOPEN_ERRORS.name: _State.OPEN,
}


def _rows(project: str, error_id: str) -> Any:
    return primary(ErrorGroup).filter(project=project, fingerprint=of_error_id(error_id) or 0)


def _ids(error_ids: Iterable[str] | str) -> list[str]:
    """The ids, each once.

    Raises:
        OperationError: If there is none, or too many, or one can't be an id.
    """
    named = [error_ids] if isinstance(error_ids, str) else list(error_ids)
    if len(named) > LIMIT:
        raise OperationError(f"{len(named):,} errors are more than {LIMIT:,}. Do it in parts.")
    for error_id in named:
        if not isinstance(error_id, str) or of_error_id(error_id.strip()) is None:
            raise OperationError(f"{str(error_id)[:60]!a} is no id of an error.")
    if not named:
        raise OperationError("Nothing to act on: no error was given.")
    return list(dict.fromkeys(error_id.strip() for error_id in named))
