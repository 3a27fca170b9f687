"""Every page, with numbers that have thousands, from right to left, and below a prefix."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import set_script_prefix

from tests import every_page
from tests.browser.test_admin import shop
from tests.integration.pages import superuser, text
from z4j_django import verbs
from z4j_django.admin import fragments
from z4j_django.admin.room import reading

__all__ = ["shop"]
#: What sets thousands apart, in whichever language.
APART = re.compile(r"[,.'\u2019\u00a0\u202f\u066c]")
ATTRIBUTE = re.compile(r'\s([\w-]+)="([^"]*)"')
#: Whose text people read.
READ = {"title", "aria-label", "placeholder", "content", "data-label"}
#: Attributes of a picture, or of a bar, that are one number.
NUMBER = re.compile(r"<(?:rect|line|svg|circle|progress|meter)\b[^>]*>")
ONE = re.compile(r'\s(?:x|y|x1|x2|y1|y2|width|height|r|cx|cy|max|min|value)="([^"]*)"')


@pytest.fixture
def pages(shop: Any) -> dict[str, str]:
    return {**every_page.stored(shop), **every_page.alike()}


@pytest.fixture
def prefixed() -> Iterator[None]:
    with override_settings(FORCE_SCRIPT_NAME="/below"):
        set_script_prefix("/below/")
        yield
    set_script_prefix("/")


def asked(client: Client, address: str) -> list[str]:
    """The addresses from which a page refreshes, and draws."""
    found = re.findall(r'data-(?:hx-get|z4j-chart)="([^"]*)"', text(client.get(address)))
    return [urljoin(address, html.unescape(one)) for one in found]


def ours(page: str) -> str:
    return page[page.index('class="z4j') :]


#: For whoever is no superuser, Django asks for their permissions, and for those of their groups.
@pytest.mark.parametrize(("is_superuser", "limit"), [(True, 12), (False, 14)])
def test_none_takes_more_than_twelve_queries(
    pages: dict[str, str], is_superuser: bool, limit: int
) -> None:
    client = superuser()
    if not is_superuser:
        User.objects.update(is_superuser=False)
        User.objects.get().groups.set(Group.objects.all())
    parts = [part for address in pages.values() for part in asked(client, address)]
    bulk = [
        every_page._page(f"taskrecord_bulk_{verb.name}", q=text)
        for verb in verbs.in_bulk()
        for text in ("state:STARTED", "state:FAILURE sent:<7d", "queue:mail is:long")
    ]
    many = {}
    for address in (*pages.values(), *parts, *bulk):
        fragments.forget()
        reading.forget()
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code in (200, 403), address
        if len(captured) > limit:
            many[address] = len(captured)
    assert many == {}


@pytest.mark.parametrize("language", ["de", "ar", "fr"])
def test_thousands_are_set_apart_in_text_alone(pages: dict[str, str], language: str) -> None:
    client = superuser()
    for name, address in pages.items():
        shown = []
        for apart in (False, True):
            with override_settings(USE_THOUSAND_SEPARATOR=apart, LANGUAGE_CODE=language):
                shown.append(ours(text(client.get(address))))
        plain, apart_too = (
            [found for found in ATTRIBUTE.findall(page) if found[0] not in READ] for page in shown
        )
        changed = [
            (one, other)
            for one, other in zip(plain, apart_too, strict=True)
            if one != other and APART.sub("", one[1]) == APART.sub("", other[1])
        ]
        assert changed == [], name
        numbers = [one for node in NUMBER.findall(shown[1]) for one in ONE.findall(node)]
        assert [one for one in numbers if not re.fullmatch(r"-?\d+(\.\d+)?%?", one)] == [], name


def test_the_direction_is_the_languages(pages: dict[str, str]) -> None:
    client = superuser()
    with override_settings(LANGUAGE_CODE="ar"):
        for name, address in pages.items():
            response = client.get(address)
            assert response.status_code == 200, name
            assert re.search(r'<html[^>]* dir="rtl"', text(response)), name


def test_below_a_prefix_every_address_has_it(shop: Any, prefixed: None) -> None:
    client = superuser()
    for name, address in every_page.stored(shop).items():
        assert address.startswith("/below/"), name
        page = text(client.get(address.removeprefix("/below")))
        found = re.findall(
            r'(?:href|src|action|data-hx-get|data-z4j-chart|data-z4j-suggest)="(/[^"]*)"',
            ours(page),
        )
        assert found, name
        assert [one for one in found if not one.startswith(("/below/", "/static/"))] == [], name
