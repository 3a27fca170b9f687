"""What a project's settings change of the API, which is little, and what it needs to run."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

HOSTILE = """
import django
from django.conf import settings

settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    USE_TZ=True,
    TIME_ZONE="Asia/Tokyo",
    ROOT_URLCONF="tests.urls",
    DATABASES={{"default": {{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:",
               "ATOMIC_REQUESTS": True}}}},
    INSTALLED_APPS=[
        "django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
        "django.contrib.messages", "django.contrib.sessions", "rest_framework", "z4j_django",
    ],
    MIDDLEWARE=["django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TEMPLATES=[{{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True}}],
    REST_FRAMEWORK={settings},
)
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from z4j_django.models import TaskRecord

TaskRecord.objects.create(task_id="a", name="shop.pay", sent_at=timezone.now())
user = User.objects.create_user("root", is_superuser=True)
client = Client()
anonymous = client.get("/z4j/api/tasks/")
client.force_login(user)
answers = [
    anonymous,
    client.get("/z4j/api/tasks/"),
    client.get("/z4j/api/tasks/a/"),
    client.get("/z4j/api/tasks/?format=xml"),
    client.get("/z4j/api/tasks/?version=9"),
    client.delete("/z4j/api/tasks/"),
    client.get("/z4j/api/tasks/?limit=0"),
    client.post("/z4j/api/nothing/", "<a/>", "text/xml"),
]
for answer in answers:
    print(answer.status_code, answer.headers["Content-Type"], answer.content.decode())
"""


def answers_under(rest_framework: str) -> list[list[str]]:
    script = HOSTILE.format(settings=rest_framework)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [line.split(" ", 2) for line in done.stdout.splitlines()]


def test_no_default_of_a_project_changes_what_is_answered() -> None:
    hostile = {
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.BrowsableAPIRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.FormParser"],
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.AllowAny"],
        "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.AnonRateThrottle"],
        "DEFAULT_THROTTLE_RATES": {"anon": "1/day"},
        "DEFAULT_METADATA_CLASS": "rest_framework.metadata.SimpleMetadata",
        "DEFAULT_VERSIONING_CLASS": "rest_framework.versioning.AcceptHeaderVersioning",
        "ALLOWED_VERSIONS": ["1"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
        "PAGE_SIZE": 1,
        "DEFAULT_FILTER_BACKENDS": ["rest_framework.filters.SearchFilter"],
        "EXCEPTION_HANDLER": "tests.integration.test_api_settings.no_handler",
        "DATETIME_FORMAT": "%Y",
        "UNICODE_JSON": False,
        "URL_FORMAT_OVERRIDE": "format",
        "FORMAT_SUFFIX_KWARG": "task_id",
        "NON_FIELD_ERRORS_KEY": "wrong",
        "UNAUTHENTICATED_USER": None,
    }
    plain = {
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"]
    }

    def timeless(answers: list[list[str]]) -> list[Any]:
        found = []
        for status, content_type, body in answers:
            told = json.loads(body)
            for row in told.get("results", [told]):
                if "sent_at" in row:
                    assert row["sent_at"].endswith("Z")
                    assert len(row["sent_at"]) == len("2026-11-01T12:00:00.000000Z")
                    row["sent_at"] = ""
            found.append((status, content_type, told))
        return found

    expected = timeless(answers_under(repr(plain)))
    statuses = ["403", "200", "200", "400", "400", "405", "400", "404"]
    assert [status for status, _, _ in expected] == statuses
    assert timeless(answers_under(repr(hostile))) == expected


def no_handler(error: Exception, context: Any) -> None:
    raise AssertionError("A project's handler was asked.")


def test_without_rest_framework_it_says_what_to_install() -> None:
    script = (
        "import sys; sys.modules['rest_framework'] = None\n"
        "import z4j_django\n"
        "try:\n    import z4j_django.api.urls\n"
        "except Exception as error:\n    print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == (
        "ImproperlyConfigured z4j_django.api needs the package rest_framework, which is not "
        "installed. Run: pip install djangorestframework drf-spectacular-sidecar"
    )


def test_nothing_else_needs_rest_framework() -> None:
    script = (
        "import sys\n"
        "sys.modules['rest_framework'] = None\n"
        "from django.conf import settings\n"
        "import django\n"
        "apps = ['admin', 'auth', 'contenttypes', 'messages', 'sessions']\n"
        "settings.configure(SECRET_KEY='x', ROOT_URLCONF='example_project.shop.urls',\n"
        "    DATABASES={'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}},\n"
        "    INSTALLED_APPS=[*(f'django.contrib.{app}' for app in apps), 'z4j_django'])\n"
        "django.setup()\n"
        "import pathlib\n"
        "for file in pathlib.Path('z4j_django').rglob('*.py'):\n"
        "    if 'api' not in file.parts:\n"
        "        __import__('.'.join(file.with_suffix('').parts))\n"
        "print('all')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "all", done.stderr[-2000:]
