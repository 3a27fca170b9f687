"""Schedules that are run by hand, left out, and switched, on every surface."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import celery
import pytest
from celery.beat import BeatLazyFunc
from celery.schedules import crontab
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from tests.integration import api_client, beat, operators
from tests.integration.api_client import body, problem
from tests.integration.pages import task, text
from tests.messages import taken
from z4j_django import operations
from z4j_django.admin import schedule_pages
from z4j_django.agent.messages import HEADER
from z4j_django.control import scheduling
from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.models import Operation, TaskRecord, WorkerRecord
from z4j_django.operations import skips

pytestmark = pytest.mark.django_db

QUEUE = "of-schedules"
#: Of a request without options.
JSON: Any = {"data": "{}", "content_type": "application/json"}
PAGES = operators.address("taskrecord_schedules")


@pytest.fixture
def app(mail_app: celery.Celery) -> celery.Celery:
    """An app with two entries in its settings."""
    mail_app.conf.task_default_queue = QUEUE
    mail_app.conf.beat_schedule = {
        "hourly": {
            "task": "shop.count",
            "schedule": crontab(minute=0),
            "args": (BeatLazyFunc(lambda: 7),),
            "options": {"priority": 3, "headers": {"tenant": "a"}},
        },
        "often": {"task": "shop.tick", "schedule": 5.0},
    }

    @mail_app.task(name="shop.count", shared=False)
    def count(number: int, password: str = "") -> None:
        """Counts."""

    list(taken(QUEUE))
    return mail_app


def online(**fields: Any) -> WorkerRecord:
    given = {"online": True, "last_seen": timezone.now(), **fields}
    return WorkerRecord.objects.create(hostname="beat@h", pool="beat", **given)


def outcome(operation: Operation) -> tuple[str, str]:
    operation.refresh_from_db()
    target = operation.targets.get()
    return target.outcome, target.reason


def message() -> Any:
    [found] = taken(QUEUE)
    return found


@pytest.mark.usefixtures("app")
class TestRun:
    def test_it_is_published_as_beat_would_and_marked(self) -> None:
        done = operations.run_schedule("hourly", actor="a test")
        assert outcome(done) == ("done", "")
        found, target = message(), done.targets.get()
        assert (target.kind, target.target) == ("schedule", "hourly")
        assert found.headers["id"] == target.result_id
        assert found.headers["task"] == "shop.count"
        assert found.headers["tenant"] == "a"
        assert found.payload[0] == [7]
        assert found.properties["priority"] == 3
        stamp = found.headers[HEADER]
        assert (stamp["schedule"], stamp["operation"]) == ("hourly", done.pk)

    def test_other_arguments_take_the_place_of_its_own(self) -> None:
        given = {"args": [8], "kwargs": {"password": "hunter2"}}
        done = operations.run_schedule("hourly", actor="a test", **given)
        assert message().payload[:2] == [[8], {"password": "hunter2"}]
        assert done.parameters["args"] == [8]
        assert "hunter2" not in json.dumps(done.parameters)

    def test_arguments_that_the_task_does_not_take_are_refused_before(
        self, app: celery.Celery
    ) -> None:
        with pytest.raises(OperationError, match="can't be called like this"):
            operations.run_schedule("hourly", actor="a test", args=[])
        app.conf.beat_schedule["hourly"]["args"] = (1, 2, 3)  # Celery would not send it either
        with pytest.raises(OperationError, match="too many positional arguments"):
            operations.run_schedule("hourly", actor="a test")
        with pytest.raises(OptionsError):
            operations.run_schedule("hourly", actor="a test", args="7")
        assert not Operation.objects.exists()

    @pytest.mark.parametrize("name", ["nothing", "", "x" * 300, "a\0b", None])
    def test_of_a_name_that_is_none_it_says_so(self, name: Any) -> None:
        with pytest.raises(OperationError, match="There is no schedule"):
            operations.run_schedule(name, actor="a test")

    def test_a_broker_that_is_away_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*args: Any, **kwargs: Any) -> None:
            raise ConnectionError("nobody listens")

        monkeypatch.setattr(scheduling, "open_connection", away)
        done = operations.run_schedule("hourly", actor="a test")
        assert outcome(done) == ("failed", "ConnectionError: nobody listens")


@pytest.mark.usefixtures("app")
class TestSkip:
    def test_it_waits_until_beat_has_left_the_run_out(self, monkeypatch: Any) -> None:
        online()
        monkeypatch.setattr(skips, "LEAD", timedelta(0))
        operation = operations.skip_next_run("hourly", actor="a test")
        assert operation.state == "waiting"
        due = operation.parameters["due"]
        assert outcome(operation) == ("pending", f"Beat will leave out the run of {due}.")
        [skip] = skips.settle({})
        assert (skip.key, skip.schedule) == (operation.pk, "hourly")
        assert skip.begin < timezone.datetime.fromisoformat(due).timestamp() < skip.end
        assert skip.end - skip.begin <= 3600
        assert skips.settle({operation.pk: skip.begin}) == []
        told, reason = outcome(operation)
        assert (told, operation.state) == ("done", "finished")
        assert reason.startswith("Beat left it out at ")

    def test_one_that_nobody_left_out_in_time_is_told(self, monkeypatch: Any) -> None:
        online()
        monkeypatch.setattr(skips, "LEAD", timedelta(0))
        operation = operations.skip_next_run("hourly", actor="a test")
        operation.parameters["end"] = time.time() - 1
        operation.save()
        assert skips.settle({}) == []
        assert outcome(operation) == (
            "failed",
            "No beat left it out: none ran with this app, or it learned of it too late.",
        )

    def test_it_can_be_taken_back(self, monkeypatch: Any) -> None:
        online()
        monkeypatch.setattr(skips, "LEAD", timedelta(0))
        operation = operations.skip_next_run("hourly", actor="a test")
        with pytest.raises(OperationError, match=f"Operation {operation.pk} has beat leave out"):
            operations.skip_next_run("hourly", actor="a test")
        operations.abort(operation.pk, actor="a test")
        assert skips.settle({}) == []
        assert operations.skip_next_run("hourly", actor="a test").state == "waiting"

    def test_of_two_who_ask_in_one_instant_one_has_it_left_out(self, monkeypatch: Any) -> None:
        online()
        monkeypatch.setattr(skips, "LEAD", timedelta(0))
        monkeypatch.setattr(skips, "waiting", Operation.objects.none)  # neither sees the other
        first = operations.skip_next_run("hourly", actor="a test")
        with pytest.raises(OperationError, match=f"Operation {first.pk} is at it already"):
            operations.skip_next_run("hourly", actor="a test")
        operations.abort(first.pk, actor="a test")
        assert operations.skip_next_run("hourly", actor="a test").state == "waiting"

    def test_one_that_beat_left_out_before_its_abort_is_told_so(self, monkeypatch: Any) -> None:
        online()
        monkeypatch.setattr(skips, "LEAD", timedelta(0))
        operation = operations.skip_next_run("hourly", actor="a test")
        operations.abort(operation.pk, actor="a test")
        assert skips.settle({operation.pk: time.time()}) == []
        assert outcome(operation)[0] == "done"
        assert (operation.state, operation.done) == ("aborted", 1)

    def test_one_that_comes_too_soon_is_refused(self) -> None:
        online()
        task("t", schedule="often", sent_at=timezone.now())
        with pytest.raises(OperationError, match=r"It is due in .*: beat would not learn"):
            operations.skip_next_run("often", actor="a test")

    def test_one_that_was_never_sent_can_not_be_foretold(self) -> None:
        online()
        with pytest.raises(OperationError, match="can't be foretold"):
            operations.skip_next_run("often", actor="a test")

    def test_a_run_by_hand_does_not_move_what_is_foretold(self, app: celery.Celery) -> None:
        online()
        now = timezone.now()
        app.conf.beat_schedule["often"]["schedule"] = 3600.0
        task("t", schedule="often", sent_at=now - timedelta(minutes=30))
        task("by hand", schedule="often", sent_at=now, operation=7)
        due = operations.skip_next_run("often", actor="a test").parameters["due"]
        left = timezone.datetime.fromisoformat(due) - now
        assert timedelta(minutes=29) < left < timedelta(minutes=31)

    def test_without_a_beat_nobody_would_leave_it_out(self) -> None:
        online(last_seen=timezone.now() - timedelta(hours=1))
        with pytest.raises(OperationError, match="No beat with this app is online"):
            operations.skip_next_run("hourly", actor="a test")


@pytest.mark.usefixtures("app")
class TestOfTheSettings:
    @pytest.mark.parametrize("verb", ["enable_schedule", "disable_schedule"])
    def test_they_are_switched_there_alone(self, verb: str) -> None:
        with pytest.raises(OperationError, match="It stands in the app's beat_schedule"):
            operations.perform(verb, "hourly", {}, actor="a test")


@pytest.fixture(scope="module")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with beat.tables(django_db_blocker):
        yield


class TestOfDjangoCeleryBeat:
    @pytest.fixture(autouse=True)
    def _installed(self, _tables: None, app: celery.Celery) -> Iterator[None]:
        with beat.installed():
            yield
            # What is flushed after a test are the tables of the apps that are there then.
            apps.get_model(beat.BEAT, "PeriodicTask").objects.all().delete()

    def test_all_that_its_row_says_is_published(self) -> None:
        beat.schedule(
            "nightly", "crontab", args="[1]", kwargs='{"days": 2}', queue=QUEUE, priority=4,
            headers='{"tenant": "b"}', expire_seconds=60,
        )  # fmt: skip
        assert outcome(operations.run_schedule("nightly", actor="a test")) == ("done", "")
        found = message()
        assert found.payload[:2] == [[1], {"days": 2}]
        assert found.properties["priority"] == 4
        assert found.headers["tenant"] == "b"
        assert found.headers["periodic_task_name"] == "nightly"
        assert found.headers["expires"]

    def test_what_beat_would_not_send_is_not_sent(self) -> None:
        past = timezone.now() - timedelta(hours=1)
        beat.schedule("over", "interval", expires=past)
        beat.schedule("odd", "interval", args="{")
        for name, words in (("over", "It expired at"), ("odd", "are no JSON")):
            with pytest.raises(OperationError, match=words):
                operations.run_schedule(name, actor="a test")
        beat.schedule("off", "interval", enabled=False, queue=QUEUE)
        assert outcome(operations.run_schedule("off", actor="a test"))[0] == "done"

    def test_it_is_switched_off_and_on_and_beat_takes_note(self) -> None:
        from django_celery_beat.models import PeriodicTasks

        row = beat.schedule("nightly", "crontab", last_run_at=timezone.now(), total_run_count=3)
        done = operations.disable_schedule("nightly", actor="a test")
        assert outcome(done) == ("done", "")
        noted = PeriodicTasks.last_change()
        row.refresh_from_db()
        assert (row.enabled, row.last_run_at, row.total_run_count) == (False, None, 3)
        again = operations.disable_schedule("nightly", actor="a test")
        assert outcome(again) == ("refused", "It is switched off already.")
        assert PeriodicTasks.last_change() == noted
        assert outcome(operations.enable_schedule("nightly", actor="a test")) == ("done", "")
        assert PeriodicTasks.last_change() > noted
        row.refresh_from_db()
        assert row.enabled
        assert row.date_changed > noted

    def test_what_somebody_edits_meanwhile_stands(self, monkeypatch: Any) -> None:
        from z4j_django.operations import schedules

        row = beat.schedule("nightly", "crontab")
        pointless = schedules._pointless

        def edits(found: Any, wanted: bool) -> str:
            type(row).objects.filter(pk=row.pk).update(args="[9]", description="Theirs.")
            return pointless(found, wanted)

        monkeypatch.setattr(schedules, "_pointless", edits)
        operations.disable_schedule("nightly", actor="a test")
        row.refresh_from_db()
        assert (row.enabled, row.args, row.description) == (False, "[9]", "Theirs.")

    def test_one_that_beat_would_switch_off_is_not_switched_on(self) -> None:
        past = timezone.now() - timedelta(hours=1)
        beat.schedule("over", "interval", expires=past, enabled=False)
        told, reason = outcome(operations.enable_schedule("over", actor="a test"))
        assert told == "refused"
        assert reason.endswith("beat would switch it off at once.")

    def test_one_that_is_off_or_comes_once_has_no_next_run(self) -> None:
        online()
        beat.schedule("off", "crontab", enabled=False)
        beat.schedule("once", "clocked", one_off=True)
        for name, words in (("off", "It is switched off"), ("once", "It does not come again")):
            with pytest.raises(OperationError, match=words):
                operations.skip_next_run(name, actor="a test")

    def test_one_that_is_still_to_start_is_due_then(self, monkeypatch: Any) -> None:
        online()
        now = timezone.now()
        start = (now + timedelta(days=40)).replace(microsecond=0)
        beat.schedule("new", "crontab", start_time=start)
        beat.schedule("moved", "interval", start_time=start, last_run_at=now)
        beat.schedule("now", "interval", start_time=now - timedelta(days=1), last_run_at=now)
        found = body(api_client.client().get("/z4j/api/schedules/timetable/"))["results"]
        due = {one["name"]: one["due_at"] for one in found}
        assert due["new"] == due["moved"] == f"{start:%Y-%m-%dT%H:%M:%S}.000000Z"
        assert due["now"] < due["new"]
        skipped = operations.skip_next_run("new", actor="a test")
        assert skipped.parameters["due"] == start.isoformat()

    def test_over_the_api_and_by_the_command(self) -> None:
        row = beat.schedule("a/b", "crontab")
        asks, where = api_client.client("z4j admin"), "/z4j/api/schedules/a%2Fb/"
        answer = asks.post(f"{where}disable/", **JSON)
        assert body(answer, 202)["counts"]["done"] == 1
        told = problem(asks.post(f"{where}disable/", **JSON), 409)
        assert told["detail"] == "It is switched off already."
        operator = api_client.client("z4j operator")
        assert operator.post(f"{where}enable/", **JSON).status_code == 403
        assert command("a/b", "--enable", "--yes") == 0
        row.refresh_from_db()
        assert row.enabled


def command(*arguments: str) -> int:
    try:
        call_command("z4j_schedule", *arguments, stdout=io.StringIO(), stderr=io.StringIO())
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def printed(*arguments: str) -> str:
    out = io.StringIO()
    call_command("z4j_schedule", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.usefixtures("app")
class TestSurfaces:
    def test_the_command_lists_and_runs(self) -> None:
        task("t", schedule="hourly", state="FAILURE", sent_at=timezone.now(), runtime=2.5)
        assert [line.split()[0] for line in printed().splitlines()] == ["name", "hourly", "often"]
        [found] = json.loads(printed("hourly", "--json"))["schedules"]
        assert (found["states"], found["outcome"], found["runtime"]) == (
            ["FAILURE"], "FAILURE", 2.5,
        )  # fmt: skip
        assert "would be done" in printed("hourly", "--run", "--dry-run")
        assert "done" in printed("hourly", "--run", "--args", "[8]", "--yes")
        assert message().payload[0] == [8]
        for wrong in (["--run"], ["hourly", "--skip", "--args", "[]", "--yes"], ["nothing"]):
            with pytest.raises(CommandError):
                printed(*wrong)

    def test_a_skip_by_the_command_waits_for_beat(self, monkeypatch: Any) -> None:
        online()
        monkeypatch.setattr(skips, "LEAD", timedelta(0))
        shown = printed("hourly", "--skip", "--yes")
        assert "pending  Beat will leave out the run of " in shown
        assert "beat does it" in shown

    def test_the_api_tells_when_what_is_due(self) -> None:
        online()
        task("t", schedule="hourly", state="SUCCESS", sent_at=timezone.now(), runtime=1.5)
        task("h", schedule="hourly", state="FAILURE", sent_at=timezone.now(), operation=4)
        found = body(api_client.client().get("/z4j/api/schedules/timetable/"))
        assert (found["total"], found["overdue"]) == (2, 0)
        assert [one["presence"] for one in found["beats"]] == ["online"]
        [hourly, often] = found["results"]
        assert (hourly["name"], hourly["outcome"], hourly["runtime"]) == ("hourly", "FAILURE", 1.5)
        assert [run["operation"] for run in hourly["runs"]] == [None, 4]
        assert (hourly["is_kept"], often["due_at"]) == (False, None)
        alone = api_client.client().get("/z4j/api/schedules/timetable/?name=often")
        assert [one["name"] for one in body(alone)["results"]] == ["often"]

    def test_the_admin_asks_and_does_it(self) -> None:
        online()
        client = operators.signed_in("z4j operator")
        shown = text(client.get(PAGES))
        where = operators.address("taskrecord_run_schedule") + "?name=hourly"
        assert where in shown
        assert "Switch off…" not in shown
        assert "beat@h" in shown
        assert "Run now" in text(client.get(where))
        answer = client.post(where, {"args": "[8]"}, follow=True)
        assert "1 done" in text(answer)
        assert message().payload[0] == [8]

    def test_the_admin_refuses_with_a_sentence(self) -> None:
        client = operators.signed_in("z4j operator")
        where = operators.address("taskrecord_skip_next_run") + "?name=hourly"
        assert "No beat with this app is online" in text(client.post(where))
        elsewhere = operators.address("taskrecord_run_schedule") + "?name=nothing"
        assert "There is no schedule" in text(client.get(elsewhere, follow=True))
        assert operators.signed_in("z4j viewer").get(where).status_code == 403

    def test_the_admin_offers_what_would_change_something(self, rf: Any) -> None:
        request, tasks = rf.get("/"), admin.site.get_model_admin(TaskRecord)
        request.user = User.objects.create_superuser("boss")

        def offered(**how: bool) -> list[str]:
            return [one.label for one in schedule_pages.of_row(tasks, request, "s", **how)]

        skip = "Skip the next run…"
        assert offered(is_kept=True) == ["Run now…", skip, "Switch off…"]
        assert offered(is_kept=True, is_on=False) == ["Run now…", "Switch on…"]
        assert offered(is_kept=False) == ["Run now…", skip]
