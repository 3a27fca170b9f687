"""A verb that is declared once is there on every surface: one that the test declares itself."""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import clear_url_caches, reverse
from msgspec import Meta

from tests.integration import operators
from tests.integration.api_client import body, problem
from tests.integration.pages import superuser, text
from z4j_django import operations, options, verbs
from z4j_django.api import urls as api_urls
from z4j_django.api.views import acting
from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.management import targeting
from z4j_django.models import Operation, OperationTarget, TaskRecord
from z4j_django.operations import auditing, tasks
from z4j_django.secrets.masking import MASK

sys.path.append(str(Path(__file__).parents[2] / "docs"))
import verb_tables

pytestmark = pytest.mark.django_db


class NudgeOptions(options.Options, frozen=True):
    """How a task is nudged."""

    strength: Annotated[
        Annotated[int, Meta(ge=1, le=9)],
        options.option("How hard, from `1` to `9`.", metavar="N"),
    ] = 3


NUDGE = verbs.Verb(
    name="nudge",
    noun="task",
    permission=verbs.MAY_RETRY,
    options=NudgeOptions,
    label="Nudge",
    summary="Nudge a task",
    about="Pokes it, as hard as was asked for.",
    promise="Is poked.",
    in_bulk=True,
)


class Nudge(tasks.Handler):
    """What the verb does."""

    done: list[tuple[str, int]]

    def __init__(self, given: NudgeOptions) -> None:
        self._strength = given.strength

    def __call__(self, targets: Sequence[OperationTarget]) -> list[auditing.Outcome]:
        self.done += [(target.target, self._strength) for target in targets]
        return [auditing.done("It moved.") for _ in targets]

    def expect(self, record: TaskRecord) -> str:
        if record.state == "SUCCESS":
            raise OperationError("It rests.")
        return "It will move."


class Command(targeting.TaskCommand):
    """``z4j_nudge``: all that a command has to say."""

    help = "Nudges."
    verb = NUDGE


@pytest.fixture(autouse=True)
def done(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """The verb, declared and carried out; what was done by it."""
    Nudge.done = []
    operators.broker_in_memory(monkeypatch)
    monkeypatch.setitem(verbs.VERBS, "nudge", NUDGE)
    monkeypatch.setitem(tasks.HANDLERS, "nudge", Nudge)
    routes = acting.routes()
    monkeypatch.setattr(api_urls, "urlpatterns", [*routes, *api_urls.urlpatterns])
    _reload_routes()
    yield Nudge.done
    monkeypatch.undo()
    _reload_routes()


def _reload_routes() -> None:
    """Routes are made once; those of the site and of the API are made again."""
    import tests.urls

    importlib.reload(tests.urls)
    clear_url_caches()


@pytest.fixture
def root() -> Client:
    return superuser()


def post(client: Client, name: str, *args: Any, **given: Any) -> Any:
    where = reverse(f"z4j_api:{name}", args=args)
    return client.post(where, json.dumps(given), content_type="application/json")


def test_python_does_it_and_the_trail_says_how(done: list[Any]) -> None:
    operators.kept("a")
    operation = operations.perform("nudge", ["a"], {"strength": 5}, actor="a test")
    assert done == [("a", 5)]
    assert (operation.verb, operation.parameters, operation.done) == ("nudge", {"strength": 5}, 1)
    assert options.part(NudgeOptions, operation.parameters) == NudgeOptions(strength=5)
    assert str(operation) == f"operation {operation.pk}: nudge by a test"


def test_it_is_done_in_bulk(done: list[Any]) -> None:
    operators.kept("a")
    operators.kept("b")
    operation = operations.bulk("nudge", task_ids=["a", "b"], strength=2, actor="a test")
    assert operation.parameters == {"strength": 2}
    assert done == [("a", 2), ("b", 2)]


def test_what_it_does_not_take_is_refused_in_the_same_words_everywhere(
    done: list[Any], root: Client
) -> None:
    record = operators.kept("a")
    words = "This has to be a whole number from 1 to 9."
    with pytest.raises(OptionsError, match=words):
        operations.perform("nudge", ["a"], {"strength": 10}, actor="a test")
    with pytest.raises(OptionsError, match=words):
        operations.bulk("nudge", task_ids=["a"], strength=10, actor="a test")
    told = problem(post(root, "task-nudge", "a", strength=10), 400)
    assert told["errors"] == [{"name": "strength", "reason": words}]
    with pytest.raises(CommandError, match=words):
        call_command(Command(), "a", "--strength", "10", "--yes")
    where = f"{reverse('admin:z4j_django_taskrecord_nudge')}?id={record.pk}"
    page = root.post(where, {"strength": 10})
    assert "strength" in page.context["form"].errors
    assert done == []
    assert not Operation.objects.exists()


def test_the_api_has_a_route_for_it(done: list[Any], root: Client) -> None:
    operators.kept("a")
    told = body(post(root, "task-nudge", "a", strength=7), 202)
    assert (told["verb"], told["parameters"], told["surface"]) == ("nudge", {"strength": 7}, "api")
    many = body(post(root, "operations", verb="nudge", task_ids=["a"], strength=1), 202)
    assert many["counts"]["done"] == 1
    assert done == [("a", 7), ("a", 1)]


def test_the_api_wants_its_permission() -> None:
    operators.kept("a")
    assert problem(post(operators.signed_in("staff"), "task-nudge", "a"), 403)["detail"] == (
        "The permission z4j_django.retry_task is missing."
    )


def test_the_admin_offers_it_asks_and_does_it(done: list[Any], root: Client) -> None:
    record = operators.kept("a")
    listed = text(root.get(reverse("admin:z4j_django_taskrecord_changelist")))
    assert ">Nudge…</button>" in listed
    shown = text(root.get(reverse("admin:z4j_django_taskrecord_change", args=[record.pk])))
    assert "Nudge…" in shown
    where = f"{reverse('admin:z4j_django_taskrecord_nudge')}?id={record.pk}"
    asked = text(root.get(where))
    for words in ("Nudge shop.pay?", NUDGE.about, "How hard, from 1 to 9.", "Is poked. It will"):
        assert words in asked
    assert root.post(where, {"strength": 4}).status_code == 302
    assert done == [("a", 4)]
    bulk = reverse("admin:z4j_django_taskrecord_bulk_nudge")
    assert "Nudge 1 task" in text(root.get(bulk, {"state": "FAILURE"}))


def test_a_command_of_it_is_three_lines(done: list[Any]) -> None:
    operators.kept("a")
    out = io.StringIO()
    call_command(Command(), "a", "--strength", "6", "--yes", stdout=out)
    assert "a  done  It moved." in out.getvalue()
    call_command(Command(), "--state", "FAILURE", "--dry-run", stdout=out)
    assert "a  would be done  It will move." in out.getvalue()
    assert done == [("a", 6)]
    assert (
        "How hard, from 1 to 9." in Command().create_parser("manage.py", "z4j_nudge").format_help()
    )


def test_the_docs_have_its_options_and_its_permission() -> None:
    assert "| `strength` | a whole number from 1 to 9 | `3` | How hard, from `1` to `9`. |" in (
        verb_tables.options_table(NUDGE)
    )
    assert "`retry`, `nudge`" in verb_tables.permissions_table()


@pytest.mark.parametrize("given", [["••••••"], [{"card": MASK}], ["a… (9,000 characters)"]])
def test_what_the_record_shows_in_place_of_a_value_is_sent_by_no_surface(
    root: Client, given: list[Any]
) -> None:
    """``z4j_retry ID --args '["••••••"]'`` once ran the task with the bullets for its argument."""
    record = operators.kept("a", 1)
    words = "masked or cut; it can't be sent as it stands."
    with pytest.raises(OperationError, match=words):
        operations.retry("a", args=given, actor="a test")
    told = problem(post(root, "task-retry", "a", args=given), 400)
    assert words in told["errors"][0]["reason"]
    with pytest.raises(CommandError, match=words):
        call_command("z4j_retry", "a", "--args", json.dumps(given), "--yes")
    edit = reverse("admin:z4j_django_taskrecord_edit", args=[record.pk])
    page = root.post(edit, {"args": json.dumps(given), "kwargs": ""})
    assert words in page.context["form"].errors["args"][0]
    assert not Operation.objects.exists()


@pytest.mark.parametrize("days", [366.1, 1830])
def test_no_surface_puts_a_task_off_for_more_than_a_year(root: Client, days: float) -> None:
    record = operators.kept("a", 1)
    seconds = days * 86_400
    words = "a number from 0 to 31,622,400"
    with pytest.raises(OptionsError, match=words):
        operations.retry("a", countdown=seconds, actor="a test")
    assert words in problem(post(root, "task-retry", "a", countdown=seconds), 400)["detail"]
    with pytest.raises(CommandError, match=words):
        call_command("z4j_retry", "a", "--countdown", str(seconds), "--yes")
    where = f"{reverse('admin:z4j_django_taskrecord_retry')}?id={record.pk}"
    assert "countdown" in root.post(where, {"countdown": seconds}).context["form"].errors
    assert not Operation.objects.exists()
