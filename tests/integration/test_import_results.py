"""What django-celery-results has kept becomes records: once, masked, counted, and found again."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import celery
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.urls import clear_url_caches, reverse
from django.utils import timezone

from tests.integration import operators
from tests.integration.pages import task, text
from z4j_django.exceptions import UnstorableError
from z4j_django.management.imported_results import APP, Import
from z4j_django.models import ErrorGroup, StatisticsDelta, TaskEvent, TaskRecord, WorkerRecord
from z4j_django.store import statistics
from z4j_django.store.writer import DatabaseSink

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def _tables(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The tables of that app, for this module alone."""
    with django_db_blocker.unblock():
        with installed():
            call_command("migrate", APP, verbosity=0)
            models = apps.get_app_config(APP).get_models()
            admin.site.unregister([one for one in models if admin.site.is_registered(one)])
        yield
        with installed():
            call_command("migrate", APP, "zero", verbosity=0)


def installed() -> override_settings:
    return override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, APP])


@pytest.fixture(autouse=True)
def _installed(_tables: None, mail_app: celery.Celery) -> Iterator[None]:
    @mail_app.task(name="shop.pay", shared=False)
    def pay(order: int, card_token: str) -> None:
        """Pays."""

    with installed():
        yield


def result(task_id: str, status: str = "SUCCESS", **fields: Any) -> Any:
    """A row as that app's backend writes it."""
    end = timezone.now() - timedelta(days=400)
    given = {
        "task_name": "shop.pay", "worker": "w1@gone", "content_type": "application/json",
        "content_encoding": "utf-8", "result": "3", **fields,
    }  # fmt: skip
    model = apps.get_model(APP, "TaskResult")
    [row] = model.objects.bulk_create([model(task_id=task_id, status=status, **given)])
    times = {"date_started": end - timedelta(seconds=2), "date_done": end}
    model.objects.filter(pk=row.pk).update(**{**times, **fields.pop("times", {})})
    return row


def imported(*arguments: str) -> dict[str, int]:
    out = io.StringIO()
    call_command("z4j_import_results", "--json", *arguments, stdout=out, stderr=io.StringIO())
    found: dict[str, int] = json.loads(out.getvalue())
    del found["place"]
    return {name: count for name, count in found.items() if count}


def test_a_row_becomes_a_record_with_what_it_tells() -> None:
    result(
        "a", periodic_task_name="nightly", task_args='"(42, \'tok_1\')"',
        task_kwargs='"{\'password\': \'hunter2\', \'days\': 3}"', result='{"paid": true}',
    )  # fmt: skip
    assert imported() == {"imported": 1}
    found = TaskRecord.objects.get()
    assert (found.name, found.state, found.schedule) == ("shop.pay", "SUCCESS", "nightly")
    assert (found.worker, found.pid, found.sent_at) == ("w1@gone", None, None)
    assert found.result == {"paid": True}
    assert (found.args[0], found.kwargs["days"]) == (42, 3)
    assert "tok_1" not in json.dumps(found.args)
    assert "hunter2" not in json.dumps(found.kwargs)
    assert 1.9 < found.runtime < 2.1
    assert timezone.now() - found.finished_at > timedelta(days=399)
    kinds = TaskEvent.objects.order_by("at").values_list("kind", flat=True)
    assert list(kinds) == ["task_started", "task_succeeded"]
    assert not WorkerRecord.objects.exists()


def test_a_failure_belongs_to_its_error() -> None:
    told = {"exc_type": "ValueError", "exc_message": ["no order 7"], "exc_module": "builtins"}
    result("f", "FAILURE", result=json.dumps(told), traceback="Traceback: here")
    result("r", "REVOKED", result=json.dumps({"exc_type": "TaskRevokedError"}))
    assert imported() == {"imported": 2}
    found = TaskRecord.objects.get(task_id="f")
    assert (found.exception_type, found.exception_message) == ("ValueError", "no order 7")
    assert found.traceback == "Traceback: here"
    assert ErrorGroup.objects.get().count == 1
    assert TaskRecord.objects.get(task_id="r").state == "REVOKED"


def test_it_is_counted() -> None:
    for number in range(3):
        result(f"t{number}")
    imported()
    assert StatisticsDelta.objects.count() == 1
    while statistics.compact():
        pass
    from z4j_django.models import Statistic

    days = Statistic.objects.filter(step=86_400, scope="names", name="shop.pay")
    assert sum(one.succeeded for one in days) == 3


def test_what_is_on_record_stays_and_nothing_comes_twice() -> None:
    task("a", state="FAILURE", name="ours")
    for task_id in ("a", "b"):
        result(task_id)
    result("c", "STARTED")
    result("d", "PROGRESS")
    assert imported() == {"already": 1, "imported": 1, "unfinished": 2}
    assert imported() == {}
    result("e")
    assert imported() == {"imported": 1}
    before = list(TaskRecord.objects.order_by("pk").values())
    assert imported("--from-start") == {"already": 3, "unfinished": 2}
    assert list(TaskRecord.objects.order_by("pk").values()) == before
    assert TaskRecord.objects.get(task_id="a").name == "ours"


def test_who_is_cut_off_goes_on_where_it_stopped() -> None:
    for number in range(7):
        result(f"t{number}")
    steps = Import().steps(3)
    assert next(steps) == 3
    steps.close()
    assert TaskRecord.objects.count() == 3
    other = Import()
    assert sum(other.steps(3)) == 4
    assert other.counts["imported"] == 4


def test_two_at_once_import_each_row_once() -> None:
    for number in range(5):
        result(f"t{number}")
    one, other = Import(), Import()
    assert list(one.steps()) == [5]
    list(other.steps())
    assert (one.counts["imported"], other.counts["imported"]) == (5, 0)
    assert TaskEvent.objects.count() == 10


def test_a_row_that_can_not_be_stored_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "poison", "b"):
        result(name)
    apply = DatabaseSink.apply

    def picky(self: DatabaseSink, batch: Any, prepared: Any = None) -> Any:
        if b"poison" in batch[0].data:
            raise UnstorableError("a poisoned event")
        return apply(self, batch, prepared)

    monkeypatch.setattr(DatabaseSink, "apply", picky)
    with pytest.raises(SystemExit):
        imported()
    assert set(TaskRecord.objects.values_list("task_id", flat=True)) == {"a", "b"}


@pytest.mark.parametrize(
    "fields",
    [
        {"task_args": "(1, <object at 0x1>, ...)", "task_kwargs": "{"},
        {"task_args": "[" * 100_000, "task_kwargs": '"' + "(" * 5_000 + '"'},
        {"task_args": None, "task_kwargs": None, "task_name": None, "worker": None},
        {"content_type": "application/x-python-serialize", "result": "gASVAA=="},
        {"result": "{" * 100_000},
        {"result": '"\\ud800"', "task_args": "\"('\\\\ud800',)\""},
        {"result": json.dumps(["x" * 5_000] * 500), "traceback": "y" * 500_000},
    ],
)
def test_what_can_not_be_read_is_left_as_it_is(fields: dict[str, Any]) -> None:
    result("a", **fields)
    result("f", "FAILURE", **fields)
    assert imported() == {"imported": 2}
    assert TaskRecord.objects.get(task_id="a").state == "SUCCESS"


def test_without_that_app_it_says_so() -> None:
    without = override_settings(
        INSTALLED_APPS=[one for one in settings.INSTALLED_APPS if one != APP]
    )
    with without, pytest.raises(CommandError, match="django_celery_results is not installed"):
        imported()
    with pytest.raises(CommandError, match="--batch"):
        imported("--batch", "0")


class TestLinks:
    @pytest.fixture(autouse=True)
    def _registered(self) -> Iterator[None]:
        from django_celery_results.admin import TaskResultAdmin

        model = apps.get_model(APP, "TaskResult")
        admin.site.register(model, TaskResultAdmin)
        _read_urls_again()
        yield
        admin.site.unregister(model)
        _read_urls_again()

    def test_they_lead_from_one_to_the_other_and_back(self, admin_client: Any) -> None:
        row = result("a")
        imported()
        record = TaskRecord.objects.get()
        theirs = reverse(f"admin:{APP}_taskresult_change", args=[row.pk])
        ours = reverse("admin:z4j_django_taskrecord_change", args=[record.pk])
        assert f'href="{theirs}"' in text(admin_client.get(ours))
        assert f'href="{ours}"' in text(admin_client.get(theirs))
        listed = text(admin_client.get(reverse(f"admin:{APP}_taskresult_changelist")))
        assert f'href="{reverse("admin:z4j_django_taskrecord_changelist")}"' in listed

    def test_only_who_may_see_what_is_there_is_led_there(self) -> None:
        row = result("a")
        imported()
        ours = reverse("admin:z4j_django_taskrecord_change", args=[TaskRecord.objects.get().pk])
        shown = text(operators.signed_in("z4j viewer").get(ours))
        assert f"taskresult/{row.pk}" not in shown

    def test_without_a_row_there_is_no_link(self, admin_client: Any) -> None:
        result("theirs")
        record = task("ours")
        ours = reverse("admin:z4j_django_taskrecord_change", args=[record.pk])
        assert ">django-celery-results<" not in text(admin_client.get(ours))


def _read_urls_again() -> None:
    """The admin's addresses are made once."""
    importlib.reload(importlib.import_module(settings.ROOT_URLCONF))
    clear_url_caches()
