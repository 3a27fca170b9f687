"""Whether results are still there, asked without loading any of them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import celery
import pytest
from celery.backends.base import BaseBackend

from z4j_django import states
from z4j_django.control import results
from z4j_django.exceptions import OperationError


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


class OtherBackend(BaseBackend):
    """One of those that must be asked for a task's whole result."""

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        status = states.SUCCESS if task_id == "there" else states.PENDING
        return {"status": status, "result": None}


def make_app(**conf: Any) -> celery.Celery:
    app = celery.Celery("test", backend="cache+memory://", set_as_current=False)
    app.conf.update(conf)
    return app


def with_backend(app: celery.Celery, kind: type[Any]) -> celery.Celery:
    app._local.backend = kind(app=app)
    return app


def test_a_key_value_backend_is_asked_for_the_key_alone(tmp_path: Path) -> None:
    app = make_app(result_serializer="pickle", accept_content=["pickle"])
    bomb = tmp_path / "it went off"
    app.backend.store_result("there", Bomb(bomb), states.SUCCESS)
    assert results.missing(app, ["there", "gone"], 5.0) == ["gone"]
    assert not bomb.exists()


def test_a_backend_that_must_load_a_result_is_asked_only_where_none_is_pickled() -> None:
    app = with_backend(make_app(), OtherBackend)
    assert results.missing(app, ["there", "gone"], 5.0) == ["gone"]
    pickled = with_backend(make_app(result_serializer="pickle"), OtherBackend)
    with pytest.raises(OperationError, match="OtherBackend holds pickled results"):
        results.missing(pickled, ["there"], 5.0)


def test_rows_that_are_pickled_whatever_the_serializer_are_not_loaded() -> None:
    class TableBackend(OtherBackend):
        task_cls = object

    app = with_backend(make_app(), TableBackend)
    with pytest.raises(OperationError, match="TableBackend holds pickled results"):
        results.missing(app, ["there"], 5.0)


def test_without_a_result_backend_every_result_is_gone() -> None:
    app = celery.Celery("test", set_as_current=False)
    assert results.missing(app, ["a", "b"], 5.0) == ["a", "b"]


def test_nothing_is_asked_where_nothing_is_needed() -> None:
    assert results.missing(celery.Celery("test", set_as_current=False), [], 5.0) == []


def test_a_stored_result_is_returned_as_it_is() -> None:
    app = make_app()
    app.backend.store_result("b", {"a": [1, 2]}, states.SUCCESS)
    assert results.stored(app, "b") == {"a": [1, 2]}


@pytest.mark.parametrize("state", [None, states.FAILURE])
def test_a_result_that_is_none_is_told(state: str | None) -> None:
    app = make_app()
    if state:
        app.backend.store_result("a", ValueError("no"), state)
    with pytest.raises(LookupError, match="result of a is not in the result backend"):
        results.stored(app, "a")


def test_what_is_forgotten_is_waited_for_again() -> None:
    app = make_app()
    app.backend.store_result("a", 1, states.SUCCESS)
    results.forget(app, ["a", "never there"])
    assert app.AsyncResult("a").state == states.PENDING


def test_a_backend_that_forgets_nothing_is_left_as_it_is() -> None:
    results.forget(with_backend(make_app(), OtherBackend), ["there"])


def says(app: celery.Celery, meta: Any, state: str = "PROGRESS") -> results.Progress | None:
    app.backend.store_result("it", meta, state)
    return results.progress(app, "it", 5.0)


class TestProgress:
    def test_it_is_what_a_state_of_the_projects_own_says(self) -> None:
        app = make_app()
        meta = {"current": 3, "total": 8}
        assert says(app, meta) == results.Progress(3, 8, "PROGRESS", meta)
        meta = {"current": 2.5, "total": 10, "more": "x"}
        assert says(app, meta, "IMPORTING") == results.Progress(2.5, 10, "IMPORTING", meta)
        assert results.progress(app, "another", 5.0) is None

    def test_what_lies_beyond_its_ends_is_at_its_ends(self) -> None:
        app = make_app()
        found = [says(app, {"current": current, "total": 8}) for current in (9, -9)]
        assert [one and one.current for one in found] == [8, 0]

    @pytest.mark.parametrize(
        "meta",
        [
            None,
            [1, 2],
            "3 of 8",
            {"current": 3},
            {"total": 8},
            {"current": "3", "total": "8"},
            {"current": True, "total": True},
            {"current": 3, "total": 0},
            {"current": 3, "total": -1},
            {"current": float("nan"), "total": 8},
            {"current": 3, "total": float("inf")},
            {"current": 10**400, "total": 10**401},
            {"current": 3, "total": 8, "rest": "x" * 100_000},
        ],
    )
    def test_what_is_none_is_no_bar(self, meta: Any) -> None:
        found = says(make_app(), meta)
        assert found is None or (found.total, found.meta.keys()) == (None, meta.keys())

    def test_of_celerys_own_states_only_a_bar_is_shown(self) -> None:
        app = make_app()
        assert says(app, {"pid": 7, "hostname": "w"}, states.STARTED) is None
        meta = {"pid": 7, "current": 1, "total": 2}
        assert says(app, meta, states.STARTED) == results.Progress(1, 2)

    def test_a_result_that_looks_like_one_is_none(self) -> None:
        assert says(make_app(), {"current": 3, "total": 8}, states.SUCCESS) is None

    def test_nothing_is_unpickled(self, tmp_path: Path) -> None:
        app = make_app(result_serializer="pickle", accept_content=["pickle"])
        bomb = tmp_path / "it went off"
        app.backend.store_result("pickled", Bomb(bomb), "PROGRESS")
        assert results.progress(app, "pickled", 5.0) is None
        other = with_backend(make_app(), OtherBackend)
        assert results.progress(other, "there", 5.0) is None
        assert not bomb.exists()

    def test_nobody_waits_long_for_it(self) -> None:
        app = make_app()
        gate = threading.Event()
        app.backend.get = lambda key: gate.wait(30)
        with pytest.raises(TimeoutError):
            results.progress(app, "it", 0.05)
        gate.set()
