"""The errors that this package raises on purpose. The docstring is the default message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

#: Characters that are quoted of a term which can't be read.
_TERM_LENGTH: Final = 100


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


class OptionsError(OperationError):
    """What was asked for makes no sense.

    Attributes:
        errors: What is wrong, as a sentence, by the name of the option.
    """

    def __init__(self, errors: Mapping[str, str]) -> None:
        self.errors = dict(errors)
        super().__init__(" ".join(f"{name}: {reason}" for name, reason in self.errors.items()))


class FilterError(Z4JError):
    """The filter can't be read.

    Attributes:
        term: The term that is wrong, as it was typed; a long one is cut.
        position: The column at which it begins, from 1; 0 where it stands alone.
        expected: What would be right.
    """

    def __init__(self, term: str, position: int, expected: str) -> None:
        self.term = term if len(term) <= _TERM_LENGTH else term[:_TERM_LENGTH] + "…"
        self.position = position
        self.expected = expected
        place = f"At {position}, " if position else ""
        super().__init__(f'{place}"{self.term}": expected {expected}.')


class SealError(Z4JError):
    """The sealed message can't be opened: SECRET_KEY changed, and its old value is no fallback."""
