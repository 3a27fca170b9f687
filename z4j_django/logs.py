"""Loggers that a project's logging does not switch off by accident."""

from __future__ import annotations

import logging


class _Logger(logging.Logger):
    """A logger that stays on.

    ``dictConfig`` switches off each logger that was there before and that it does not name, unless
    it is told not to; ours are there before Django configures logging. Levels, handlers and
    propagation are the project's, as ever.
    """

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        pass


def logger(name: str) -> logging.Logger:
    """The logger of that name; no module of ours asks ``logging`` itself for one."""
    found = logging.getLogger(name)
    found.__class__ = _Logger
    return found
