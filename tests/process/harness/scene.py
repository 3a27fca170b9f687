"""A project with a broker, a database and a journal that no other test uses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any, Final

import kombu

from tests.process.harness.processes import PATIENCE, REPOSITORY, Program, kill, shippers
from tests.process.harness.records import Records
from tests.process.harness.waiting import wait_until
from z4j_django import broker
from z4j_django.agent import journal

APP: Final = "tests.process.project"
BOOTSTRAP: Final = (
    "z4j worker bootstrap: agent runtime started"
    " (celery_app=tests.process.project.celery:app, framework=django)"
)
#: What a script of the project begins with.
PRELUDE: Final = f"""
import django, json, sys
django.setup()
from {APP} import tasks
from {APP}.celery import app
"""


class Scene:
    """Starts the project's programs, and looks at what they leave.

    Args:
        folder: For all files.
        database: URL of a database of its own.
        broker: URL of the broker; ``None`` for the file-system's.
        queue: Name of a queue of its own.
    """

    #: The project's package, which has the app, and its settings.
    app: str = APP
    settings: str = f"{APP}.settings"

    def __init__(self, folder: Path, database: str, broker: str | None, queue: str) -> None:
        self.folder = folder
        self.queue = queue
        self.journal = folder / "journal"
        self.database = database
        self.broker = broker
        self.records = Records(database)
        self.programs: list[Program] = []

    def environment(self, **z4j: Any) -> dict[str, str]:
        """The environment of the project's programs; ``z4j`` goes into the setting ``Z4J``."""
        ours = {
            "DJANGO_SETTINGS_MODULE": self.settings,
            "DATABASE_URL": self.database,
            "DEMO_DIR": str(self.folder),
            "SCENE_QUEUE": self.queue,
            "SCENE_Z4J": json.dumps({"JOURNAL_DIR": str(self.journal), **z4j}),
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONUNBUFFERED": "1",
        }
        if self.broker:
            ours["CELERY_BROKER_URL"] = self.broker
        unwanted = {"DEMO_RUN", "CELERY_BROKER_URL", "Z4J_DISABLED"}
        kept = {name: value for name, value in os.environ.items() if name not in unwanted}
        return {**kept, **ours}

    def start(
        self,
        *arguments: str,
        name: str,
        environment: dict[str, str] | None = None,
        given: bytes = b"",
    ) -> Program:
        """Start a program that is cleaned up with the scene."""
        log = self.folder / f"{len(self.programs)}-{name}.log"
        program = Program(arguments, environment or self.environment(), log, given=given)
        self.programs.append(program)
        return program

    def worker(
        self,
        *options: str,
        name: str = "w1",
        ready: str = "",
        celery: tuple[str, ...] = (sys.executable, "-m", "celery"),
        environment: dict[str, str] | None = None,
    ) -> Program:
        """Start a worker, and wait until it takes tasks."""
        options = options or ("-P", "prefork", "-c", "1")
        command = [*celery, "-A", self.app, "worker", "-l", "INFO", "-n", self.hostname(name)]
        program = self.start(*command, *options, name=name, environment=environment)
        program.wait_for_output(ready or BOOTSTRAP.replace(APP, self.app))
        return program

    def hostname(self, name: str = "w1") -> str:
        """What a worker calls itself."""
        return f"{name}@{self.queue}"

    def run(
        self, *arguments: str, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end."""
        return subprocess.run(
            arguments,
            env=environment or self.environment(),
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def script(self, code: str, environment: dict[str, str] | None = None) -> str:
        """Run a script of the project, and see that it ends well; what it printed."""
        ended = self.run(sys.executable, "-c", PRELUDE + code, environment=environment)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def publish(self, signature: str, environment: dict[str, str] | None = None) -> str:
        """Publish a task from a script that ends at once; its id."""
        code = f"print(tasks.{signature}.id)"
        return self.script(code, environment).strip()

    def publish_many(self, code: str) -> list[str]:
        """Run a script that prints the ids of what it published as a JSON list."""
        return list(json.loads(self.script(code)))

    def migrate(self) -> None:
        """Make the project's tables."""
        ended = self.run(sys.executable, "-m", "django", "migrate", "--verbosity", "0")
        assert ended.returncode == 0, ended.stderr

    def waiting(self) -> int:
        """How many messages lie in the queue."""
        if self.broker is None:
            return sum(1 for _ in self.folder.glob(f"broker/messages/*.{self.queue}.msg"))
        options = {"global_keyprefix": f"{self.queue}."} if "redis" in self.broker else {}
        with kombu.Connection(self.broker, transport_options=options) as connection:
            return broker.size(connection, self.queue) or 0

    def wait_for_state(self, task_id: str, state: str) -> None:
        """Wait until a task is on record in ``state``."""
        records = self.records
        wait_until(
            lambda: records.state(task_id) == state,
            PATIENCE,
            f"{task_id} in state {state}",
        )

    def segments(self) -> list[Path]:
        """The journal's segments."""
        return journal.segments(self.journal)

    def shippers(self) -> list[int]:
        """The shipper processes that run."""
        return shippers(self.journal)

    def assert_nothing_is_left(self) -> None:
        """No shipper runs, none has failed, and the journal is empty."""
        assert self.shippers() == []
        assert "shipper process ended with status 1" not in self.logs()
        assert self.segments() == []

    def logs(self) -> str:
        """What all programs said, for a test that failed."""
        parts = [f"--- {path.name}\n{path.read_text()}" for path in self.folder.glob("*.log")]
        return "\n".join(parts)

    def close(self) -> None:
        """End all that still runs."""
        for program in self.programs:
            program.clean_up()
        for pid in self.shippers():
            kill(pid)
        self.records.close()


def unique_queue() -> str:
    """A queue's name that no other test has."""
    return f"z4jtest-{uuid.uuid4().hex[:12]}"
