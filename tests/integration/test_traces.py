"""The trace of a task: on its page, in its API, and where its link leads."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from tests.integration import api_client
from tests.integration.operators import signed_in
from tests.integration.pages import TASKS, listed, page, task, text
from z4j_django import conf
from z4j_django.models import TaskRecord
from z4j_django.queries import filter as filters

pytestmark = pytest.mark.django_db

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def client() -> Client:
    return signed_in("z4j viewer")


def fact(html: str, label: str) -> str:
    """What stands beside a label on a task's page."""
    found = re.search(rf"<dt>{label}</dt>\s*<dd[^>]*>(.*?)</dd>", html, re.DOTALL)
    return found[1] if found else ""


class TestPage:
    def test_the_id_leads_to_where_traces_are_shown(self, client: Client, settings: Any) -> None:
        settings.Z4J = {"TRACE_URL": "https://tempo.example/a?x=1&trace={trace_id}"}
        record = task("a", trace_id=TRACE, parent_span_id=SPAN)
        shown = text(client.get(page(record)))
        address = f"https://tempo.example/a?x=1&amp;trace={TRACE}"
        assert f'<a href="{address}"><bdi>{TRACE}</bdi></a>' in fact(shown, "Trace")
        assert SPAN in fact(shown, "Parent span")

    def test_without_such_a_place_it_leads_to_the_tasks_of_the_trace_alone(
        self, client: Client
    ) -> None:
        record = task("a", trace_id=TRACE, parent_span_id=SPAN)
        task("b", trace_id=TRACE)
        task("z4j_django.bulk.c", trace_id=TRACE)
        task("other", trace_id=TRACE[::-1])
        [address] = re.findall(r'href="(.*?)"', fact(text(client.get(page(record))), "Trace"))
        assert address.startswith(TASKS)
        assert listed(client.get(address)) == ["z4j_django.bulk.c", "b", "a"]

    def test_of_a_task_without_one_nothing_is_said(self, client: Client, settings: Any) -> None:
        settings.Z4J = {"TRACE_URL": "https://tempo.example/{trace_id}"}
        shown = text(client.get(page(task("a"))))
        assert fact(shown, "Retries")
        assert fact(shown, "Trace") == fact(shown, "Parent span") == ""
        assert "tempo.example" not in shown


def test_the_api_has_both_ids_and_finds_by_the_trace() -> None:
    task("a", trace_id=TRACE, parent_span_id=SPAN)
    task("b", trace_id=TRACE[::-1])
    api = api_client.client()
    [found] = api_client.body(api.get(api_client.address("tasks"), {"trace": TRACE}))["results"]
    assert (found["task_id"], found["trace_id"], found["parent_span_id"]) == ("a", TRACE, SPAN)


def test_a_trace_is_found_by_its_whole_id_alone() -> None:
    task("a", trace_id=TRACE, parent_span_id=SPAN)
    for given, expected in ((TRACE, 1), (TRACE[:-1], 0), (TRACE.upper(), 0), (SPAN, 0)):
        assert filters.term("trace", given).matches(TaskRecord.objects.all()).count() == expected


class TestSetting:
    @pytest.mark.parametrize(
        "given",
        [
            "https://x/{trace_id}",
            "HTTP://localhost:16686/trace/{trace_id}?uiEmbed=v0",
            "https://grafana.example/explore?left=%7B%22q%22:%22{trace_id}%22%7D",
            "https://[::1]:3000#{trace_id}/{trace_id}",
        ],
    )
    def test_an_address_of_any_trace_is_one(self, settings: Any, given: str) -> None:
        settings.Z4J = {"TRACE_URL": given}
        assert conf.settings.trace_address("ab") == given.replace("{trace_id}", "ab")

    @pytest.mark.parametrize(
        "given",
        [
            *("", "https://x/", "/trace/{trace_id}", "//x/{trace_id}", "x/{trace_id}"),
            *("javascript:alert(1)//{trace_id}", "data:text/html,{trace_id}", "ftp://x/{trace_id}"),
            *("https://{trace_id}", "https://{trace_id}.x/", "https:///{trace_id}"),
            *("https://x{trace_id}/", "https://me:secret@x/{trace_id}"),
            *("https://x/{trace_id}/{span_id}", "https://x/{trace_id}}", "https://x/{trace_id!r}"),
            *("https://x/{{trace_id}}", "https://x/{}", "https://x/{TRACE_ID}"),
            *("https://x/ {trace_id}", "https://x/{trace_id}\n", " https://x/{trace_id}"),
            "https://x/{trace_id}" + "x" * 2000,
        ],
        ids=lambda given: repr(given)[:60],
    )
    def test_anything_else_is_told(self, settings: Any, given: str) -> None:
        settings.Z4J = {"TRACE_URL": given}
        with pytest.raises(ImproperlyConfigured, match=r"^Z4J\['TRACE_URL'\] must be an address"):
            conf.settings.enabled  # noqa: B018

    def test_nobody_has_to_say_it(self, settings: Any) -> None:
        settings.Z4J = {}
        assert conf.settings.trace_address("ab") == ""
