"""What a shipper process leaves out."""

from __future__ import annotations

import json
import subprocess
import sys

from z4j_django import handover

SHIPPER = """
import json, sys
from z4j_django.agent import lean
lean.leave_out()
from z4j_django.store.writer import database_sink
sink = database_sink(sys.stdin.buffer.read())
from z4j_django.watch.watching import Watch
import kombu.transport.redis
unused = ("django.forms.", "django.template", "django.http", "django.core.mail")
unused += ("sqlparse.", "yaml", "redis.asyncio.client", "cffi", "opentelemetry")
import django
# Django's own checks and its wrapper of the database ask for these from 6.1 on.
asked_for = ("django.core.mail", "sqlparse.exceptions") if django.VERSION >= (6, 1) else ()
print(json.dumps(sorted(
    name
    for name, module in sys.modules.items()
    if module and name.startswith(unused) and not name.startswith(asked_for)
)))
"""
OTHERS = """
import sys
from z4j_django.agent import lean
lean.leave_out()
import sqlparse
import django.forms
from django import forms
from django.forms.fields import CharField
assert sqlparse.split("a; b") == ["a;", "b"], sqlparse.split("a; b")
assert forms.CharField is django.forms.CharField is CharField
import redis.asyncio.retry
from redis import asyncio
stand_in = redis.asyncio
assert type(stand_in) is not type(sys), "it is not left out"
assert redis.asyncio.Redis is asyncio.Redis is sys.modules["redis.asyncio"].Redis
assert redis.asyncio is sys.modules["redis.asyncio"] is not stand_in
assert redis.asyncio.retry is sys.modules["redis.asyncio.retry"] is stand_in.retry
"""


def test_a_shipper_process_loads_nothing_for_forms_pages_mail_and_asyncio() -> None:
    command = [sys.executable, "-c", SHIPPER]
    made = subprocess.run(command, input=handover.give(), capture_output=True, check=True)
    assert json.loads(made.stdout) == []


def test_what_was_left_out_is_there_for_whoever_asks_for_it() -> None:
    made = subprocess.run([sys.executable, "-c", OTHERS], capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


def test_what_is_loaded_already_is_left_alone() -> None:
    code = "import sqlparse.sql; from z4j_django.agent import lean; lean.leave_out()"
    code += "; import sys; assert sys.modules['sqlparse'].sql is sqlparse.sql"
    subprocess.run([sys.executable, "-c", code], check=True)
