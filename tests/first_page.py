"""The admin's first page by itself."""

from __future__ import annotations

import pytest

from z4j_django.admin import fragments
from z4j_django.admin.room import reading
from z4j_django.watch import on_demand


def alone(patch: pytest.MonkeyPatch) -> list[str]:
    """Have it remember nothing, and make no round where nobody else does.

    Returns:
        The projects of which it would have made one.
    """
    asked: list[str] = []
    fragments.forget()
    reading.forget()
    patch.setattr(on_demand, "refresh_soon", asked.append)
    return asked
