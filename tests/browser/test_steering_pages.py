"""Groups, queues, workers and schedules in the browser: the operator's jobs, with their clicks."""

from __future__ import annotations

import celery
import pytest

from tests import messages
from tests.integration import chords
from z4j_django import operations
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = {"width": 390, "height": 844}


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
