"""Which process is this? Asked when the first event comes, not when modules are imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Final

import click
from billiard import process

#: Celery's own commands that record; all others only look or steer.
CELERY_COMMANDS: Final = frozenset({"worker", "beat"})
#: Django's own commands that never record.
DJANGO_COMMANDS: Final = frozenset(
    {
        "check",
        "collectstatic",
        "compilemessages",
        "createcachetable",
        "flush",
        "makemessages",
        "makemigrations",
        "migrate",
        "optimizemigration",
        "showmigrations",
        "sqlflush",
        "sqlmigrate",
        "squashmigrations",
    }
)


class Process:
    """What is known of this process at start, and asked again later."""

    def __init__(self) -> None:
        context = click.get_current_context(silent=True)
        self._root: Any = context.find_root() if context is not None else None

    def may_record(self, *, under_tests: bool) -> bool:
        """Whether tasks that are published or run here belong on record.

        Args:
            under_tests: Whether they do under a test runner, too.
        """
        command = self._celery_command()
        if command is not None:
            return command in CELERY_COMMANDS
        if _django_command() in DJANGO_COMMANDS:
            return False
        return under_tests or not _is_test_runner()

    def _celery_command(self) -> str | None:
        """The subcommand of ``celery``, if that is what runs: by whatever program's name."""
        cli = sys.modules.get("celery.bin.celery")
        if self._root is None or cli is None or self._root.command is not cli.celery:
            return None
        return str(self._root.invoked_subcommand)


def is_pool_child() -> bool:
    """Whether this is a child of a pool of processes; its main process ships and tells for it."""
    return process.current_process()._parent_pid is not None


def is_embedded(controller: Any) -> bool:
    """Whether a worker was not started as one: by a test's fixture, or by a program of its own."""
    programs = sys.modules.get("celery.apps.worker")
    return programs is None or not isinstance(controller, programs.Worker)


def _django_command() -> str | None:
    program = Path(sys.argv[0])
    is_django = program.name in {"manage.py", "django-admin", "django-admin.py"} or (
        program.name == "__main__.py" and program.parent.name == "django"
    )
    return sys.argv[1] if is_django and len(sys.argv) > 1 else None


def _is_test_runner() -> bool:
    if "pytest" in sys.modules or _django_command() == "test":
        return True
    return os.path.join("unittest", "__main__") in sys.argv[0]
