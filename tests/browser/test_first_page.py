"""The first page as it stands on a wall: it keeps fresh, and never moves under the pointer."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import first_page as seeds
from tests.browser.clicks import follow, overflow
from tests.browser.test_admin import colour
from z4j_django.admin import fragments
from z4j_django.models import TaskRecord

PAGE = "/admin/z4j_django/"
PHONE = {"width": 390, "height": 844}
#: Milliseconds within which a page refreshes by itself.
SOON = 15_000


@pytest.fixture
def shop(transactional_db) -> None:
    seeds.shop()


@pytest.fixture
def quiet(transactional_db) -> None:
    seeds.looked()
    seeds.worker()


def ask(page, name: str = "") -> None:
    """Have the page ask for a part, as it does every five seconds, and wait for the answer."""
    fragments.forget()
    with page.expect_response(re.compile(rf"part={name}")):
        page.evaluate(
            "which => document.querySelector(which).dispatchEvent(new CustomEvent('z4jnow'))",
            f'[data-z4j-part="{name}"]' if name else "[data-z4j-part]",
        )
    page.locator(".htmx-request, .htmx-swapping").wait_for(state="detached")


def asked(page) -> list[str]:
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url) if "part=" in request.url else 0)
    return found


def conditions(page):
    return page.locator(".z4j-attention li")


def test_it_refreshes_by_itself(open_page, quiet) -> None:
    page = open_page(PAGE)
    assert page.get_by_text("All quiet").is_visible()
    seeds.condition()
    fragments.forget()
    conditions(page).first.wait_for(timeout=SOON)
    assert page.get_by_text("All slots held").is_visible()


def test_pause_stops_it_and_is_remembered(open_page, quiet) -> None:
    page = open_page(PAGE)
    page.get_by_role("button", name="Pause").click()
    page.reload()
    button = page.get_by_role("button", name="Go on")
    assert button.get_attribute("aria-pressed") == "true"
    requests = asked(page)
    page.evaluate(
        "document.querySelector('[data-z4j-part]').dispatchEvent(new CustomEvent('z4jnow'))"
    )
    page.evaluate("new Promise(requestAnimationFrame)")
    assert requests == []
    with page.expect_response(re.compile(r"part=now")):
        button.click()


def test_a_tab_that_nobody_sees_asks_nothing_and_asks_at_once_when_it_is_seen(
    open_page, quiet
) -> None:
    page = open_page(PAGE)
    requests = asked(page)
    page.evaluate(
        """() => {
            Object.defineProperty(document, "hidden", {get: () => window.away, configurable: true});
            window.away = true;
            document.querySelector("[data-z4j-part]").dispatchEvent(new CustomEvent("z4jnow"));
        }"""
    )
    page.evaluate("new Promise(requestAnimationFrame)")
    assert requests == []
    with page.expect_response(re.compile(r"part=now")):
        page.evaluate("window.away = false; document.dispatchEvent(new Event('visibilitychange'))")


def test_what_is_under_the_pointer_stays_as_it_is_and_where_it_is(open_page, shop) -> None:
    page = open_page(PAGE)
    row = page.locator("#z4j-workers tbody tr").first
    row.scroll_into_view_if_needed()
    row.hover()
    before = row.bounding_box()
    for number in range(5):
        seeds.condition(subject=f"another-{number}")
        seeds.worker(f"another-{number}@web1")
    ask(page)
    assert conditions(page).count() == 6
    assert page.locator("#z4j-workers tbody tr").count() == 1
    assert row.bounding_box()["y"] == pytest.approx(before["y"], abs=1)


def test_what_has_the_focus_keeps_it(open_page, shop) -> None:
    page = open_page(PAGE)
    link = page.locator("#z4j-queues tbody a").first
    link.focus()
    page.keyboard.press("Shift")
    seeds.condition(subject="another")
    seeds.sample(depth=7, at=timezone.now())
    ask(page)
    assert conditions(page).count() == 2
    assert link.evaluate("node => node === document.activeElement")


def test_a_chart_is_drawn_and_stays_when_the_page_refreshes(open_page, shop) -> None:
    page = open_page(PAGE)
    page.locator(".z4j-chart canvas").wait_for()
    page.evaluate("document.querySelector('.z4j-chart canvas').dataset.mine = '1'")
    ask(page)
    assert page.locator(".z4j-chart canvas[data-mine]").count() == 1
    follow(page, page.get_by_role("link", name="24 h"))
    assert page.locator(".z4j-ranges [aria-current]").inner_text() == "24 h"
    page.locator(".z4j-chart canvas").wait_for()


def test_without_scripts_all_of_it_reads(open_page, shop) -> None:
    page = open_page(PAGE, java_script_enabled=False)
    assert page.get_by_text("All 2 slots of w1@web1 are held.").is_visible()
    assert page.get_by_text("6 min").first.is_visible()
    assert not page.get_by_role("button", name="Pause").is_visible()
    page.get_by_text("As a table").click()
    assert page.locator(".z4j-chart-data tbody tr").count() > 50
    follow(page, page.get_by_role("link", name="6 h"))
    assert page.locator(".z4j-ranges [aria-current]").inner_text() == "6 h"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", [PAGE, "/admin/", "/admin/z4j_django/conditionrecord/watched/"])
def test_a_phone_shows_all_of_it_whatever_names_there_are(open_page, shop, scheme, address) -> None:
    long = "shop." + "import_catalogue_" * 12
    seeds.condition(subject=long, evidence=f"All slots of {long} are held.")
    seeds.worker(long)
    seeds.running("long", name=long, worker=long)
    seeds.error(fingerprint=1, name=long, exception_type=long)
    seeds.sample(long)
    page = open_page(address, viewport=PHONE, color_scheme=scheme)
    assert overflow(page) == 0


def test_what_is_to_be_done_fits_a_thumb(open_page, shop) -> None:
    page = open_page(PAGE, viewport=PHONE)
    for button in page.locator(".z4j-acts a").all():
        box = button.bounding_box()
        assert box["height"] >= 40
        assert box["width"] >= 60  # three stand beside each other


def test_the_index_of_the_admin_says_in_brief_what_is_wrong(open_page, shop) -> None:
    page = open_page("/admin/")
    assert conditions(page).count() == 1
    assert page.locator(".z4j-figure").count() == 7
    follow(page, page.get_by_role("link", name="Celery now"))
    assert page.get_by_role("heading", name="Celery now").is_visible()


def test_a_name_keeps_its_end_where_there_is_no_room(open_page, shop) -> None:
    seeds.running("long", name="shop.tasks." + "import_" * 30 + "the_end", seconds=5000)
    page = open_page(PAGE)
    name = page.locator("#z4j-running .z4j-name").first
    ends = name.evaluate(
        """node => {
            const [outer, inner] = [node, node.firstChild].map(one => one.getBoundingClientRect());
            return [inner.right - outer.right, outer.left - inner.left];
        }"""
    )
    assert abs(ends[0]) < 1
    assert ends[1] > 100


def test_times_grow_old_on_a_page_that_stays_open(open_page, quiet) -> None:
    page = open_page(PAGE)
    time_of = page.locator("#z4j-workers time")
    time_of.evaluate("node => { node.dateTime = new Date(Date.now() - 42 * 60000).toISOString(); }")
    page.locator("#z4j-workers").get_by_text("42 min ago", exact=True).wait_for()
    assert time_of.get_attribute("aria-label").startswith("42 min ago, ")


def test_an_id_that_is_shown_short_is_copied_whole(open_page, transactional_db) -> None:
    whole = "0b7d6a52-9a7e-4c06-8d52-4b2f3f0f5b7e"
    TaskRecord.objects.create(task_id=whole, name="shop.pay", sent_at=timezone.now())
    page = open_page(reverse("admin:z4j_django_taskrecord_changelist"))
    copied = page.evaluate(
        """() => {
            const id = document.querySelector("[data-z4j-copy]");
            getSelection().selectAllChildren(id);
            const event = new ClipboardEvent("copy", {
                clipboardData: new DataTransfer(), bubbles: true, cancelable: true,
            });
            id.dispatchEvent(event);
            return event.clipboardData.getData("text/plain");
        }"""
    )
    assert copied == whole


def test_an_outcome_has_one_colour_everywhere(open_page, shop) -> None:
    page = open_page(PAGE)
    line = colour(page, ".z4j-of-failed path", "stroke")
    assert line == colour(page, ".z4j-key-failed", "backgroundColor")


def test_who_is_signed_out_is_shown_no_login_in_the_middle_of_the_page(open_page, quiet) -> None:
    page = open_page(PAGE)
    page.context.clear_cookies()
    ask(page)
    assert page.locator("input[type=password]").count() == 0
    assert page.locator(".z4j-stale").count() == 1
