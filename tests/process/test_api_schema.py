"""The API's schema in the hands of others: a project's own generator, and one of clients."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import REPOSITORY
from tests.process.harness.scene import APP
from tests.process.harness.site import Site
from z4j_django.api.views.schema import DOCUMENT

HOST = f"{APP}.host"


def document_of(settings: str) -> str:
    """What drf-spectacular makes of a project."""
    ended = subprocess.run(
        [sys.executable, "-m", "django", "spectacular", "--fail-on-warn", "--validate"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": settings, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_project_that_mounts_the_api_has_the_same_schema_of_its_own() -> None:
    alone = document_of(f"{HOST}.settings")
    made = yaml.safe_load(alone)
    assert set(made["components"]["schemas"]) == {"Task", "Group", "StateEnum"}
    assert set(made["paths"]) == {"/api/tasks/", "/api/groups/"}
    assert document_of(f"{HOST}.mounted") == alone


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The module of a client that a generator made of what the package ships."""
    folder = tmp_path_factory.mktemp("client")
    ended = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("openapi-python-client")), "generate"),
            *("--path", str(DOCUMENT), "--output-path", str(folder / "made"), "--meta", "none"),
            "--fail-on-warning",
        ],
        # Where it finds ruff, which puts what it makes in order.
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "warning" not in (ended.stdout + ended.stderr).lower()
    sys.path.insert(0, str(folder))
    yield importlib.import_module("made")
    sys.path.remove(str(folder))


def called(client: Any, name: str, desk: Any, *args: Any, **given: Any) -> Any:
    """What an operation of the client answers with."""
    noun, _, _ = name.partition("_")
    module = importlib.import_module(f"{client.__name__}.api.{noun}.{name}")
    return module.sync(*args, client=desk, **given)


def test_a_generated_client_reads_retries_and_works_in_bulk(
    client: Any, make_scene: SceneMaker
) -> None:
    from made import models  # type: ignore[import-not-found]  # the client of the fixture

    with make_scene() as scene:
        site = Site(scene)
        viewer = site.sign_up("otto", "z4j viewer")
        token = site.sign_up("olga", "z4j admin").token
        root = f"http://127.0.0.1:{site.port}/z4j/api"
        desk = client.AuthenticatedClient(root, token, prefix="Token")
        scene.worker("-P", "solo")
        task_id = scene.publish("add.delay(1, 2)")
        viewer.wait_for_task(task_id, "SUCCESS")

        page = called(client, "tasks_list", desk, state="SUCCESS", limit=5)
        assert [one.task_id for one in page.results] == [task_id]
        task = called(client, "tasks_retrieve", desk, task_id)
        assert (task.state, task.args) == ("SUCCESS", [1, 2])
        body = models.RetryRequest(args=[3, 4], force=True)
        operation = called(client, "tasks_retry", desk, task_id, body=body)
        assert operation.counts.done == 1, operation
        (again,) = operation.targets
        retried = viewer.wait_for_task(again.result_id, "SUCCESS")
        assert json.dumps(retried["args"]) == "[3, 4]"
        many = models.BulkRetryRequest(
            verb=models.BulkRetryRequestVerb.RETRY, task_ids=[task_id], force=True
        )
        operation = called(client, "operations_create", desk, body=many)
        assert (operation.verb, operation.counts.done) == ("retry", 1), operation
