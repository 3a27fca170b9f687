"""The commands' output where they run in the process of the tests."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.core.management import CommandError, call_command
from django.utils import timezone

from z4j_django import control, wiring
from z4j_django.agent import discovery, events, journal, shipper
from z4j_django.diagnosis import walk
from z4j_django.diagnosis.findings import Visit
from z4j_django.models import JournalLoss, JournalRecord, Operation, Statistic, TaskRecord

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def directory(settings: Any, tmp_path: Path) -> Path:
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path / "journal"), "SHIPPER": "external"}
    return tmp_path / "journal"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Celery]:
    made = Celery("shop", broker="memory://", set_as_current=False)
    monkeypatch.setattr(wiring, "find_celery_app", lambda: discovery.Found(made, "shop:app"))
    yield made
    made.close()


def run(command: str, *options: str) -> tuple[int, str]:
    output = io.StringIO()
    try:
        call_command(command, *options, stdout=output)
    except SystemExit as ended:
        return int(ended.code or 0), output.getvalue()
    return 0, output.getvalue()


def write(directory: Path, *task_ids: str) -> None:
    writer = journal.Journal(directory, "default")
    for task_id in task_ids:
        event = events.TaskEvent(kind=events.TASK_SENT, task_id=task_id, at=1.0)
        writer.write(events.encode(event))
    writer.close()


def findings(*options: str) -> list[dict[str, str]]:
    _, output = run("z4j_doctor", "--json", "--timeout", "2", *options)
    found: list[dict[str, str]] = json.loads(output)
    return found


def doctor(*options: str) -> dict[str, dict[str, str]]:
    return {row["step"]: row for row in findings(*options)}


def test_a_drain_stores_what_is_there(directory: Path) -> None:
    write(directory, "a", "b")
    code, output = run("z4j_ship", "--drain")
    assert (code, TaskRecord.objects.count()) == (0, 2)
    assert output.splitlines()[-1] == "INFO Stopped: everything is stored."
    assert journal.segments(directory) == []
    assert Statistic.objects.filter(scope="all", step=60).exists()  # nobody else would add it up


def test_a_drain_of_a_journal_that_is_not_there_ends_well() -> None:
    assert run("z4j_ship", "--drain")[0] == 0


def test_events_of_a_newer_version_are_left_and_told(directory: Path) -> None:
    directory.mkdir(mode=0o700)
    header = events.Header(schema=events.SCHEMA + 1, project="default", host="h", pid=1)
    event = events.TaskEvent(kind=events.TASK_SENT, task_id="a", at=1.0)
    name = "1-2-3" + journal.SUFFIX
    (directory / name).write_bytes(events.encode(header) + events.encode(event))
    code, output = run("z4j_ship", "--drain", "--json")
    assert code == 1
    last = json.loads(output.splitlines()[-1])
    assert (last["level"], last["message"]) == ("INFO", "Stopped: 1 events are not stored.")


def test_the_log_goes_back_to_what_it_was() -> None:
    ours = logging.getLogger("z4j_django")
    before = (ours.level, list(ours.handlers))
    run("z4j_ship", "--drain")
    assert (ours.level, list(ours.handlers)) == before


def test_a_journal_that_is_open_to_others_is_not_shipped(directory: Path) -> None:
    directory.mkdir(mode=0o755)
    with pytest.raises(CommandError, match="is open to other users"):
        run("z4j_ship", "--drain")


def test_the_status_shows_this_host_and_all_others(directory: Path) -> None:
    write(directory, "a")
    (directory / shipper.DEAD).write_bytes(b"{}\n")
    now = timezone.now()
    JournalRecord.objects.create(host="web2", directory="/j", pid=8, seen_at=now, pending=5)
    JournalLoss.objects.create(host="web2", reason=events.OVER_CAP, count=3, at=now)
    code, output = run("z4j_status")
    assert code == 0
    lines = [line.strip() for line in output.splitlines()]
    assert lines[0] == f"Journal of this host: {directory}"
    assert lines[1] == "shipped by  nobody"
    assert lines[2].split(", ")[1] == "1 events"
    assert "set aside   1 events, 0 segments" in lines
    assert "shipping    web2:/j" in lines
    assert "over the cap   3 in the last 24 hours, 3 ever" in lines
    assert any(line.startswith("! 3 events were lost (over the cap), ") for line in lines)
    assert "! No worker is online: none was ever heard of." in lines


def test_a_journal_that_a_setting_left_behind_is_dismissed() -> None:
    long_ago = timezone.now() - timedelta(days=3)
    JournalRecord.objects.create(host="web2", directory="/old", seen_at=long_ago, pending=5)
    assert "! The journal of web2 (/old) is silent" in run("z4j_status")[1]
    told = "Last heard of 3 days ago, with 5 bytes to store."
    code, output = run("z4j_dismiss_journal", "web2", "/old", "--dry-run")
    assert (code, output.splitlines()[0]) == (0, f"web2:/old  would be done  {told}")
    code, output = run("z4j_dismiss_journal", "web2", "/old", "--yes")
    assert (code, output.splitlines()[0]) == (0, f"web2:/old  done  {told}")
    assert "web2" not in run("z4j_status")[1]
    with pytest.raises(CommandError, match="There is no journal 'web2:/old' on record"):
        run("z4j_dismiss_journal", "web2", "/old", "--yes")
    operation = Operation.objects.get()
    assert (operation.verb, operation.surface, operation.done) == ("dismiss_journal", "command", 1)
    assert operation.parameters == {"host": "web2", "directory": "/old"}
    assert operation.targets.get().kind == "journal"


def test_a_journal_that_is_shipped_is_not_dismissed() -> None:
    JournalRecord.objects.create(host="web2", directory="/j", pid=8, seen_at=timezone.now())
    with pytest.raises(CommandError, match="web2:/j is shipped: its shipper reported within"):
        run("z4j_dismiss_journal", "web2", "/j", "--yes")
    assert JournalRecord.objects.exists()


def test_the_status_as_json_has_lengths_of_time_in_seconds() -> None:
    now = timezone.now()
    oldest = now - timedelta(seconds=40)
    JournalRecord.objects.create(host="web2", directory="/j", seen_at=now, oldest=oldest)
    _, output = run("z4j_status", "--json")
    shown = json.loads(output)
    assert shown["journal"]["exists"] is False
    assert shown["journals"][0]["lag"] == pytest.approx(40)
    assert shown["journals"][0]["state"] == "behind"
    assert shown["database"] == ""


def test_the_status_says_where_the_journal_can_not_be_read(directory: Path) -> None:
    directory.write_text("")
    with pytest.raises(CommandError, match="The journal can't be read: "):
        run("z4j_status")


def test_the_doctor_looks_without_a_probe(app: Celery, directory: Path) -> None:
    write(directory, "a")
    found = doctor("--no-probe")
    assert "probe" not in found
    assert found["shipper"]["level"] == "error"
    assert found["lag"]["level"] == "error"
    assert found["lag"]["what"].startswith("1 events (")


def test_the_doctor_tells_of_losses_of_what_is_set_aside_and_that_no_worker_is_there(
    app: Celery, directory: Path
) -> None:
    directory.mkdir(mode=0o700)
    (directory / shipper.DEAD).write_bytes(b"{}\n")
    JournalLoss.objects.create(host="h", reason=events.UNWRITTEN, count=3, at=timezone.now())
    found = findings("--no-probe")
    nobody_ships, lost, no_worker = (row["what"] for row in found if row["step"] == "health")
    assert nobody_ships == "Nobody ships: no shipper has ever reported."
    assert lost.startswith("3 events were lost (unwritten), ")
    assert no_worker == "No worker is online: none was ever heard of."
    [aside] = [row["what"] for row in found if row["step"] == "set aside"]
    assert aside.startswith("1 events that no database takes")


def test_the_doctor_asks_no_broker_without_an_app_of_the_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made_up = discovery.Found(Celery("default", set_as_current=False), "default", is_default=True)
    monkeypatch.setattr(wiring, "find_celery_app", lambda: made_up)
    asked: list[object] = []
    monkeypatch.setattr(control, "connect", lambda *given: asked.append(given))
    found = doctor()
    assert found["celery app"]["level"] == "error"
    assert found["celery app"]["what"] == (
        "The project has no Celery app, or none that is found: no broker and no worker is asked."
    )
    assert not found.keys() & {"broker", "remote control"}
    assert found["probe"]["what"] == "No probe was sent: the Celery app was not found."
    assert asked == []


def test_the_doctor_asks_no_broker_where_tasks_run_at_once(app: Celery) -> None:
    app.conf.task_always_eager = True
    found = doctor()
    assert found["broker"]["level"] == "warning"
    assert found["probe"]["what"] == "No probe was sent: the broker was not reached."


def test_a_scarce_disk_is_an_error(app: Celery, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1024**2})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    assert doctor("--no-probe")["journal"]["what"].endswith("has 1.0 MB left.")
    usage.free = 512 * 1024**2
    assert doctor("--no-probe")["journal"]["level"] == "warning"


def test_a_step_that_fails_is_a_finding_and_the_next_one_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(visit: Visit) -> Iterator[Any]:
        raise RuntimeError("postgresql://shop:hidden-word@db/")

    monkeypatch.setattr(walk, "STEPS", (("first", broken), ("second", broken)))
    found = list(walk.walk(Visit(timeout=1.0)))
    assert [(name, finding.level) for name, finding in found] == [
        ("first", "error"),
        ("second", "error"),
    ]
    assert "hidden-word" not in found[0][1].what


def test_the_password_of_a_broker_is_not_in_its_address() -> None:
    for url in ("redis://:hidden-word@host:1/2", "amqp://me:hidden-word@host:1/x"):
        app = Celery("shop", broker=url, set_as_current=False)
        assert "hidden-word" not in control.broker_address(app)
        assert "host:1" in control.broker_address(app)


def test_the_probe_goes_where_the_project_routes_it() -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)
    app.conf.task_routes = {"celery.*": {"queue": "chores"}}
    assert control.probe_queue(app) == "chores"
    assert control.probe_queue(Celery("other", set_as_current=False)) == "celery"


def test_the_probe_runs_and_returns_nothing_of_note() -> None:
    app = Celery("shop", broker="memory://", set_as_current=False)
    assert app.tasks[control.PROBE_TASK].apply().get() == ()
