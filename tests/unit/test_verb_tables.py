"""The tables of verbs and conditions in the docs are those that the declarations make."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "docs"))
import verb_tables


@pytest.mark.parametrize("page", verb_tables.pages(), ids=lambda page: page.name)
def test_a_page_has_the_tables_that_the_declarations_make(page: Path) -> None:
    written = page.read_text()
    assert verb_tables.filled(written) == written, "Run `make verb-tables`."
