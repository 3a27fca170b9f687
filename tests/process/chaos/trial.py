"""A storm and its verdict."""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from tests.process.chaos import accounting, disks, full_disk
from tests.process.chaos.ledger import FINISHES
from tests.process.chaos.report import Report
from tests.process.chaos.storm import Plan, Storm, storm
from tests.process.harness.scene import Scene
from z4j_django.models import JournalLoss

#: Faults of one kind that are told in full.
_TOLD: Final = 20


def run(plan: Plan, keep: bool = False) -> Report:
    """Run a storm, and hold the records to the ledger.

    Args:
        plan: How much of everything.
        keep: Whether to leave all files behind.
    """
    folder = Path(tempfile.mkdtemp(prefix="z4j-chaos-"))
    folder.chmod(0o711)  # PostgreSQL runs as a user of its own
    began = time.monotonic()
    with storm(plan, folder) as raging:
        raging.run()
        report = _judge(raging)
    report.seconds = time.monotonic() - began
    if keep:
        print(f"All files are in {folder}.", file=sys.stderr)
    else:
        shutil.rmtree(folder)
    return report


def fill_a_disk(report: Report) -> None:
    """Add to a report what a full disk does, where this user can have one."""
    if not disks.can_mount():
        report.full_disk = "skipped: only root may mount a small one"
        return
    with tempfile.TemporaryDirectory(prefix="z4j-chaos-") as folder:
        outcome = full_disk.run(Path(folder))
    report.full_disk = outcome.as_text()
    report.faults += [f"full disk: {fault}" for fault in outcome.faults]


def _judge(raging: Storm) -> Report:
    report, ledger, records = raging.report, raging.ledger, raging.scene.records
    verdict = accounting.compare_events(ledger, records)
    accounting.compare_records(ledger, records, verdict)
    report.tasks = len(ledger.task_ids)
    report.ended = sum(ledger.counted[kind] for kind in FINISHES)
    report.events = verdict.events
    report.doubled = verdict.doubled.total()
    report.untold, report.ahead = verdict.untold, verdict.ahead
    report.misled = len(verdict.misled)
    report.full_disks = len(raging.full)
    _weigh_losses(raging, verdict)
    report.faults += [f"doubled: {key} x {n}" for key, n in verdict.doubled.most_common(_TOLD)]
    report.faults += [f"wrong: {text}" for text in verdict.wrong[:_TOLD]]
    report.statistics = records.statistics.count()
    wrong = accounting.compare_statistics(records)
    report.faults += [f"wrong: {text}" for text in wrong[:_TOLD]]
    report.faults += _what_is_left(raging)
    return report


def _weigh_losses(raging: Storm, verdict: accounting.Verdict) -> None:
    """What is missing is told, if the disk was full; and is not missing at all, if it never was.

    Whoever was killed on a full disk may have lost an event and not counted it, or counted one that
    the ledger has not. What workers say of themselves is told, too, and the ledger counts it apart.
    """
    report, losses = raging.report, _losses(raging.scene)
    report.told, report.missing = sum(loss.count for loss in losses), verdict.lost.total()
    report.unwritten = raging.ledger.unwritten
    cut = accounting.cut_short(raging.ledger, raging.full)
    report.lost = max(0, report.missing + report.unwritten - report.told - cut)
    if report.lost:
        lost = verdict.lost.most_common(_TOLD)
        report.faults += [f"lost: {key} x {count}" for key, count in lost]
    granted = verdict.untold + cut if raging.full else 0
    if report.told > report.missing + report.unwritten + granted:
        told = [f"{loss.count} {loss.reason} {loss.detail}" for loss in losses[:_TOLD]]
        report.faults.append(f"told as lost, and {report.missing:,} are missing: {told}")


def _what_is_left(raging: Storm) -> list[str]:
    """Shippers, segments, losses, and cursors that do not stand at the end of their segment."""
    scene, faults = raging.scene, []
    if scene.shippers():
        faults.append(f"shippers are left: {scene.shippers()}")
    if scene.segments():
        faults.append(f"segments are left: {scene.segments()}")
    cursors = dict(scene.records.cursors.values_list("segment", "offset"))
    for path in raging.kept.iterdir():
        size = path.stat().st_size
        raging.report.segments += 1
        if cursors.get(path.stem, _header(path)) != size:
            faults.append(f"{path.stem} has {size} bytes, its cursor: {cursors.get(path.stem)}")
    return faults


def _losses(scene: Scene) -> list[JournalLoss]:
    return list(JournalLoss.objects.using(scene.records.alias))


def _header(path: Path) -> int:
    """Bytes of a segment's first line: one without any event needs no cursor."""
    with path.open("rb") as file:
        return len(file.readline())
