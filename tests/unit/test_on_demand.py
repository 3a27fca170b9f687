"""Who looks at a project where nobody else does."""

from __future__ import annotations

import threading

import pytest

from tests.unit.test_journal import in_child
from z4j_django.watch import on_demand


def test_a_look_that_goes_on_at_a_fork_is_the_parents_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    over, looked = threading.Event(), threading.Event()

    def refresh(project: str) -> None:
        if project == "child":
            looked.set()
        over.wait(60)

    monkeypatch.setattr(on_demand, "refresh", refresh)

    def look() -> int:
        on_demand.refresh_soon("child")
        return 0 if looked.wait(10) else 1

    try:
        on_demand.refresh_soon("parent")
        on_demand.refresh_soon("child")
        assert not looked.is_set()
        assert in_child(look) == 0
    finally:
        over.set()
