"""A project without ``django.contrib.admin``: all but the pages.

That tasks are recorded and operated there, the process tests show, whose project has none either.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import json
import sys
import types

import django
from django.conf import settings
from django.urls import include, path

sys.modules["routes"] = routes = types.ModuleType("routes")
settings.configure(
    SECRET_KEY="x",
    ALLOWED_HOSTS=["*"],
    LOGIN_URL="/sign-in/",
    ROOT_URLCONF="routes",
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[1]}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "z4j_django"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    Z4J={"ENABLED": False},
)
django.setup()
routes.urlpatterns = [path("z4j/", include("z4j_django.api.urls"))]
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from rest_framework.test import APIClient
from z4j_django import operations
from z4j_django.models import Operation, TaskRecord

call_command("check")
call_command("migrate", verbosity=0)
TaskRecord.objects.create(task_id="a", name="shop.pay", state="FAILURE")
user = User.objects.create_user("ann")
client = APIClient()
client.force_authenticate(user)
found = {"stranger": client.get("/z4j/tasks/").status_code}
user.groups.add(Group.objects.get(name="z4j operator"))
user = User.objects.get()
client.force_authenticate(user)
for name in ("tasks", "tasks/a", "groups", "workers", "operations", "health", "schema"):
    found[name] = client.get(f"/z4j/{name}/").status_code
found["docs"] = "/sign-in/" in APIClient().get("/z4j/docs/").content.decode()
found["retry"] = client.post("/z4j/tasks/a/retry/", {}, format="json").status_code
operation = operations.retry("a", actor=user)
found["trail"] = [(one.surface, one.actor, one.refused) for one in Operation.objects.order_by("id")]
for command in (["z4j_tasks", "state:FAILURE"], ["z4j_status"], ["z4j_doctor", "--no-probe"],
                ["z4j_retry", "a", "--actor", "ann", "--yes"]):
    with open("/dev/null", "w") as nowhere:
        try:
            call_command(*command, stdout=nowhere)
            found[command[0]] = 0
        except SystemExit as ended:
            found[command[0]] = ended.code
print(json.dumps(found))
"""


def test_everything_but_the_pages_works(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "db.sqlite3")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    names = ("tasks", "tasks/a", "groups", "workers", "operations", "health", "schema")
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "stranger": 403,
        **dict.fromkeys(names, 200),
        "docs": True,
        "retry": 409,  # its message was not kept
        "trail": [["api", "ann", 1], ["python", "ann", 1]],
        "z4j_tasks": 0,
        "z4j_status": 0,
        "z4j_doctor": 1,  # it has no Celery app
        "z4j_retry": 1,  # refused, as twice before
    }
