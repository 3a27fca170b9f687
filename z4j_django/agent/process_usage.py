"""A command of remote control: what the processes of a worker use, as its host tells.

Only workers import this; it is Celery's own ``stats`` that knows of no process but the main one.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, Final

from celery.worker.control import inspect_command

#: What it is called.
COMMAND: Final = "z4j_processes"
#: Processes of one pool that are told of.
_MOST: Final = 200
_PROC: Final = Path("/proc")


@inspect_command(name=COMMAND)  # type: ignore[untyped-decorator]  # Celery has no types here
def processes(state: Any, **kwargs: Any) -> dict[str, Any]:
    """The load of the host, and memory and CPU of the main process and of its pool."""
    pool: list[int] = []
    with contextlib.suppress(Exception):  # a pool of the project's own
        pool = [int(pid) for pid in state.consumer.pool.info.get("processes", ())]
    load: list[float] = []
    with contextlib.suppress(OSError):
        load = [round(one, 2) for one in os.getloadavg()]
    found = [_usage(pid) for pid in pool[:_MOST]]
    return {
        "load": load,
        "cpus": os.cpu_count(),
        "main": _usage(os.getpid()) or _own(),
        "pool": [one for one in found if one],
    }


def _usage(pid: int) -> dict[str, Any]:
    """Bytes of memory, and seconds of CPU and of its life; nothing where no ``/proc`` tells."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        since_boot = time.clock_gettime(time.CLOCK_BOOTTIME)
        return {
            "pid": pid,
            "memory": pages * os.sysconf("SC_PAGE_SIZE"),
            "cpu": round((int(fields[11]) + int(fields[12])) / ticks, 2),
            "age": round(since_boot - int(fields[19]) / ticks, 1),
        }
    except (OSError, ValueError, IndexError, AttributeError):
        return {}


def _own() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1 if sys.platform == "darwin" else 1024
    cpu = round(used.ru_utime + used.ru_stime, 2)
    return {"pid": os.getpid(), "memory": used.ru_maxrss * unit, "cpu": cpu, "age": None}
