"""Everyone tries every route by every method: the table that came of it is the one in the docs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.contrib.contenttypes.models import ContentType
from django.test import Client

from tests.integration import api_client
from tests.integration.api_client import address, problem
from tests.integration.operators import Pretence, kept, operation
from tests.integration.pages import NOW
from z4j_django import permissions, verbs
from z4j_django.api import urls
from z4j_django.control import live_view
from z4j_django.models import (
    AlertDelivery,
    ErrorGroup,
    GroupRecord,
    JournalRecord,
    Lease,
    Operation,
    Statistic,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.watch import lease

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "api-permissions.md"
#: What the verbs for workers have to be told.
STEERING: dict[str, dict[str, Any]] = {
    "autoscale": {"max": 2},
    "add_consumer": {"queue": "mail"},
    "cancel_consumer": {"queue": "mail"},
    "rate_limit": {"task": "shop.add", "rate": "1/s"},
    "time_limit": {"task": "shop.add", "hard": 1},
}
#: Who comes, from the one who may least on.
WHO = ("anonymous", "no role", *permissions.ROLES, "superuser")
_PARAMETER = re.compile(r"<\w+:(\w+)>")
_OURS = permissions.APP_LABEL

#: Where one permission is not all; of what depends on a verb, for a retry.
WANTED = {
    "GET health/": ("view_journalrecord", "view_journalloss"),
    "GET tasks/{task_id}/graph/": ("view_taskrecord", "view_grouprecord"),
    "GET groups/{group_id}/graph/": ("view_taskrecord", "view_grouprecord"),
    "GET tasks/{task_id}/stack/": ("view_taskrecord", "see_stack"),
    "GET queues/{name}/messages/": ("view_taskrecord", "pause_queue"),
    "GET schema/": (),
    "GET docs/": (),
    "POST operations/": ("run_bulk", "retry_task", "view_taskrecord"),
    "POST operations/preview/": ("run_bulk", "view_taskrecord"),
    "POST operations/{id}/abort/": ("retry_task",),
}
#: What the docs say of these instead.
IN_WORDS = {
    "GET schema/": "to be signed in",
    "GET docs/": "to be signed in",
    "POST operations/": "`run_bulk`, that of the verb; with a filter `view_taskrecord`",
    "POST operations/{id}/abort/": "that of the operation's verb",
}

Try = Callable[[Client], Any]


@dataclass(frozen=True)
class Route:
    """An address and a method."""

    name: str
    view: Any

    @property
    def method(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def wanted(self) -> tuple[str, ...]:
        """The permissions that it wants, all of them; with an app's label where it isn't ours."""
        if self.name in WANTED:
            return WANTED[self.name]
        if self.method == "POST":
            return (verbs.codename(self.view.verb),)
        return (permissions.view_permission(self.view.reads).removeprefix(f"{_OURS}."),)


def routes() -> list[Route]:
    """All that the URL conf has, by their paths."""
    return sorted(_routes(), key=lambda route: route.name.split()[::-1])


def _routes() -> Iterator[Route]:
    for pattern in urls.urlpatterns:
        view = pattern.callback.view_class
        if view is urls.UnknownView:
            continue
        shown = _PARAMETER.sub(r"{\1}", str(pattern.pattern))
        for method in ("get", "post"):
            if hasattr(view, method):
                yield Route(f"{method.upper()} {shown}", view)


@pytest.fixture
def schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The permission of django-celery-beat's, and its table without a row."""
    content_type = ContentType.objects.create(app_label="django_celery_beat", model="periodictask")
    Permission.objects.create(codename="view_periodictask", content_type=content_type)
    nothing = "z4j_django.queries.schedules"
    monkeypatch.setattr(f"{nothing}.is_installed", lambda: True)
    monkeypatch.setattr(f"{nothing}.every", TaskRecord.objects.none)


@pytest.fixture
def tries(schedules: None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Try]:
    """A request that works for each route and method."""
    monkeypatch.setattr(live_view, "look", lambda app, name: live_view.LiveView(name))
    monkeypatch.setattr("z4j_django.control.queues.peek", lambda *how: [])
    kept("a", group_id="g")
    GroupRecord.objects.create(group_id="g", first_seen=NOW)
    WorkerRecord.objects.create(hostname="w", last_seen=NOW)
    error = ErrorGroup.objects.create(fingerprint=7, first_seen=NOW, last_seen=NOW)
    purge = operation("purge_queue", ("mail",), parameters={"queue": "mail"})
    Statistic.objects.create(step=86_400, scope="names", name="shop.add", at=0)
    running = operation("retry", ("a",), state="running", finished_at=None)
    JournalRecord.objects.create(host="web", directory="/j", seen_at=NOW)
    told = AlertDelivery.objects.create(status="test", created_at=NOW, next_at=NOW)
    Lease.objects.create(name="watch", until=lease.now(), done_at=lease.now())

    def get(*parts: Any) -> Try:
        where = address(*parts)
        return lambda client: client.get(where)

    def post(*parts: Any, **given: Any) -> Try:
        where, data = address(*parts), json.dumps(given)
        return lambda client: client.post(where, data, content_type="application/json")

    return {
        "GET tasks/": get("tasks"),
        "GET tasks.csv": lambda client: client.get(f"{api_client.ROOT}tasks.csv"),
        "GET tasks.ndjson": lambda client: client.get(f"{api_client.ROOT}tasks.ndjson"),
        "GET tasks/{task_id}/": get("tasks", "a"),
        "GET tasks/{task_id}/events/": get("tasks", "a", "events"),
        "GET tasks/{task_id}/graph/": get("tasks", "a", "graph"),
        "GET tasks/{task_id}/logs/": get("tasks", "a", "logs"),
        "GET tasks/{task_id}/stack/": get("tasks", "a", "stack"),
        "POST tasks/{task_id}/retry/": post("tasks", "a", "retry"),
        "POST tasks/{task_id}/cancel/": post("tasks", "a", "cancel"),
        "POST tasks/{task_id}/terminate/": post("tasks", "a", "terminate"),
        "GET groups/": get("groups"),
        "GET groups/{group_id}/": get("groups", "g"),
        "GET groups/{group_id}/graph/": get("groups", "g", "graph"),
        "POST groups/{group_id}/retry/": post("groups", "g", "retry"),
        "GET errors/": get("errors"),
        "GET errors/{error_id}/": get("errors", error.error_id),
        "POST errors/{error_id}/resolve/": post("errors", error.error_id, "resolve"),
        "POST errors/{error_id}/ignore/": post("errors", error.error_id, "ignore"),
        "POST errors/{error_id}/reopen/": post("errors", error.error_id, "reopen"),
        "GET releases/": get("releases"),
        "GET statistics/": get("statistics"),
        "GET task-types/": get("task-types"),
        "GET task-types/{name}/": get("task-types", "shop.add"),
        "GET queues/": get("queues"),
        "GET queues/{name}/": get("queues", "mail"),
        "GET queues/{name}/messages/": get("queues", "mail", "messages"),
        "POST queues/{name}/move/": post("queues", "mail", "move", to="other"),
        "POST queues/{name}/pause/": post("queues", "mail", "pause"),
        "POST queues/{name}/resume/": post("queues", "mail", "resume"),
        "POST queues/{name}/purge/": post("queues", "mail", "purge", confirm="mail"),
        "POST queues/{name}/restore/": post("queues", "mail", "restore", operation=purge.pk),
        "GET workers/": get("workers"),
        "POST workers/": post("workers", verb="ping", all=True),
        "GET workers/{hostname}/": get("workers", "w"),
        "GET workers/{hostname}/live/": get("workers", "w", "live"),
        **{
            f"POST workers/{{hostname}}/{verb.name}/": post(
                "workers", "w", verb.name, **STEERING.get(verb.name, {})
            )
            for verb in verbs.of("worker")
        },
        "GET health/": get("health"),
        "POST journals/{journal}/dismiss/": post("journals", "web:/j", "dismiss"),
        "GET attention/": get("attention"),
        "GET schedules/": get("schedules"),
        "GET schedules/{id}/": get("schedules", 1),
        "GET schedules/timetable/": get("schedules", "timetable"),
        **{
            f"POST schedules/{{schedule}}/{word}/": post("schedules", "nightly", word)
            for word in ("run", "skip_next_run", "enable", "disable")
        },
        "GET operations/": get("operations"),
        "POST operations/": post("operations", verb="retry", filter="state:FAILURE"),
        "POST operations/preview/": post("operations", "preview", filter="state:FAILURE"),
        "GET operations/{id}/": get("operations", running.pk),
        "GET operations/{id}/targets/": get("operations", running.pk, "targets"),
        "POST operations/{id}/abort/": post("operations", running.pk, "abort"),
        "GET alerts/rules/": get("alerts", "rules"),
        "GET alerts/channels/": get("alerts", "channels"),
        "GET alerts/silences/": get("alerts", "silences"),
        "GET alerts/deliveries/": get("alerts", "deliveries"),
        "GET alerts/deliveries/{id}/": get("alerts", "deliveries", told.pk),
        "POST alerts/{condition}/silence/": post("alerts", "all", "silence", until=60),
        "POST alerts/silences/{id}/end/": post("alerts", "silences", 1, "end"),
        "POST alerts/channels/{channel}/test/": post("alerts", "channels", "ops", "test"),
        "GET schema/": get("schema"),
        "GET docs/": get("docs"),
    }


def session(who: str) -> Client:
    """A client of one of :data:`WHO` that is signed in as people are, without the CSRF check."""
    made = Client()
    if who != "anonymous":
        api_client.client(who)  # makes the user
        made.force_login(User.objects.get(username=f"api-{who.replace(' ', '-')}"))
    return made


def outcome(route: Route, client: Client, attempt: Try, pretence: Pretence) -> str:
    """Whether it was answered; and see that what was refused was not done either."""
    pretence.calls.clear()
    response = attempt(client)
    acts = route.method == "POST" and route.name != "POST operations/preview/"
    if response.status_code in (401, 403):
        assert pretence.calls == []
        if route.name != "GET docs/":
            problem(response, response.status_code)
        return str(response.status_code)
    there_is_none = route.name == "GET schedules/{id}/"
    assert response.status_code == (404 if there_is_none else 202 if acts else 200)
    assert len(pretence.calls) == acts
    return "yes"


def in_words(route: Route) -> str:
    """What the docs say of the permissions that it wants."""
    return IN_WORDS.get(route.name) or ", ".join(f"`{name}`" for name in route.wanted)


def table(
    tries: dict[str, Try], pretence: Pretence, make_client: Callable[[str], Client]
) -> list[list[str]]:
    clients = {who: make_client(who) for who in WHO}
    rows = [
        [f"`{route.name}`", in_words(route)]
        + [outcome(route, clients[who], tries[route.name], pretence) for who in WHO]
        for route in routes()
    ]
    names = (f"`{who}`" if who in permissions.ROLES else who for who in WHO)
    head = ["", "wants", *names]
    return [head, ["---"] * len(head), *rows]


def test_every_route_and_method_is_tried(tries: dict[str, Try]) -> None:
    names = [route.name for route in routes()]
    assert len(names) == len(set(names))
    assert set(tries) == set(names)


def test_the_docs_have_the_table_of_who_may_do_what(
    tries: dict[str, Try], pretence: Pretence
) -> None:
    rows = table(tries, pretence, api_client.client)
    lines = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    assert lines in DOCS.read_text(), f"\n{lines}"


def test_a_session_opens_what_a_token_does(tries: dict[str, Try], pretence: Pretence) -> None:
    by_token = table(tries, pretence, api_client.client)
    assert table(tries, pretence, session) == by_token


def test_exactly_the_permissions_that_a_route_wants_open_it(
    tries: dict[str, Try], pretence: Pretence
) -> None:
    user = User.objects.create_user("clerk")
    client = Client()
    client.force_login(user)
    for route in routes():
        codenames = [name.rpartition(".")[2] for name in route.wanted]
        user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
        assert user.user_permissions.count() == len(codenames)
        assert outcome(route, client, tries[route.name], pretence) == "yes", route
        for name in codenames:
            user.user_permissions.set(Permission.objects.exclude(codename=name))
            assert outcome(route, client, tries[route.name], pretence) == "403", (route, name)


def test_no_route_takes_another_method(tries: dict[str, Try], pretence: Pretence) -> None:
    known: dict[str, set[str]] = {}
    for route in routes():
        known.setdefault(route.name.partition(" ")[2], set()).add(route.method)
    root = api_client.client("superuser")
    before = Operation.objects.count()
    for address_, methods in known.items():
        attempt = tries[f"{min(methods)} {address_}"]
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - methods:
            response = attempt(_Other(root, method))
            told = problem(response, 405)
            assert told["title"], (address_, method)
    assert pretence.calls == []
    assert Operation.objects.count() == before


class _Other:
    """A client that asks for the same by another method."""

    def __init__(self, client: Client, method: str) -> None:
        self._client = client
        self._method = method

    def get(self, where: str) -> Any:
        return self._client.generic(self._method, where)

    def post(self, where: str, data: str, content_type: str) -> Any:
        return self._client.generic(self._method, where, data, content_type=content_type)


class TestWhoIsAsked:
    """Tokens, sessions, and those that are none."""

    def test_a_session_without_the_csrf_token_does_nothing(self, pretence: Pretence) -> None:
        kept("a")
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_superuser("root"))
        where = address("tasks", "a", "retry")
        told = problem(client.post(where, content_type="application/json"), 403)
        assert "CSRF" in told["detail"]
        assert pretence.calls == []

    def test_a_session_with_the_csrf_token_does(self, pretence: Pretence) -> None:
        kept("a")
        client = Client(enforce_csrf_checks=True)
        client.force_login(User.objects.create_superuser("root"))
        client.cookies["csrftoken"] = token = "a" * 32
        response = client.post(
            address("tasks", "a", "retry"),
            content_type="application/json",
            headers={"X-CSRFToken": token},
        )
        assert response.status_code == 202
        assert len(pretence.calls) == 1

    def test_a_token_needs_none(self, pretence: Pretence) -> None:
        from rest_framework.authtoken.models import Token

        kept("a")
        key = Token.objects.create(user=User.objects.create_superuser("root")).key
        client = Client(enforce_csrf_checks=True, headers={"Authorization": f"Token {key}"})
        response = client.post(address("tasks", "a", "retry"), content_type="application/json")
        assert response.status_code == 202
        assert len(pretence.calls) == 1

    @pytest.mark.parametrize("header", ["Token nonsense", "Token", "Token a b", "Basic cm9vdA=="])
    def test_a_token_that_is_none_is_a_401(self, pretence: Pretence, header: str) -> None:
        kept("a")
        client = Client(headers={"Authorization": header})
        response = client.post(address("tasks", "a", "retry"), content_type="application/json")
        problem(response, 401)
        assert response.headers["WWW-Authenticate"] == "Token"
        assert pretence.calls == []

    def test_an_inactive_user_is_nobody(self, tries: dict[str, Try], pretence: Pretence) -> None:
        clients = (api_client.client("superuser"), session("superuser"))
        User.objects.update(is_active=False)
        for route in routes():
            for client in clients:
                assert outcome(route, client, tries[route.name], pretence) == "401", route
