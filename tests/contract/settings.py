"""The site of the scenes, with the API's page besides."""

from __future__ import annotations

from typing import Any

from tests.process.project.site.settings import *  # noqa: F403  # as the other tests have it
from tests.process.project.site.settings import INSTALLED_APPS as OF_SITE

INSTALLED_APPS = [*OF_SITE, "drf_spectacular_sidecar"]
STATIC_URL = "static/"
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    # It asks as often as it can.
    "DEFAULT_THROTTLE_RATES": {"z4j_read": None, "z4j_operate": None},
}
