"""Errors and task types as an operator meets them, with the clicks counted from the first page."""

from __future__ import annotations

import random
import time
import uuid
from datetime import timedelta
from typing import Any

import celery
import pytest
from django.utils import timezone

from tests.browser.clicks import Clicks, overflow
from tests.integration.counted import counted
from tests.integration.operators import broker_in_memory, kept
from z4j_django import counters
from z4j_django.models import ErrorGroup, ErrorRelease, Release, Statistic, TaskRecord
from z4j_django.values import release_key

FIRST = "/admin/z4j_django/"
ERRORS = "/admin/z4j_django/errorgroup/"
TYPES = "/admin/z4j_django/taskrecord/types/"
PHONE = {"width": 390, "height": 844}
CARD, STOCK, OLD = 0x0F1E2D3C4B5A6978, 0x1F1E2D3C4B5A6978, 0x2F1E2D3C4B5A6978
TRACEBACK = """Traceback (most recent call last):
  File "/app/.venv/lib/python3.13/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
                 ~~~^^^^^^^^^^^^^^^^^
  File "/app/.venv/lib/python3.13/site-packages/celery/app/trace.py", line 7, in __protected_call__
    return self.run(*args, **kwargs)
           ~~~~~~~~^^^^^^^^^^^^^^^^^
  File "/app/shop/tasks.py", line 82, in charge_card
    payments.charge(order.total, card)
    ~~~~~~~~~~~~~~~^^^^^^^^^^^^^^^^^^^
  File "/app/.venv/lib/python3.13/site-packages/acme_pay/client.py", line 210, in charge
    self._raise_for(response)
    ~~~~~~~~~~~~~~~^^^^^^^^^^
  File "/app/shop/payments.py", line 31, in charge
    raise CardDeclined(f"order {order}: card ending in {card} was declined")
shop.payments.CardDeclined: order 17750: card ending in 4242 was declined
"""


def group(key: int, name: str, exception: str, said: str, **fields: Any) -> ErrorGroup:
    return ErrorGroup.objects.create(
        fingerprint=key, name=name, exception_type=exception, message=said, task_id="t", **fields
    )


def over_hours(error: ErrorGroup, counts: dict[int, int]) -> None:
    """So many failures so many hours ago."""
    last = int(timezone.now().timestamp()) // 3600
    place = {"step": 3600, "scope": counters.ERRORS, "name": error.error_id}
    for back, count in counts.items():
        Statistic.objects.create(at=(last - back) * 3600, failed=count, **place)


def releases(**ago: timedelta) -> None:
    now = timezone.now()
    for name, when in ago.items():
        shown = name.strip("_").replace("_", ".")
        times = {"first_seen": now - when, "last_seen": now}
        Release.objects.create(key=release_key(shown), name=shown, **times)


def seen_in(error: ErrorGroup, release: str, count: int, first: timedelta) -> None:
    now = timezone.now()
    ErrorRelease.objects.create(
        fingerprint=error.fingerprint,
        release=release_key(release),
        count=count,
        first_seen=now - first,
        last_seen=now - timedelta(minutes=1),
    )


@pytest.fixture
def queue(transactional_db: None) -> str:
    return f"browser-{uuid.uuid4()}"


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> celery.Celery:
    return broker_in_memory(monkeypatch)


@pytest.fixture
def shop(queue: str, app: celery.Celery) -> ErrorGroup:
    """A shop whose cards are declined since its newest release; gives that error."""
    now, dice = timezone.now(), random.Random(4711)
    releases(_4_12_0=timedelta(minutes=40), _4_11_2=timedelta(days=6))
    card = group(
        CARD,
        "shop.charge_card",
        "shop.payments.CardDeclined",
        "order 17750: card ending in 4242 was declined",
        traceback=TRACEBACK,
        count=40,
        first_seen=now - timedelta(minutes=26),
        last_seen=now - timedelta(seconds=10),
    )
    over_hours(card, {0: 40})
    seen_in(card, "4.12.0", 40, timedelta(minutes=26))
    stock = group(
        STOCK,
        "shop.sync_stock",
        "TimeoutError",
        "warehouse did not answer within 30 s",
        count=214,
        first_seen=now - timedelta(days=12),
        last_seen=now - timedelta(minutes=9),
        regressed_at=now - timedelta(hours=2),
    )
    over_hours(stock, {hour: dice.randrange(4) for hour in range(0, 280, 3)})
    seen_in(stock, "4.11.2", 200, timedelta(days=6))
    seen_in(stock, "4.12.0", 14, timedelta(minutes=30))
    mail = group(
        OLD,
        "shop.email_receipt",
        "smtplib.SMTPRecipientsRefused",
        "{'nobody@example': (550, b'no such user')}",
        count=1_931,
        first_seen=now - timedelta(days=61),
        last_seen=now - timedelta(hours=3),
    )
    over_hours(mail, {hour: dice.randrange(9) for hour in range(3, 700)})
    for number in range(40):
        providers = ("acme", "acme", "acme", "other")
        kept(
            f"{number:08x}-9a7e-4c06-8d52-4b2f3f0f5b7e",
            17_711 + number,
            queue=queue,
            name="shop.charge_card",
            error=CARD,
            kwargs={"provider": "acme" if number else dice.choice(providers)},
            release=release_key("4.12.0"),
            exception_type="shop.payments.CardDeclined",
            worker=f"w{number % 2}@web1",
            sent_at=now - timedelta(minutes=26) + timedelta(seconds=38 * number),
            runtime=0.02 + dice.random() / 20,
        )
        minutes = 59 - 1.4 * number
        is_old = minutes > 40
        TaskRecord.objects.create(
            task_id=f"{number + 4096:08x}-5b1d-4f7e-9a30-1c8e6d2f4b90",
            name="shop.charge_card",
            state="SUCCESS",
            queue=queue,
            kwargs={"provider": dice.choice(("acme", "other") if is_old else ("other", "third"))},
            release=release_key("4.11.2" if is_old else "4.12.0"),
            worker=f"w{number % 2}@web1",
            sent_at=now - timedelta(minutes=minutes),
            runtime=dice.lognormvariate(-2, 1),
        )
    for number in range(3):
        TaskRecord.objects.create(
            task_id=f"again-{number}",
            name="shop.charge_card",
            state="SUCCESS",
            retry_of=f"{number:08x}-9a7e-4c06-8d52-4b2f3f0f5b7e",
        )
    return card


@pytest.fixture
def busy(shop: ErrorGroup) -> ErrorGroup:
    """The same with an hour of numbers."""
    now, dice = time.time(), random.Random(4711)
    names = {
        "shop.charge_card": (40, -2.0),
        "shop.email_receipt": (25, -1.0),
        "shop.resize_image": (310, 0.4),
        "shop.sync_stock": (12, 2.0),
        "shop.import_catalogue": (1, 4.0),
        "shop.warehouse.reports.nightly.collect_everything_that_was_sold": (3, 1.0),
    }
    for back in range(119, -1, -1):
        for name, (most, length) in names.items():
            started = max(dice.randrange(most + 1), most // 2)
            fails = 0
            if name == "shop.charge_card":
                fails = started // 3 if back < 26 else started // 50
            runs: dict[float, int] = {}
            for _ in range(min(started, 30)):
                seconds = round(dice.lognormvariate(length, 0.8), 3)
                runs[seconds] = runs.get(seconds, 0) + 1
            waits = {round(dice.lognormvariate(-3, 1.2), 3): started}
            done = {"started": started, "failed": fails, "succeeded": started - fails}
            counted(now - back * 60, name, "mail" if "mail" in name else "shop", runs=runs,
                    waits=waits, retried=started // 40, **done)  # fmt: skip
    return shop


def waiting(app: celery.Celery, queue: str) -> list[Any]:
    """The messages in a queue, taken out."""
    found = []
    with app.connection_for_read() as connection:
        while (message := connection.default_channel.basic_get(queue, no_ack=True)) is not None:
            found.append(message)
    return found


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_is_it_new_takes_one_click(open_page: Any, shop: ErrorGroup, scripts: bool) -> None:
    click = Clicks(open_page(FIRST, java_script_enabled=scripts))
    click(click.page.get_by_role("link", name="CardDeclined"))
    assert click.page.locator("h1").get_by_text("new", exact=True).is_visible()
    assert click.page.get_by_text("26 min ago").first.is_visible()
    assert click.page.get_by_text("4.12.0").first.is_visible()
    assert click.count == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_which_are_new_takes_one_click(open_page: Any, shop: ErrorGroup, scripts: bool) -> None:
    click = Clicks(open_page(FIRST, java_script_enabled=scripts))
    click(click.page.get_by_role("link", name="Errors", exact=True).first)
    row = click.page.get_by_role("row").filter(has_text="CardDeclined")
    assert row.get_by_text("new", exact=True).is_visible()
    assert row.get_by_text("4.12.0").is_visible()
    again = click.page.get_by_role("row").filter(has_text="TimeoutError")
    assert again.get_by_text("regressed", exact=True).is_visible()
    assert click.count == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_those_of_one_error_are_retried_with_three_clicks(
    open_page: Any, shop: ErrorGroup, app: celery.Celery, queue: str, scripts: bool
) -> None:
    page = open_page(FIRST, java_script_enabled=scripts)
    click = Clicks(page)
    click(page.get_by_role("link", name="CardDeclined"))
    assert page.get_by_text("Retried well").is_visible()
    click(page.get_by_role("link", name="Retry 37…"))
    assert page.get_by_text("37 will be acted on, 3 refused").is_visible()
    assert page.get_by_text("3 retried already").is_visible()
    assert waiting(app, queue) == []
    click(page.get_by_role("button", name="Retry 37 of 40 tasks"))
    assert page.get_by_text("Retry: 37 done, 3 refused.").is_visible()
    assert len(waiting(app, queue)) == 37
    assert click.count == 3


def test_one_is_resolved_with_one_click_and_opened_again(open_page: Any, shop: ErrorGroup) -> None:
    page = open_page(f"{ERRORS}{shop.error_id}/change/")
    click = Clicks(page)
    click(page.get_by_role("button", name="Resolve"))
    assert page.locator("h1").get_by_text("resolved").is_visible()
    click(page.get_by_role("button", name="Reopen"))
    click(page.get_by_role("link", name="Ignore…"))
    page.get_by_label("More").fill("100")
    click(page.get_by_role("button", name="Ignore 1 error"))
    assert page.locator("h1").get_by_text("ignored").is_visible()
    assert click.count == 4


def test_several_are_resolved_from_the_list(open_page: Any, shop: ErrorGroup) -> None:
    page = open_page(ERRORS)
    click = Clicks(page)
    for box in page.get_by_role("checkbox").all():
        box.check()
    click(page.get_by_role("button", name="Resolve…"))
    click(page.get_by_role("button", name="Resolve 3 errors"))
    assert page.get_by_text("Resolve errors: 3 done.").is_visible()
    assert page.get_by_text("No error is open.").is_visible()


def test_what_its_failures_have_in_common_comes_by_itself(open_page: Any, shop: ErrorGroup) -> None:
    page = open_page(f"{ERRORS}{shop.error_id}/change/")
    card = page.get_by_role("region", name="In common")
    card.get_by_text("The newest 40 failures against 39 successes").wait_for()
    row = card.get_by_role("row").filter(has_text="release =")
    assert row.get_by_text("100 %").is_visible()


def test_without_scripts_it_is_a_page(open_page: Any, shop: ErrorGroup) -> None:
    page = open_page(f"{ERRORS}{shop.error_id}/change/", java_script_enabled=False)
    click = Clicks(page)
    click(page.get_by_role("link", name="Compare its failures with successes of the same task"))
    assert page.get_by_text("The newest 40 failures against 39 successes").is_visible()


def test_frames_of_libraries_are_unfolded_by_a_click(open_page: Any, shop: ErrorGroup) -> None:
    page = open_page(f"{ERRORS}{shop.error_id}/change/")
    assert page.get_by_text("payments.charge(order.total, card)").is_visible()
    assert not page.get_by_text("in trace_task").is_visible()
    page.get_by_text("2 frames of libraries").click()
    assert page.get_by_text("in trace_task").is_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_what_fails_more_than_before_is_found_among_the_task_types(
    open_page: Any, busy: ErrorGroup, scripts: bool
) -> None:
    page = open_page(FIRST, java_script_enabled=scripts)
    click = Clicks(page)
    click(page.get_by_role("link", name="Task types", exact=True).first)
    click(page.get_by_role("link", name="Share"))
    first = page.locator(".z4j-types tbody tr").first
    assert first.get_by_text("shop.charge_card").is_visible()
    assert first.get_by_text("was").is_visible()
    click(first.get_by_role("link", name="shop.charge_card"))
    assert page.get_by_role("heading", name="Slowest runs").is_visible()
    if scripts:
        page.locator(".z4j-chart canvas").nth(1).wait_for()
    click(page.get_by_role("link", name="CardDeclined"))
    assert page.get_by_role("heading", name="CardDeclined in shop.charge_card").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(open_page: Any, busy: ErrorGroup, scheme: str) -> None:
    now = timezone.now()
    long = "shop." + "x" * 250
    bad = group(
        0x3F1E2D3C4B5A6978,
        long,
        "E" * 255,
        "\u202e<script>alert(1)</script>🛒" * 90,
        traceback=f'  File "/app/{"y" * 500}.py", line 1, in {"z" * 500}\n    {"w" * 900}\n',
        first_seen=now,
        last_seen=now,
    )
    counted(time.time(), long, "q" * 255, started=10**9, failed=10**9, runs={1.0: 10**9})
    places = [
        ERRORS,
        f"{ERRORS}?q={'x' * 250}",
        f"{ERRORS}{shop_id(bad)}/change/",
        f"{ERRORS}{shop_id(busy)}/change/",
        f"{ERRORS}ignore_errors/?id={shop_id(bad)}",
        TYPES,
        f"{TYPES}one/?name={long}",
        f"{TYPES}one/?name=shop.charge_card",
    ]
    for place in places:
        page = open_page(place, viewport=PHONE, color_scheme=scheme)
        assert overflow(page) == 0, place


def shop_id(error: ErrorGroup) -> str:
    return str(error.error_id)
