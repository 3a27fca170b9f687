"""The journal's disk is full for a while: what is lost is counted, and no task is harmed."""

from __future__ import annotations

import contextlib
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.process.chaos import accounting, disks, servers
from tests.process.chaos.ledger import ENDS, Ledger
from tests.process.chaos.storm import APP, DEPTH, environment_of, reset_clocks
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import Scene, unique_queue
from tests.process.harness.waiting import wait_until
from z4j_django.models import JournalLoss

#: The disk, and what it grows to when there is room again.
SMALL: Final = "512k"
LARGE: Final = "256m"
#: Lines of the ledger to wait for in each stage: on a full disk, and with room again.
LINES: Final = 600
#: Tasks after which a pool's process is replaced, and takes what it counted along.
LIFE: Final = 60


@dataclass(frozen=True)
class Outcome:
    """What a full disk left.

    Attributes:
        ended: Runs of tasks that ended.
        unended: Runs that began and did not end, and sends that nobody ran.
        missing: Events of tasks that happened and are not on record.
        unwritten: Events of the worker itself that could not be written, its heartbeats above all.
        told: Events that are on record as lost: not written, or in part.
        doubled: Events on record that did not happen.
    """

    ended: int
    unended: int
    missing: int
    unwritten: int
    told: int
    doubled: int

    @property
    def faults(self) -> list[str]:
        """All that is not as it was promised."""
        faults = []
        if not self.missing:
            faults.append("the disk was never full")
        if self.missing + self.unwritten != self.told:
            missing = f"{self.missing} events of tasks and {self.unwritten} of the worker"
            faults.append(f"{missing} are missing, and {self.told} told as lost")
        if self.doubled:
            faults.append(f"{self.doubled} events are on record that never happened")
        if self.unended:
            faults.append(f"{self.unended} tasks did not end")
        return faults

    def as_text(self) -> str:
        """For the eye."""
        return (
            f"{self.ended:,} runs ended, {self.missing:,} events could not be written, "
            f"{self.unwritten} of the worker itself neither, "
            f"{self.told:,} are told as lost, {self.doubled} doubled"
        )


def run(folder: Path) -> Outcome:
    """Fill the disk under a worker and a publisher, give it room again, and count."""
    database = servers.SQLite(folder / "db.sqlite3")
    scene = Scene(folder, database.url, None, unique_queue())
    with contextlib.closing(scene), disks.disk(scene.journal, SMALL):
        for name in ("results", "ledger"):
            (folder / name).mkdir()
        reset_clocks(scene)
        scene.migrate()
        environment = environment_of(scene, None, SHIPPER="external")
        ledger = Ledger(folder / "ledger")
        worker, publisher = _start(scene, environment)
        wait_until(lambda: not disks.room(scene.journal), PATIENCE, "a full disk")
        _wait_for_lines(ledger)
        _drain(scene)
        wait_until(lambda: not disks.room(scene.journal), PATIENCE, "a disk that is full again")
        disks.resize(scene.journal, LARGE)
        _wait_for_lines(ledger)
        _stop(worker, publisher, ledger)
        _drain(scene)
        return _count(ledger, scene)


def _drain(scene: Scene) -> None:
    """Store what is there, from a process that begins on the full disk."""
    drained = scene.run(sys.executable, "-m", "django", "z4j_ship", "--drain")
    assert drained.returncode == 0, drained.stdout + drained.stderr


def _start(scene: Scene, environment: dict[str, str]) -> tuple[Program, Program]:
    options = ["-P", "prefork", "-c", "2", "-l", "WARNING", "--without-heartbeat"]
    options += ["--max-tasks-per-child", str(LIFE)]
    command = [sys.executable, "-m", "celery", "-A", APP, "worker", "-n", scene.hostname()]
    worker = scene.start(*command, *options, name="worker", environment=environment)
    depth = str(DEPTH["filesystem"])
    command = [sys.executable, "-m", f"{APP}.publisher", "1", depth]
    return worker, scene.start(*command, name="publisher", environment=environment)


def _wait_for_lines(ledger: Ledger) -> None:
    """Wait until some more was done."""

    def count() -> int:
        ledger.read_on()
        return sum(len(life.lines) for life in ledger.lives.values())

    before = count()
    wait_until(lambda: count() - before > LINES, PATIENCE, "some more tasks")


def _stop(worker: Program, publisher: Program, ledger: Ledger) -> None:
    publisher.stop()

    def all_have_ended() -> bool:
        ledger.read_on()
        return not ledger.waiting

    wait_until(all_have_ended, PATIENCE, "a start of every task")
    worker.process.send_signal(signal.SIGTERM)
    worker.wait()
    ledger.read_on()


def _count(ledger: Ledger, scene: Scene) -> Outcome:
    verdict = accounting.compare_events(ledger, scene.records)
    losses = JournalLoss.objects.using(scene.records.alias)
    counted = ledger.counted
    ended = sum(counted[kind] for kind in ENDS)
    return Outcome(
        ended=ended,
        unended=counted["started"] - ended + len(ledger.waiting),
        missing=verdict.lost.total() + verdict.untold,
        unwritten=ledger.unwritten,
        told=sum(losses.values_list("count", flat=True)),
        doubled=verdict.doubled.total() + verdict.ahead,
    )
