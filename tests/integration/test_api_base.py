"""What every address of the API has in common: errors, limits, permissions, caching."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import SuspiciousOperation
from django.db import OperationalError, connection
from django.test import Client, override_settings
from django.urls import path
from rest_framework.request import Request
from rest_framework.response import Response

from tests.integration import api_client
from tests.integration.api_client import ROOT, problem
from tests.integration.pages import task
from z4j_django.api import base, parsers, problems, throttling
from z4j_django.exceptions import DiscoveryError, FilterError, OperationError

TASKS = f"{ROOT}tasks/"

pytestmark = pytest.mark.django_db


class Probe(base.View):
    """Does what a test asks of it."""

    reads = "taskrecord"
    verb = "retry"
    error: Exception | None = None
    given: Any = None

    def get(self, request: Request) -> Response:
        if Probe.error is not None:
            raise Probe.error
        return Response(Probe.given)

    def post(self, request: Request) -> Response:
        return Response({"got": request.data}, status=202)


urlpatterns = [path("probe/", Probe.as_view())]


@pytest.fixture
def _probe(monkeypatch, settings):
    settings.ROOT_URLCONF = __name__
    monkeypatch.setattr(Probe, "error", None)
    monkeypatch.setattr(Probe, "given", None)


def ask(error: Exception) -> Any:
    """What the API answers where this goes wrong."""
    Probe.error = error
    client = api_client.client()
    client.raise_request_exception = False
    return client.get("/probe/")


def post(body: bytes | str, content_type: str = "application/json", who: str = "superuser") -> Any:
    return api_client.client(who).generic("POST", "/probe/", body, content_type)


class TestWhoMay:
    def test_nobody_reads_without_signing_in(self) -> None:
        response = Client().get(TASKS)
        assert problem(response, 401)["title"] == "Unauthorized"
        assert response.headers["WWW-Authenticate"] == "Token"

    def test_a_wrong_token_is_told(self) -> None:
        response = Client(headers={"Authorization": "Token nothing"}).get(TASKS)
        assert problem(response, 401)["detail"] == "Invalid token."

    @pytest.mark.parametrize("given", ["a\0b", "ä", "a b", "", "x" * 5000])
    def test_whatever_is_given_for_a_token_is_no_error_of_the_server(self, given: str) -> None:
        problem(Client(headers={"Authorization": f"Token {given}"}).get(TASKS), 401)

    def test_the_permission_that_is_missing_is_named(self) -> None:
        told = problem(api_client.client("staff").get(TASKS), 403)
        assert told["detail"] == "The permission z4j_django.view_taskrecord is missing."

    @pytest.mark.parametrize("who", ["z4j viewer", "z4j operator", "z4j admin", "superuser"])
    def test_every_role_reads(self, who: str) -> None:
        assert api_client.client(who).get(TASKS).status_code == 200

    def test_a_user_who_was_made_inactive_does_not(self) -> None:
        client = api_client.client()
        User.objects.update(is_active=False)
        problem(client.get(TASKS), 401)

    @pytest.mark.usefixtures("_probe")
    def test_who_only_views_does_not_operate(self) -> None:
        told = problem(post("{}", who="z4j viewer"), 403)
        assert told["detail"] == "The permission z4j_django.retry_task is missing."
        assert post("{}", who="z4j operator").status_code == 202

    @pytest.mark.usefixtures("_probe")
    def test_a_view_that_names_no_permission_lets_nobody_in(self, monkeypatch) -> None:
        monkeypatch.setattr(Probe, "reads", "")
        monkeypatch.setattr(Probe, "verb", "")
        problem(api_client.client().get("/probe/"), 403)
        problem(post("{}"), 403)

    @pytest.mark.usefixtures("_probe")
    def test_a_session_wants_the_token_against_forged_requests(self) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_user("root", is_superuser=True))
        assert client.get("/probe/").status_code == 200
        told = problem(client.post("/probe/", "{}", "application/json"), 403)
        assert told["detail"].startswith("CSRF Failed")


class TestErrors:
    @pytest.mark.parametrize(
        "address", ["", "nothing/", "tasks", "tasks.xml", "a%00b/", "%0a", "ä/ß", "x" * 300]
    )
    @pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
    def test_an_unknown_address_is_told_to_everybody(self, address: str, method: str) -> None:
        problem(Client().generic(method, ROOT + address), 404)

    def test_one_without_its_last_slash_is_told_so(self) -> None:
        assert "end with a slash" in problem(Client().get(f"{ROOT}tasks"), 404)["detail"]

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
    def test_another_method_is_told_those_that_there_are(self, method: str) -> None:
        response = api_client.client().generic(method, TASKS)
        assert problem(response, 405)["title"] == "Method Not Allowed"
        assert response.headers["Allow"] == "GET, HEAD"

    @pytest.mark.parametrize(
        "accept", ["text/html", "image/*", "application/json" + "x" * 10_000, ";;;=,/,,"]
    )
    def test_a_form_that_there_is_not_is_told(self, accept: str) -> None:
        response = api_client.client().get(TASKS, headers={"Accept": accept})
        assert problem(response, 406)["title"] == "Not Acceptable"

    @pytest.mark.parametrize(
        "accept", ["*/*", "application/*", "application/json; indent=4", "text/html, */*;q=0.1"]
    )
    def test_json_is_answered_to_whoever_takes_it(self, accept: str) -> None:
        response = api_client.client().get(TASKS, headers={"Accept": accept})
        assert response.status_code == 200
        assert response.headers["Content-Type"] == "application/json"

    def test_an_unknown_parameter_is_told_with_those_known(self) -> None:
        told = problem(api_client.client().get(TASKS, {"states": "FAILURE"}), 400)
        assert told["type"] == "urn:z4j:validation"
        (mistake,) = told["errors"]
        assert mistake["name"] == "states"
        assert "state" in mistake["reason"]

    @pytest.mark.parametrize("query", ["limit=1&limit=2", "limit=%00", "q=a%00b", "format=json"])
    def test_a_parameter_that_says_nothing_sure_is_told(self, query: str) -> None:
        problem(api_client.client().get(f"{TASKS}?{query}"), 400)

    def test_so_are_more_than_a_request_may_have(self) -> None:
        query = "&".join(f"kwargs.a{number}=1" for number in range(1001))
        problem(api_client.client().get(f"{TASKS}?{query}"), 400)

    def test_a_host_that_is_not_ours_is_told(self, settings) -> None:
        settings.ALLOWED_HOSTS = ["z4j.example"]
        task("a")
        problem(api_client.client().get(TASKS), 400)

    @pytest.mark.usefixtures("_probe")
    @pytest.mark.parametrize(
        ("error", "status", "kind"),
        [
            (FilterError("a:b", 3, "one of c"), 400, "urn:z4j:filter"),
            (SuspiciousOperation("secret"), 400, "about:blank"),
            (problems.NotFound(), 404, "about:blank"),
            (OperationError("It was retried before."), 409, "urn:z4j:refused"),
            (DiscoveryError("CELERY_APP names none."), 503, "urn:z4j:unavailable"),
        ],
    )
    def test_what_goes_wrong_has_its_status(self, error: Exception, status: int, kind: str) -> None:
        told = problem(ask(error), status)
        assert told["type"] == kind
        assert "secret" not in told["detail"]

    @pytest.mark.usefixtures("_probe")
    def test_a_refusal_leads_to_its_operation(self) -> None:
        told = problem(ask(problems.Refused("It is SUCCESS.", {"id": 7, "url": "/7/"})), 409)
        assert told["detail"] == "It is SUCCESS."
        assert told["instance"] == "/7/"
        assert told["operation"] == {"id": 7, "url": "/7/"}

    def test_a_database_that_is_away_is_told_and_logged(self, caplog) -> None:
        client = api_client.client()

        def away(*args: Any) -> Any:
            raise OperationalError("could not connect to server with password x")

        with connection.execute_wrapper(away):
            response = client.get(TASKS)
        told = problem(response, 503)
        assert told["type"] == "urn:z4j:unavailable"
        assert told["detail"] == "The database does not answer."
        assert response.headers["Retry-After"] == "5"
        assert caplog.records[0].exc_info is not None

    @pytest.mark.usefixtures("_probe")
    @pytest.mark.parametrize("debug", [True, False])
    def test_what_nobody_expected_is_told_and_tells_nothing(
        self, debug: bool, caplog, settings
    ) -> None:
        settings.DEBUG = debug
        told = problem(ask(ZeroDivisionError("of a secret")), 500)
        assert "secret" not in json.dumps(told)
        assert any("of a secret" in str(record.exc_info) for record in caplog.records)

    @pytest.mark.usefixtures("_probe")
    def test_so_is_an_answer_that_has_no_form_in_json(self, monkeypatch) -> None:
        monkeypatch.setattr(Probe, "given", {"an": object()})
        client = api_client.client()
        client.raise_request_exception = False
        problem(client.get("/probe/"), 500)

    @pytest.mark.usefixtures("_probe")
    def test_the_projects_own_tools_hear_of_it(self) -> None:
        Probe.error = ZeroDivisionError("heard")
        with pytest.raises(ZeroDivisionError, match="heard"):
            api_client.client().get("/probe/")


@pytest.mark.usefixtures("_probe")
class TestBodies:
    def test_json_is_read(self) -> None:
        assert post('{"a": [1, 2.5, null, "ä"]}').json() == {"got": {"a": [1, 2.5, None, "ä"]}}

    def test_a_body_of_another_type_is_told(self) -> None:
        told = problem(post("a=1", "application/x-www-form-urlencoded"), 415)
        assert told["title"] == "Unsupported Media Type"

    def test_one_that_is_too_large_is_told(self) -> None:
        told = problem(post(json.dumps("x" * parsers.BODY_LIMIT)), 413)
        assert told["type"] == "urn:z4j:too-large"

    def test_one_of_the_greatest_size_is_read(self) -> None:
        assert post(json.dumps("x" * (parsers.BODY_LIMIT - 2))).status_code == 202

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"\xff",
            b'{"a": NaN}',
            b"[Infinity]",
            b"[1e999]",
            b'{"a": 1, "a": 2}',
            b'["\\u0000"]',
            b'{"\\u0000": 1}',
            b'["\\ud800"]',
            b"[" * 40 + b"]" * 40,
            b"[" * 100_000,
            b"1" * 5000,
        ],
    )
    def test_what_is_no_json_or_can_not_be_stored_is_told(self, body: bytes) -> None:
        problem(post(body), 400)


class TestThrottles:
    @pytest.fixture(autouse=True)
    def _rates(self, settings):
        cache.clear()
        settings.REST_FRAMEWORK = {
            **settings.REST_FRAMEWORK,
            "DEFAULT_THROTTLE_RATES": {"z4j_read": "2/day", "z4j_operate": "1/day"},
        }
        yield
        cache.clear()

    def test_who_reads_too_much_is_told_when_to_come_again(self) -> None:
        client = api_client.client()
        assert [client.get(TASKS).status_code for _ in range(2)] == [200, 200]
        response = client.get(TASKS)
        assert problem(response, 429)["type"] == "urn:z4j:throttled"
        assert 0 < int(response.headers["Retry-After"]) <= 86_400
        assert api_client.client("z4j viewer").get(TASKS).status_code == 200

    @pytest.mark.usefixtures("_probe")
    def test_operating_counts_by_itself(self) -> None:
        assert post("{}").status_code == 202
        problem(post("{}"), 429)
        assert api_client.client().get("/probe/").status_code == 200

    @pytest.mark.parametrize("trouble", [ConnectionError("the cache is away"), None])
    def test_without_a_cache_the_api_goes_on(self, monkeypatch, trouble) -> None:
        def count(*args: Any, **kwargs: Any) -> None:
            if trouble is not None:
                raise trouble

        monkeypatch.setattr(throttling.cache, "incr", count)
        client = api_client.client()
        assert [client.get(TASKS).status_code for _ in range(4)] == [200] * 4

    def test_a_project_switches_it_off(self, settings) -> None:
        settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"z4j_read": None}}
        client = api_client.client()
        assert {client.get(TASKS).status_code for _ in range(4)} == {200}

    def test_a_project_that_says_nothing_has_our_rates(self, settings) -> None:
        settings.REST_FRAMEWORK = {"DEFAULT_THROTTLE_RATES": {"other": "1/day"}}
        client = api_client.client()
        assert {client.get(TASKS).status_code for _ in range(4)} == {200}


class TestCaching:
    def test_what_is_known_is_not_sent_again(self) -> None:
        client = api_client.client()
        first = client.get(TASKS)
        assert first.headers["Cache-Control"] == "private, no-cache"
        assert {"Accept", "Authorization", "Cookie"} <= set(first.headers["Vary"].split(", "))
        for known in (first.headers["ETag"], f'"x", {first.headers["ETag"]}', "*"):
            again = client.get(TASKS, headers={"If-None-Match": known})
            assert again.status_code == 304
            assert again.content == b""
            assert again.headers["ETag"] == first.headers["ETag"]
            assert again.headers["Vary"] == first.headers["Vary"]

    @pytest.mark.parametrize("known", ['W/"other"', "", "nonsense", '"', "W/"])
    def test_what_is_not_known_is_sent(self, known: str) -> None:
        response = api_client.client().get(TASKS, headers={"If-None-Match": known})
        assert response.status_code == 200

    def test_errors_are_not_kept(self) -> None:
        response = api_client.client().get(f"{ROOT}nothing/")
        assert response.headers["Cache-Control"] == "no-store"
        assert "ETag" not in response.headers

    def test_a_head_has_the_same_headers(self) -> None:
        client = api_client.client()
        assert client.head(TASKS).headers["ETag"] == client.get(TASKS).headers["ETag"]


@override_settings(ROOT_URLCONF=__name__)
def test_no_view_is_a_transaction(settings) -> None:
    assert Probe.as_view()._non_atomic_requests == set(settings.DATABASES)
