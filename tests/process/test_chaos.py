"""The chaos harness in its short form; ``make chaos`` runs the long one."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.process.chaos import disks, full_disk, servers, trial
from tests.process.chaos.storm import Plan
from tests.process.harness.servers import cannot


def test_a_storm_over_redis_and_postgresql_loses_nothing_and_doubles_nothing() -> None:
    if not shutil.which("redis-server"):
        cannot("There is no redis-server.")
    try:
        servers.postgresql_programs()
    except FileNotFoundError as error:
        cannot(str(error))
    full_disks = 3 if disks.can_mount() else 0
    plan = Plan("redis", "postgresql", seed=1, tasks=20_000, kills=210, full_disks=full_disks)
    report = trial.run(plan)
    print(report.as_text())
    assert report.faults == []
    assert (report.lost, report.doubled) == (0, 0)
    assert report.tasks >= 20_000
    assert report.kills.total() >= 200
    assert report.outages == 3
    assert bool(report.told) == bool(full_disks)


def test_a_storm_over_files_and_sqlite_loses_nothing_and_doubles_nothing() -> None:
    plan = Plan("filesystem", "sqlite", seed=1, tasks=2_000, kills=20, outage=5.0)
    report = trial.run(plan)
    print(report.as_text())
    assert report.faults == []
    assert (report.lost, report.doubled) == (0, 0)
    assert report.outages == 3


def test_a_full_disk_loses_what_it_counts_and_harms_no_task(tmp_path: Path) -> None:
    if not disks.can_mount():
        cannot("Only root may mount a small disk.")
    outcome = full_disk.run(tmp_path)
    print(outcome.as_text())
    assert outcome.faults == []
