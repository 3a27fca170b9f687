"""Our pages under themes of the admin: they look alike, they fit, axe finds nothing serious.

``THEME`` says which; ``make themes`` tries all of them. ``PICTURES`` names a folder for pictures.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import every_page

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
#: Where to leave pictures of all pages, if anywhere.
PICTURES = os.environ.get("PICTURES")
THEME = os.environ.get("THEME", "stock")
#: Its index is a frame around the other pages, with tabs.
WITHOUT_INDEX = {"simpleui"}
#: What follows a system that is dark; the others are light whatever the system says.
FOLLOWS_THE_SYSTEM = {"stock", "unfold", "jazzmin", "grappelli"}
#: What a page of ours looks like at 1280 px, whatever is around it.
LOOK = {
    ".z4j-nav a": {"font-size": "14px", "text-transform": "none", "text-decoration-line": "none"},
    ".z4j-title": {"font-size": "20px", "font-weight": "600", "text-transform": "none"},
    ".z4j-title > span:not([class])": {"font-weight": "600", "margin-left": "0px"},
    ".z4j-pill": {"font-size": "11px", "border-top-left-radius": "10px"},
    ".z4j-table > tbody td": {"font-size": "14px", "line-height": "20px", "padding-top": "6px"},
    ".z4j-table > thead th": {"font-size": "12px", "text-transform": "none"},
    ".z4j-button:not(.z4j-small)": {"font-size": "14px", "text-transform": "none"},
    "input.z4j-input": {"border-top-left-radius": "4px", "min-height": "32px"},
}


def differences(page: Any) -> list[str]:
    """Where a page does not look so."""
    seen = page.evaluate(
        """(look) => Object.entries(look).flatMap(([selector, wanted]) =>
            [...document.querySelectorAll(`.z4j-page ${selector}`)]
                .filter((node) => node.checkVisibility()).slice(0, 3)
                .flatMap((node) => Object.entries(wanted).map(([name, value]) =>
                    [selector, name, value, getComputedStyle(node).getPropertyValue(name)])))""",
        LOOK,
    )
    return [f"{one}: {name} {got}" for one, name, wanted, got in seen if wanted != got]


def other_grounds(page: Any, wanted: str) -> list[str]:
    """Where our part, what it stands in, or the opposite of its ink is not light, or dark."""
    seen = page.evaluate(
        """() => [...document.querySelectorAll('.z4j')].flatMap((node) => {
            const paint = document.createElement('canvas').getContext('2d');
            const [solid, light] = [(colour) => read(colour)[3] > 250, (colour) =>
                read(colour).slice(0, 3).reduce((sum, one) => sum + one) > 3 * 127];
            function read(colour) {
                paint.clearRect(0, 0, 1, 1);
                paint.fillStyle = colour;
                paint.fillRect(0, 0, 1, 1);
                return [...paint.getImageData(0, 0, 1, 1).data];
            }
            const ground = (one) => !one || solid(getComputedStyle(one).backgroundColor)
                ? !one || light(getComputedStyle(one).backgroundColor) : ground(one.parentElement);
            return [['ground', ground(node)], ['surroundings', ground(node.parentElement)],
                ['ink', !light(getComputedStyle(node).color)]];
        }).map(([what, bright]) => [what, bright ? 'light' : 'dark'])"""
    )
    return [f"{what} made for {got}" for what, got in seen if got != wanted]


def whole(page: Any) -> list[str]:
    """What is not there that every page of ours has."""
    wanted = (".z4j-page .z4j-nav a[aria-current]", ".z4j-page h1", "link[href$='z4j.css']")
    return [f"no {one}" for one in wanted if page.locator(one).count() == 0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_look_alike_and_fit(open_page: Callable[..., Any], shop: Any, scheme: str) -> None:
    pages = every_page.stored(shop)
    page = open_page(pages["overview"], viewport=DESK, color_scheme=scheme)
    ground = scheme if THEME in FOLLOWS_THE_SYSTEM else "light"
    faults = {}
    for name, path in pages.items():
        page.set_viewport_size(DESK)
        page.goto(path)
        picture(page, f"{name}-desk-{scheme}")
        found = every_page.violations(page) + every_page.overflow(page)
        found += other_grounds(page, ground)
        if name != "index":
            found += whole(page) + differences(page)
        elif THEME not in WITHOUT_INDEX and page.locator(".z4j").count() == 0:
            found.append("nothing of ours")
        page.set_viewport_size(PHONE)
        picture(page, f"{name}-phone-{scheme}")
        found += every_page.overflow(page)
        if found:
            faults[name] = found
    assert faults == {}


def picture(page: Any, name: str) -> None:
    if PICTURES:
        where = Path(PICTURES) / THEME
        where.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=where / f"{name}.png")
