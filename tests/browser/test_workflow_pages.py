"""A workflow in the browser: it is drawn, walked through by keys, and read without scripts."""

from __future__ import annotations

import pytest

from tests.browser.clicks import overflow
from tests.browser.test_first_page import ask
from tests.integration.pages import NOW
from tests.integration.pages import page as page_of
from tests.integration.test_admin_workflows import address, chord
from tests.integration.test_flows import timed
from tests.integration.test_graphs import many, recorded
from z4j_django.admin import fragments
from z4j_django.models import GroupRecord, TaskRecord

pytestmark = pytest.mark.django_db(transaction=True)

PHONE = {"width": 390, "height": 844}
FOLDED = "shop.resize \N{MULTIPLICATION SIGN} 50"
HOSTILE = ("<script>alert(1)</script>", "x" * 255, "\u202eevil", "🛒" * 90)


@pytest.fixture
def root(transactional_db) -> TaskRecord:
    return chord()


def places(page) -> dict[str, dict]:
    """Where each node is drawn, by its name."""
    found = {}
    for node in page.locator(".z4j-flow-node").all():
        found[node.locator(".z4j-flow-name").text_content()] = node.bounding_box()
    return found


def focused(page) -> str:
    return page.evaluate("document.activeElement.querySelector('.z4j-flow-name').textContent")


def test_it_is_drawn_from_left_to_right(open_page, root) -> None:
    page = open_page(address(root))
    found = places(page)
    assert list(found) == ["shop.import", FOLDED, "shop.tell"]
    lefts = [place["x"] for place in found.values()]
    assert lefts == sorted(lefts)
    assert page.locator(".z4j-flow-link").count() == 2
    assert page.locator(".z4j-flow-link.z4j-flow-critical").count() == 1
    assert page.locator(".z4j-flow-node.z4j-flow-unsent").count() == 1
    assert page.locator(".z4j-flow-outline").get_attribute("open") is None


def test_keys_lead_through_it_and_enter_opens(open_page, root) -> None:
    page = open_page(address(root))
    page.locator(".z4j-flow-node[tabindex='0']").focus()
    assert focused(page) == "shop.import"
    page.keyboard.press("ArrowRight")
    assert focused(page) == FOLDED
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused(page) == "shop.tell"
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.locator(".z4j-flow-node").count() == 52
    page.locator(".z4j-flow-node[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("End")
    assert page.locator(".z4j-flow-node[tabindex='0']").count() == 1
    page.keyboard.press("Home")
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert page.url.endswith(page_of(root))


def test_it_can_be_made_larger_and_moved(open_page, root) -> None:
    page = open_page(address(root, "?open=m0"))
    width = places(page)["shop.import"]["width"]
    page.get_by_role("button", name="Larger").click()
    assert places(page)["shop.import"]["width"] > width
    page.get_by_role("button", name="Fit").click()
    canvas = page.locator(".z4j-flow-canvas")
    for _ in range(12):
        page.get_by_role("button", name="Larger").click()
    canvas.evaluate("one => one.scrollTo(0, 0)")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 300, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 100, steps=4)
    page.mouse.up()
    assert canvas.evaluate("one => [one.scrollLeft, one.scrollTop]") == [200, 100]
    assert page.url.endswith("?open=m0")


#: Nobody has moved for long.
LONG_AFTER = "performance.now = () => 1e9"


def in_frame(page) -> list[float]:
    """How wide the picture is, and how far it is moved."""
    return page.locator(".z4j-flow-canvas").evaluate(
        "one => [one.firstChild.clientWidth, one.scrollLeft, one.scrollTop]"
    )


def of_node(page, name: str) -> str:
    """What a node's lower line says."""
    node = page.locator(".z4j-flow-node").filter(has_text=name)
    return node.locator(".z4j-flow-said").text_content()


def test_a_picture_follows_what_goes_on_and_keeps_its_size_and_place(open_page, root) -> None:
    TaskRecord.objects.filter(pk=root.pk).update(state="STARTED", finished_at=None)
    page = open_page(address(root, "?open=m0"))
    assert of_node(page, "shop.import").startswith("STARTED")
    for _ in range(4):
        page.get_by_role("button", name="Larger").click()
    page.locator(".z4j-flow-canvas").evaluate("one => one.scrollTo(90, 70)")
    page.mouse.move(0, 0)
    before = in_frame(page)
    page.evaluate("document.querySelector('.z4j-flow-node').focus({preventScroll: true})")
    TaskRecord.objects.filter(pk=root.pk).update(state="SUCCESS", finished_at=NOW)
    page.evaluate(LONG_AFTER)
    ask(page)
    assert of_node(page, "shop.import").startswith("SUCCESS")
    assert in_frame(page) == before
    assert focused(page) == "shop.import"
    page.get_by_role("button", name="Fit").click()
    assert in_frame(page)[0] < before[0]


def test_a_step_that_is_new_is_drawn_and_the_list_has_it(open_page, root) -> None:
    TaskRecord.objects.filter(pk=root.pk).update(state="STARTED", finished_at=None)
    page = open_page(address(root))
    page.mouse.move(0, 0)
    page.get_by_text("As a list").click()
    timed("late", 1, 1, 2, name="shop.late", parent_id=root.task_id, root_id=root.task_id)
    page.evaluate(LONG_AFTER)
    ask(page)
    assert "shop.late" in places(page)
    assert page.locator(".z4j-flow-outline").get_by_text("shop.late").is_visible()


def test_a_waterfall_follows_and_stays_under_the_pointer(open_page, root) -> None:
    TaskRecord.objects.filter(pk=root.pk).update(state="STARTED", finished_at=None)
    page = open_page(address(root, "?view=waterfall"))
    first = page.locator(".z4j-flow-waterfall tbody tr").first
    first.hover()
    TaskRecord.objects.filter(pk=root.pk).update(state="SUCCESS", finished_at=NOW)
    ask(page)
    assert first.get_by_text("STARTED").is_visible()
    page.evaluate(LONG_AFTER)
    ask(page)
    assert first.get_by_text("SUCCESS").is_visible()


def test_a_workflow_that_is_over_asks_no_more(open_page, root) -> None:
    page = open_page(address(root))
    assert page.locator("[data-z4j-part][data-hx-get]").count() == 0
    assert page.locator("[data-z4j-pause]").count() == 0


def test_a_group_follows_its_members_and_the_picture_on_its_page(open_page, root) -> None:
    late = TaskRecord.objects.filter(group_id=GroupRecord.objects.get().group_id)
    late = late.filter(state="SUCCESS").order_by("-id").first()
    TaskRecord.objects.filter(pk=late.pk).update(state="STARTED", finished_at=None)
    page = open_page(page_of(GroupRecord.objects.get()))
    page.locator("[data-z4j-workflow]").scroll_into_view_if_needed()
    page.wait_for_selector(".z4j-flow-node")
    assert "1 running" in of_node(page, "shop.resize")
    page.mouse.move(0, 0)
    page.evaluate(LONG_AFTER)
    TaskRecord.objects.filter(pk=late.pk).update(state="SUCCESS", finished_at=NOW)
    ask(page, "group")
    assert page.locator(".z4j-counts").first.get_by_text("STARTED").count() == 0
    ask(page, "flow")
    assert "running" not in of_node(page, "shop.resize")


@pytest.mark.parametrize("view", ["", "?view=waterfall"])
def test_it_reads_without_scripts(open_page, root, view) -> None:
    page = open_page(address(root, view), java_script_enabled=False)
    assert page.get_by_text("52 tasks: 48 succeeded, 3 failed, 1 never sent.").is_visible()
    assert page.get_by_role("link", name="shop.import").is_visible()
    if view:
        assert page.locator(".z4j-flow-waterfall tbody tr").count() == 52
        return
    assert not page.locator("[data-z4j-picture]").is_visible()
    with page.expect_navigation():
        page.get_by_role("link", name="Show each").click()
    assert page.locator(".z4j-flow-outline li").filter(has_text="shop.resize").count() >= 50


@pytest.mark.parametrize("view", ["", "?view=waterfall"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(open_page, root, view, scheme) -> None:
    page = open_page(address(root, view), viewport=PHONE, color_scheme=scheme)
    assert overflow(page) <= 0


def test_hostile_names_are_drawn_as_text(open_page, transactional_db) -> None:
    for number, name in enumerate(
        ("<script>alert(1)</script>", "x" * 255, "\u202eevil", "🛒" * 90)
    ):
        timed(f"s{number}", number, number, number + 1, name=name, parent_id="r")
    page = open_page(address(timed("r", 0, 1, 2, name="r")))
    assert page.locator(".z4j-flow-node").count() == 5
    for place in places(page).values():
        assert place["width"] < 300
    assert overflow(page) <= 0
    page = open_page(
        address(TaskRecord.objects.get(task_id="r"), "?view=waterfall"), viewport=PHONE
    )
    assert overflow(page) <= 0


def test_a_thousand_nodes_are_drawn(open_page, transactional_db) -> None:
    root = timed("r", 0, 0, 1, root_id="r")
    recorded("g", kind="chord", size=998, body_id="body", root_id="r")
    same = {"name": "shop.resize", "root_id": "r", "parent_id": "r", "chord_id": "body"}
    times = {"sent_at": NOW, "started_at": NOW, "finished_at": NOW, "state": "SUCCESS"}
    many(
        {"task_id": f"m{n}", "group_id": "g", "group_index": n, **same, **times} for n in range(998)
    )
    TaskRecord.objects.create(task_id="body", name="shop.tell", root_id="r")
    page = open_page(address(root))
    assert page.locator(".z4j-flow-node").count() == 3
    page = open_page(address(GroupRecord.objects.get(), "?open=m0"))
    assert page.locator(".z4j-flow-node").count() == 1000


def test_a_task_and_a_group_have_it_on_their_pages(open_page, root) -> None:
    for record in (root, GroupRecord.objects.get()):
        page = open_page(page_of(record))
        section = page.locator("[data-z4j-workflow]")
        section.scroll_into_view_if_needed()
        page.wait_for_selector(".z4j-flow-node")
        assert list(places(page)) == ["shop.import", FOLDED, "shop.tell"]
        assert page.get_by_role("heading", name="Workflow").count() == 1


def test_a_picture_stays_when_its_task_goes_on(open_page, root) -> None:
    TaskRecord.objects.filter(pk=root.pk).update(state="STARTED")
    page = open_page(page_of(root))
    page.locator("[data-z4j-workflow]").scroll_into_view_if_needed()
    page.wait_for_selector(".z4j-flow-node")
    page.mouse.move(0, 0)
    TaskRecord.objects.filter(pk=root.pk).update(state="SUCCESS")
    fragments.forget()
    page.locator(".z4j-standing").get_by_text("SUCCESS").wait_for()
    assert list(places(page)) == ["shop.import", FOLDED, "shop.tell"]


def test_of_what_stands_alone_there_is_no_picture(open_page, transactional_db) -> None:
    lonely = TaskRecord.objects.create(task_id="lonely", name="shop.alone")
    page = open_page(page_of(lonely))
    assert page.get_by_text("It stands alone").is_visible()
    assert page.locator("[data-z4j-workflow]").count() == 0
