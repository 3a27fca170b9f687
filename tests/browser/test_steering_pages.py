"""Groups, queues, workers and schedules in the browser: the operator's jobs, with their clicks."""

from __future__ import annotations

import celery
import pytest

from tests.browser.clicks import overflow
from tests.browser.test_workflow_pages import HOSTILE
from tests.integration import chords
from tests.integration.pages import page as page_of
from tests.integration.test_admin_queues import sample, worker
from tests.integration.test_admin_schedules import ran, scheduled
from tests.integration.test_admin_workers import runs

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def app(monkeypatch) -> celery.Celery:
    return chords.make_app(monkeypatch)


@pytest.mark.parametrize("width", [1280, 390])
def test_the_list_of_groups_fits(open_page, app, width) -> None:
    chords.chord_of_three(app)
    page = open_page("/admin/z4j_django/grouprecord/", viewport={"width": width, "height": 800})
    assert page.get_by_text("1 failed", exact=True).is_visible()
    assert overflow(page) <= 0
    results = page.locator("#changelist-form")
    assert results.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


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


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_schedules_break_no_page(open_page, monkeypatch, width) -> None:
    scheduled(monkeypatch, *HOSTILE)
    for name in HOSTILE:
        ran(name, *["FAILURE"] * 8)
    page = open_page(
        "/admin/z4j_django/taskrecord/schedules/", viewport={"width": width, "height": 800}
    )
    assert overflow(page) <= 0
