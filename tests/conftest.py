"""Settings of every tier."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from celery import _state
from hypothesis import HealthCheck, settings

# Speed lives in bench/: a machine that pauses for a moment must not fail a test.
settings.register_profile("z4j", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("z4j")


@pytest.fixture(autouse=True)
def _current_app() -> Iterator[None]:
    """Whatever app a test makes the current one, the next test has the one that there was."""
    before = _state._tls.current_app
    yield
    _state._tls.current_app = before


# Those want other packages and settings of their own: `make themes`.
collect_ignore = [] if os.environ.get("THEME") else ["themes"]
