"""Groups and chords that break on a real worker until somebody mends them."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.process.harness import servers
from tests.process.harness.processes import PATIENCE
from tests.process.harness.records import Records
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until
from z4j_django.models import TaskRecord

REDIS = servers.redis_url()
#: A broker, a database for the records, and where results are kept.
COMBINATIONS = [
    ("redis", "sqlite", REDIS),
    ("rabbitmq", "postgresql", "django-db"),
]
PUBLISH = f"""
from celery import chain, chord, group
from {APP}.chords import count, listing, seat, step, stubborn, wrap

def ids(result):
    return {{"body": result.id, "group": result.parent.id,
             "members": [child.id for child in result.parent.children]}}

"""
RETRY = """
from z4j_django.management.operating import document
from z4j_django.exceptions import OperationError
from z4j_django import operations
try:
    operation = operations.retry_group({group!r}, actor="the test", **{options!r})
except OperationError as error:
    print(json.dumps({{"error": str(error)}}))
else:
    print(json.dumps(document(operation), default=str))
"""


@dataclass
class Table:
    """A scene with a worker, and what was laid on it."""

    scene: Scene
    environment: dict[str, str]

    @property
    def records(self) -> Records:
        return self.scene.records

    def break_all(self) -> None:
        """From now on, what can break breaks; and no run is counted yet."""
        (self.scene.folder / "broken").touch()
        (self.scene.folder / "runs").unlink(missing_ok=True)

    def mend_all(self) -> None:
        """From now on nothing breaks; and no run is counted yet."""
        (self.scene.folder / "broken").unlink()
        (self.scene.folder / "runs").unlink(missing_ok=True)

    def mended_again(self) -> None:
        """From now on no run is counted yet."""
        (self.scene.folder / "runs").unlink(missing_ok=True)

    def runs(self) -> Counter[str]:
        """The runs since then, by the task's name."""
        path = self.scene.folder / "runs"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split()[0] for line in lines)

    def publish(self, code: str) -> dict[str, Any]:
        """Publish a workflow, and return what the code prints of it."""
        return dict(json.loads(self.scene.script(PUBLISH + code, self.environment)))

    def publish_chord(self, signature: str) -> dict[str, Any]:
        """Publish a chord; the ids of its group, its members and its body."""
        return self.publish(f"print(json.dumps(ids(({signature}).apply_async())))")

    def wait_for_ends(self, task_ids: list[str]) -> None:
        """Wait until all of these have ended on record."""
        records = self.records
        wait_until(lambda: not records.unfinished(task_ids), PATIENCE, f"the ends of {task_ids}")

    def retry(self, group: str, **options: Any) -> dict[str, Any]:
        """Retry a group; the operation, or why it was refused."""
        code = RETRY.format(group=group, options=options)
        return dict(json.loads(self.scene.script(code, self.environment)))

    def body(self, operation: dict[str, Any]) -> TaskRecord:
        """The new body, once it has succeeded."""
        assert "error" not in operation, operation["error"]
        assert operation["done"] == operation["total"], operation
        body_id = operation["parameters"]["new_body_id"]
        self.scene.wait_for_state(body_id, "SUCCESS")
        return self.records.task(body_id)

    def wait_for_success(self, **facts: Any) -> TaskRecord:
        """The task on record with these facts, once it has succeeded."""
        found = self.records.tasks.filter(state="SUCCESS", **facts)
        wait_until(found.exists, PATIENCE, f"the success of a task with {facts}")
        return found.get()

    def roots(self, task_ids: list[str]) -> list[str]:
        """The first tasks of the workflows that these belong to, as far as they are on record."""
        found = self.records.tasks.filter(task_id__in=task_ids)
        return [root or task_id for root, task_id in found.values_list("root_id", "task_id")]

    def failures(self, group_id: str, count: int) -> set[str]:
        """The tasks that failed of a group with chains in it, once they are so many."""
        records = self.records

        def failed() -> set[str]:
            found = records.tasks.filter(
                root_id__in=self.roots(records.members(group_id)), state="FAILURE"
            )
            return set(found.values_list("task_id", flat=True))

        wait_until(lambda: len(failed()) == count, PATIENCE, f"{count} failures of {group_id}")
        return failed()


@contextlib.contextmanager
def laid(
    make_scene: Callable[..., contextlib.AbstractContextManager[Scene]],
    broker: str,
    database: str,
    results: str,
    **z4j: Any,
) -> Iterator[Table]:
    """A table with its worker, from one of :data:`COMBINATIONS`; ``z4j`` as a scene has it."""
    with make_scene(broker, database) as scene:
        environment = {**scene.environment(**z4j), "SCENE_RESULTS": results}
        options = ("-P", "prefork", "-c", "2", "-I", f"{APP}.chords")
        scene.worker(*options, environment=environment)
        table = Table(scene, environment)
        yield table
        if results == REDIS:
            _forget_results(table)


def _forget_results(table: Table) -> None:
    """Results in Redis have no prefix of their own."""
    import redis

    ids = [*table.records.tasks.values_list("task_id", flat=True)]
    groups = [*table.records.groups.values_list("group_id", flat=True)]
    keys = [f"celery-task-meta-{task_id}" for task_id in [*ids, *groups]]
    ends = ("", ".j", ".t", ".s", ".d", ".c")
    keys += [f"celery-taskset-meta-{group_id}{end}" for group_id in groups for end in ends]
    with redis.Redis.from_url(REDIS) as server:
        server.delete(*keys, "none")
