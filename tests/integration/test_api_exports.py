"""Tasks as files: CSV and NDJSON."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, connection, connections
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext

from tests.integration import api_client
from tests.integration.api_client import ROOT, problem
from tests.integration.pages import NOW, task
from z4j_django.api.serializers import tasks as serializers
from z4j_django.api.views import exports
from z4j_django.models import TaskRecord
from z4j_django.queries import pages

CSV = f"{ROOT}tasks.csv"
NDJSON = f"{ROOT}tasks.ndjson"

pytestmark = pytest.mark.django_db


def many(count: int, **fields: Any) -> None:
    TaskRecord.objects.bulk_create(
        TaskRecord(task_id=f"t{number}", sent_at=NOW + timedelta(seconds=number), **fields)
        for number in range(count)
    )


def content(response: Any) -> str:
    assert response.status_code == 200, response.content[:2000]
    return b"".join(response.streaming_content).decode()


def table(response: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content(response), newline="")))


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content(response).splitlines()]


class TestCSV:
    def test_it_is_a_table_with_the_names_of_its_columns(self, api) -> None:
        task("a", name="shop.pay", runtime=1.5, sent_at=NOW, priority=-3)
        response = api.get(CSV)
        assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert response.headers["Content-Disposition"] == 'attachment; filename="tasks.csv"'
        assert response.headers["Cache-Control"] == "no-store"
        names, row = table(response)
        assert tuple(names) == serializers.LISTED
        shown = dict(zip(names, row, strict=True))
        assert shown["task_id"] == "a"
        assert shown["runtime"] == "1.5"
        assert shown["priority"] == "-3"
        assert shown["sent_at"] == "2026-03-04T12:00:00.000000Z"
        assert shown["started_at"] == ""

    def test_its_columns_stand_as_they_are_asked_for(self, api) -> None:
        task("a", kwargs={"b": [1, "ä"]}, result="-1", args=None)
        rows = table(api.get(CSV, {"fields": "result,kwargs,task_id,args"}))
        assert rows == [
            ["result", "kwargs", "task_id", "args"],
            ['"-1"', '{"b":[1,"ä"]}', "a", ""],
        ]

    @pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])  # noqa: RUF001
    def test_no_text_becomes_a_formula(self, api, sign: str) -> None:
        text = f"{sign}cmd|'/C calc'!A0"
        task("a", name=text, queue=text, exception_message=text, args=[text], kwargs={text: 1})
        given = "name,queue,exception_message,args,kwargs"
        _, row = table(api.get(CSV, {"fields": given}))
        assert row[:3] == [f"'{text}"] * 3
        assert all(cell[0] in "'[{" for cell in row)

    @pytest.mark.parametrize(("result", "cell"), [(-5, "-5"), ("=1", '"=1"'), (-1.5, "-1.5")])
    def test_a_number_stays_one(self, api, result: Any, cell: str) -> None:
        task("a", result=result)
        assert table(api.get(CSV, {"fields": "result"}))[1] == [cell]

    def test_lines_and_quotes_in_a_text_stay_in_their_cell(self, api) -> None:
        text = 'one "quoted",\r\ntwo; three'
        task("a", exception_message=text)
        assert table(api.get(CSV, {"fields": "exception_message,task_id"}))[1] == [text, "a"]

    def test_nothing_found_leaves_the_names(self, api) -> None:
        assert table(api.get(CSV, {"fields": "task_id,name"})) == [["task_id", "name"]]


class TestNDJSON:
    def test_it_is_an_object_a_line(self, api) -> None:
        task("a", kwargs={"b": "line\nend"}, name="=1")
        task("c")
        response = api.get(NDJSON, {"fields": "task_id,kwargs,name"})
        assert response.headers["Content-Type"] == "application/x-ndjson"
        assert lines(response) == [
            {"task_id": "c", "kwargs": None, "name": ""},
            {"task_id": "a", "kwargs": {"b": "line\nend"}, "name": "=1"},
        ]

    def test_nothing_found_is_nothing(self, api) -> None:
        assert content(api.get(NDJSON)) == ""


@pytest.mark.parametrize("address", [CSV, NDJSON])
class TestBoth:
    def test_they_filter_and_order_as_the_list_does(self, api, address: str) -> None:
        many(5, name="shop.pay")
        task("other", name="shop.count")
        given = {"name": "shop.pay", "ordering": "sent_at", "fields": "task_id", "limit": 3}
        found = content(api.get(address, given))
        assert [f"t{number}" in found for number in range(5)] == [True, True, True, False, False]
        assert "other" not in found

    def test_they_are_read_page_by_page(self, api, address: str, monkeypatch) -> None:
        monkeypatch.setattr(exports, "PAGE", 10)
        many(95)
        with CaptureQueriesContext(connection) as captured:
            response = api.get(address, {"fields": "task_id", "limit": 60})
            begun = len(captured)
            chunks = list(response.streaming_content)
        assert len(captured) - begun == 5
        assert len(chunks) == 6
        found = re.findall(r"t\d+", b"".join(chunks).decode())
        assert found == [f"t{number}" for number in range(94, 34, -1)]

    def test_large_columns_are_read_in_smaller_pages(self, api, address: str) -> None:
        many(exports._HEAVY_PAGE + 1)
        response = api.get(address, {"fields": "kwargs"})
        assert len(list(response.streaming_content)) == 2

    @pytest.mark.parametrize("limit", ["0", "100001", "-1", "all"])
    def test_they_are_bounded(self, api, address: str, limit: str) -> None:
        (mistake,) = problem(api.get(address, {"limit": limit}), 400)["errors"]
        assert mistake["name"] == "limit"

    @pytest.mark.parametrize(
        "query", ["cursor=x", "since=x", "fields=nope", "state=GONE", "ordering=name", "format=x"]
    )
    def test_what_they_do_not_know_is_told(self, api, address: str, query: str) -> None:
        problem(api.get(f"{address}?{query}"), 400)

    def test_the_whole_table_is_not_searched_through(self, api, address: str) -> None:
        task("a", runtime=3, name="shop.pay")
        (mistake,) = problem(api.get(address, {"runtime": ">1s"}), 400)["errors"]
        assert "runtime:>1s" in mistake["reason"]
        assert "sent:<1d" in mistake["reason"]
        given = {"runtime": ">1s", "name": "shop.pay", "fields": "name"}
        assert "shop.pay" in content(api.get(address, given))

    def test_a_search_that_goes_on_for_too_long_breaks_off(
        self, api, address: str, monkeypatch, caplog
    ) -> None:
        monkeypatch.setattr(pages, "EXAMINED_LIMIT", 5000)
        TaskRecord.objects.bulk_create(
            (TaskRecord(task_id=f"t{number}", name="shop.pay") for number in range(5001)),
            batch_size=500,
        )
        response = api.get(address, {"name": "shop.pay", "retries": "1"})
        with pytest.raises(exports.UnboundedError):
            content(response)
        assert "5000 were looked through" in caplog.text

    def test_errors_are_problems(self, api, address: str) -> None:
        def away(*args: Any) -> Any:
            raise OperationalError("gone")

        problem(api.get(address, headers={"Accept": "application/json"}), 406)
        problem(api.post(address), 405)
        problem(api_client.client("anonymous").get(address), 401)
        problem(api_client.client("staff").get(address), 403)
        with connection.execute_wrapper(away):
            problem(api.get(address), 503)

    def test_a_failure_on_the_first_page_is_still_told(self, api, address: str, caplog) -> None:
        task("a")

        def away(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if "taskrecord" in sql:
                raise OperationalError("gone")
            return execute(sql, params, many, context)

        with connection.execute_wrapper(away):
            problem(api.get(address), 503)

    def test_a_head_has_no_body(self, api, address: str) -> None:
        response = api.head(address)
        assert response.status_code == 200
        assert response.headers["Content-Type"].startswith(("text/csv", "application/x-ndjson"))


@pytest.mark.django_db(transaction=True)
def test_a_server_that_awaits_gets_the_same_page_by_page(monkeypatch) -> None:
    monkeypatch.setattr(exports, "PAGE", 2)
    many(5)
    token = api_client.client().defaults["HTTP_AUTHORIZATION"]

    async def read() -> list[bytes]:
        response = await AsyncClient().get(
            NDJSON, {"fields": "task_id"}, headers={"Authorization": token}
        )
        assert response.is_async
        chunks = [chunk async for chunk in response]
        await sync_to_async(connections.close_all)()  # those of the thread that read it
        return chunks

    chunks = asyncio.run(read())
    assert [chunk.count(b"\n") for chunk in chunks] == [2, 2, 1]
    assert json.loads(chunks[0].splitlines()[0]) == {"task_id": "t4"}
