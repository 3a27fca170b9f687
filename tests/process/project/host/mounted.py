"""The same with our API beside its own."""

from __future__ import annotations

from tests.process.project.host.settings import *  # noqa: F403  # all else is the same

ROOT_URLCONF = "tests.process.project.host.mounted_urls"
