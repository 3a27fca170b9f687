"""Tells those whose files are the parent's, in a forked child, to let go of them."""

from __future__ import annotations

import contextlib
import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """What must not be used in a forked child as it was in the parent."""

    def after_fork(self) -> None:
        """Let go of what is the parent's, in the child."""


_holders: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def tell(holder: ForkAware) -> None:
    """Have ``holder`` told in each child that this process forks."""
    _holders.add(holder)


def after_fork() -> None:
    """Let go of all that is the parent's, in the child; Python's own forks call this themselves."""
    for holder in list(_holders):
        with contextlib.suppress(OSError):
            holder.after_fork()


os.register_at_fork(after_in_child=after_fork)
