"""Commands that act on tasks: which ones, and how each is shown before and after."""

from __future__ import annotations

from typing import Any, Final

from django.core.management.base import CommandError, CommandParser

from z4j_django import operations, permissions, states, verb_options, verbs
from z4j_django.conf import settings
from z4j_django.exceptions import OperationError
from z4j_django.management import operating, option_arguments
from z4j_django.models import Operation
from z4j_django.operations import asking, tasks
from z4j_django.options import described
from z4j_django.queries.selection import Selection

#: Ids that are acted on as they are; more of them are an operation in bulk.
_FEW: Final = 100
_FILTERS: Final = ("state", "name", "queue", "worker", "search")


class TaskCommand(operating.OperatingCommand):
    """Does one verb to tasks, by their ids or by a filter."""

    verb: verbs.Verb

    def add_arguments(self, parser: CommandParser) -> None:
        """Which tasks, and the verb's options."""
        add_arguments(parser)
        option_arguments.add(parser, self.verb.options)
        super().add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it; exit with 1 unless all of it was done."""
        with operating.told_in_words():
            act(self, self.verb, options, option_arguments.given(self.verb.options, options))


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
    option_arguments.add(parser, verb_options.BulkOptions)


def act(
    command: operating.OperatingCommand,
    verb: verbs.Verb,
    options: dict[str, Any],
    given: dict[str, Any],
) -> None:
    """Find the tasks, ask, do it, and print what came of it.

    Args:
        command: The command.
        verb: What to do to them.
        options: The command's.
        given: The verb's options.

    Raises:
        CommandError: If it is refused as a whole.
    """
    selection = _selection(options)
    actor = operating.find_actor(options)
    project = options["project"] or settings.PROJECT
    in_bulk = selection is not None or len(options["ids"]) > _FEW
    if in_bulk:
        _require_bulk(verb, given)
    permissions.require(actor, verb.name)
    how: dict[str, Any] = {"surface": "command"}
    if options["dry_run"]:
        ids = options["ids"] if selection is None else _found(selection)
        command.preview(tasks.preview(verb.name, project, ids, given, **how), options)
        return
    asking.options_of(verb.name, given, **how)  # before anybody is asked
    command.confirm(f"{verb.label} {_described(selection, options['ids'])}.", options)
    operation: Operation
    if in_bulk:
        which = {"task_ids": options["ids"], "project": project}
        operation = operations.bulk(
            verb.name,
            actor=actor,
            here=True,
            progress=command.progress(),
            rate=options["rate"],
            **(which if selection is None else {"selection": selection}),
            **how,
            **given,
        )
    else:
        operation = operations.perform(
            verb.name, options["ids"], given, actor=actor, project=project, **how
        )
    command.finish(operation, options)


def _require_bulk(verb: verbs.Verb, given: dict[str, Any]) -> None:
    once = [one for one in described(verb.options).values() if one.once and one.name in given]
    if once:
        names = " and ".join(f"--{one.name}" for one in once)
        raise CommandError(
            f"{names}: only for at most {_FEW} ids, and not for a filter.",
            returncode=operating.USAGE,
        )


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
    seen = operations.preview(selection)
    most = f", the newest of those that match: {seen.count:,} is the most" if seen.capped else ""
    return f"{seen.count:,} tasks ({selection.describe()}){most}"
