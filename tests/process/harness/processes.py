"""Worker, beat and other programs of a test, and the shippers they start."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.process.harness.waiting import wait_until

REPOSITORY: Final = Path(__file__).parents[3]
#: Seconds that a program may take to start or to stop on a busy machine.
PATIENCE: Final = 40.0


class Program:
    """A program that runs until it is stopped, with its output in a file.

    Args:
        arguments: Its command line.
        environment: Its environment, whole.
        log: Where its output goes.
        directory: Where it runs.
        given: What its standard input holds.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        directory: Path = REPOSITORY,
        given: bytes = b"",
    ) -> None:
        self.log = log
        with log.open("ab") as output, tempfile.TemporaryFile() as source:
            source.write(given)
            source.seek(0)
            self.process = subprocess.Popen(
                arguments,
                env=environment,
                cwd=directory,
                stdin=source,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The id of the main process."""
        return self.process.pid

    def output(self) -> str:
        """All that it has said."""
        return self.log.read_text(errors="replace")

    def wait_for_output(self, text: str) -> None:
        """Wait until it has said ``text``."""

        def said() -> bool:
            assert self.process.poll() is None, f"it ended ({self.process.returncode}) early"
            return text in self.output()

        wait_until(said, PATIENCE, f"{text!r} in {self.log.name}")

    def terminate(self) -> None:
        """Ask it to end."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; the exit code."""
        return self.process.wait(PATIENCE)

    def stop(self) -> None:
        """Ask it to end, and see that it ends well."""
        self.terminate()
        assert self.wait() == 0, f"it ended with {self.process.returncode}"

    def kill(self) -> None:
        """Kill the main process, and nothing else."""
        self.process.kill()
        self.process.wait()

    def clean_up(self) -> None:
        """Leave nothing of it behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def children(pid: int) -> list[int]:
    """The processes that ``pid`` has started and that have not ended."""
    found: list[int] = []
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, thread.read_text().split())
    return [child for child in found if not _is_over(child)]


def shippers(journal: Path) -> list[int]:
    """The shipper processes of a journal."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().split(b"\0")
                named = any(word.startswith(b"z4j_django.agent.shipper") for word in words)
                path = os.fsencode(journal)
                if named and any(word.rpartition(b"=")[2] == path for word in words):
                    found.append(int(folder.name))
    return found


def kill(pid: int) -> None:
    """Kill a process that may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_over(pid: int) -> bool:
    """Whether a process is dead and only waits to be noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
