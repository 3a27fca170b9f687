"""The shop's programs on two hosts, and what is told of them."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Final

from tests.process.harness.processes import REPOSITORY, Program
from tests.process.harness.scene import Scene
from tests.process.harness.sink import Sink
from tests.process.harness.waiting import wait_until
from tests.process.shop.mail import MailServer
from z4j_django.models import ConditionRecord, Lease

#: So that nobody has to wait for minutes; how long a round takes to come is as it always is.
CONDITIONS: Final[dict[str, dict[str, float]]] = {
    "journal_stopped": {"after": 30},
    "journal_losing": {"within": 60},
    "journal_disk": {"share": 0.02},
    "journal_behind": {"after": 5},
    "worker_gone": {"after": 30},
    "worker_silent": {"after": 30},
    "worker_not_consuming": {"after": 30},
    "slots_held": {"after": 10},
    "queue_without_consumer": {"after": 0},
    "paused_queue_consumed": {"after": 30},
    "queue_backing_up": {"depth": 5, "minutes": 1},
    "beat_stopped": {"after": 10},
    "failing": {"share": 0.2},
    "possibly_lost": {"after": 0},
    "task_running_long": {"least": 5, "runs": 5},
    "expired_in_bulk": {"within": 45},
    "chord_stuck": {"after": 0},
    "schedule_overdue": {"least": 3},
}
#: Seconds between two looks at what is told.
LOOK: Final = 0.25
#: Does what it reads, a line of JSON each, as a web process of the shop would.
_CONSOLE: Final = """
import django, json, sys
django.setup()
from example_project.celery import app
from example_project.shop import tasks
from z4j_django import operations
QUEUE = app.conf.task_default_queue
for line in sys.stdin:
    given = json.loads(line)
    exec(given.pop("code"), globals(), given)
    print(json.dumps(given.get("found")), flush=True)
"""
#: Waits for what the function tells, as soon as that is true, and gets it.
Story = Generator[Callable[[], Any], Any, None]


@dataclass
class Told:
    """What was told first, and from when to when, in seconds."""

    evidence: str
    since: float
    until: float | None = None


class Shop(Scene):
    """The example's shop; whoever visits it is a console.

    All but one of the first host's programs leave its journal to that one's shipper: so it is told
    when that begins to look after them.
    """

    app = "example_project"
    settings = "tests.process.shop.settings"
    mail: MailServer
    #: Who hears of all that is wrong.
    hook: Sink
    _console: subprocess.Popen[bytes] | None = None
    #: What holds, and all that was told: by the condition's key, and its subject.
    holds: dict[str, dict[str, str]]
    told: dict[str, dict[str, Told]]

    def open(self, mail: MailServer, hook: Sink) -> None:
        """Begin."""
        self.mail, self.hook = mail, hook
        self.holds, self.told = {}, {}
        self._opened = time.monotonic()
        environment = self.environment()
        log = (self.folder / "console.log").open("wb")
        self._console = subprocess.Popen(
            [sys.executable, "-c", _CONSOLE],
            env=environment,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
        )
        log.close()

    def close(self) -> None:
        """End all that still runs."""
        if self._console is not None:
            self._console.kill()
            self._console.communicate()
        super().close()

    def environment(self, **z4j: Any) -> dict[str, str]:
        """As of the first host, without a shipper of its own."""
        port = str(self.mail.port) if hasattr(self, "mail") else "25"
        given: dict[str, Any] = {"CONDITIONS": CONDITIONS, "RELEASE": "shop 1"}
        given["SHIPPER"] = "external"
        if hasattr(self, "hook"):
            given["ALERTS"] = {
                "CHANNELS": {"hook": self.hook.channel()},
                "RULES": {"all": {"severity": "warning", "after": 0}},
                "PRIVATE_TARGETS": True,
            }
        # The least that it may be.
        given["JOURNAL_MAX_BYTES"] = 16 * 1024**2
        return {**super().environment(**{**given, **z4j}), "SHOP_MAIL_PORT": port}

    def do(self, code: str, **given: Any) -> Any:
        """Run code in the console, which has the shop's tasks; what it calls ``found``."""
        assert self._console is not None
        assert self._console.stdin is not None
        assert self._console.stdout is not None
        line = json.dumps({"code": code, **given})
        self._console.stdin.write(line.encode() + b"\n")
        self._console.stdin.flush()
        answer = self._console.stdout.readline()
        assert answer, (self.folder / "console.log").read_text()
        return json.loads(answer)

    def hire(self, name: str, *options: str, queue: str = "", **z4j: Any) -> Program:
        """Start a worker, and don't wait for it.

        Args:
            name: Its own, and that of the queue that it takes tasks from.
            *options: Of its command line.
            queue: Another.
            **z4j: Of the setting ``Z4J``.
        """
        command = [sys.executable, "-m", "celery", "-A", self.app, "worker", "-l", "INFO"]
        mine = ["-n", self.hostname(name), "-Q", queue or self.queue_of(name), *options]
        quiet = ["--without-gossip", "--without-mingle"]
        environment = self.environment(**z4j)
        return self.start(*command, *mine, *quiet, name=name, environment=environment)

    def beat(self) -> Program:
        """Start beat."""
        command = [sys.executable, "-m", "celery", "-A", self.app, "beat", "-l", "INFO"]
        files = ["--pidfile", "", "-s", str(self.folder / "schedule"), "--max-interval", "1"]
        return self.start(*command, *files, name="beat")

    def ship(self, folder: str) -> Program:
        """Ship the journal in that folder from a process that has the project."""
        command = [sys.executable, "-m", "django", "z4j_ship"]
        environment = self.environment(JOURNAL_DIR=str(self.folder / folder))
        return self.start(*command, name="ship", environment=environment)

    def queue_of(self, name: str) -> str:
        """A queue of the shop's."""
        return f"{self.queue}-{name}"

    def look(self) -> None:
        """See what holds now, and keep what was said first of each."""
        found = ConditionRecord.objects.using(self.records.alias).filter(is_open=True)
        self.holds = {}
        for key, subject, evidence in found.values_list("key", "subject", "evidence"):
            self.holds.setdefault(key, {})[subject] = evidence
            told = Told(evidence, time.monotonic() - self._opened)
            self.told.setdefault(key, {}).setdefault(subject, told)
        for key, subjects in self.told.items():
            for subject, told in subjects.items():
                if told.until is None and subject not in self.holds.get(key, {}):
                    told.until = time.monotonic() - self._opened

    def tells(self, key: str, subject: str | None = None, words: str = "") -> Callable[[], str]:
        """Evidence with those words, once there is some: for stories."""

        def told() -> str:
            found = self.holds.get(key, {})
            if subject is not None:
                found = {subject: found.get(subject, "")}
            return next((one for one in found.values() if words in one), "")

        return told

    def is_quiet(self, *keys: str, subject: str | None = None) -> Callable[[], bool]:
        """Whether conditions have ended."""
        return lambda: not any(self.tells(key, subject)() for key in keys)

    def as_text(self) -> str:
        """All that was told, and for how long."""
        return "\n".join(
            f"{key} [{subject}] {one.since:.0f} s to {one.until or 0:.0f} s\n    {one.evidence}"
            for key, subjects in self.told.items()
            for subject, one in subjects.items()
        )

    def holder(self) -> int | None:
        """The process that looks after the shop."""
        found = Lease.objects.using(self.records.alias).filter(name=Lease.WATCH).first()
        return int(found.holder.partition("@")[0]) if found is not None and found.holder else None


def play(shop: Shop, stories: dict[str, Story], timeout: float) -> None:
    """Let all happen at once, until each has come to its end."""
    shop.look()
    waiting = {name: (story, next(story)) for name, story in stories.items()}

    def step() -> bool:
        shop.look()
        for name, (story, wanted) in list(waiting.items()):
            if found := wanted():
                try:
                    waiting[name] = story, story.send(found)
                except StopIteration:
                    del waiting[name]
        return not waiting

    try:
        wait_until(step, timeout, "the end of all stories", LOOK)
    finally:
        for name, (story, _) in waiting.items():
            if story.gi_frame is not None:  # else it is the one that failed
                print(f"The story of {name!r} waits in line {story.gi_frame.f_lineno}.")
