from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

from z4j_django.models import TaskRecord

pytestmark = pytest.mark.django_db(transaction=True)

OpenPage = Callable[..., Any]


def test_the_page_shows_every_route_and_asks_nobody_else(open_page: OpenPage, live_server: Any):
    page = open_page("/z4j/api/docs/")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    page.reload()
    page.wait_for_selector(".opblock")

    assert page.locator(".opblock").count() > 20
    assert {urlsplit(url).netloc for url in asked} == {urlsplit(live_server.url).netloc}


def test_a_call_from_the_page_is_made_as_whoever_is_signed_in(open_page: OpenPage):
    TaskRecord.objects.create(task_id="a-task", name="shop.pay", state="SUCCESS")
    page = open_page("/z4j/api/docs/")
    block = page.locator("#operations-tasks-tasks_retrieve")

    block.click()
    block.locator(".try-out__btn").click()
    block.get_by_placeholder("task_id").fill("a-task")
    block.get_by_role("button", name="Execute").click()

    answer = block.locator(".live-responses-table").inner_text()
    assert "200" in answer
    assert "shop.pay" in answer


def test_who_tries_it_out_sends_no_example_as_a_value(open_page: OpenPage):
    TaskRecord.objects.create(task_id="a-task", name="shop.pay", state="SUCCESS")
    page = open_page("/z4j/api/docs/")
    block = page.locator("#operations-tasks-tasks_list")

    block.click()
    block.locator(".try-out__btn").click()
    block.get_by_role("button", name="Execute").click()

    assert "shop.pay" in block.locator(".live-responses-table").inner_text()
    assert "For example: state:FAILURE name:shop.* sent:<2h" in block.inner_text()
