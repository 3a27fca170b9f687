"""Small disks of their own, which run full; for root only."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

#: How often a disk is made smaller in vain, as someone wrote in between.
_TRIES: Final = 50


def can_mount() -> bool:
    """Whether this user may mount a disk of a few pages."""
    return os.geteuid() == 0 and sys.platform == "linux"


def room(folder: Path) -> int:
    """Blocks that are free on the disk of ``folder``."""
    return os.statvfs(folder).f_bavail


def resize(folder: Path, size: str) -> None:
    """Give the disk on ``folder`` another size, as ``mount`` has it."""
    _mount(folder, f"remount,size={size}")


def fill(folder: Path) -> None:
    """Make the disk on ``folder`` as small as what is on it."""
    for _ in range(_TRIES):
        found = os.statvfs(folder)
        with contextlib.suppress(subprocess.CalledProcessError):
            resize(folder, str((found.f_blocks - found.f_bfree) * found.f_frsize))
            return
    raise RuntimeError(f"{folder} can't be filled.")


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A disk on ``folder``, which is made."""
    folder.mkdir(mode=0o700)
    _mount(folder, f"size={size},mode=0700")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _mount(folder: Path, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    subprocess.run(command, check=True, capture_output=True)
