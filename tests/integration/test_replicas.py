"""With the routers of Django's documentation, and a replica that is behind, nothing is missed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import celery
import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from tests.integration import operators
from tests.integration.api_client import ROOT
from tests.integration.chords import Sent
from tests.integration.mailbox import QUEUE, Publish
from z4j_django import models, operations
from z4j_django.counters import EVER, NAMES
from z4j_django.models import JournalLoss, Operation, OperationTarget, Statistic, TaskRecord
from z4j_django.operations import auditing, bulk_operations
from z4j_django.queries import ever
from z4j_django.queries.selection import Selection

pytestmark = pytest.mark.django_db

OURS = (
    *(models.TaskRecord, models.TaskPayload, models.TaskEvent, models.GroupRecord),
    *(models.WorkerRecord, models.Operation, models.OperationTarget, models.SavedMessage),
)


class PrimaryReplicaRouter:
    """As in Django's documentation; of other apps it has no opinion."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return "replica" if model._meta.app_label == "z4j_django" else None

    def db_for_write(self, model: Any, **hints: Any) -> str | None:
        return "default" if model._meta.app_label == "z4j_django" else None

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True


@pytest.fixture
def replica(settings: Any, db: None) -> Iterator[list[str]]:
    """A second database with our tables, in which no row has come yet; what it is asked."""
    connections.settings["replica"] = {
        **connections.settings["default"],
        **{"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "OPTIONS": {}},
    }
    statements: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    connections["replica"].connect()  # as pytest-django allows no other database to be opened
    with connections["replica"].schema_editor() as editor:
        for model in OURS:
            editor.create_model(model)
    settings.DATABASE_ROUTERS = [PrimaryReplicaRouter()]
    with connections["replica"].execute_wrapper(note):
        yield statements
    settings.DATABASE_ROUTERS = []
    connections["replica"].close()
    del connections["replica"], connections.settings["replica"]


class TestTasks:
    """What is done to tasks."""

    @pytest.fixture(autouse=True)
    def failed(self, queue: str, replica: list[str]) -> None:
        for number in range(3):
            operators.kept(f"task-{number}", queue=queue, worker="w1@here")

    def test_a_retry_is_done_and_all_of_it_told(self, replica: list[str]) -> None:
        retried = operations.retry(["task-0", "task-1"], actor="a test", args=[1])
        assert (retried.state, retried.done) == ("finished", 2)
        assert {target.outcome for target in retried.targets.all()} == {"done"}
        again = operations.retry("task-0", actor="a test")
        assert again.refused == 1
        assert not replica

    @pytest.mark.parametrize("search", ["name:shop.*", "worker:w1*", "task", "shop"])
    def test_a_bulk_finds_what_is_there(self, replica: list[str], search: str) -> None:
        selection = Selection(project="default", state="FAILURE", search=search)
        seen = operations.preview(selection)
        assert (seen.count, len({record.name for record in seen.sample})) == (3, 1)
        done = operations.bulk("retry", selection=seen.selection, actor="a test")
        assert (done.state, done.done) == ("finished", 3)
        assert not replica

    def test_tasks_of_another_project_stay_out_though_the_replica_knows_none(self) -> None:
        operators.kept("task-9", project="other")
        found = Selection(project="default", state="FAILURE").ids(10)
        assert found == ["task-2", "task-1", "task-0"]

    def test_a_worker_carries_it_on(self, replica: list[str], handed_over: list[int]) -> None:
        left = operations.bulk("retry", task_ids=["task-0", "task-1"], rate=1000, actor="a test")
        assert (left.state, handed_over) == ("waiting", [left.pk])
        assert bulk_operations.carry_on(left.pk) is None
        assert Operation.objects.using("default").get().done == 2
        assert not replica

    def test_one_is_cancelled_and_one_aborted(
        self, replica: list[str], handed_over: list[int]
    ) -> None:
        TaskRecord.objects.update(state="STARTED")
        found = operations.cancel("task-0", actor="a test").targets.get()
        assert found.reason.startswith("It is STARTED on w1@here")
        left = operations.bulk("retry", task_ids=["task-0"], rate=1, actor="a test")
        assert operations.abort(left.pk, actor="a test").state == "aborted"
        assert not replica

    def test_the_api_answers_with_what_came_of_it(self, api: Client, replica: list[str]) -> None:
        answer = api.post(f"{ROOT}tasks/task-0/retry/", {}, content_type="application/json")
        assert answer.status_code == 202, answer.content
        assert [target["outcome"] for target in answer.json()["targets"]] == ["done"]
        assert api.get(answer.json()["url"]).json()["counts"]["done"] == 1


class TestOthers:
    """Groups and queues."""

    def test_a_group_is_run_again(
        self, sent: Sent, replica: list[str], chord_app: celery.Celery
    ) -> None:
        retried = operations.retry_group(sent.id, actor="a test", members="failed")
        assert (retried.state, retried.done) == ("finished", 3)
        assert not replica

    def test_a_purge_is_restored(self, publish: Publish, replica: list[str]) -> None:
        publish(*range(25))
        purged = operations.purge_queue(QUEUE, actor="a test", confirm=QUEUE)
        assert (purged.total, purged.done) == (26, 26)
        restored = operations.restore(purged.pk, actor="a test")
        assert (restored.total, restored.done) == (26, 26)
        assert not replica


class TestNumbers:
    """Those that only grow."""

    def test_they_do_not_fall_by_what_a_replica_does_not_know(self, replica: list[str]) -> None:
        at = {"project": "default", "step": EVER, "scope": NAMES, "at": 0}
        Statistic.objects.create(**at, name="shop.export", queue="work", succeeded=2)
        JournalLoss.objects.create(reason="over the cap", count=7, at=timezone.now())
        assert [one.counts["succeeded"] for one in ever.totals("default", 5)] == [2]
        assert ever.lost("default") == {"over the cap": 7}
        assert not replica


@pytest.mark.parametrize("left", ["pending", "acting"])
def test_where_a_target_has_no_outcome_it_is_not_finished(left: str) -> None:
    operation = auditing.begin("retry", ["a", "b"], actor="a test", surface="python")
    OperationTarget.objects.filter(target="a").update(outcome="done")
    OperationTarget.objects.filter(target="b").update(outcome=left)
    assert auditing.finish(operation).state == "aborted"


def test_nor_where_a_target_is_not_seen() -> None:
    operation = auditing.begin("retry", ["a", "b"], actor="a test", surface="python")
    OperationTarget.objects.filter(target="a").update(outcome="done")
    OperationTarget.objects.filter(target="b").delete()
    assert auditing.finish(operation).state == "aborted"
