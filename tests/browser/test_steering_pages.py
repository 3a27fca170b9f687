"""Groups, queues, workers and schedules in the browser: the operator's jobs, with their clicks."""

from __future__ import annotations

from datetime import timedelta

import celery
import pytest
from django.utils import timezone

from tests import messages
from tests.browser.test_workflow_pages import HOSTILE
from tests.integration import chords
from tests.integration.pages import page as page_of
from tests.integration.test_admin_queues import sample, worker
from tests.integration.test_admin_schedules import overdue, ran, scheduled
from tests.integration.test_admin_workers import runs
from z4j_django import operations
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db(transaction=True)


class Clicks:
    """Counts what an operator clicks."""

    def __init__(self, page) -> None:
        self.page = page
        self.count = 0

    def link(self, name: str) -> None:
        self._go(self.page.get_by_role("link", name=name).first)

    def button(self, name: str) -> None:
        self._go(self.page.get_by_role("button", name=name).first)

    def _go(self, locator) -> None:
        with self.page.expect_navigation():
            locator.click()
        self.count += 1


def overflow(page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")


@pytest.fixture
def app(monkeypatch) -> celery.Celery:
    return chords.make_app(monkeypatch)


def test_a_failed_chord_is_run_again_in_three_clicks(open_page, app) -> None:
    chords.chord_of_three(app)
    operator = Clicks(open_page("/admin/z4j_django/grouprecord/"))
    operator.link("pay")
    operator.link("Retry failed…")
    operator.button("Run it again")
    assert Operation.objects.get().done == 3  # one runs, two results stand
    assert operator.count == 3


@pytest.mark.parametrize("width", [1280, 390])
def test_the_list_of_groups_fits(open_page, app, width) -> None:
    chords.chord_of_three(app)
    page = open_page("/admin/z4j_django/grouprecord/", viewport={"width": width, "height": 800})
    assert page.get_by_text("1 failed", exact=True).is_visible()
    assert overflow(page) <= 0
    results = page.locator("#changelist .results")
    assert results.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


def test_a_purge_is_undone_in_three_clicks(open_page, app) -> None:
    queue = app.conf.task_default_queue
    chords.chord_of_three(app)
    app.send_task("pay", (7,), queue=queue)
    operations.perform("purge_queue", queue, {"confirm": queue}, actor="the test", surface="admin")
    operator = Clicks(open_page("/admin/z4j_django/operation/"))
    operator.link("Purge queue")
    operator.link("Restore…")
    operator.button("Put them back")
    assert [message.headers["task"] for message in messages.taken(queue)] == ["pay"]
    assert operator.count == 3


def test_what_a_worker_does_is_one_click_away(open_page) -> None:
    worker("w1@web1", "mail", concurrency=2)
    runs("import_catalogue", "w1@web1", 18)
    operator = Clicks(open_page("/admin/z4j_django/workerrecord/"))
    assert operator.page.get_by_text("1/2").is_visible()
    operator.link("w1@web1")
    assert operator.page.get_by_role("link", name="shop.import_catalogue").first.is_visible()
    assert operator.page.get_by_text("18 min").first.is_visible()
    assert operator.count == 1


def test_what_a_queue_holds_and_for_how_long_is_seen_without_a_click(open_page) -> None:
    sample("mail", depth=412, oldest_at=timezone.now() - timedelta(minutes=6))
    page = open_page("/admin/z4j_django/operation/queues/")
    row = page.get_by_role("row", name="mail")
    assert row.get_by_text("412", exact=True).is_visible()
    assert row.get_by_text("6 min", exact=True).is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_names_break_no_page(open_page, scheme, width) -> None:
    options = {"viewport": {"width": width, "height": 800}, "color_scheme": scheme}
    for name in HOSTILE:
        sample(name, depth=1)
        one = worker(name, name, pool=name[:60], concurrency=2)
        runs(f"task {name}"[:99], name, name=name, queue=name)
    for path in (
        "/admin/z4j_django/operation/queues/",
        "/admin/z4j_django/workerrecord/",
        page_of(one),
        f"/admin/z4j_django/operation/queues/one/?queue={HOSTILE[1]}",
    ):
        assert overflow(open_page(path, **options)) <= 0


def test_which_schedule_did_not_run_is_seen_without_a_click(open_page, monkeypatch) -> None:
    scheduled(monkeypatch, "tick", "late")
    ran("tick", "SUCCESS", "FAILURE")
    overdue("late", 2)
    page = open_page("/admin/z4j_django/taskrecord/schedules/")
    first = page.locator("#z4j-schedules tbody tr").first.inner_text()
    assert "late" in first
    assert "overdue for 2 h" in first


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_schedules_break_no_page(open_page, monkeypatch, width) -> None:
    scheduled(monkeypatch, *HOSTILE)
    for name in HOSTILE:
        ran(name, *["FAILURE"] * 8)
    page = open_page(
        "/admin/z4j_django/taskrecord/schedules/", viewport={"width": width, "height": 800}
    )
    assert overflow(page) <= 0
