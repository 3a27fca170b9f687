"""What became of the tasks that an operation published, alike on every surface."""

from __future__ import annotations

import io
import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration import nouns
from tests.integration.api_client import address, body, client
from tests.integration.operators import grant, operation, signed_in
from tests.integration.pages import page, task, text
from z4j_django.management import operating
from z4j_django.models import Operation
from z4j_django.queries import operations

pytestmark = pytest.mark.django_db

#: The task that was published for each target, and its state; none of the last one.
PUBLISHED = {"a": ("n1", "SUCCESS"), "b": ("n2", "FAILURE"), "c": ("n3", "SUCCESS")}
STANDS = {"SUCCESS": 2, "FAILURE": 1, "not_on_record": 1}


@pytest.fixture
def retried() -> Operation:
    """Five targets: three done and on record, one done and not yet, one refused."""
    made = operation("retry", tuple("abcde"), done=4, refused=1)
    for target, (new_id, state) in PUBLISHED.items():
        made.targets.filter(target=target).update(outcome="done", result_id=new_id)
        task(new_id, state=state, retry_of=target)
    made.targets.filter(target="d").update(outcome="done", result_id="n4")
    made.targets.filter(target="e").update(outcome="refused")
    task("n4", state="SUCCESS", project="other")
    task("", state="STARTED")
    another = operation("retry", ("f",))
    another.targets.update(outcome="done", result_id="n5")
    task("n5", state="REVOKED")
    return made


def test_the_published_tasks_are_counted_by_their_states_in_one_query(retried) -> None:
    with CaptureQueriesContext(connection) as captured:
        found = operations.published(retried)
    assert list(found.items()) == list(STANDS.items())
    assert len(captured) == 1


def test_an_operation_that_publishes_nothing_has_none() -> None:
    assert operations.published(operation("cancel", ("a", "b"), done=2)) == {}


def test_of_many_targets_the_first_are_looked_at_and_it_is_said(retried, monkeypatch) -> None:
    assert operations.published_label(retried) == "Published"
    monkeypatch.setattr(operations, "PUBLISHED_LIMIT", 2)
    assert operations.published(retried) == {"SUCCESS": 1, "FAILURE": 1}
    assert operations.published_label(retried) == "Published for the first 2 targets"


class TestApi:
    def test_an_operation_has_them_in_one_query_more(self, retried) -> None:
        where = address("operations", str(retried.pk))
        assert body(client().get(where))["published"] == STANDS
        assert len(nouns.reads(where)) == 3

    def test_a_list_does_not(self, retried) -> None:
        [_, first] = body(client().get(address("operations")))["results"]
        assert first["id"] == retried.pk
        assert "published" not in first

    def test_they_are_for_those_who_may_view_tasks(self, retried) -> None:
        where = address("operations", str(retried.pk))
        assert body(nouns.holder("view_operation").get(where))["published"] is None
        both = nouns.holder("view_operation", "view_taskrecord")
        assert body(both.get(where))["published"] == STANDS


class TestAdmin:
    def test_the_page_shows_them_in_one_query_more(self, admin_client, retried) -> None:
        with CaptureQueriesContext(connection) as captured:
            shown = text(admin_client.get(page(retried)))
        assert "Tasks that it published:" in shown
        assert ">2 SUCCESS</span>" in shown
        assert ">1 FAILURE</span>" in shown
        assert ">1 not on record</span>" in shown
        assert "3 of 4</span> have ended" in shown
        grouped = [one for one in captured if "GROUP BY" in one["sql"]]
        assert len(grouped) == 1

    def test_of_what_publishes_nothing_it_shows_how_the_targets_stand(self, admin_client) -> None:
        task("a", state="REVOKED")
        task("b", state="STARTED")
        shown = text(admin_client.get(page(operation("terminate", ("a", "b", "c")))))
        assert "Tasks that it acted on:" in shown
        assert ">1 REVOKED</span>" in shown
        assert ">1 STARTED</span>" in shown
        assert "1 of 3</span> have ended" in shown

    def test_what_has_no_tasks_has_no_such_part(self, admin_client) -> None:
        assert "What became of" not in text(admin_client.get(page(operation("purge_queue"))))

    def test_it_is_followed_for_an_hour_after_the_end(self, admin_client, retried) -> None:
        assert "every 5s" in text(admin_client.get(page(retried)))
        Operation.objects.update(finished_at=timezone.now() - timedelta(hours=2))
        assert "every 5s" not in text(admin_client.get(page(retried)))

    def test_they_are_for_those_who_may_view_tasks(self, retried) -> None:
        looks = signed_in("staff")
        grant(User.objects.get(username="staff"), "view_operation")
        assert "What became of" not in text(looks.get(page(retried)))
        assert "SUCCESS" not in text(looks.get(page(retried), {"part": "became"}))


class TestCommand:
    def finish(self, made: Operation, **options: bool) -> str:
        out = io.StringIO()
        with pytest.raises(SystemExit):  # one was refused
            operating.OperatingCommand(stdout=out).finish(made, {"json": False, **options})
        return out.getvalue()

    def test_the_report_ends_with_them(self, retried) -> None:
        last = self.finish(retried).splitlines()[-2:]
        assert last[0].endswith("finished; 5 total, 4 done, 1 refused.")
        assert last[1] == "Published: 2 SUCCESS, 1 FAILURE, 1 not on record."

    def test_and_its_document_has_them(self, retried) -> None:
        assert json.loads(self.finish(retried, json=True))["published"] == STANDS
