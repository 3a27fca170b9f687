"""Our pages under themes of the admin: they look alike, they fit, axe finds nothing serious.

``THEME`` says which; ``make themes`` tries all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

INDEX = "/admin/z4j_django/"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
#: Where to leave pictures of all pages, if anywhere.
PICTURES = os.environ.get("PICTURES")
THEME = os.environ.get("THEME", "stock")
#: What axe calls more than a blemish.
GRAVE = {"serious", "critical"}
#: How a page of ours looks, whatever is around it.
LOOK = """() => {
    const of = (selector, ...names) => {
        const node = document.querySelector(`.z4j ${selector}`);
        if (!node) return null;
        const style = getComputedStyle(node);
        return names.map((name) => style.getPropertyValue(name));
    };
    return {
        nav: of('.z4j-nav a', 'font-size', 'text-transform', 'text-decoration-line'),
        pill: of('.z4j-pill', 'font-size', 'border-radius', 'display', 'text-transform'),
        cell: of('.z4j-table td', 'font-size', 'text-align', 'padding-top'),
        head: of('.z4j-table th[scope=col]', 'font-size', 'text-transform', 'background-color'),
        button: of('.z4j-button', 'font-size', 'border-radius', 'text-transform', 'padding-left'),
    };
}"""


def pages(page: Any) -> Iterator[str]:
    """All that the line of navigation leads to, and the first thing of each list."""
    page.goto(INDEX)
    places = page.eval_on_selector_all(".z4j-nav a", "all => all.map((one) => one.pathname)")
    assert len(places) > 5, places
    for place in dict.fromkeys(places):
        yield place
        page.goto(place)
        first = page.locator("#result_list tbody th a, .z4j-table tbody th a").first
        if first.count():
            yield first.get_attribute("href")


def violations(page: Any) -> list[str]:
    """What axe finds in our part of the page that is serious or worse."""
    found = Axe().run(page, context=".z4j").response["violations"]
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_look_alike_and_fit(open_page: Callable[..., Any], shop: Any, scheme: str) -> None:
    page = open_page(INDEX, viewport=DESK, color_scheme=scheme)
    faults = {}
    for path in list(pages(page)):
        for name, viewport in (("desk", DESK), ("phone", PHONE)):
            page.set_viewport_size(viewport)
            page.goto(path)
            page.wait_for_load_state("load")
            if PICTURES:
                where = Path(PICTURES) / THEME
                where.mkdir(parents=True, exist_ok=True)
                file = f"{path.strip('/').replace('/', '.')[-60:]}-{name}-{scheme}.png"
                page.screenshot(path=where / file)
            wide = page.evaluate(
                "Math.max(...[...document.querySelectorAll('.z4j')]"
                ".map((node) => node.scrollWidth - node.clientWidth))"
            )
            found = violations(page) + ([f"{wide} px too wide"] if wide > 0 else [])
            if found:
                faults[f"{path} {name}"] = found
            print(path, name, page.evaluate(LOOK))
    assert faults == {}
