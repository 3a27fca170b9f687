"""Pages by key, and the form in which answers are sent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration import api_client
from tests.integration.api_client import ROOT, body, problem
from z4j_django.api import rendering
from z4j_django.models import WorkerRecord
from z4j_django.queries.cursors import Key

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": float("nan"), "b": float("inf")}, b'{"a":null,"b":null}'),
        ("\ud800", b'"\\ud800"'),
        ({"\udfff": ["ä"]}, b'{"\\udfff":["\\u00e4"]}'),
        (2**70, b"1180591620717411303424"),
    ],
)
def test_whatever_is_on_record_can_be_sent(value: Any, text: bytes) -> None:
    assert rendering.encode(value) == text


WORKERS = f"{ROOT}workers/"


class TestPages:
    def test_a_list_by_ids_is_walked_both_ways(self) -> None:
        WorkerRecord.objects.bulk_create(WorkerRecord(hostname=f"w{one}") for one in range(5))
        client = api_client.client()

        def at(address: str | None) -> dict[str, Any]:
            page = body(client.get(address or f"{WORKERS}?limit=2"))
            return {**page, "results": [row["hostname"] for row in page["results"]]}

        first = at(None)
        second = at(first["next"])
        third = at(second["next"])
        shown = [page["results"] for page in (first, second, third)]
        assert shown == [["w4", "w3"], ["w2", "w1"], ["w0"]]
        assert first["previous"] is third["next"] is None
        assert at(third["previous"])["results"] == ["w2", "w1"]
        again = at(second["previous"])
        assert again["results"] == ["w4", "w3"]
        assert again["previous"] is None
        assert at(again["next"])["results"] == ["w2", "w1"]
        WorkerRecord.objects.filter(hostname="w0").delete()
        empty = at(second["next"])
        assert (empty["results"], empty["next"]) == ([], None)
        assert at(empty["previous"])["results"] == ["w2", "w1"]

    @pytest.mark.parametrize("given", ["0", "-1", "201", "a", "", "1.5", "٣", "9" * 30])
    def test_a_limit_that_can_not_be_is_told(self, given: str) -> None:
        told = problem(api_client.client().get(WORKERS, {"limit": given}), 400)
        assert [one["name"] for one in told["errors"]] == ["limit"]

    @pytest.mark.parametrize(
        "given", ["", "b", "a", "x" + Key(1).token(), "b!", "b" + "A" * 500, "bä"]
    )
    def test_a_cursor_that_no_list_gave_is_told(self, given: str) -> None:
        told = problem(api_client.client().get(WORKERS, {"cursor": given}), 400)
        assert [one["name"] for one in told["errors"]] == ["cursor"]
