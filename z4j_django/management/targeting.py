"""Commands that act on tasks: which ones, and how each is shown before and after."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from z4j_django import permissions, states
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.management import operating
from z4j_django.models import Operation
from z4j_django.operations import bulk_operations, tasks
from z4j_django.queries.selection import Selection

#: Ids that are acted on as they are; more of them are an operation in bulk.
_FEW: Final = 100
_FILTERS: Final = ("state", "name", "queue", "worker", "search")
_RUN: Final = {"retry": tasks.retry, "cancel": tasks.cancel, "terminate": tasks.terminate}


def add_arguments(parser: CommandParser) -> None:
    """The options that say which tasks, and how fast."""
    parser.add_argument("ids", nargs="*", metavar="ID", help="ids of tasks; or a filter:")
    parser.add_argument("--state", choices=states.ALL, metavar="STATE", help="tasks in this state")
    parser.add_argument("--name", help="tasks of this name")
    parser.add_argument("--queue", help="tasks of this queue")
    parser.add_argument("--worker", metavar="HOSTNAME", help="tasks that this worker took")
    parser.add_argument(
        "--search",
        metavar="FILTER",
        help="tasks that a filter finds, as in the admin's search, such as 'sent:<2h -name:mail.*'",
    )
    parser.add_argument(
        "--rate", type=float, metavar="N", help="with a filter: at most so many a second"
    )


def act(
    command: operating.OperatingCommand,
    verb: str,
    options: dict[str, Any],
    parameters: dict[str, Any],
    arguments: dict[str, Any] | None = None,
) -> None:
    """Find the tasks, ask, do it, and print what came of it.

    Args:
        command: The command.
        verb: ``retry``, ``cancel`` or ``terminate``.
        options: The command's.
        parameters: Those of the operation, as JSON.
        arguments: New arguments, if any.

    Raises:
        CommandError: If it is refused as a whole.
    """
    selection = _selection(options)
    actor = operating.find_actor(options)
    project = options["project"] or settings.PROJECT
    arguments = {name: value for name, value in (arguments or {}).items() if value is not None}
    in_bulk = selection is not None or len(options["ids"]) > _FEW
    if in_bulk and arguments:
        raise CommandError(
            f"--args and --kwargs are for at most {_FEW} ids, and not for a filter.",
            returncode=operating.USAGE,
        )
    permissions.require(actor, verb)
    if options["dry_run"]:
        ids = options["ids"] if selection is None else _found(selection)
        command.preview(tasks.preview(verb, project, ids, **parameters, **arguments), options)
        return
    command.confirm(f"{verb.capitalize()} {_described(selection, options['ids'])}.", options)
    common: dict[str, Any] = {"actor": actor, "surface": "command", **parameters}
    if in_bulk:
        which = {"task_ids": options["ids"], "project": project}
        operation: Operation = bulk_operations.bulk(
            verb,
            here=True,
            progress=command.progress(),
            rate=options["rate"],
            **(which if selection is None else {"selection": selection}),
            **common,
        )
    else:
        operation = _RUN[verb](options["ids"], project=project, **common, **arguments)
    command.finish(operation, options)


def _selection(options: dict[str, Any]) -> Selection | None:
    """The filter that was given, frozen; ``None`` where ids were."""
    given = {name: options[name] for name in _FILTERS if options[name]}
    if bool(given) == bool(options["ids"]):
        raise CommandError(
            "Give either ids of tasks, or a filter: --state, --name, --queue, --worker, --search.",
            returncode=operating.USAGE,
        )
    if options["rate"] is not None and not given:
        raise CommandError("--rate is for a filter.", returncode=operating.USAGE)
    if not given:
        return None
    try:
        found = Selection.from_params(given, options["project"] or settings.PROJECT)
    except ValueError as error:
        raise CommandError(str(error), returncode=operating.USAGE) from None
    return found.frozen()


def _found(selection: Selection) -> list[str]:
    try:
        found = selection.ids(settings.BULK_LIMIT)
    except ValueError as error:
        raise OperationError(str(error)) from None
    if not found:
        raise CommandError("The filter finds no task.")
    return found


def _described(selection: Selection | None, ids: list[str]) -> str:
    if selection is None:
        return f"{len(ids):,} tasks" if len(ids) > 1 else ids[0]
    seen = bulk_operations.preview(selection)
    most = f", the newest of those that match: {seen.count:,} is the most" if seen.capped else ""
    return f"{seen.count:,} tasks ({selection.describe()}){most}"
