from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.browser.clicks import follow, overflow
from z4j_django import states
from z4j_django.models import GroupRecord, TaskEvent, TaskRecord, WorkerRecord
from z4j_django.queries import filter as filters
from z4j_django.queries import pages

TASKS = "/admin/z4j_django/taskrecord/"
PHONE = {"width": 360, "height": 740}


@pytest.fixture
def shop(transactional_db) -> TaskRecord:
    """Some 120 tasks of a shop; gives one that failed after a retry."""
    now = timezone.now()
    WorkerRecord.objects.create(hostname="celery@web-1", online=True, last_seen=now)
    TaskRecord.objects.bulk_create(
        TaskRecord(
            task_id=f"{number:08x}-9a7e-4c06-8d52-4b2f3f0f5b7e",
            name=f"shop.{('charge_card', 'email_receipt', 'resize_image')[number % 3]}",
            state=states.ALL[number % len(states.ALL)],
            queue=("default", "mail")[number % 2],
            worker="celery@web-1",
            group_id="gallery" if number % 3 == 2 else "",
            group_index=number if number % 3 == 2 else None,
            sent_at=now,
            runtime=0.25,
        )
        for number in range(120)
    )
    GroupRecord.objects.create(group_id="gallery", kind="chord", size=40, first_seen=now)
    failed = TaskRecord.objects.create(
        task_id="long-" + "x" * 250,
        name="shop." + "charge_card_" * 20,
        state="FAILURE",
        queue="payments",
        worker="celery@web-1",
        kwargs={"order": "y" * 3000},
        exception_type="shop.CardDeclined",
        traceback="Traceback\n" + "z" * 2000,
        retries=1,
        sent_at=now,
        started_at=now + timedelta(seconds=1),
        runtime=2.0,
        group_id="gallery",
    )
    for second, kind in enumerate(("task_sent", "task_received", "task_started", "task_failed")):
        at = now + timedelta(seconds=second)
        TaskEvent.objects.create(task_id=failed.task_id, kind=kind, at=at, detail="w" * 300)
    return failed


def colour(page, selector: str, style: str) -> str:
    return page.eval_on_selector(selector, f"node => getComputedStyle(node).{style}")


def rows(page) -> int:
    return page.locator("#result_list tbody tr").count()


@pytest.mark.parametrize(
    ("scheme", "ground", "badge"),
    [
        ("light", "rgb(255, 255, 255)", "rgb(253, 223, 223)"),
        ("dark", "rgb(18, 18, 18)", "rgb(97, 26, 26)"),
    ],
)
def test_the_list_follows_the_colours_of_the_system(open_page, shop, scheme, ground, badge) -> None:
    page = open_page(TASKS, color_scheme=scheme)
    assert rows(page) == 50
    assert colour(page, "body", "backgroundColor") == ground
    assert colour(page, ".z4j-pill.z4j-failure", "backgroundColor") == badge


def test_the_switch_of_the_admin_overrules_the_system(open_page, shop) -> None:
    page = open_page(TASKS, color_scheme="dark")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    background = colour(page, ".z4j-pill.z4j-failure", "backgroundColor")
    assert background == "rgb(253, 223, 223)"


def test_a_click_on_a_state_leaves_the_tasks_in_it(open_page, shop) -> None:
    page = open_page(TASKS)
    follow(page, page.locator(".z4j-choices").get_by_role("link", name="RETRY", exact=True))
    assert rows(page) > 0
    assert set(page.locator("#result_list .z4j-pill").all_inner_texts()) == {"RETRY"}


def test_older_and_newer_lead_down_and_up_again(open_page, shop) -> None:
    page = open_page(TASKS)
    newest = page.locator("#result_list tbody tr").first.locator(".z4j-id")
    first = newest.inner_text()
    for expected in (50, 21):
        follow(page, page.get_by_role("link", name="Older"))
        assert rows(page) == expected
    assert page.get_by_role("link", name="Older").count() == 0
    for _ in range(2):
        follow(page, page.get_by_role("link", name="Newer"))
    assert newest.inner_text() == first


def test_a_search_finds_a_task_by_the_beginning_of_its_id(open_page, shop) -> None:
    page = open_page(TASKS)
    page.fill("#searchbar", "00000005")
    follow(page, page.get_by_role("button", name="Search"))
    assert rows(page) == 1


def search(page, text: str) -> None:
    page.fill("#searchbar", text)
    follow(page, page.get_by_role("button", name="Search"))


def test_a_filter_is_typed_and_joined_with_a_click(open_page, shop) -> None:
    page = open_page(TASKS)
    search(page, "state:FAILURE,RETRY queue:mail")
    assert set(page.locator("#result_list .z4j-pill").all_inner_texts()) == {"FAILURE", "RETRY"}
    follow(page, page.locator(".z4j-choices").get_by_role("link", name="FAILURE", exact=True))
    assert page.locator("#searchbar").input_value() == "state:FAILURE,RETRY queue:mail"
    assert set(page.locator("#result_list .z4j-pill").all_inner_texts()) == {"FAILURE"}


def test_a_mistake_stands_above_an_empty_list_until_it_is_mended(open_page, shop) -> None:
    page = open_page(TASKS)
    search(page, "state:FAILURE runtime:>5x")
    note = page.get_by_role("alert")
    assert 'At 15, "runtime:>5x": expected a length of time' in note.inner_text()
    assert page.locator("#result_list").count() == 0
    assert page.get_by_text("Act on all that match").count() == 0
    search(page, "state:FAILURE runtime:>1s")
    assert page.get_by_role("alert").count() == 0
    assert rows(page) == 1
    assert page.get_by_text("Act on all that match").is_visible()


def test_one_looks_further_for_what_no_index_finds(open_page, shop, monkeypatch) -> None:
    monkeypatch.setattr(pages, "WINDOW", 50)
    TaskRecord.objects.filter(task_id__startswith="00000002-").update(runtime=9.0)
    page = open_page(TASKS)
    search(page, "runtime:>5s")
    assert (
        "looked through 50 tasks. None of them matches." in page.locator(".z4j-window").inner_text()
    )
    for _ in range(2):
        follow(page, page.get_by_role("link", name="Look further"))
    assert page.locator("#result_list .z4j-id").all_inner_texts() == ["00000002"]
    assert page.locator(".z4j-window").count() == 0


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_terms_unfold_below_the_box(open_page, shop, scripts, scheme) -> None:
    page = open_page(TASKS, java_script_enabled=scripts, viewport=PHONE, color_scheme=scheme)
    assert not page.get_by_text("kwargs.user_id:42").last.is_visible()
    page.get_by_text("All terms").click()
    for kind in filters.TERMS.values():
        assert page.locator(".z4j-terms").get_by_text(kind.example, exact=True).is_visible()
    width = page.locator(".z4j-terms").bounding_box()["width"]
    assert width < PHONE["width"]


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_task_opens_with_its_timeline(open_page, shop, scripts) -> None:
    page = open_page(f"{TASKS}?state=FAILURE", java_script_enabled=scripts)
    follow(page, page.locator("#result_list tbody tr").first.get_by_role("link"))
    assert page.locator(".z4j-timeline tbody th").all_inner_texts() == [
        "task_sent",
        "task_received",
        "task_started",
        "task_failed",
    ]
    assert (
        page.locator(".z4j-timeline tbody tr").last.locator("td").nth(1).inner_text() == "+1.00 s"
    )
    assert page.locator("svg.z4j-pace").is_visible()
    follow(page, page.get_by_role("link", name="chord gallery"))
    assert page.get_by_role("heading", name="Chord of 40").is_visible()


@pytest.mark.parametrize("model", ["task", "group", "worker"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(open_page, shop, model, scheme) -> None:
    page = open_page(f"/admin/z4j_django/{model}record/", viewport=PHONE, color_scheme=scheme)
    assert overflow(page) == 0
    follow(page, page.locator("#result_list tbody a").first)
    assert overflow(page) == 0


def test_a_desktop_shows_the_whole_table(open_page, shop) -> None:
    shop.delete()
    page = open_page(TASKS, viewport={"width": 1280, "height": 800})
    assert overflow(page) == 0


def test_the_whole_id_can_be_selected_with_one_click(open_page, shop) -> None:
    page = open_page(reverse("admin:z4j_django_taskrecord_change", args=[shop.pk]))
    page.locator(".z4j-whole-id").click()
    assert page.evaluate("getSelection().toString()") == shop.task_id
