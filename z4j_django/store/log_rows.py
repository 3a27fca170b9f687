"""The logs of a batch, merged into one row for each attempt of a task: the newest stands. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from z4j_django.agent import events
from z4j_django.secrets import masking, redaction
from z4j_django.store import lives
from z4j_django.values import as_json, clean, identifier, moment

#: Lines of an attempt, characters of one, and bytes of all: as ``agent.task_logs`` has them.
_LINES: Final = 200
_LINE: Final = 4_200
_BYTES: Final = 64 * 1024


class LogRow(msgspec.Struct):
    """What an attempt wrote to its log."""

    project: str
    task_id: str
    attempt: int
    at: float
    lines: str
    dropped: int


class Logs:
    """Collects what the attempts of a batch wrote."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str, int], events.LogEvent] = {}

    def add(self, event: events.LogEvent, project: str) -> None:
        """Hear of the lines of an attempt."""
        key = (project, identifier(event.task_id), lives.attempt_of(event))
        known = self._newest.get(key)
        if known is None or event.at > known.at:
            self._newest[key] = event

    def rows(self, rules: masking.Rules) -> list[LogRow]:
        """A row for each attempt, sorted by key."""
        return [
            _row(key, event, list(_masked(event.lines[-_LINES:], rules)))
            for key, event in sorted(self._newest.items())
        ]


def _row(
    key: tuple[str, str, int], event: events.LogEvent, lines: list[tuple[float, str, str, str]]
) -> LogRow:
    """What fits of the lines, the newest of them; masked, they may be a little longer."""
    dropped = max(event.dropped, 0) + len(event.lines) - len(lines)
    size = sum(len(line[3].encode()) for line in lines)
    while lines and size > _BYTES:
        size -= len(lines.pop(0)[3].encode())
        dropped += 1
    return LogRow(*key, moment(event.at), as_json(lines), min(dropped, 2**31 - 1))


def _masked(
    lines: Sequence[events.LogLine], rules: masking.Rules
) -> Iterator[tuple[float, str, str, str]]:
    for line in lines:
        text = redaction.redact_text(line.text, _LINE, rules)
        yield moment(line.at), clean(line.level, 20), clean(line.logger, 100), text
