"""What the result backend has counted of a chord that is stuck, told without Celery."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import celery
import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness import servers
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import Scene
from tests.process.harness.tables import COMBINATIONS, REDIS, laid
from tests.process.harness.waiting import wait_until
from z4j_django import result_backend
from z4j_django.models import ConditionRecord
from z4j_django.result_backend import Counter

#: A chord of which the backend has forgotten how many members there are, once all are published.
SABOTAGE = """
header = [step.s(1, n).set(countdown=2) for n in range(2)]
result = chord(header)(listing.s())
gid = result.parent.id
if hasattr(app.backend, "client"):
    app.backend.client.delete(app.backend.get_key_for_group(gid, ".s"))
else:
    from django_celery_results.models import ChordCounter
    ChordCounter.objects.filter(group_id=gid).update(count=4)
print(json.dumps({"group": gid}))
"""
TOLD = {
    REDIS: "The result backend has counted 2 and does not know of how many: ",
    "django-db": "The result backend has counted 0 of 2: 2 results did not come.",
}


def told(scene: Scene) -> ConditionRecord | None:
    held = ConditionRecord.objects.using(scene.records.alias).filter(key="chord_stuck")
    return held.filter(ended_at=None).first()


@pytest.mark.parametrize(("broker", "database", "results"), COMBINATIONS)
def test_a_shipper_tells_how_far_it_has_counted(
    make_scene: SceneMaker, broker: str, database: str, results: str
) -> None:
    limits = {"chord_stuck": {"after": 0}}
    with laid(make_scene, broker, database, results, CONDITIONS=limits) as table:
        code = f"from tests.process.project.celery import app\n{SABOTAGE}"
        group = table.publish(code)["group"]
        scene = table.scene
        found = wait_until(lambda: told(scene), PATIENCE, "a chord that is stuck")
        assert found.subject == group
        assert TOLD[results] in found.evidence
        assert found.numbers["counted"] == (2 if results == REDIS else 0)


@pytest.fixture
def app() -> Iterator[celery.Celery]:
    """An app whose results are in Redis, in the tests' own database."""
    made = celery.Celery("counting", set_as_current=False)
    made.conf.update(
        result_backend=REDIS,
        result_backend_transport_options={"global_keyprefix": "z4jtest-counters"},
    )
    with servers.redis("z4jtest-counters"):
        yield made
    keys = made.backend.client.keys("z4jtest-counters*")
    made.backend.client.delete("none", *keys)
    made.close()


def key(app: celery.Celery, ending: str) -> Any:
    return app.backend.get_key_for_group("g", ending)


def read(app: celery.Celery) -> Counter:
    described = json.loads(json.dumps(result_backend.describe(app)))
    return result_backend.read(described, ["g"], 5)["g"]


def test_a_chord_that_nobody_has_counted_has_no_counter(app: celery.Celery) -> None:
    assert read(app) == Counter(0, None)


@pytest.mark.parametrize("is_ordered", [True, False])
def test_its_keys_tell_how_far_it_came(app: celery.Celery, is_ordered: bool) -> None:
    backend, client = app.backend, app.backend.client
    backend.set_chord_size("g", 3)
    for number in range(2):
        if is_ordered:
            client.zadd(key(app, ".j"), {f"result {number}": number})
        else:
            client.rpush(key(app, ".j"), f"result {number}")
    assert read(app) == Counter(2, 3)
    backend.add_to_chord("g", None)
    client.set(key(app, ".c"), "a worker's mark")
    assert read(app) == Counter(2, 4, is_claimed=True)
    client.set(key(app, ".c"), "done")
    client.delete(key(app, ".s"))
    assert read(app) == Counter(2, None, is_done=True)


def test_what_is_none_of_celerys_is_an_error_and_no_number(app: celery.Celery) -> None:
    app.backend.client.set(key(app, ".s"), "three")
    with pytest.raises(ValueError, match="invalid literal"):
        read(app)
    app.backend.client.lpush(key(app, ".t"), "x")
    with pytest.raises(Exception, match="WRONGTYPE"):
        read(app)
