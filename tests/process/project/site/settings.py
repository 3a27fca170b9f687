"""What the workers have, and besides what a site needs."""

from __future__ import annotations

from typing import Any

from tests.process.project.settings import *  # noqa: F403  # as the workers have it
from tests.process.project.settings import INSTALLED_APPS as OF_WORKERS
from tests.process.project.settings import Z4J as OF_SCENE

Z4J = {**OF_SCENE, "METRICS_TOKEN": "a-token-that-nobody-guesses"}

DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.process.project.site.urls"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick logins
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    *OF_WORKERS,
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    # A test that waits asks often.
    "DEFAULT_THROTTLE_RATES": {"z4j_read": None, "z4j_operate": None},
}
