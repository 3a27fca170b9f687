"""What a run of the harness found."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """The figures of a run, and what is wrong with them."""

    broker: str
    database: str
    seed: int
    tasks: int = 0
    ended: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    outages: int = 0
    outage_seconds: float = 0.0
    full_disks: int = 0
    events: int = 0
    #: Not on record, and not told as lost either.
    lost: int = 0
    #: Not on record; and told as lost, on a full disk.
    missing: int = 0
    #: Events of workers, and not of tasks, that could not be written.
    unwritten: int = 0
    told: int = 0
    doubled: int = 0
    untold: int = 0
    ahead: int = 0
    misled: int = 0
    #: Rows of statistics, each counter of which was held to the timeline.
    statistics: int = 0
    segments: int = 0
    seconds: float = 0.0
    #: What the phase with a full disk says, if it was run.
    full_disk: str = "not tried"
    #: All that is not as it was promised; lost and doubled events are told one by one.
    faults: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything is on record exactly once, and all counters agree."""
        return not (self.lost or self.doubled or self.faults)

    def as_json(self) -> str:
        """One JSON object."""
        return json.dumps({**vars(self), "passed": self.passed}, indent=2)

    def as_text(self) -> str:
        """For the eye."""
        missing = f"{self.missing:,} events missing, {self.unwritten} of workers themselves"
        losses = f"{missing}, {self.told:,} told as lost"
        rows = {
            "broker, database": f"{self.broker}, {self.database} (seed {self.seed})",
            "tasks published": f"{self.tasks:,}",
            "runs that ended": f"{self.ended:,}",
            "kills": f"{self.kills.total()} ({_counts(self.kills)})",
            "outages": f"{self.outages}, {self.outage_seconds:.0f} s in all",
            "broken besides": _counts(self.broken) or "nothing",
            "full disks": f"{self.full_disks}, {losses}",
            "events on record": f"{self.events:,}",
            "lost": self.lost,
            "doubled": self.doubled,
            "ends not told": f"{self.untold} (killed between the task's last line and its signal)",
            "ahead of the ledger": f"{self.ahead} (killed between the signal and the ledger)",
            "order misled by clocks": self.misled,
            "statistics compared": f"{self.statistics:,}",
            "segments read to the end": self.segments,
            "seconds": f"{self.seconds:.0f}",
            "a small disk": self.full_disk,
            "verdict": "passed" if self.passed else "FAILED",
        }
        width = max(map(len, rows)) + 2
        lines = [f"{name:{width}}{value}" for name, value in rows.items()]
        return "\n".join([*lines, *self.faults])


def _counts(counted: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counted.most_common())
