"""An operator's way through the admin: from the list, over the question, to the outcome."""

from __future__ import annotations

import json
import uuid

import celery
import pytest
from django.urls import reverse
from django.utils import timezone

from tests.browser.clicks import follow, overflow
from tests.integration.operators import broker_in_memory, kept, operation
from z4j_django.models import Operation, OperationTarget, TaskRecord

TASKS = "/admin/z4j_django/taskrecord/"
QUEUES = "/admin/z4j_django/operation/queues/"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def queue(transactional_db) -> str:
    return f"browser-{uuid.uuid4()}"


@pytest.fixture
def app(monkeypatch) -> celery.Celery:
    return broker_in_memory(monkeypatch)


@pytest.fixture
def failed(queue, app) -> list[TaskRecord]:
    """Three tasks that failed and one that still runs."""
    records = [kept(f"{number:08x}-failed", number, queue=queue) for number in range(3)]
    return [*records, kept("00000003-runs", queue=queue, state="STARTED")]


def waiting(app: celery.Celery, queue: str) -> list:
    """The messages in a queue, taken out."""
    found = []
    with app.connection_for_read() as connection:
        while (message := connection.default_channel.basic_get(queue, no_ack=True)) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_tasks_are_retried_from_the_list(open_page, failed, app, queue, scripts) -> None:
    page = open_page(TASKS, java_script_enabled=scripts)
    for checkbox in page.locator("#result_list tbody .z4j-select").all()[:3]:
        checkbox.check()
    if scripts:
        assert page.get_by_text("3 of 4 selected").is_visible()
    follow(page, page.get_by_role("button", name="Retry…"))
    assert page.get_by_role("heading", name="Retry 3 tasks?").is_visible()
    assert page.get_by_text("2 of 3 will be acted on, 1 refused").is_visible()
    assert waiting(app, queue) == []
    follow(page, page.get_by_role("button", name="Retry them"))
    assert page.get_by_text("Retry: 2 done, 1 refused.").is_visible()
    outcomes = page.locator(".z4j-targets td:nth-child(2) .z4j-pill").all_inner_texts()
    assert sorted(outcomes) == ["DONE", "DONE", "REFUSED"]
    assert [message.headers["z4j"]["retry_of"] for message in waiting(app, queue)] == [
        "00000001-failed",
        "00000002-failed",
    ]


def test_wrong_arguments_are_told_while_they_are_typed(open_page, failed, app, queue) -> None:
    page = open_page(reverse("admin:z4j_django_taskrecord_change", args=[failed[0].pk]))
    follow(page, page.get_by_role("link", name="Edit and retry…"))
    arguments = page.get_by_label("Arguments", exact=True)
    arguments.fill('["open')
    assert "This is no JSON" in page.locator(".z4j-problem").first.inner_text()
    page.get_by_role("button", name="Retry with these").click()
    assert page.get_by_role("heading", name="Edit and retry").is_visible()
    assert not Operation.objects.exists()
    arguments.fill("[7]")
    assert page.locator(".z4j-problem").first.inner_text() == ""
    follow(page, page.get_by_role("button", name="Retry with these"))
    assert page.get_by_text("Retry: 1 done.").is_visible()
    assert [json.loads(message.body)[0] for message in waiting(app, queue)] == [[7]]


def test_wrong_arguments_are_told_without_scripts(open_page, failed) -> None:
    where = reverse("admin:z4j_django_taskrecord_edit", args=[failed[0].pk])
    page = open_page(where, java_script_enabled=False)
    page.get_by_label("Arguments", exact=True).fill('["open')
    follow(page, page.get_by_role("button", name="Retry with these"))
    assert "it is no JSON" in page.locator(".errorlist").inner_text()
    assert page.get_by_label("Arguments", exact=True).input_value() == '["open'
    assert not Operation.objects.exists()


def test_a_queue_is_purged_by_its_name_and_restored(open_page, failed, app, queue) -> None:
    for number in range(3):
        app.send_task("shop.pay", (number,), queue=queue)
    page = open_page(QUEUES)
    assert page.locator(".z4j-queues tbody td").first.inner_text() == "unknown"
    follow(page, page.get_by_role("link", name="Ask the broker now"))
    assert page.locator(".z4j-queues tbody td").first.inner_text() == "3"
    follow(page, page.get_by_role("link", name=queue))
    follow(page, page.get_by_role("link", name="Purge…"))
    assert page.get_by_text("3 messages").is_visible()
    page.get_by_label("Name of the queue").fill("another")
    follow(page, page.get_by_role("button", name="Purge it"))
    assert "not the queue's name" in page.locator(".errorlist").inner_text()
    page.get_by_label("Name of the queue").fill(queue)
    follow(page, page.get_by_role("button", name="Purge it"))
    assert page.get_by_text("All 3 messages were saved and removed.").is_visible()
    assert waiting(app, queue) == []
    follow(page, page.get_by_role("link", name="Restore…"))
    follow(page, page.get_by_role("button", name="Put them back"))
    assert page.get_by_text("Restore: ").is_visible()
    assert len(waiting(app, queue)) == 3


def test_all_that_match_are_previewed_and_retried(open_page, failed, app, queue) -> None:
    page = open_page(f"{TASKS}?state=FAILURE&queue={queue}")
    follow(page, page.get_by_role("link", name="Act on all that match this filter…"))
    assert page.get_by_role("heading", name="3 tasks match").is_visible()
    follow(page, page.get_by_role("button", name="Retry 3 tasks"))
    assert page.get_by_text("Retry: 3 done.").is_visible()
    assert len(waiting(app, queue)) == 3


def test_a_typed_filter_is_previewed_with_its_text_and_acted_on(
    open_page, failed, app, queue
) -> None:
    page = open_page(TASKS)
    page.fill("#searchbar", f"queue:{queue} state:FAILURE args.0:1,2")
    follow(page, page.get_by_role("button", name="Search"))
    follow(page, page.get_by_role("link", name="Act on all that match this filter…"))
    assert page.get_by_role("heading", name="2 tasks match").is_visible()
    text = page.locator("pre.z4j-block").inner_text()
    assert text == f"project:default queue:{queue} state:FAILURE args.0:1,2"
    follow(page, page.get_by_role("button", name="Retry 2 tasks"))
    assert page.get_by_text("Selected as of").is_visible()
    assert page.get_by_text("Retry: 2 done.").is_visible()
    assert len(waiting(app, queue)) == 2


def test_a_filter_that_bulk_refuses_says_why_and_leads_back(open_page, failed) -> None:
    page = open_page(f"{reverse('admin:z4j_django_taskrecord_bulk_retry')}?q=retries:0")
    assert page.get_by_text("retries:0: there is no index for this.").is_visible()
    assert page.locator("input[type=submit].default").count() == 0
    follow(page, page.get_by_role("link", name="Back"))
    assert page.locator("#searchbar").input_value() == "retries:0"


def test_the_page_of_a_running_operation_follows_it(open_page, transactional_db) -> None:
    made = operation(targets=tuple("abcd"), state="running", finished_at=None)
    page = open_page(reverse("admin:z4j_django_operation_change", args=[made.pk]))
    assert page.locator(".z4j-running").inner_text() == "0 of 4"
    OperationTarget.objects.filter(target="a").update(outcome="done")
    page.locator(".z4j-running span").get_by_text("1 of 4").wait_for()
    page.get_by_role("button", name="Abort").focus()
    OperationTarget.objects.filter(target="b").update(outcome="done")
    page.locator(".z4j-running span").get_by_text("2 of 4").wait_for()
    assert page.evaluate("document.activeElement.value") == "Abort"
    OperationTarget.objects.update(outcome="done")
    Operation.objects.update(state="finished", done=4, finished_at=timezone.now())
    page.locator(".z4j-title").get_by_text("FINISHED", exact=False).wait_for()
    assert page.get_by_role("button", name="Abort").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(open_page, failed, queue, scheme) -> None:
    long = kept("long-" + "x" * 250, "y" * 3000, name="shop." + "charge_" * 30, queue="q" * 255)
    made = operation("purge_queue", ("q" * 255,))
    OperationTarget.objects.update(reason="w" * 900)
    places = [
        f"{reverse('admin:z4j_django_taskrecord_retry')}?id={long.pk}",
        reverse("admin:z4j_django_taskrecord_change", args=[long.pk]),
        reverse("admin:z4j_django_taskrecord_edit", args=[long.pk]),
        f"{reverse('admin:z4j_django_taskrecord_bulk_retry')}?state=FAILURE",
        f"{reverse('admin:z4j_django_taskrecord_bulk_retry')}?q=retries:0+-name:{'n' * 250}",
        f"{TASKS}?q=runtime:{'x' * 250}",
        f"{reverse('admin:z4j_django_operation_purge')}?queue={'q' * 255}",
        reverse("admin:z4j_django_operation_change", args=[made.pk]),
        reverse("admin:z4j_django_operation_changelist"),
        QUEUES,
    ]
    for place in places:
        page = open_page(place, viewport=PHONE, color_scheme=scheme)
        assert overflow(page) == 0, place


def test_no_page_needs_an_inline_script_or_style(open_page, failed, queue) -> None:
    """What a policy forbids is an error on the console, and ``open_page`` finds it."""
    made = operation(targets=("a",), state="running", finished_at=None)
    places = [
        TASKS,
        f"{reverse('admin:z4j_django_taskrecord_terminate')}?id={failed[3].pk}",
        reverse("admin:z4j_django_taskrecord_change", args=[failed[0].pk]),
        reverse("admin:z4j_django_taskrecord_edit", args=[failed[0].pk]),
        f"{reverse('admin:z4j_django_taskrecord_bulk_retry')}?state=FAILURE",
        reverse("admin:z4j_django_operation_change", args=[made.pk]),
        QUEUES,
    ]
    page = open_page(QUEUES)

    def under_policy(route) -> None:
        response = route.fetch()
        headers = {**response.headers, "content-security-policy": "default-src 'self'"}
        route.fulfill(response=response, headers=headers)

    page.route("**/admin/**", under_policy)
    for place in places:
        assert page.goto(place).headers["content-security-policy"]
    page.goto(places[3])
    page.get_by_label("Arguments", exact=True).fill("[1")
    assert "This is no JSON" in page.locator(".z4j-problem").first.inner_text()
