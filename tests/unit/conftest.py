"""A journal, and what ships it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sinks import MemorySink
from z4j_django.agent import journal


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
def writer(directory: Path) -> journal.Journal:
    return journal.Journal(directory, "shop")


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def shared() -> Iterator[Path]:
    """A directory in which everyone may make files, as /tmp is one."""
    path = Path(tempfile.mkdtemp(dir="/var/tmp"))
    path.chmod(0o1777)
    yield path
    shutil.rmtree(path)
