"""Prints the lowest versions that ``pyproject.toml`` promises, as constraints for pip.

What only tests and tools want is left to be the newest.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_PROJECT: Final = Path(__file__).resolve().parent.parent / "pyproject.toml"
#: The extras that a project may install.
_EXTRAS: Final = ("api", "metrics", "results", "beat")
_AT_LEAST: Final = re.compile(r"([\w-]+)>=([\d.]+)")


def constraints() -> Iterator[str]:
    """Of each requirement the version that it begins with."""
    project = tomllib.loads(_PROJECT.read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in _EXTRAS:
        wanted += project["optional-dependencies"][extra]
    for requirement in wanted:
        found = _AT_LEAST.fullmatch(requirement)
        if found is None:
            raise SystemExit(f"{requirement!r} names no lowest version.")
        yield f"{found[1]}=={found[2]}"


if __name__ == "__main__":
    print("\n".join(constraints()))
