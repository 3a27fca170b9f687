"""An operator's jobs in the list of tasks and on the page of one, with the clicks counted."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.browser.clicks import Clicks, overflow
from tests.integration.operators import broker_in_memory, kept, operation
from tests.integration.test_task_pages import failed
from z4j_django import operations, states
from z4j_django.control import remote_control, results
from z4j_django.models import Operation, SavedView, TaskRecord

OVERVIEW = "/admin/z4j_django/"
TASKS = "/admin/z4j_django/taskrecord/"
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}
WIDE_NAME = f"pretix.base.services.{'very_' * 40}long.fetch_rates"


@pytest.fixture
def runaway(transactional_db) -> TaskRecord:
    """A task that has run for 18 minutes."""
    began = timezone.now() - timedelta(minutes=18)
    return kept(
        "00000001-runs",
        name="shop.import_catalogue",
        state=states.STARTED,
        sent_at=began,
        started_at=began,
        worker="w1@web1",
    )


def page_of(record: TaskRecord) -> str:
    return f"{TASKS}{record.pk}/change/"


class TestJobs:
    def test_a_runaway_is_stopped_from_the_list(self, open_page, runaway, monkeypatch) -> None:
        asked = []

        def perform(verb: str, ids: list[str], options: Any, **how: Any) -> Operation:
            asked.append((verb, ids))
            return operation(verb, tuple(ids), done=1)

        monkeypatch.setattr(operations, "perform", perform)
        job = Clicks(open_page(f"{TASKS}?q=state:STARTED"))
        job.page.locator(".z4j-select").first.check()
        job.count += 1
        job(job.page.get_by_role("button", name="Terminate…"))
        job(job.page.get_by_role("button", name="Terminate it"))
        assert asked == [("terminate", ["00000001-runs"])]
        assert job.count == 3

    def test_those_like_a_failure_are_one_click_away(self, open_page, transactional_db) -> None:
        record = failed()
        job = Clicks(open_page(page_of(record)))
        job(job.page.get_by_role("link", name="one of 40 like it"))
        assert job.count == 1
        assert "CardDeclined" in job.page.locator("#z4j-main").inner_text()


class TestSearchBox:
    @pytest.fixture
    def page(self, open_page, transactional_db) -> Any:
        kept("a", name="shop.charge_card", queue="mail")
        kept("b", name="shop.resize_image", queue="bulk", state=states.RETRY)
        return open_page(TASKS, viewport=DESKTOP)

    def test_it_is_a_combobox_by_keyboard(self, page) -> None:
        box = page.get_by_role("combobox", name="Filter")
        box.press_sequentially("queue:m")
        option = page.get_by_role("option", name="queue:mail")
        option.wait_for()
        assert box.get_attribute("aria-expanded") == "true"
        box.press("ArrowDown")
        assert option.get_attribute("aria-selected") == "true"
        assert box.get_attribute("aria-activedescendant") == option.get_attribute("id")
        box.press("Enter")
        assert box.input_value() == "queue:mail "
        box.press_sequentially("st")
        # Which was not among those that fitted what was typed before.
        page.get_by_role("option", name="state:STARTED").wait_for()
        box.press("ArrowDown")
        box.press("Enter")
        page.get_by_role("option", name="state:FAILURE").click()
        assert box.input_value() == "queue:mail state:FAILURE "
        box.press("Escape")
        assert box.get_attribute("aria-expanded") == "false"
        with page.expect_navigation():
            box.press("Enter")
        assert page.locator("#result_list tbody tr").count() == 1

    def test_a_wrong_word_is_asked_back(self, page) -> None:
        page.fill("#searchbar", "state:FAILED")
        with page.expect_navigation():
            page.locator("#searchbar").press("Enter")
        with page.expect_navigation():
            page.get_by_role("link", name="state:FAILURE").click()
        assert page.locator("#searchbar").input_value() == "state:FAILURE"
        assert page.locator("#result_list tbody tr").count() == 1

    def test_a_filter_becomes_a_view(self, page) -> None:
        page.fill("#searchbar", "queue:mail")
        with page.expect_navigation():
            page.locator("#searchbar").press("Enter")
        with page.expect_navigation():
            page.get_by_role("link", name="Save this view…").click()
        page.get_by_label("Name").fill("the mail")
        with page.expect_navigation():
            page.get_by_role("button", name="Save", exact=True).click()
        view = page.locator(".z4j-views").get_by_role("link", name="the mail", exact=True)
        assert view.get_attribute("aria-current") == "true"
        assert SavedView.objects.get().owner_name == "root"


class TestThePage:
    def test_libraries_frames_unfold(self, open_page, transactional_db) -> None:
        page = open_page(page_of(failed()))
        assert page.get_by_text("raise CardDeclined(order)").is_visible()
        assert not page.get_by_text("fun(*args, **kwargs)").is_visible()
        page.get_by_text("frame of libraries").click()
        assert page.get_by_text("fun(*args, **kwargs)").is_visible()

    def test_progress_comes_after_the_page(self, open_page, runaway, monkeypatch) -> None:
        broker_in_memory(monkeypatch)
        monkeypatch.setattr(
            results, "progress", lambda app, task_id, timeout: results.Progress(47, 50)
        )
        page = open_page(page_of(runaway))
        assert page.get_by_text("47 of 50").count() == 0
        page.locator(".z4j-task-progress svg").wait_for()
        assert "47 of 50" in page.locator(".z4j-task-progress").inner_text()

    def test_what_it_does_is_told_on_demand_and_stays(
        self, open_page, runaway, monkeypatch
    ) -> None:
        broker_in_memory(monkeypatch)
        frames = [
            ["/venv/site-packages/celery/app/trace.py", 453, "trace_task", "fun(*args)"],
            ["/srv/shop/tasks.py", 82, "sync", "for order in orders:"],
        ]
        monkeypatch.setattr(remote_control, "stack", lambda *args, **kwargs: {"frames": frames})
        TaskRecord.objects.update(
            worker="w1@web1",
            progress={"current": 47, "total": 50, "text": "order 47"},
            progress_at=timezone.now(),
        )
        page = open_page(page_of(runaway))
        assert "order 47" in page.locator(".z4j-task-progress").inner_text()
        page.get_by_role("link", name="What is it doing now?").click()
        page.locator("#z4j-stack").get_by_text("for order in orders:").wait_for()
        with page.expect_response(lambda answer: "part=task" in answer.url):
            page.evaluate("htmx.trigger('#z4j-part-task', 'z4jnow')")
        assert page.locator("#z4j-stack").get_by_text("for order in orders:").is_visible()

    def test_running_time_counts(self, open_page, runaway) -> None:
        TaskRecord.objects.update(started_at=timezone.now() - timedelta(seconds=30))
        page = open_page(TASKS)
        clock = page.locator(".z4j-runs time")
        first = int(re.sub(r"\D", "", clock.inner_text()))
        clock.get_by_text(f"{first + 2} s").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_whatever_names_are_like_nothing_leaves_the_page(
    open_page, transactional_db, scheme, viewport
) -> None:
    long = failed(
        "f" * 250,
        name=WIDE_NAME[-255:],
        queue="q" * 255,
        worker="w" * 255,
        exception_type="E" * 255,
        exception_message="m" * 3000,
        traceback="t" * 3000,
        schedule="s" * 255,
        routing_key="\u202e" + "r" * 250,
    )
    kept("emoji", name="🦄" * 120, queue="<script>alert(1)</script>")
    made = operation(targets=("f" * 250,), actor="a" * 255)
    for place in (
        TASKS,
        page_of(long),
        f"{TASKS}retry/?id={long.pk}",
        f"{TASKS}bulk/retry/?q=state:FAILURE",
        f"/admin/z4j_django/operation/{made.pk}/change/",
    ):
        page = open_page(place, viewport=viewport, color_scheme=scheme)
        assert overflow(page) == 0, place
        if place == TASKS:
            name = page.locator(".z4j-cell-task .z4j-name").last
            # What does not fit goes at the begin: the end is inside of its box.
            end = name.locator("bdi").bounding_box()
            box = name.bounding_box()
            assert end["x"] + end["width"] <= box["x"] + box["width"] + 1
