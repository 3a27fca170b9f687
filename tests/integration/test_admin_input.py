from __future__ import annotations

import pytest

from tests.integration.pages import GROUPS, NOW, SCRIPT, TASKS, WORKERS, page, task, text
from z4j_django.models import GroupRecord, TaskEvent, WorkerRecord

pytestmark = pytest.mark.django_db


class TestWrongParameters:
    @pytest.mark.parametrize(
        "parameters",
        [
            {"before": "abc"},
            {"after": ""},
            {"before": "-1"},
            {"before": "9" * 30},
            {"after": "٣"},
            {"before": "0", "after": "0"},
            {"nonsense": "1"},
            {"traceback__icontains": "x"},
            {"o": "1.-2"},
            {"p": "7"},
            {"all": ""},
            {"e": "1"},
            {"_facets": "True"},
            {"_popup": "1"},
            {"state": "NO SUCH"},
            {"name": "\0"},
            {"q": "\0"},
            {"queue": "x" * 5000},
            {"q": "x" * 5000},
            {SCRIPT: SCRIPT},
        ],
    )
    @pytest.mark.parametrize("address", [TASKS, GROUPS, WORKERS])
    def test_a_wrong_parameter_breaks_nothing(self, admin_client, address, parameters) -> None:
        task("a")
        assert SCRIPT not in text(admin_client.get(address, parameters))

    def test_what_is_left_out_is_said(self, admin_client) -> None:
        task("a")
        shown = text(admin_client.get(TASKS, {"before": "abc", "args__contains": "x"}))
        assert "“abc” is no place in this list" in shown
        assert "There is no filter “args__contains”" in shown

    @pytest.mark.parametrize("key", ["0", "999999", "abc", "9" * 30, "_00", "_3Cscript_3E"])
    def test_a_task_that_is_not_there_leads_to_the_list(self, admin_client, key) -> None:
        response = admin_client.get(f"{TASKS}{key}/change/", follow=True)
        assert "There is no task" in text(response)
        assert "<script>”" not in text(response)


class TestHostileContent:
    @pytest.mark.parametrize(
        "column",
        [
            "task_id", "name", "queue", "exchange", "routing_key", "worker", "exception_type",
            "exception_message", "traceback", "root_id", "parent_id", "group_id", "chord_id",
            "schedule", "origin", "project", "args", "kwargs", "result",
        ],
    )  # fmt: skip
    def test_a_script_in_a_task_is_only_text(self, admin_client, column) -> None:
        value = {"args": [SCRIPT], "kwargs": {SCRIPT: SCRIPT}}.get(column, SCRIPT)
        one = task(**{"task_id": "a", column: value})
        TaskEvent.objects.create(
            task_id=one.task_id, project=one.project, kind="task_sent", at=NOW, worker=SCRIPT,
            detail=SCRIPT,
        )  # fmt: skip
        for address in (TASKS, page(one)):
            assert SCRIPT not in text(admin_client.get(address))
        assert "&lt;script&gt;" in text(admin_client.get(page(one)))

    def test_a_script_in_a_group_or_a_worker_is_only_text(self, admin_client) -> None:
        group = GroupRecord.objects.create(
            group_id=SCRIPT, body_id=SCRIPT, body_name=SCRIPT, root_id=SCRIPT, first_seen=NOW
        )
        worker = WorkerRecord.objects.create(
            hostname=SCRIPT, pool=SCRIPT, version=SCRIPT, queues=[SCRIPT]
        )
        task("m", group_id=SCRIPT, worker=SCRIPT, name=SCRIPT)
        for address in (GROUPS, WORKERS, page(group), page(worker)):
            shown = text(admin_client.get(address))
            assert SCRIPT not in shown
            assert "&lt;script&gt;" in shown

    def test_long_and_right_to_left_names_are_shown(self, admin_client) -> None:
        one = task("x" * 255, name="\u202e" + "\u0646" * 200, worker="w" * 255, queue="q" * 255)
        for address in (TASKS, page(one)):
            assert one.name in text(admin_client.get(address))

    def test_grouped_digits_do_not_reach_links_or_numbers(self, admin_client, settings) -> None:
        settings.USE_THOUSAND_SEPARATOR = True
        one = task("a", id=1234567, pid=98765, started_at=NOW, sent_at=NOW, runtime=1.5)
        task("b", id=1234568, parent_id="a")
        shown = text(admin_client.get(TASKS)) + text(admin_client.get(page(one)))
        assert "/1234567/change/" in shown
        assert "/1234568/change/" in shown
        assert "98765" in shown
