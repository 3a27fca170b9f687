"""The periodic tasks of django-celery-beat over the API, and what stands where that is missing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from tests.integration import beat, nouns
from tests.integration.api_client import WHO, address, body, client, problem
from tests.integration.beat import BEAT, schedule
from tests.integration.pages import NOW, task
from z4j_django.queries import schedules

SCHEDULES = address("schedules")
#: The roles have nothing of that app's; a project may add it.
SEEN_BY = {**dict.fromkeys(WHO, 403), "anonymous": 401, "superuser": 200}


@pytest.fixture(scope="module")
def _tables(django_db_setup, django_db_blocker) -> Iterator[None]:
    """The tables of that app, for this module alone."""
    with beat.tables(django_db_blocker):
        yield


@pytest.fixture
def _installed(_tables: None, db: None) -> Iterator[None]:
    with beat.installed():
        yield


def one(record: Any) -> Any:
    return body(client().get(address("schedules", str(record.pk))))


@pytest.mark.usefixtures("_installed")
class TestInstalled:
    def test_those_that_are_switched_off_are_told_apart(self) -> None:
        schedule("on", "interval")
        schedule("off", "interval", enabled=False)
        schedule("bare", enabled=False)
        found = schedules.switched_off(5)
        assert [(one.name, schedules.words(one)) for one in found] == [
            ("bare", ""),
            ("off", "every 90 seconds"),
        ]

    def test_the_newest_come_first_and_say_what_they_are(self) -> None:
        schedule("hourly")
        made = schedule(
            "nightly",
            "crontab",
            args="[1]",
            kwargs='{"days": 1}',
            queue="mail",
            priority=3,
            expire_seconds=60,
            last_run_at=NOW,
            total_run_count=31,
            description="By night.",
        )
        [second, first] = body(client().get(SCHEDULES))["results"]
        assert first["name"] == "hourly"
        assert second.pop("date_changed").endswith("Z")
        assert second == {
            "id": made.pk,
            "url": f"http://testserver/z4j/api/schedules/{made.pk}/",
            "name": "nightly",
            "task": "shop.report",
            "enabled": True,
            "kind": "crontab",
            "schedule": str(made.crontab),
            "args": [1],
            "kwargs": {"days": 1},
            "queue": "mail",
            "exchange": None,
            "routing_key": None,
            "priority": 3,
            "one_off": False,
            "start_time": None,
            "expires": None,
            "expire_seconds": 60,
            "last_run_at": "2026-03-04T12:00:00.000000Z",
            "total_run_count": 31,
            "description": "By night.",
            "tasks_url": "http://testserver/z4j/api/tasks/?schedule=nightly&project=default",
        }

    @pytest.mark.parametrize("kind", ["interval", "crontab", "solar", "clocked"])
    def test_each_kind_of_schedule_is_told_in_words(self, kind: str) -> None:
        made = schedule("s", kind)
        found = one(made)
        assert (found["kind"], found["schedule"]) == (kind, str(getattr(made, kind)))

    def test_one_without_a_schedule_is_told_so(self) -> None:
        found = one(schedule("s"))
        assert (found["kind"], found["schedule"]) == (None, "")

    def test_what_looks_like_a_secret_is_masked(self) -> None:
        made = schedule(
            "s", args='["sk_live_4242424242424242abcdef"]', kwargs='{"password": "hunter2"}'
        )
        response = client().get(address("schedules", str(made.pk)))
        assert body(response)["kwargs"].keys() == {"password"}
        assert b"hunter2" not in response.content
        assert b"4242424242424242" not in response.content

    @pytest.mark.parametrize("text", ["", "{", "null", "7", "NaN", "[" * 100_000, '"x"'])
    def test_arguments_that_can_not_be_read_are_null(self, text: str) -> None:
        found = one(schedule("s", args=text, kwargs=text))
        assert (found["args"], found["kwargs"]) == (None, None)

    def test_numbers_that_json_does_not_have_do_no_harm(self) -> None:
        assert len(one(schedule("s", args="[NaN, 1e999]"))["args"]) == 2

    def test_they_are_found_by_name_and_by_whether_they_are_published(self) -> None:
        asks = client()
        schedule("a")
        schedule("b", enabled=False)
        schedule("c", enabled=False)
        assert nouns.listed(f"{SCHEDULES}?limit=1", "name", asks) == ["c", "b", "a"]
        assert nouns.listed(f"{SCHEDULES}?enabled=false&limit=1", "name", asks) == ["c", "b"]
        assert nouns.listed(f"{SCHEDULES}?name=a", "name", asks) == ["a"]
        assert nouns.listed(f"{SCHEDULES}?name=a&enabled=false", "name", asks) == []

    @pytest.mark.parametrize(
        ("name", "value"), [("enabled", "1"), ("name", ""), ("task", "shop.report")]
    )
    def test_a_parameter_that_can_not_be_is_told(self, name: str, value: str) -> None:
        told = problem(client().get(SCHEDULES, {name: value}), 400)
        assert [each["name"] for each in told["errors"]] == [name]

    @pytest.mark.parametrize("number", ["0", "999", "9" * 19, "x", "-1"])
    def test_of_any_other_number_there_is_none(self, number: str) -> None:
        problem(client().get(address("schedules", number)), 404)

    @pytest.mark.parametrize("name", nouns.HOSTILE)
    def test_a_name_is_only_text_and_leads_to_its_tasks(self, name: str) -> None:
        asks = client()
        schedule(name, task=name, description=name)
        task("t", schedule=name)
        [row] = body(asks.get(SCHEDULES))["results"]
        assert (row["name"], row["task"]) == (name, name)
        assert body(asks.get(row["url"])) == row
        assert nouns.listed(row["tasks_url"], "task_id", asks) == ["t"]

    def test_a_long_page_takes_a_query_for_each_kind_of_schedule(
        self, django_assert_num_queries
    ) -> None:
        asks = client()
        for number in range(20):
            schedule(f"s{number}", ("interval", "clocked")[number % 2])
        with django_assert_num_queries(4):  # the token, with its user; and the rows
            body(asks.get(SCHEDULES))

    @pytest.mark.parametrize("who", WHO)
    def test_a_role_alone_is_not_enough(self, who: str) -> None:
        made = schedule("s")
        for where in (SCHEDULES, address("schedules", str(made.pk))):
            assert client(who).get(where).status_code == SEEN_BY[who]

    def test_the_permission_is_that_apps_own(self) -> None:
        made = schedule("s")
        for where in (SCHEDULES, address("schedules", str(made.pk))):
            told = problem(client("z4j admin").get(where), 403)
            assert f"{BEAT}.view_periodictask" in told["detail"]
        holder = nouns.holder("view_periodictask")
        assert holder.get(SCHEDULES).status_code == 200
        assert holder.get(address("schedules", str(made.pk))).status_code == 200

    def test_silence_is_told_as_silence(self) -> None:
        assert one(schedule("s", last_run_at=None))["last_run_at"] is None
        later = NOW + timedelta(days=1)
        assert one(schedule("t", start_time=later))["start_time"] == "2026-03-05T12:00:00.000000Z"


@pytest.mark.django_db
class TestNotInstalled:
    @pytest.mark.parametrize("where", [SCHEDULES, address("schedules", "1")])
    def test_it_says_so_to_whoever_is_signed_in(self, where: str) -> None:
        for who in WHO:
            status = 401 if who == "anonymous" else 404
            told = problem(client(who).get(where), status)
            assert ("django_celery_beat is not installed" in told["detail"]) is (status == 404)
