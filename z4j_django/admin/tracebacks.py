"""A traceback in parts: the project's own frames stand out, those of libraries are folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from django.utils.translation import ngettext

from z4j_django.admin.formatting import bounded
from z4j_django.store import fingerprints

#: A frame, as Python writes it; that of a group of exceptions stands in a margin.
_FRAME: Final = re.compile(r'(?P<margin>[ |+]*)File "(?P<path>[^"\n]+)", line \d+')

Kind = Literal["own", "library", "text"]


@dataclass
class Part:
    """Some lines of a traceback that belong together.

    Attributes:
        kind: Frames of the project's own code, or of libraries; or what stands between frames.
        text: The lines.
        frames: How many frames.
    """

    kind: Kind
    text: str
    frames: int = 0

    @property
    def folded(self) -> str:
        """What stands for frames of libraries until they are unfolded."""
        words = ngettext(
            "%(count)s frame of libraries", "%(count)s frames of libraries", self.frames
        )
        return words % {"count": self.frames}


def parts(traceback: str, name: str) -> list[Part]:
    """The parts of a traceback of a task, in their order.

    Args:
        traceback: As Python writes it.
        name: The task's name, whose package is the project's own even where it is installed.
    """
    found: list[Part] = []
    for kind, line, begins in _lines(bounded(traceback), name):
        if not found or found[-1].kind != kind:
            found.append(Part(kind, line))
        else:
            found[-1].text += f"\n{line}"
        found[-1].frames += begins
    return [one for one in found if one.text.strip()]


def _lines(traceback: str, name: str) -> Iterator[tuple[Kind, str, bool]]:
    kind: Kind = "text"
    depth = 0
    for line in traceback.splitlines():
        frame = _FRAME.match(line)
        if frame is not None:
            kind = "own" if fingerprints.is_own(frame["path"], name) else "library"
            depth = len(frame["margin"])
        elif line[: depth + 1].strip(" |+") or not line.strip(" |+"):
            kind = "text"
        yield kind, line, frame is not None
