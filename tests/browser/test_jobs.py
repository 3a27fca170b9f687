"""An operator's jobs, with the clicks counted from the first page.

Whether an error is new, and to retry those of one: ``test_errors_pages``, on the same terms.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import celery
import pytest
from django.utils import timezone

from tests import first_page, messages
from tests.browser.clicks import Clicks
from tests.integration import chords
from tests.integration.operators import kept, operation
from tests.integration.test_admin_schedules import overdue, ran, scheduled
from z4j_django import operations
from z4j_django.models import GroupRecord, Operation

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = "/admin/z4j_django/"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
    return chords.make_app(monkeypatch)


@pytest.fixture(params=[True, False], ids=["with scripts", "without scripts"])
def operator(request: pytest.FixtureRequest, open_page: Any) -> Clicks:
    """Somebody whose first page is still empty."""
    return Clicks(open_page("/admin/password_change/", java_script_enabled=request.param))


def test_what_fails_now_and_why_takes_one_click(operator) -> None:
    traceback = (
        '  File "/app/shop/tasks.py", line 82, in charge_card\n    raise CardDeclined(order)'
    )
    first_page.error(message="order 17750 was declined", traceback=traceback)
    operator.page.goto(FIRST)
    operator.link("CardDeclined")
    assert operator.page.get_by_text("order 17750 was declined").first.is_visible()
    assert operator.page.get_by_text("raise CardDeclined(order)").is_visible()
    assert operator.count == 1


def test_what_a_worker_does_takes_one_click(operator) -> None:
    first_page.worker()
    first_page.running()
    operator.page.goto(FIRST)
    operator.link("w1@web1")
    assert operator.page.get_by_role("link", name="shop.import_catalogue").first.is_visible()
    assert operator.page.get_by_text("18 min").first.is_visible()
    assert operator.count == 1


def test_that_a_queue_backs_up_and_how_old_it_is_is_seen_without_a_click(operator) -> None:
    first_page.sample("mail", oldest_at=timezone.now() - timedelta(minutes=6))
    operator.page.goto(FIRST)
    row = operator.page.locator("#z4j-queues").get_by_role("row", name="mail")
    assert row.get_by_text("412", exact=True).is_visible()
    assert row.get_by_text("6 min", exact=True).is_visible()
    operator.link("mail")
    assert operator.page.url.endswith("/queues/one/?queue=mail")


def test_which_schedule_did_not_run_is_seen_without_a_click(operator, monkeypatch) -> None:
    scheduled(monkeypatch, "tick", "late")
    ran("tick", "SUCCESS", "FAILURE")
    overdue("late", 2)
    operator.page.goto(FIRST)
    rows = operator.page.locator("#z4j-schedules tbody tr")
    assert rows.first.get_by_text("late", exact=True).is_visible()
    assert rows.first.get_by_text("overdue for 2 h").is_visible()
    operator(rows.first.get_by_role("link"))
    assert "overdue for 2 h" in operator.page.locator("#z4j-schedules tbody tr").first.inner_text()


def test_a_runaway_is_stopped_in_three_clicks(operator, monkeypatch) -> None:
    asked = []

    def perform(verb: str, ids: list[str], options: Any, **how: Any) -> Operation:
        asked.append((verb, ids))
        return operation(verb, tuple(ids), done=1)

    monkeypatch.setattr(operations, "perform", perform)
    began = timezone.now() - timedelta(minutes=18)
    kept("00000001-runs", name="shop.import_catalogue", state="STARTED", started_at=began)
    operator.page.goto(FIRST)
    operator.link("shop.import_catalogue")
    operator.link("Terminate…")
    operator.button("Terminate it")
    assert asked == [("terminate", ["00000001-runs"])]
    assert operator.page.get_by_text("What became of its tasks").is_visible()
    assert operator.count == 3


def test_a_failed_chord_is_run_again_in_three_clicks(operator, app) -> None:
    chords.chord_of_three(app)
    operator.page.goto(FIRST)
    operator.place("Groups")
    operator.link("Retry… chord")
    operator.button("Run it again")
    assert Operation.objects.get().done == 3  # one runs, two results stand
    assert operator.count == 3


def test_the_body_of_a_stuck_chord_is_run_in_two_clicks(operator, app) -> None:
    chords.chord_of_three(app)
    first_page.condition("chord_stuck", GroupRecord.objects.get().group_id)
    operator.page.goto(FIRST)
    operator.link("Run its body…")
    assert operator.page.get_by_role("heading", name="Run the body again").is_visible()
    assert operator.page.get_by_role("button", name="Run it again").is_visible()
    assert operator.count == 1


def test_a_purge_is_undone_in_three_clicks(operator, app) -> None:
    queue = app.conf.task_default_queue
    chords.chord_of_three(app)
    app.send_task("pay", (7,), queue=queue)
    operations.perform("purge_queue", queue, {"confirm": queue}, actor="the test", surface="admin")
    operator.page.goto(FIRST)
    operator.place("Operations")
    operator.link("Restore… operation")
    operator.button("Put them back")
    assert [message.headers["task"] for message in messages.taken(queue)] == ["pay"]
    assert operator.count == 3
