"""What an operator does to workers, queues and schedules, click by click."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import celery
import pytest
from django.urls import reverse
from django.utils import timezone
from kombu.transport.memory import Channel

from tests import every_page
from tests.browser.clicks import Clicks, overflow
from tests.integration import operators, test_admin_queues, test_pausing
from tests.integration.pages import page as page_of
from tests.integration.pages import task
from tests.integration.test_schedule_operations import online
from tests.integration.test_steering import Fleet
from tests.messages import taken
from z4j_django import broadcasts
from z4j_django.control import broadcasting
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db(transaction=True)

WORKERS = "/admin/z4j_django/workerrecord/"
SCHEDULES = "/admin/z4j_django/taskrecord/schedules/"
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[celery.Celery]:
    monkeypatch.setattr(Channel, "queues", {})
    made = operators.broker_in_memory(monkeypatch)
    made.conf.task_default_queue = "mail"
    yield made
    made.close()


@pytest.fixture
def fleet(app: celery.Celery, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet()
    monkeypatch.setattr(broadcasting, "to_some", made.to_some)
    for silent in ("reserved", "scheduled", "revoked", "conf", "active_queues", "z4j_processes"):
        monkeypatch.setattr(Fleet, f"_{silent}", lambda self, one: None, raising=False)
    active = [{"id": "runs", "name": "shop.import"}]
    monkeypatch.setattr(Fleet, "_active", lambda self, one, safe: active, raising=False)
    return made


@pytest.fixture(params=["light at the desk", "dark on a phone", "without scripts"])
def operator(request: pytest.FixtureRequest, open_page: Any) -> Clicks:
    """Somebody who is at a page that has nothing to do with it."""
    how = {
        "light at the desk": {"viewport": DESK},
        "dark on a phone": {"viewport": PHONE, "color_scheme": "dark", "bypass_csp": True},
        "without scripts": {"viewport": PHONE, "java_script_enabled": False},
    }[request.param]
    return Clicks(open_page("/admin/password_change/", **how))


def look(page: Any) -> None:
    """See that a page fits, and in the dark that axe has nothing against it."""
    assert overflow(page) <= 0, page.url
    if page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches"):
        assert every_page.violations(page) == [], page.url


def test_workers_are_steered_and_asked(operator: Clicks, fleet: Fleet) -> None:
    worker, page = fleet.add("w1@a"), operator.page
    fleet.add("w2@a")
    page.goto(WORKERS)
    page.get_by_text("Steer all that are online").click()
    look(page)
    operator.link("Ping…")
    assert page.get_by_role("heading", name="Ping: all that are online (2)").is_visible()
    operator.button("Ping")
    assert page.locator(".z4j-targets").get_by_text("It answered.").count() == 2

    page.goto(page_of(worker))
    operator.link("Limit the rate…")
    page.get_by_role("textbox", name="Task").fill("shop.add")
    page.get_by_label("Rate", exact=True).fill("often")
    look(page)
    operator.button("Limit the rate")
    assert "Nothing was done" in page.locator(".z4j-alert").inner_text()
    page.get_by_label("Rate", exact=True).fill("10/m")
    operator.button("Limit the rate")
    assert page.get_by_text("rate limit 10/m; before: rate limit none.").is_visible()
    page.goto(page_of(worker))
    limits = page.locator("[aria-labelledby=z4j-limits]")
    assert limits.get_by_text("rate limit 10/m").is_visible()

    page.get_by_text("Ask the worker").click()
    if not page.evaluate("typeof htmx !== 'undefined'"):
        operator.link("It has 5 seconds to answer")
    live = page.get_by_text("It did not tell in time: reserved, scheduled, revoked")
    live.wait_for()
    assert page.get_by_text("Running: 1").is_visible()
    look(page)

    page.goto(page_of(worker))
    operator(limits.get_by_role("link", name="Reset…"))
    operator.button("Limit the rate")
    assert page.get_by_text("rate limit none; before: rate limit 10/m.").is_visible()


def test_a_queue_is_paused_looked_into_moved_and_resumed(
    operator: Clicks, app: celery.Celery, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers, page = test_pausing.Workers(), operator.page
    monkeypatch.setattr(broadcasts, "ask", workers.ask)
    for name in workers.taking:
        test_admin_queues.worker(name, "mail")
    with app.connection_for_write() as connection:
        for name in ("mail", "parked"):
            app.amqp.queues.select_add(name)
            app.amqp.queues[name](connection.default_channel).declare()
    for number in range(3):
        app.send_task("shop.send", (number,), {"password": "hunter2"}, queue="mail")
    page.goto(f"{reverse('admin:z4j_django_operation_queue')}?queue=mail")
    queue = page.url
    taking = page.locator("#z4j-now")
    assert taking.get_by_text("w1", exact=True).is_visible()
    operator.link("Pause…")
    page.get_by_label("Reason").fill("the provider is down")
    look(page)
    operator.button("Pause it")
    assert page.get_by_text("2 workers stopped taking from it.").is_visible()

    page.goto(queue)
    assert taking.get_by_text("paused by root").is_visible()
    assert taking.get_by_text("None: it is paused.").is_visible()
    operator.link("Look into it")
    messages = page.locator("#z4j-messages")
    assert messages.locator("tbody tr").count() == 3
    assert "hunter2" not in messages.inner_text()
    look(page)

    operator.link("Move…")
    page.get_by_label("Into the queue").fill("mail")
    operator.button("Move them")
    assert page.get_by_text("The messages lie in the queue 'mail' already.").is_visible()
    page.get_by_label("Into the queue").fill("parked")
    look(page)
    operator.button("Move them")
    assert page.get_by_text("All 3 messages were moved.").is_visible()
    operator.link("Restore…")
    operator.button("Put them back")
    assert page.get_by_text("All 3 messages were put back.").is_visible()

    page.goto(queue)
    operator.link("Resume…")
    look(page)
    operator.button("Resume it")
    assert page.get_by_text("2 workers take from it again.").is_visible()
    assert len(list(taken("mail"))) == 3


def test_a_schedule_is_run_by_hand_and_its_next_run_left_out(
    operator: Clicks, app: celery.Celery
) -> None:
    app.conf.beat_schedule = {"hourly": {"task": "shop.count", "schedule": 3600.0}}
    online()
    now = timezone.now()
    task("sent", schedule="hourly", name="shop.count", sent_at=now - timedelta(minutes=30))
    page = operator.page
    page.goto(SCHEDULES)
    look(page)
    operator.link("Run now…")
    page.get_by_label("Arguments", exact=True).fill("[7]")
    look(page)
    operator.button("Run now")
    assert page.get_by_text("Run schedule: 1 done.").is_visible()
    [message] = taken("mail")
    assert message.payload[0] == [7]

    page.goto(SCHEDULES)
    operator.link("Skip the next run…")
    operator.button("Skip the next run")
    assert page.get_by_text("beat carries it out").is_visible()
    assert page.get_by_text("Beat will leave out the run of").is_visible()
    look(page)
    operator.button("Abort")
    assert Operation.objects.get(verb="skip_next_run").state in ("aborting", "aborted")
