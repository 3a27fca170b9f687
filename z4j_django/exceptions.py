"""The errors that this package raises on purpose. The docstring is the default message."""

from __future__ import annotations


class Z4JError(Exception):
    """z4j_django could not do what was asked."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class JournalError(Z4JError):
    """The journal directory can't be used."""


class SegmentError(Z4JError):
    """A journal segment can't be read."""


class UnstorableError(Z4JError):
    """The sink can't take this batch, now or later."""


class DiscoveryError(Z4JError):
    """The project's Celery app was not found."""


class OperationError(Z4JError):
    """The operation was refused as a whole; nothing was done."""


class SealError(Z4JError):
    """The sealed message can't be opened: SECRET_KEY changed, and its old value is no fallback."""
