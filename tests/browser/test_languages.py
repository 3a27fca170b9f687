"""Every page in German, whose words are long, and in Arabic, which runs from right to left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import translation

from tests import every_page
from tests.browser.test_accessible import DESK, PHONE
from tests.browser.test_admin import shop
from z4j_django.admin import fragments

__all__ = ["shop"]
#: Code and pictures that run against their direction.
TURNED = """() => [...document.querySelectorAll('.z4j :is(pre, code, svg, .z4j-plot)')]
    .filter((one) => getComputedStyle(one).direction !== 'ltr')
    .map((one) => one.outerHTML.slice(0, 80))"""


@pytest.mark.parametrize(("language", "direction"), [("de", "ltr"), ("ar", "rtl")])
def test_every_page_fits_in_a_language(
    open_page: Callable[..., Any], shop: Any, settings: Any, language: str, direction: str
) -> None:
    fragments.forget()
    settings.LANGUAGE_CODE = language
    translation.trans_real._default = None  # Django finds it out once a process
    pages = every_page.stored(shop)
    page = open_page(pages["overview"], viewport=DESK)
    faults = {}
    try:
        for name, path in pages.items():
            page.set_viewport_size(DESK)
            page.goto(path)
            assert page.evaluate("getComputedStyle(document.body).direction") == direction
            assert page.evaluate("document.documentElement.lang") == language
            found = every_page.overflow(page)
            turned = page.evaluate(TURNED)
            found += [f"{one} runs from right to left" for one in turned]
            page.set_viewport_size(PHONE)
            found += every_page.overflow(page)
            if found:
                faults[name] = found
    finally:
        translation.trans_real._default = None
        fragments.forget()
    assert faults == {}
