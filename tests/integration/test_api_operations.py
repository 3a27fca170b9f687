"""Operations over the API, as far as they are only looked at."""

from __future__ import annotations

import pytest

from tests.integration import nouns
from tests.integration.api_client import WHO, address, body, client, problem
from tests.integration.operators import operation
from tests.integration.pages import NOW
from z4j_django.models import Operation, OperationTarget
from z4j_django.queries import pages

pytestmark = pytest.mark.django_db

OPERATIONS = address("operations")
NOBODY = {"done": 0, "refused": 0, "failed": 0, "unknown": 0, "acting": 0, "pending": 0}


def came_out(made: Operation, *outcomes: str) -> None:
    """Say what came of each target."""
    for place, outcome in enumerate(outcomes):
        made.targets.filter(position=place).update(outcome=outcome, at=NOW)


class TestList:
    def test_the_newest_come_first_and_say_what_they_are(self) -> None:
        operation("cancel")
        made = operation(
            "retry",
            ("a", "b"),
            done=1,
            failed=1,
            parameters={"queue": "mail"},
            selection={"state": "FAILURE"},
            created_at=NOW,
            updated_at=NOW,
            finished_at=NOW,
        )
        [second, first] = body(client().get(OPERATIONS))["results"]
        assert first["verb"] == "cancel"
        assert second == {
            "id": made.pk,
            "url": f"http://testserver/z4j/api/operations/{made.pk}/",
            "project": "default",
            "verb": "retry",
            "state": "finished",
            "actor": "alice",
            "surface": "admin",
            "parameters": {"queue": "mail"},
            "selection": {"state": "FAILURE"},
            "total": 2,
            "counts": {**NOBODY, "done": 1, "failed": 1},
            "created_at": "2026-03-04T12:00:00.000000Z",
            "updated_at": "2026-03-04T12:00:00.000000Z",
            "finished_at": "2026-03-04T12:00:00.000000Z",
            "abort_requested": False,
            "targets_url": f"http://testserver/z4j/api/operations/{made.pk}/targets/",
        }

    def test_one_that_goes_on_is_not_counted_in_a_list(self) -> None:
        operation("retry", state="running", finished_at=None)
        assert body(client().get(OPERATIONS))["results"][0]["counts"] is None

    def test_they_are_found_by_verb_state_and_target_and_all_have_to_hold(self) -> None:
        asks = client()
        first = operation("retry", ("a", "b")).pk
        second = operation("retry", ("b",), state="running", finished_at=None).pk
        third = operation("purge_queue", ("b",)).pk
        fourth = operation("retry", ("b",), project="other").pk

        def found(query: str) -> list[int]:
            return nouns.listed(f"{OPERATIONS}?limit=1&{query}", "id", asks)

        assert found("") == [third, second, first]
        assert found("verb=retry") == [second, first]
        assert found("state=running") == [second]
        assert found("state=finished") == [third, first]
        assert found("verb=retry&state=finished") == [first]
        assert found("target=b") == [third, second, first]
        assert found("target=b&verb=retry&state=running") == [second]
        assert found("target=nobody") == []
        assert found("verb=restore") == []
        assert found("project=other") == [fourth]

    @pytest.mark.parametrize(
        ("name", "value"),
        [("verb", "bulk"), ("verb", ""), ("state", "done"), ("target", ""), ("actor", "alice")],
    )
    def test_a_parameter_that_can_not_be_is_told(self, name: str, value: str) -> None:
        told = problem(client().get(OPERATIONS, {name: value}), 400)
        assert [one["name"] for one in told["errors"]] == [name]

    def test_the_few_of_a_project_are_looked_for_piece_by_piece(self, monkeypatch) -> None:
        monkeypatch.setattr(pages, "WINDOW", 3)
        mine = operation("retry").pk
        for _ in range(8):
            operation("retry", project="other")
        asks = client()
        for query in ("", "verb=retry", "state=finished"):
            assert body(asks.get(f"{OPERATIONS}?{query}"))["results"] == []
            assert nouns.listed(f"{OPERATIONS}?{query}", "id", asks) == [mine]

    def test_a_long_page_takes_no_more_queries_than_a_short_one(self) -> None:
        asks = client()
        operation("retry")
        few = len(nouns.reads(OPERATIONS, asks))
        for number in range(60):
            operation("retry", state="running", finished_at=None) if number % 2 else operation()
        assert len(nouns.reads(f"{OPERATIONS}?limit=50", asks)) <= few <= 3


class TestOne:
    def test_it_has_its_counts_and_its_first_targets(self, monkeypatch) -> None:
        made = operation("retry", ("a", "b", "c"), state="running", finished_at=None, total=3)
        came_out(made, "done", "refused")
        made.targets.filter(position=0).update(result_id="new")
        made.targets.filter(position=1).update(reason="It is SUCCESS.")
        where = address("operations", str(made.pk))
        found = body(client().get(where))
        assert found["counts"] == {**NOBODY, "done": 1, "refused": 1, "pending": 1}
        done, refused, pending = found["targets"]
        assert done == {
            "position": 0,
            "kind": "task",
            "target": "a",
            "outcome": "done",
            "reason": "",
            "result_id": "new",
            "at": "2026-03-04T12:00:00.000000Z",
        }
        assert (refused["outcome"], refused["reason"]) == ("refused", "It is SUCCESS.")
        assert (pending["outcome"], pending["at"]) == ("pending", None)
        assert body(client().get(found["url"])) == found
        assert len(nouns.reads(where)) == 4

    def test_of_many_targets_it_has_the_first_hundred(self) -> None:
        made = operation("retry", tuple(f"t{n:03}" for n in range(150)))
        found = body(client().get(address("operations", str(made.pk))))
        assert [one["position"] for one in found["targets"]] == list(range(100))
        assert found["total"] == 150

    @pytest.mark.parametrize("number", ["0", "999", "9" * 18, "9" * 19, "9" * 40, "x", "-1", "1.0"])
    def test_of_any_other_number_there_is_none(self, number: str) -> None:
        operation("retry")
        problem(client().get(address("operations", number)), 404)
        problem(client().get(address("operations", number, "targets")), 404)


class TestTargets:
    def test_they_come_in_their_order_page_by_page_and_back(self) -> None:
        asks = client()
        made = operation("retry", tuple(f"t{n}" for n in range(5)))
        where = address("operations", str(made.pk), "targets")
        assert nouns.listed(f"{where}?limit=2", "position", asks) == [0, 1, 2, 3, 4]
        first = body(asks.get(where, {"limit": 2}))
        second = body(asks.get(first["next"]))
        assert [one["position"] for one in second["results"]] == [2, 3]
        back = body(asks.get(second["previous"]))
        assert ([one["position"] for one in back["results"]], back["previous"]) == ([0, 1], None)
        assert [one["position"] for one in body(asks.get(back["next"]))["results"]] == [2, 3]

    def test_those_of_one_outcome(self) -> None:
        asks = client()
        made = operation("retry", ("a", "b", "c", "d"))
        came_out(made, "failed", "done", "failed", "unknown")
        where = address("operations", str(made.pk), "targets")
        assert nouns.listed(f"{where}?outcome=failed&limit=1", "target", asks) == ["a", "c"]
        assert nouns.listed(f"{where}?outcome=pending", "target", asks) == []
        told = problem(asks.get(where, {"outcome": "success"}), 400)
        assert [one["name"] for one in told["errors"]] == ["outcome"]

    def test_those_of_another_operation_stay_out(self) -> None:
        made = operation("retry", ("a",))
        operation("retry", ("b",))
        where = address("operations", str(made.pk), "targets")
        assert nouns.listed(where, "target") == ["a"]
        assert len(nouns.reads(where)) == 2

    @pytest.mark.parametrize("cursor", ["", "b", "x", "bAAAAAAAAAAA=", "a" * 500, "b\U0001f6d2"])
    def test_a_cursor_that_nobody_gave_out_is_told(self, cursor: str) -> None:
        made = operation("retry", ("a",))
        for where in (OPERATIONS, address("operations", str(made.pk), "targets")):
            told = problem(client().get(where, {"cursor": cursor}), 400)
            assert [one["name"] for one in told["errors"]] == ["cursor"]


@pytest.mark.parametrize("name", nouns.HOSTILE)
def test_names_are_only_text(name: str) -> None:
    asks = client()
    made = operation("purge_queue", (name,), actor=name, parameters={"queue": name})
    OperationTarget.objects.update(reason=name, result_id=name)
    [row] = body(asks.get(OPERATIONS, {"target": name}))["results"]
    assert (row["actor"], row["parameters"]) == (name, {"queue": name})
    [target] = body(asks.get(row["targets_url"]))["results"]
    assert (target["target"], target["reason"], target["result_id"]) == (name, name, name)
    assert body(asks.get(row["url"]))["id"] == made.pk


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("parts", [(), ("{}",), ("{}", "targets")])
def test_viewers_may_look(who: str, parts: tuple[str, ...]) -> None:
    number = str(operation("retry").pk)
    where = address("operations", *(part.format(number) for part in parts))
    assert client(who).get(where).status_code == nouns.SEEN_BY[who]


@pytest.mark.parametrize("parts", [(), ("{}",), ("{}", "targets")])
def test_the_permission_alone_is_enough_and_no_other_is(parts: tuple[str, ...]) -> None:
    number = str(operation("retry").pk)
    where = address("operations", *(part.format(number) for part in parts))
    assert nouns.holder("view_operation").get(where).status_code == 200
    others = nouns.holder("view_taskrecord", "view_operationtarget", "retry_task", "run_bulk")
    assert "z4j_django.view_operation" in problem(others.get(where), 403)["detail"]
