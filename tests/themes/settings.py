"""The tests' project under a theme of the admin, which ``THEME`` names."""

from __future__ import annotations

import os

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS, MIDDLEWARE

#: The apps that each theme wants before the admin's.
APPS = {
    "stock": [],
    "unfold": ["unfold"],
    "jazzmin": ["jazzmin"],
    "grappelli": ["grappelli"],
    "admin_interface": ["admin_interface", "colorfield"],
    "simpleui": ["simpleui"],
}

THEME = os.environ.get("THEME", "stock")
INSTALLED_APPS = [*APPS[THEME], *INSTALLED_APPS]
# A dialog in a frame, as django-admin-interface opens related objects.
X_FRAME_OPTIONS = "SAMEORIGIN"
if THEME == "grappelli":
    ROOT_URLCONF = "tests.themes.urls"
# A theme may style and script its own pages inline.
MIDDLEWARE = [name for name in MIDDLEWARE if name != "tests.policy.middleware"]
# The tests ask no other host for fonts.
JAZZMIN_SETTINGS = {"use_google_fonts_cdn": False}
JAZZMIN_UI_TWEAKS = {"default_theme_mode": "auto"}
