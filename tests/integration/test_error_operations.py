"""Errors that are resolved, ignored and opened again, on every surface."""

from __future__ import annotations

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tests.integration import api_client, nouns, operators
from tests.integration.api_client import body, problem
from tests.integration.causes import START, failed, group, store
from z4j_django import operations
from z4j_django.agent import events
from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.models import ErrorGroup, Operation
from z4j_django.queries.selection import Selection
from z4j_django.store import retention
from z4j_django.values import error_id

pytestmark = pytest.mark.django_db(transaction=True)

ERRORS = "/z4j/api/errors/"


@pytest.fixture
def error() -> ErrorGroup:
    """One that was seen twice, in a release."""
    store([failed("a", 1), failed("b", 2)], "shop 7", project="default")
    return group()


def reread(error: ErrorGroup) -> ErrorGroup:
    error.refresh_from_db()
    return error


def outcome(operation: Operation) -> tuple[str, str]:
    target = operation.targets.get()
    return target.outcome, target.reason


def test_resolved_it_is_since_the_newest_release(error: ErrorGroup) -> None:
    done = operations.resolve_errors(error.error_id, actor="a test")
    assert outcome(done) == ("done", "Since the release shop 7.")
    assert (done.verb, done.targets.get().kind) == ("resolve_errors", "error")
    found = reread(error)
    assert (found.state, found.resolved_in) == ("resolved", "shop 7")
    assert timezone.now() - found.resolved_at < timedelta(minutes=1)
    again = operations.resolve_errors(error.error_id, actor="another test")
    assert outcome(again) == ("refused", "It is resolved already.")


def test_a_release_to_come_may_resolve_it(error: ErrorGroup) -> None:
    operations.resolve_errors(error.error_id, release="shop 8", actor="a test")
    late = (timezone.now() - retention._moment(START)).total_seconds() + 60
    store([failed("c", late)], "shop 7", project="default")
    assert reread(error).state == "resolved"
    store([failed("d", late)], "shop 8", project="default")
    assert reread(error).state == "open"
    assert reread(error).regressed_at is not None


def test_where_no_release_is_known_time_decides() -> None:
    store([failed("a", 1)], project="default")
    assert outcome(operations.resolve_errors(group().error_id, actor="a test")) == ("done", "")
    late = (timezone.now() - retention._moment(START)).total_seconds() + 60
    store([failed("b", late)], project="default")
    assert group().state == "open"


@pytest.mark.parametrize("with_zones", [True, False])
def test_ignored_it_is_for_ever_for_a_time_or_for_some_more(
    error: ErrorGroup, settings: Any, with_zones: bool
) -> None:
    settings.USE_TZ, settings.TIME_ZONE = with_zones, "UTC"
    ignored = operations.ignore_errors(error.error_id, actor="a test")
    assert outcome(ignored) == ("done", "For ever.")
    operations.ignore_errors(error.error_id, more=5, actor="a test")
    assert (reread(error).state, error.ignored_count) == ("ignored", 7)
    until = timezone.now() + timedelta(days=1)
    operations.ignore_errors(error.error_id, until=until, actor="a test")
    assert (reread(error).ignored_until, error.ignored_count) == (until, None)
    with pytest.raises(OptionsError):
        operations.ignore_errors(error.error_id, until=until, more=5, actor="a test")
    with pytest.raises(OperationError, match="more than a year ahead"):
        operations.ignore_errors(error.error_id, until=until + timedelta(days=400), actor="a test")
    with pytest.raises(OperationError, match="is over already"):
        operations.ignore_errors(error.error_id, until=until - timedelta(days=2), actor="a test")
    assert reread(error).ignored_until == until


def test_reopened_nothing_is_left_of_what_was_said(error: ErrorGroup) -> None:
    operations.ignore_errors(error.error_id, more=5, actor="a test")
    operations.reopen_errors([error.error_id], actor="a test")
    assert (reread(error).state, error.ignored_count, error.regressed_at) == ("open", None, None)
    refused = operations.reopen_errors(error.error_id, actor="a test")
    assert outcome(refused) == ("refused", "It is open already.")


@pytest.mark.parametrize("given", ["", "x", "8" * 16, "A" * 16, [], "0" * 17, ["1" * 16] * 1_001])
def test_what_is_no_id_is_refused_as_a_whole(given: Any) -> None:
    with pytest.raises(OperationError):
        operations.resolve_errors(given, actor="a test")
    assert not Operation.objects.exists()


def test_one_that_is_not_there_is_refused() -> None:
    refused = operations.ignore_errors("1" * 16, actor="a test")
    assert outcome(refused) == ("refused", "There is no such error on record.")


def test_it_wants_its_permission(error: ErrorGroup) -> None:
    staff = operators.signed_in("staff")
    told = problem(post(staff, error, "resolve"), 403)
    assert told["detail"] == "The permission z4j_django.resolve_error is missing."
    operator = operators.signed_in("z4j operator")
    assert post(operator, error, "resolve").status_code == 202
    with pytest.raises(PermissionDenied):
        operations.resolve_errors(error.error_id, actor=AnonymousUser())


def post(client: Client, error: ErrorGroup, verb: str, **given: Any) -> Any:
    where = f"{ERRORS}{error.error_id}/{verb}/"
    return client.post(where, json.dumps(given), content_type="application/json")


def test_the_api_does_each(error: ErrorGroup, api: Client) -> None:
    told = body(post(api, error, "ignore", more=3), 202)
    assert (told["verb"], told["parameters"]) == ("ignore_errors", {"more": 3})
    assert reread(error).state == "ignored"
    assert body(post(api, error, "reopen"), 202)["counts"]["done"] == 1
    assert body(post(api, error, "resolve", release="shop 9"), 202)["counts"]["done"] == 1
    assert reread(error).resolved_in == "shop 9"
    assert problem(post(api, error, "resolve"), 409)["detail"] == "It is resolved already."
    ErrorGroup.objects.all().delete()
    assert problem(post(api, error, "resolve"), 404)["detail"] == (
        "There is no error of this id on record."
    )


def test_a_bulk_retry_takes_the_tasks_of_an_error(
    error: ErrorGroup, monkeypatch: pytest.MonkeyPatch
) -> None:
    operators.broker_in_memory(monkeypatch)
    for task_id in ("c", "d"):
        operators.kept(task_id, error=error.fingerprint)
    operators.kept("e", error=17)
    seen = operations.preview(_selection(error))
    assert (seen.count, {one.task_id for one in seen.sample}) == (4, {"a", "b", "c", "d"})
    done = operations.bulk("retry", selection=_selection(error), actor="a test")
    assert {one.target: one.outcome for one in done.targets.all()} == {
        "a": "refused",  # no message of these is kept
        "b": "refused",
        "c": "done",
        "d": "done",
    }


def _selection(error: ErrorGroup) -> Selection:
    return Selection(project="default", search=f"error:{error.error_id}").frozen()


class TestApi:
    def test_a_list_shows_each_with_what_is_new(self, error: ErrorGroup, api: Client) -> None:
        fresh = (timezone.now() - retention._moment(START)).total_seconds() - 60
        store([failed("n", fresh, "no user", name="shop.mail")], "shop 8", project="default")
        rows = body(api.get(ERRORS))["results"]
        assert [(one["name"], one["is_new"], one["count"]) for one in rows] == [
            ("shop.mail", True, 1),
            ("shop.pay", False, 2),
        ]
        assert rows[1]["id"] == error.error_id
        assert rows[1]["title"] == "ValueError in shop.pay"
        assert rows[1]["is_regressed"] is False
        tasks = body(api.get(rows[1]["tasks_url"]))["results"]
        assert {one["task_id"] for one in tasks} == {"a", "b"}
        assert {(one["error"], one["release"]) for one in tasks} == {(error.error_id, "shop 7")}

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("state=open", ["shop.mail", "shop.pay"]),
            ("state=ignored", []),
            ("name=shop.m", ["shop.mail"]),
            ("release=shop 7", ["shop.pay"]),
            ("release=nobody's", []),
            ("first_seen=<1d", ["shop.mail"]),
            ("first_seen=>1d,<1h", ["shop.mail", "shop.pay"]),
            ("regressed=true", []),
            ("ordering=-count", ["shop.pay", "shop.mail"]),
            ("ordering=-first_seen", ["shop.mail", "shop.pay"]),
            ("project=other", []),
        ],
    )
    def test_it_is_narrowed_and_ordered(
        self, error: ErrorGroup, api: Client, query: str, names: list[str]
    ) -> None:
        fresh = (timezone.now() - retention._moment(START)).total_seconds() - 60
        store([failed("n", fresh, "no user", name="shop.mail")], "shop 8", project="default")
        assert [one["name"] for one in body(api.get(f"{ERRORS}?{query}"))["results"]] == names

    @pytest.mark.parametrize(
        "query", ["state=gone", "first_seen=yesterday", "ordering=count", "regressed=maybe"]
    )
    def test_what_can_not_be_is_told(self, api: Client, query: str) -> None:
        told = problem(api.get(f"{ERRORS}?{query}"), 400)
        assert [one["name"] for one in told["errors"]] == [query.partition("=")[0]]
        assert "sent" not in told["detail"]

    def test_pages_go_on_and_back(self, api: Client) -> None:
        for number, said in enumerate("abcde"):
            store([failed(said, number, f"cause {said}")], project="default")
        assert nouns.listed(f"{ERRORS}?limit=2", "task_id", api) == ["e", "d", "c", "b", "a"]
        second = body(api.get(body(api.get(f"{ERRORS}?limit=2"))["next"]))
        assert [one["task_id"] for one in body(api.get(second["previous"]))["results"]] == [
            "e",
            "d",
        ]

    def test_one_is_shown_with_its_releases(self, error: ErrorGroup, api: Client) -> None:
        store([failed("c", 9)], "shop 8", project="default")
        store([failed("d", 5)], project="default")
        shown = body(api.get(f"{ERRORS}{error.error_id}/"))
        assert [(one["name"], one["count"]) for one in shown["releases"]] == [
            ("shop 8", 1),
            ("", 1),
            ("shop 7", 2),
        ]
        assert shown["common"] == {"facts": [], "failures": 4, "successes": 0}
        assert shown["count"] == 4

    def test_what_they_have_in_common_wants_the_permission_to_view_tasks(
        self, error: ErrorGroup
    ) -> None:
        client = nouns.holder("view_errorgroup")
        assert body(client.get(f"{ERRORS}{error.error_id}/"))["common"] is None

    @pytest.mark.parametrize("who", api_client.WHO)
    def test_viewers_may_look(self, who: str, error: ErrorGroup) -> None:
        for address in (ERRORS, f"{ERRORS}{error.error_id}/", "/z4j/api/releases/"):
            assert api_client.client(who).get(address).status_code == nouns.SEEN_BY[who]

    @pytest.mark.parametrize("strange", ["1" * 16, "x", "%00", "../..", "🛒", "1" * 400])
    def test_one_that_is_not_there_is_a_404(self, api: Client, strange: str) -> None:
        assert api.get(f"{ERRORS}{strange}/").status_code == 404

    def test_releases_are_listed(self, error: ErrorGroup, api: Client) -> None:
        heard = [events.WorkerEvent(events.WORKER_HEARTBEAT, "w@h", START + 99)]
        store(heard, "shop 8", project="default")
        rows = body(api.get("/z4j/api/releases/"))["results"]
        assert [one["name"] for one in rows] == ["shop 8", "shop 7"]
        found = body(api.get(rows[1]["tasks_url"]))["results"]
        assert {one["task_id"] for one in found} == {"a", "b"}


class TestCommand:
    @pytest.fixture
    def run(self) -> Any:
        def run(*words: str) -> str:
            out = io.StringIO()
            call_command("z4j_errors", *words, stdout=out)
            return out.getvalue()

        return run

    def test_it_lists(self, run: Any, error: ErrorGroup) -> None:
        lines = run().splitlines()
        assert lines[0].split()[:3] == ["error_id", "state", "count"]
        assert lines[1].split()[:3] == [error.error_id, "open", "2"]
        (shown,) = json.loads(run("--json"))["errors"]
        assert (shown["error_id"], shown["count"]) == (error.error_id, 2)
        assert json.loads(run("--json", "--new")) == {"errors": [], "more": False}
        assert json.loads(run("--json", "--seen-in", "shop 8"))["errors"] == []

    def test_it_shows_one(self, run: Any, error: ErrorGroup) -> None:
        assert "in shop 7: 2" in run(error.error_id)
        shown = json.loads(run(error.error_id, "--json"))
        assert [one["name"] for one in shown["releases"]] == ["shop 7"]
        with pytest.raises(CommandError, match="There is no error '1111111111111111' on record"):
            run("1" * 16)

    def test_it_acts(self, run: Any, error: ErrorGroup) -> None:
        said = run(error.error_id, "--resolve", "--release", "shop 8", "--yes")
        assert "done  Since the release shop 8." in said
        assert reread(error).state == "resolved"
        with pytest.raises(SystemExit):
            run(error.error_id, "--resolve", "--yes")
        assert "would be done  It is resolved." in run(error.error_id, "--ignore", "--dry-run")
        run(error.error_id, "--ignore", "--more", "3", "--yes")
        assert reread(error).ignored_count == 5
        run(error.error_id, "--reopen", "--yes")
        assert reread(error).state == "open"
        with pytest.raises(CommandError, match="Name the errors"):
            run("--resolve")

    def test_what_a_terminal_would_obey_is_spelled_out(self, run: Any) -> None:
        store([failed("x", 1, "\x1b[31mred", traceback="\x1b]0;t")], project="default")
        found = error_id(ErrorGroup.objects.get().fingerprint)
        assert "\x1b" not in run() + run(found)
