"""The port behind a shipper: where batches go, and what is told of the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from z4j_django.agent.batching import Slice


class Status(msgspec.Struct, frozen=True):
    """How a journal stands."""

    host: str
    directory: str
    #: The process that ships.
    pid: int
    #: Seconds since the epoch.
    at: float
    segments: int
    #: Bytes on disk, and bytes of them that are not stored yet.
    size: int
    pending: int
    #: Time of the oldest event that is not stored yet.
    oldest: float | None
    #: Bytes that it may take, and bytes that its disk has left.
    limit: int | None = None
    free: int | None = None


class Sink(Protocol):
    """Where batches go. Whatever else it raises means: not now, try again; but see ``refuses``."""

    @property
    def reads_ahead(self) -> bool:
        """Whether a batch is worth being made ready while another is stored."""

    def positions(self, segments: Sequence[str]) -> Mapping[str, int]:
        """The byte up to which each of ``segments`` is stored; those unknown may be left out."""

    def prepare(self, batch: Sequence[Slice]) -> Any:
        """Make a batch ready to be stored, in any thread, without the store."""

    def apply(self, batch: Sequence[Slice], prepared: Any = None) -> Mapping[str, int]:
        """Store the slices that begin where their segment stands, all of them or none.

        Args:
            batch: The slices.
            prepared: What :meth:`prepare` made of them, if it was called.

        Returns:
            The byte up to which each segment of the batch is stored now.

        Raises:
            UnstorableError: If something in the batch can never be stored.
        """

    def refuses(self, error: Exception) -> bool:
        """Whether the store is well, so that ``error`` must be the batch's own fault.

        Asked where :meth:`apply` has raised something else for some time.
        """

    def report(self, status: Status) -> None:
        """Keep the newest status of a journal."""

    def forget(self, segments: Sequence[str]) -> None:
        """Take note that ``segments`` are deleted: nobody will ask where they stand."""

    def housekeep(self) -> None:
        """Do a little of what keeps the store small."""

    def end(self) -> None:
        """Leave to others what one shipper does for all: this one ends."""

    def close(self) -> None:
        """Let go of connections; the next call may open them again."""
