"""Settings of every tier."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Speed lives in bench/: a machine that pauses for a moment must not fail a test.
settings.register_profile("z4j", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("z4j")

# Those want other packages and settings of their own: `make themes`.
collect_ignore = [] if os.environ.get("THEME") else ["themes"]
