"""Alerts in the browser: from no channel to a silence, with the clicks that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests import every_page
from tests import first_page as seeds
from tests.browser.clicks import Clicks, overflow
from tests.integration.alert_pages import delivery, telling
from tests.process.harness import receivers
from z4j_django.models import AlertChannel, AlertDelivery, AlertRule, AlertSilence

pytestmark = pytest.mark.django_db(transaction=True)

OVERVIEW = "/admin/z4j_django/"
SENTINEL = "sentinel-4f1e9c77"
HOSTILE = ("<script>alert(1)</script>", "x" * 100, "\u202eevil", "🛒" * 60)


@pytest.fixture
def sink() -> Iterator[receivers.Sink]:
    with receivers.http(receivers.answers(200, "ok")) as found:
        yield found


@pytest.fixture
def shop(transactional_db: Any) -> None:
    seeds.shop()


def test_the_first_channel_is_set_tried_and_used_and_a_condition_silenced(
    open_page: Any, shop: None, sink: receivers.Sink, settings: Any
) -> None:
    settings.Z4J = {"ALERTS": {"PRIVATE_TARGETS": True}}
    page = open_page(OVERVIEW)
    click = Clicks(page)
    click.link("Nobody is told: no channel is set.")
    click.link("Webhook")
    page.get_by_label("Name").fill("ops")
    page.get_by_label("URL").fill(f"{sink.url}/{SENTINEL}")
    page.get_by_label("Key").fill(f"{SENTINEL}-key")
    assert page.get_by_label("URL").get_attribute("type") == "password"
    click.button("Store it")
    assert page.get_by_text(f"127.0.0.1:{sink.port}").is_visible()

    click(page.get_by_role("link", name="Test… ops"))
    click.button("Send it")
    (request,) = sink.wait(1)
    assert request.path == f"/{SENTINEL}"
    assert request.headers["X-Z4J-Signature"].startswith("sha256=")
    assert page.get_by_text("200: ok").first.is_visible()
    assert AlertDelivery.objects.get().state == "sent"
    assert SENTINEL not in page.content()

    click.link("Deliveries")
    assert page.locator("#result_list").get_by_text("sent").is_visible()
    click(page.get_by_label("Alerts", exact=True).get_by_role("link", name="Rules", exact=True))
    click.link("Add a rule")
    page.get_by_label("Name").fill("night")
    page.get_by_label("All slots held").check()
    page.get_by_label("ops").check()
    page.get_by_label("Quiet from").fill("22:00")
    click.button("Store it")
    assert page.get_by_text("Quiet hours have a begin and an end.").is_visible()
    page.get_by_label("Quiet until").fill("07:00")
    click.button("Store it")
    assert page.get_by_role("row", name="night").get_by_text("quiet from 22:00").is_visible()
    assert AlertRule.objects.get().channels == ["ops"]

    click.place("Overview")
    assert page.get_by_text("Nobody is told").count() == 0
    click(page.get_by_role("link", name="Silence: All slots held"))
    page.get_by_label("Reason").fill("It is known.")
    click.button("Silence it")
    assert page.get_by_role("row", name="All slots held").get_by_text("holds").is_visible()
    click.place("Overview")
    assert page.locator(".z4j-attention").get_by_text("silenced until").is_visible()
    assert AlertSilence.objects.get().subject == "w1@web1"


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_names_break_no_page(open_page: Any, shop: None, width: int) -> None:
    for name in HOSTILE:
        AlertChannel.objects.create(name=name, kind="email", options={"to": "ops@shop.test"})
        AlertRule.objects.create(
            name=name, subjects=[name], channels=[name], conditions=["worker_gone"]
        )
        seeds.condition("worker_gone", name, evidence=name)
        delivery(channel=name, rule=name, answer=name, message=telling("worker_gone", name))
        AlertSilence.objects.create(
            **{"subject": name, "reason": name, "created_by": name, "until": seeds.timezone.now()},
            since=seeds.timezone.now(),
        )
    page = open_page(OVERVIEW, viewport={"width": width, "height": 800})
    rule, channel = AlertRule.objects.latest("id"), AlertChannel.objects.latest("id")
    row, silence = AlertDelivery.objects.latest("id"), AlertSilence.objects.latest("id")
    for path in (
        "",
        "alertrule/",
        f"alertrule/{rule.pk}/change/",
        "alertchannel/",
        f"alertchannel/{channel.pk}/change/",
        "alertsilence/",
        f"alertsilence/{silence.pk}/change/",
        "alertdelivery/",
        f"alertdelivery/{row.pk}/change/",
    ):
        page.goto(f"{OVERVIEW}{path}")
        assert every_page.overflow(page) == [], path
        assert overflow(page) <= 0, path


def test_what_can_be_done_about_a_condition_fits_a_phones_line(open_page: Any, shop: None) -> None:
    page = open_page(OVERVIEW, viewport={"width": 390, "height": 844})
    acts = page.locator(".z4j-acts").first.locator(".z4j-button")
    assert acts.count() == 3
    boxes = [acts.nth(place).bounding_box() for place in range(3)]
    assert len({box["y"] for box in boxes}) == 1
    assert max(box["height"] for box in boxes) <= 42  # of one line
