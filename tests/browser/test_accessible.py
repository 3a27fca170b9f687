"""Every page under axe, light and dark; none needs a colour, a mouse or a movement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests import every_page
from tests.browser.test_admin import shop

__all__ = ["shop"]
DESK = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
#: Whether the line of places was scrolled to where one is.
HERE_IS_SEEN = """() => [...document.querySelectorAll('.z4j-nav [aria-current]')].every((here) => {
    const [place, line] = [here, here.closest('ul')].map((one) => one.getBoundingClientRect());
    return place.left >= line.left - 1 && place.right <= line.right + 1;
})"""
#: Charts run from left to right in whatever language, and so does what stands below them.
AXES_RUN_AS_CHARTS_DO = """() => [...document.querySelectorAll('.z4j-axis, .z4j-flow-ticks')].every(
    (axis) => getComputedStyle(axis).direction === 'ltr')"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_every_page_fits(
    open_page: Callable[..., Any], shop: Any, scheme: str
) -> None:
    pages = every_page.stored(shop)
    page = open_page(pages["overview"], viewport=DESK, color_scheme=scheme, bypass_csp=True)
    faults = {}
    for name, path in pages.items():
        page.set_viewport_size(DESK)
        page.goto(path)
        found = every_page.violations(page) + every_page.overflow(page)
        page.set_viewport_size(PHONE)
        found += every_page.overflow(page)
        if found:
            faults[name] = found
    assert faults == {}


def test_all_that_can_be_clicked_is_reached_by_keys(
    open_page: Callable[..., Any], shop: Any
) -> None:
    pages = every_page.stored(shop)
    page = open_page(pages["overview"], viewport=DESK)
    for name, path in pages.items():
        page.goto(path)
        unreachable = page.evaluate(
            """() => [...document.querySelectorAll(
                '.z4j :is(a, button, input, select, textarea, summary, [role=button])')]
                .filter((one) => one.checkVisibility() && one.tabIndex < 0 && !one.disabled
                    && one.type !== 'hidden' && !one.closest('svg'))
                .map((one) => one.outerHTML.slice(0, 120))"""
        )
        assert unreachable == [], name


def test_nothing_moves_for_those_who_ask_for_that(open_page: Callable[..., Any], shop: Any) -> None:
    pages = every_page.stored(shop)
    page = open_page(pages["overview"], viewport=DESK, reduced_motion="reduce")
    for name, path in pages.items():
        page.goto(path)
        moving = page.evaluate(
            """() => [...document.querySelectorAll('.z4j *')].filter((one) => {
                const style = getComputedStyle(one);
                return style.animationName !== 'none'
                    || style.transitionDuration.split(', ').some((time) => parseFloat(time) > 0);
            }).map((one) => one.outerHTML.slice(0, 120))"""
        )
        assert moving == [], name


@pytest.mark.parametrize("width", [1280, 390])
def test_from_right_to_left_every_page_fits(
    open_page: Callable[..., Any], shop: Any, settings: Any, width: int
) -> None:
    settings.LANGUAGE_CODE = "ar"
    pages = every_page.stored(shop)
    page = open_page(pages["overview"], viewport={"width": width, "height": 800})
    for name, path in pages.items():
        page.goto(path)
        assert page.evaluate("document.dir || document.documentElement.dir") == "rtl", name
        assert every_page.overflow(page) == [], name
        assert page.evaluate(HERE_IS_SEEN), name
        assert page.evaluate(AXES_RUN_AS_CHARTS_DO), name
