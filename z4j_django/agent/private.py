"""A directory that no other user can read, or plant anything in."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from z4j_django.exceptions import JournalError


def make(directory: Path) -> None:
    """Make ``directory``, and see to it that nobody else can read or plant anything in it.

    Raises:
        JournalError: If it is a link, another user's, or open to others.
    """
    missing = [path for path in directory.parents if not path.exists()]
    for path in (*reversed(missing), directory):
        with contextlib.suppress(FileExistsError):  # made meanwhile; or no directory, see below
            path.mkdir(mode=0o700)
    found = directory.lstat()
    if not stat.S_ISDIR(found.st_mode):
        raise JournalError(f"The journal directory {directory} is not a directory; move it away.")
    if found.st_uid != os.geteuid():
        raise JournalError(
            f"The journal directory {directory} belongs to user {found.st_uid}, not to "
            f"{os.geteuid()}; set Z4J['JOURNAL_DIR'] to a directory of your own."
        )
    if found.st_mode & 0o077:
        raise JournalError(
            f"The journal directory {directory} is open to other users "
            f"({stat.S_IMODE(found.st_mode):o}); run: chmod 700 {directory}"
        )
