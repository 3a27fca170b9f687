"""What is secret in the example project's tasks is in no column but the sealed one."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db import connections, models
from django.test import override_settings

from example_project.shop.tasks import DECLINED
from tests.process.conftest import SceneMaker
from tests.process.harness.scene import Scene
from z4j_django import conf
from z4j_django.models import TaskPayload, TaskRecord
from z4j_django.secrets import sealing

#: The demo's own SECRET_KEY.
KEY = "a key for one test"
CARD = "4242424242424242"
#: Retries a task with another secret, and prints every list and every page there is.
PAGES = f"""
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from z4j_django import models, operations

root = User.objects.create_superuser("root")
charged = models.TaskRecord.objects.filter(name="shop.charge_card", state="FAILURE")[0]
cards = {{**charged.kwargs, "card_number": "{CARD}", "card_token": "{DECLINED}"}}
target = operations.retry(charged.task_id, kwargs=cards, actor=root).targets.get()
assert target.outcome == "done", target.reason
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(root)
shown = (models.TaskRecord, models.GroupRecord, models.WorkerRecord, models.Operation)
for model in shown:
    name = "admin:z4j_django_" + model._meta.model_name
    pages = [reverse(name + "_changelist")]
    keys = model.objects.values_list("pk", flat=True)
    pages += [reverse(name + "_change", args=[key]) for key in keys]
    if model is models.TaskRecord:
        pages += [reverse(name + "_edit", args=[charged.pk])]
    for page in pages:
        response = client.get(page)
        assert response.status_code == 200, page
        print(response.content.decode())
"""
SECRET = re.compile(rf"{CARD}|{DECLINED}|tok_test_[0-9]+")


@pytest.fixture(scope="module", params=["unmigrated", "postgresql", "mariadb"])
def shop(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Scene]:
    """The demo's workload, after its end."""
    with make_scene("filesystem", request.param) as scene:
        environment = _environment(scene)
        find = "from z4j_django.wiring import journal_directory as find; print(find())"
        setup = "import django; django.setup(); "
        found = scene.run(sys.executable, "-c", setup + find, environment=environment)
        journal = Path(found.stdout.strip())
        demo = ("-m", "django", "demo", "--once", "--tasks", "120", "--timeout", "100")
        try:
            ended = scene.run(sys.executable, *demo, environment=environment)
            assert ended.returncode == 0, ended.stdout + ended.stderr
            yield scene
        finally:
            shutil.rmtree(journal, ignore_errors=True)


def _environment(scene: Scene) -> dict[str, str]:
    demo = {"DJANGO_SETTINGS_MODULE": "example_project.settings", "SECRET_KEY": KEY}
    return scene.environment() | demo


def _columns(scene: Scene) -> Iterator[tuple[str, object]]:
    """Every value of every table of ours, and where it stands."""
    connection = connections[scene.records.alias]
    quoted = connection.ops.quote_name
    with connection.cursor() as cursor:
        for model in apps.get_app_config("z4j_django").get_models():
            names = [field.column for field in model._meta.concrete_fields]
            columns = ", ".join(map(quoted, names))
            cursor.execute(f"SELECT {columns} FROM {quoted(model._meta.db_table)}")
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    yield f"{model.__name__}.{name}", value


def _readable(value: object) -> str:
    if isinstance(value, bytes | memoryview | bytearray):
        return bytes(value).decode("latin-1")
    return value if isinstance(value, str) else repr(value)


def test_no_page_of_the_admin_shows_a_secret(shop: Scene) -> None:
    ended = shop.run(sys.executable, "-c", PAGES, environment=_environment(shop))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("</html>") > 50
    assert "shop.charge_card" in ended.stdout
    assert SECRET.findall(ended.stdout) == []


def test_no_column_of_any_table_shows_a_secret(shop: Scene) -> None:
    values = list(_columns(shop))
    assert len(values) > 1000
    assert [place for place, value in values if SECRET.search(_readable(value))] == []


def test_what_is_shown_in_its_place_is_a_mask(shop: Scene) -> None:
    charged = TaskRecord.objects.using(shop.records.alias).filter(name="shop.charge_card")
    shown = [kwargs for kwargs in charged.values_list("kwargs", flat=True) if kwargs]
    assert shown
    assert {(kwargs["card_number"], kwargs["card_token"]) for kwargs in shown} == {
        ("••••••", "••••••")
    }


def test_the_sealed_messages_hold_the_secrets_whole(shop: Scene) -> None:
    """And so the first test can fail: the secrets were there."""
    payloads: models.QuerySet[TaskPayload] = TaskPayload.objects.using(shop.records.alias)
    found: set[str] = set()
    with override_settings(SECRET_KEY=KEY):
        for row in payloads.filter(size__lt=conf.settings.PAYLOAD_MAX_BYTES):
            context = sealing.task_context(row.project, row.task_id)
            body = sealing.open_sealed(row.sealed, context).body
            assert len(body) == row.size
            found.update(SECRET.findall(body.decode("latin-1")))
    assert {CARD, DECLINED} <= found
    assert any(secret.startswith("tok_test_") for secret in found - {DECLINED})


def test_every_task_that_a_worker_received_has_its_message(shop: Scene) -> None:
    received = TaskRecord.objects.using(shop.records.alias).filter(deliveries__gt=0)
    kept = TaskPayload.objects.using(shop.records.alias).values_list("task_id", flat=True)
    assert set(received.values_list("task_id", flat=True)) == set(kept)


def test_what_a_project_calls_secret_is_masked_by_its_shipper(scene: Scene) -> None:
    rules = {"keys": ["^note$"], "values": [r"CUST-\d{1,9}"], "emails": True}
    environment = scene.environment(REDACT=rules)
    scene.worker(environment=environment)
    told = "'CUST-12345', 'for ann@example.com'"
    task_id = scene.publish(f"add.delay({told}, note='x')", environment)
    scene.wait_for_state(task_id, "SUCCESS")
    task = scene.records.task(task_id)
    assert task.args == ["••••••", "for ••••••"]
    assert task.kwargs == {"note": "••••••"}
    assert task.result == "••••••for ••••••"
