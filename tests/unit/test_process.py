"""Which processes record."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import click
import pytest

from z4j_django.agent import process


@pytest.fixture
def not_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_is_test_runner", lambda: False)


def run_as(monkeypatch: pytest.MonkeyPatch, *argv: str) -> bool:
    monkeypatch.setattr(sys, "argv", list(argv))
    return process.Process().may_record(under_tests=False)


@pytest.mark.usefixtures("not_testing")
@pytest.mark.parametrize("command", ["migrate", "check", "makemigrations", "collectstatic"])
@pytest.mark.parametrize("program", ["manage.py", "/srv/shop/manage.py", "django-admin"])
def test_djangos_own_chores_never_record(
    monkeypatch: pytest.MonkeyPatch, program: str, command: str
) -> None:
    assert not run_as(monkeypatch, program, command)


@pytest.mark.usefixtures("not_testing")
@pytest.mark.parametrize(
    "argv",
    [
        ("manage.py", "runserver"),
        ("manage.py", "shell"),
        ("manage.py", "import_orders"),
        ("gunicorn", "shop.wsgi"),
        ("nightly.py", "migrate"),
        ("manage.py",),
    ],
)
def test_whatever_publishes_records(monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]) -> None:
    assert run_as(monkeypatch, *argv)


def test_a_test_runner_records_when_asked_only() -> None:
    assert not process.Process().may_record(under_tests=False)
    assert process.Process().may_record(under_tests=True)


@pytest.mark.parametrize("argv", [("manage.py", "test"), ("/lib/unittest/__main__.py",)])
def test_test_runners_are_known(monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...]) -> None:
    monkeypatch.delitem(sys.modules, "pytest")
    assert not run_as(monkeypatch, *argv)


@pytest.mark.parametrize(
    ("command", "records"),
    [
        ("worker", True),
        ("beat", True),
        ("inspect", False),
        ("control", False),
        ("purge", False),
        ("status", False),
        ("call", False),
        ("flower", False),
    ],
)
def test_of_celerys_commands_worker_and_beat_record(
    monkeypatch: pytest.MonkeyPatch, command: str, records: bool
) -> None:
    cli = click.Group("celery")
    monkeypatch.setitem(sys.modules, "celery.bin.celery", SimpleNamespace(celery=cli))
    with click.Context(cli) as root:
        asked = process.Process()  # while -A is being read, before the command is known
        root.invoked_subcommand = command
    assert asked.may_record(under_tests=True) is records
