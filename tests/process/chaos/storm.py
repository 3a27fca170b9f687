"""Runs the workload, and breaks what can be broken while it runs."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.process.chaos import disks, servers
from tests.process.chaos.ledger import Ledger
from tests.process.chaos.report import Report
from tests.process.harness.processes import PATIENCE, Program, children, kill
from tests.process.harness.scene import Scene, unique_queue
from tests.process.harness.waiting import wait_until
from tests.process.project.chaos import clock
from z4j_django.agent import journal

APP: Final = "tests.process.project.chaos"
MAINS: Final = 2
PUBLISHERS: Final = 2
#: What is killed, and how often of a hundred.
VICTIMS: Final = {"child": 62, "shipper": 14, "publisher": 14, "worker": 10}
#: The journal's disk, where it is one of its own; and seconds for which it is full.
DISK: Final = "4g"
FULL: Final = 4.0
#: Seconds by which a clock is set.
STEPS: Final = (-60.0, -30.0, -1.0, 0.0, 1.0, 30.0, 60.0)
#: Seconds without a start after which the workers are stuck: a killed child took their lock.
STUCK: Final = 6.0
#: How often that helps not at all, before the run is given up.
RESCUES: Final = 10
#: Messages in the queue at which publishers wait. A file broker lists its folder for each one.
DEPTH: Final = {"redis": 400, "filesystem": 60}
#: Seconds without progress after which what is left will not come: a broker that keeps what a
#: worker held gives it to another by then.
SETTLED: Final = {"redis": 25.0, "filesystem": 4.0}


@dataclass(frozen=True)
class Plan:
    """How much of everything.

    Attributes:
        tasks: To be published; a few more may come.
        kills: To be made.
        outages: Of the database.
        outage: Seconds of each.
        broken: How often connections are broken, and how often clocks are set. A transaction is
            broken as often as there are outages.
        full_disks: How often the journal's disk is full.
    """

    broker: str
    database: str
    seed: int
    tasks: int
    kills: int
    outages: int = 3
    outage: float = 6.0
    broken: int = 12
    full_disks: int = 0


class Storm:
    """One run.

    Args:
        plan: How much of everything.
        scene: The project.
        database: That goes away.
        broker: That hangs up.
    """

    def __init__(
        self,
        plan: Plan,
        scene: Scene,
        database: servers.Database,
        broker: servers.RedisBroker | None,
    ) -> None:
        self.plan = plan
        self.scene = scene
        self.database = database
        self.broker = broker
        self.dice = random.Random(plan.seed)
        self.ledger = Ledger(scene.folder / "ledger")
        self.report = Report(plan.broker, plan.database, plan.seed)
        self.kept = scene.journal.parent / "kept"  # on the same disk
        self.kept.mkdir()
        self._clocks = [0.0] * clock.CLOCKS
        self._environment = environment_of(scene, broker)
        self._mains: list[Program] = []
        self._publishers: list[Program] = []
        self._back_at: float | None = None
        self._full_since: int | None = None
        #: When the disk was full, on the clock that nobody sets.
        self.full: list[tuple[int, int]] = []
        self._moved_at, self._rescues = time.monotonic(), 0

    def run(self) -> None:
        """From the first program to the last drop of the journal."""
        self._mains = [self._start_worker(f"w{n}") for n in range(MAINS)]
        self._publishers = [self._start_publisher() for _ in range(PUBLISHERS)]
        due = self._agenda()
        while due or len(self.ledger.task_ids) < self.plan.tasks:
            self._look_after()
            if due and len(self.ledger.task_ids) >= due[-1][0] and due[-1][1]():
                due.pop()
            self._pause()
        self._come_to_rest()

    def _agenda(self) -> list[tuple[float, Callable[[], bool]]]:
        """What to break after how many tasks, the first at the end."""
        tasks, dice = self.plan.tasks, self.dice
        victims = dice.choices(list(VICTIMS), list(VICTIMS.values()), k=self.plan.kills)
        actions = [getattr(self, f"_kill_{victim}") for victim in victims]
        actions += [self._set_clocks] * self.plan.broken
        actions += [self._break_connections] * (self.plan.broken if self.broker else 0)
        actions += [self._break_transaction] * self.plan.outages
        actions += [self._fill_disk] * self.plan.full_disks
        planned = [(dice.uniform(0.02, 0.98) * tasks, action) for action in actions]
        for number in range(self.plan.outages):
            planned.append((tasks * (number + 0.7) / (self.plan.outages + 0.5), self._take_away))
        return sorted(planned, key=lambda planned: -planned[0])

    def _look_after(self) -> None:
        """Read the ledger, keep the segments, and start again what was killed."""
        self._keep_segments()
        if self.ledger.read_on():
            self._moved_at, self._rescues = time.monotonic(), 0
        if self._back_at is not None and time.monotonic() >= self._back_at:
            self.database.come_back()
            self._back_at = None
        if self._full_since and time.monotonic_ns() >= self._full_since + FULL * 1e9:
            self._give_room()
        for number, program in enumerate(self._mains):
            if program.process.poll() is not None:
                program.clean_up()  # its pool may have outlived it
                self._mains[number] = self._start_worker(f"w{number}")
        for number, program in enumerate(self._publishers):
            if program.process.poll() is not None:
                self._publishers[number] = self._start_publisher()
        patience = STUCK * (1 + self._rescues)  # on a busy machine they begin slowly, too
        if self._publishers and time.monotonic() - self._moved_at > patience:
            self._free_stuck_workers()

    def _pause(self) -> None:
        """The dice between two blows: the one pause that waits for nothing."""
        time.sleep(self.dice.uniform(0.0, 0.04))

    def _start_worker(self, name: str) -> Program:
        options = ["-P", "prefork", "-c", "3", "-l", "WARNING", "--without-mingle"]
        command = [sys.executable, "-m", "celery", "-A", APP, "worker"]
        hostname = ["-n", self.scene.hostname(name)]
        return self.scene.start(
            *command, *hostname, *options, name=name, environment=self._environment
        )

    def _start_publisher(self) -> Program:
        seed = str(self.dice.getrandbits(32))
        command = [sys.executable, "-m", f"{APP}.publisher", seed, str(DEPTH[self.plan.broker])]
        return self.scene.start(*command, name="publisher", environment=self._environment)

    def _kill_child(self) -> bool:
        shippers = self.scene.shippers()
        pids = [pid for main in self._mains for pid in children(main.pid) if pid not in shippers]
        return self._kill("child", pids)

    def _kill_worker(self) -> bool:
        return self._kill("worker", self._living(self._mains))

    def _kill_shipper(self) -> bool:
        return self._kill("shipper", self.scene.shippers())

    def _kill_publisher(self) -> bool:
        """At any moment, or at one within a publish."""
        how = self.dice.choice((signal.SIGKILL, signal.SIGUSR1))
        pids = [life.pid for life in self.ledger.lives.values() if life.lines and not life.ended]
        alive = [pid for pid in self._living(self._publishers) if pid in pids]
        return self._kill("publisher", alive, how)

    def _kill(self, kind: str, pids: list[int], how: int = signal.SIGKILL) -> bool:
        if not pids:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.dice.choice(pids), how)
            self.report.kills[kind] += 1
        return True

    def _living(self, programs: list[Program]) -> list[int]:
        return [program.pid for program in programs if program.process.poll() is None]

    def _set_clocks(self) -> bool:
        self._clocks = [self.dice.choice(STEPS) for _ in self._clocks]
        clock.write(_clock_file(self.scene), self._clocks)
        self.report.broken["clock steps"] += 1
        return True

    def _break_connections(self) -> bool:
        assert self.broker is not None
        self.broker.break_connections()
        self.report.broken["broker connections"] += 1
        return True

    def _break_transaction(self) -> bool:
        if self._back_at is not None:
            return False
        if self.database.break_a_transaction(self.scene.shippers()):
            self.report.broken["transactions"] += 1
            return True
        return False

    def _take_away(self) -> bool:
        if self._back_at is None:
            self.database.go_away()
            self._back_at = time.monotonic() + self.plan.outage
            self.report.outages += 1
            self.report.outage_seconds += self.plan.outage
            return True
        return False

    def _fill_disk(self) -> bool:
        if self._full_since is not None:
            return False
        self._full_since = time.monotonic_ns()
        disks.fill(self.scene.journal.parent)
        return True

    def _give_room(self) -> None:
        if self._full_since is not None:
            disks.resize(self.scene.journal.parent, DISK)
            self.full.append((self._full_since, time.monotonic_ns()))
            self._full_since = None

    def _free_stuck_workers(self) -> None:
        """Celery's pool for brokers without an event loop shares a lock that a kill may take."""
        for program in self._mains:
            kill(program.pid)
            self.report.broken["stuck workers"] += 1
        self._moved_at = time.monotonic()
        self._rescues += 1
        if self._rescues > RESCUES:
            raise RuntimeError(f"Nothing runs any more.\n{self.scene.logs()[-10_000:]}")

    def _keep_segments(self) -> None:
        """A second name for each segment, so that its end is known when it is deleted."""
        for path in journal.segments(self.scene.journal):
            with contextlib.suppress(FileExistsError, FileNotFoundError):
                os.link(path, self.kept / path.name)

    def _come_to_rest(self) -> None:
        """Publish no more, wait for what still comes, end everything and drain the journal."""
        reset_clocks(self.scene)
        if self._back_at is not None:
            wait_until(lambda: time.monotonic() >= self._back_at, self.plan.outage + 1, "the end")
            self.database.come_back()
            self._back_at = None
        self._give_room()
        self._end(self._publishers)
        self._publishers = []
        seconds = SETTLED[self.plan.broker]
        deadline = time.monotonic() + seconds
        waiting = len(self.ledger.waiting)
        while self.ledger.waiting and time.monotonic() < deadline:
            self._look_after()
            if len(self.ledger.waiting) < waiting:
                waiting, deadline = len(self.ledger.waiting), time.monotonic() + seconds
            self._pause()
        self._end(self._mains)
        wait_until(lambda: not self.scene.shippers(), PATIENCE * 2, "the end of the shipper")
        self._keep_segments()
        ended = self.scene.run(
            sys.executable, "-m", "django", "z4j_ship", "--drain", environment=self._environment
        )
        if ended.returncode:
            self.report.faults.append(f"The last drain failed: {ended.stdout}{ended.stderr}")
        self.ledger.read_on()

    def _end(self, programs: list[Program]) -> None:
        """Ask them to end; a stuck one is killed."""
        for pid in self._living(programs):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE / 2
        while self._living(programs) and time.monotonic() < deadline:
            self._keep_segments()
            self._pause()
        for program in programs:
            if program.process.poll() is None:
                self.report.broken["stuck workers"] += 1
            program.clean_up()


@contextlib.contextmanager
def storm(plan: Plan, folder: Path) -> Iterator[Storm]:
    """Everything that a run needs, gone at the end.

    Args:
        plan: How much of everything.
        folder: Empty, and open to the user that PostgreSQL runs as.
    """
    queue = unique_queue()
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(servers.database(plan.database, folder))
        broker = stack.enter_context(servers.broker(plan.broker, folder))
        scene = Scene(folder, database.url, broker.url if broker else None, queue)
        stack.callback(scene.close)
        if plan.full_disks:
            stack.enter_context(disks.disk(folder / "disk", DISK))
            scene.journal = folder / "disk" / "journal"
        reset_clocks(scene)
        (folder / "results").mkdir()
        (folder / "ledger").mkdir()
        scene.migrate()
        yield Storm(plan, scene, database, broker)


def reset_clocks(scene: Scene) -> None:
    """All clocks show the time."""
    clock.write(_clock_file(scene), [0.0] * clock.CLOCKS)


def environment_of(
    scene: Scene, broker: servers.RedisBroker | None, **z4j: object
) -> dict[str, str]:
    """The environment of the programs; ``z4j`` goes into the setting ``Z4J``."""
    return {
        **scene.environment(**z4j),
        "DJANGO_SETTINGS_MODULE": f"{APP}.settings",
        "CHAOS_CLOCK": str(_clock_file(scene)),
        "CHAOS_RESULTS": broker.results if broker else f"file://{scene.folder / 'results'}",
    }


def _clock_file(scene: Scene) -> Path:
    return scene.folder / "clock"
