"""The way from the settings to a record, step by step."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final

from z4j_django import logs
from z4j_django.diagnosis import broker, journal, probe, project
from z4j_django.diagnosis.findings import Finding, Visit, error, reason
from z4j_django.secrets.masking import mask_text

Step = Callable[[Visit], Iterator[Finding]]

#: In order; each finds in the visit what those before it have found out.
STEPS: Final[tuple[tuple[str, Step], ...]] = (
    ("settings", project.settings),
    ("celery app", project.celery_app),
    ("database", project.database),
    ("broker", broker.broker),
    ("remote control", broker.remote_control),
    ("journal", journal.directory),
    ("shipper", journal.lease),
    ("lag", journal.lag),
    ("health", journal.elsewhere),
    ("set aside", journal.dead),
    ("probe", probe.probe),
)


def walk(visit: Visit) -> Iterator[tuple[str, Finding]]:
    """Every finding with the name of its step, as it comes."""
    with _listening(visit.log):
        for name, step in STEPS:
            try:
                for finding in step(visit):
                    yield name, finding
            except Exception as problem:  # a diagnosis must not need a diagnosis
                what = f"This step could not be made: {reason(problem)}"
                yield name, error(what, "See the lines above.")


@contextlib.contextmanager
def _listening(lines: list[str]) -> Iterator[None]:
    """Keep what the agent and the discovery log; nothing else is printed meanwhile."""
    ours = [logs.logger("z4j_django"), logs.logger("z4j")]
    handler = _Lines(lines)
    propagated = [logger.propagate for logger in ours]
    for logger in ours:
        logger.addHandler(handler)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, propagate in zip(ours, propagated, strict=True):
            logger.removeHandler(handler)
            logger.propagate = propagate


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(mask_text(" ".join(record.getMessage().split())))
