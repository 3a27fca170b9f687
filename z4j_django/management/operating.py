"""What the commands that act have in common: who acts, whether he is sure, and what came of it."""

from __future__ import annotations

import contextlib
import getpass
import json
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import DatabaseError

from z4j_django import permissions, verbs
from z4j_django.exceptions import Z4JError
from z4j_django.models import Operation, OperationTarget
from z4j_django.operations import auditing
from z4j_django.queries import operations as queries

#: Exit code for arguments that make no sense, as argparse's.
USAGE: Final = 2
#: Targets from which on a command shows how far it is.
_MANY: Final = 100
#: Targets that are listed in words; all of them are in the JSON and in the admin.
_SHOWN: Final = 100
_DONE: Final = OperationTarget.Outcome.DONE


class OperatingCommand(BaseCommand):
    """A command that acts on tasks, groups or queues."""

    requires_system_checks = []  # noqa: RUF012  # as Django declares it

    def add_arguments(self, parser: CommandParser) -> None:
        """The options that all of them have."""
        parser.add_argument("--project", metavar="NAME", help="whose they are (this project's)")
        parser.add_argument(
            "--actor",
            metavar="USERNAME",
            help="act as this user: with these permissions, and under this name in the trail",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be done")
        parser.add_argument("--yes", action="store_true", help="do not ask whether to do it")
        parser.add_argument("--json", action="store_true", help="print one JSON document")

    def confirm(self, question: str, options: dict[str, Any]) -> None:
        """Ask on the terminal, unless ``--yes`` was given.

        Args:
            question: What will be done, as a sentence.
            options: The command's.

        Raises:
            CommandError: If the answer is no, or nobody can be asked.
        """
        if options["yes"]:
            return
        if not sys.stdin.isatty():
            raise CommandError(
                "Nobody can be asked here whether to do it: say --yes, or --dry-run to look first.",
                returncode=USAGE,
            )
        self.stderr.write(f"{question} Go on? [y/N] ", ending="")
        self.stderr.flush()
        if sys.stdin.readline().strip().casefold() not in ("y", "yes"):
            raise CommandError("Nothing was done.")

    def progress(self) -> Callable[[int, int], None] | None:
        """Shows on a terminal how far it is: called with the targets done, and all of them."""
        return Progress(self.stderr).show if self.stderr.isatty() else None

    def finish(self, operation: Operation, options: dict[str, Any]) -> None:
        """Print what came of an operation, and exit with 1 unless all of it was done."""
        if options["json"]:
            shown = document(operation)
            self.stdout.write(json.dumps(shown, indent=2, cls=DjangoJSONEncoder))
        else:
            self.stdout.write("\n".join(_in_words(operation)))
        waiting = operation.state == Operation.State.WAITING
        if not waiting and operation.done < operation.total:
            sys.exit(1)

    def preview(self, found: list[tuple[str, auditing.Outcome]], options: dict[str, Any]) -> None:
        """Print what would come of each target; exit with 1 unless all of it would be done."""
        if options["json"]:
            rows = [
                {"target": target, "outcome": outcome.result, "reason": outcome.reason}
                for target, outcome in found
            ]
            self.stdout.write(json.dumps({"dry_run": True, "targets": rows}, indent=2))
        else:
            for target, outcome in found:
                word = "would be done" if outcome.result == _DONE else outcome.result
                self.stdout.write(f"{target}  {word}  {outcome.reason}".rstrip())
            count = sum(outcome.result == _DONE for _, outcome in found)
            self.stdout.write(f"Nothing was done. {count:,} of {len(found):,} could be.")
        if any(outcome.result != _DONE for _, outcome in found):
            sys.exit(1)


def find_actor(options: dict[str, Any]) -> permissions.Actor:
    """Who acts: the user that ``--actor`` names, or else this program.

    Raises:
        CommandError: If there is no such user.
    """
    username = options["actor"]
    if username is None:
        return program()
    users = get_user_model()
    try:
        found: permissions.Actor = users._default_manager.get_by_natural_key(username)
    except users.DoesNotExist:
        raise CommandError(f"There is no user {username!r}.", returncode=USAGE) from None
    return found


def program() -> str:
    """What the trail calls a command: the login and the host."""
    return f"{_login()}@{socket.gethostname()} (manage.py)"


@contextlib.contextmanager
def told_in_words() -> Iterator[None]:
    """Turns what is raised on purpose into the command's own error."""
    try:
        yield
    except (Z4JError, ImproperlyConfigured, PermissionDenied) as error:
        raise CommandError(str(error)) from error
    except DatabaseError as error:
        raise CommandError(f"The database did not do it: {error}") from error


def document(operation: Operation) -> dict[str, Any]:
    """An operation with all its targets, for JSON."""
    fields = ("target", "outcome", "reason", "result_id", "at")
    return {
        "operation": operation.pk,
        "verb": operation.verb,
        "state": operation.state,
        "project": operation.project,
        "actor": operation.actor,
        "parameters": operation.parameters,
        "selection": operation.selection,
        **_counts(operation),
        "published": queries.published(operation),
        "targets": list(operation.targets.order_by("position").values(*fields)),
    }


class Progress:
    """A line that is written anew."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def show(self, done: int, total: int) -> None:
        """How many are done; nothing of few."""
        if total <= _MANY:
            return
        end = "\n" if done >= total else ""
        self._stream.write(f"\r{done:,} of {total:,} ({done / total:4.0%})", ending=end)
        self._stream.flush()


def _counts(operation: Operation) -> dict[str, int]:
    names = ("total", "done", "refused", "failed", "unknown")
    return {name: getattr(operation, name) for name in names}


def _in_words(operation: Operation) -> Iterator[str]:
    for target in operation.targets.order_by("position")[:_SHOWN]:
        became = f" -> {target.result_id}" if target.result_id else ""
        yield f"{target.target}{became}  {target.outcome}  {target.reason}".rstrip()
    if operation.total > _SHOWN:
        yield f"... and {operation.total - _SHOWN:,} more; --json prints them all."
    if operation.state == Operation.State.WAITING:
        who = verbs.VERBS[operation.verb].waits_for
        yield f"{operation}: {who} does it, {operation.total:,} targets."
        return
    counts = _counts(operation)
    yield f"{operation}: {operation.get_state_display().lower()}; {_told(counts)}."
    if published := queries.published(operation):
        yield f"{queries.published_label(operation)}: {_told(published)}."


def _told(counts: dict[str, int]) -> str:
    shown = ((name.replace("_", " "), count) for name, count in counts.items() if count)
    return ", ".join(f"{count:,} {name}" for name, count in shown)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a uid without a name
        return "somebody"
