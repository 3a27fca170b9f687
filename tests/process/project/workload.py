"""Publishes one of everything, and prints the ids under which the tests look for the records.

Run as ``python -m tests.process.project.workload WORKER POOL``.
"""

from __future__ import annotations

import json
import os
import sys

import django
from celery import chain, chord, group
from celery.result import AsyncResult

from tests.process.project import tasks
from tests.process.project.celery import app
from tests.process.project.tasks import add, fail, total


def main(worker: str, pool: str) -> dict[str, object]:
    """Publish; what must not wait in a busy queue comes first."""
    ids: dict[str, object] = {"publisher": os.getpid()}
    ids["expired"] = add.apply_async((1, 1), expires=2.0, countdown=2.5).id
    ids["revoked"] = "to-be-revoked"
    app.control.revoke("to-be-revoked", destination=[worker], reply=True, limit=1, timeout=10)
    add.apply_async((1, 1), task_id="to-be-revoked")
    ids.update(_single_tasks())
    ids.update(_workflows())
    if pool == "prefork":
        ids["overrun"] = tasks.overrun.delay().id
        ids["killed"] = tasks.kill_itself.delay().id
    elif pool != "solo":  # there it ends the worker
        ids["left"] = tasks.leave.delay(3).id
    return ids


def _single_tasks() -> dict[str, object]:
    return {
        "success": add.apply_async((2, 3), {"note": "hello"}, priority=3).id,
        "failure": fail.delay("the card was declined").id,
        "retried": tasks.flaky.delay(2).id,
        "parent": tasks.publish_another.delay("published-by-a-task").id,
        "replaced": tasks.replace_itself.delay(41).id,
        "ignored": tasks.ignore.delay().id,
        "rejected": tasks.reject.delay().id,
        "unknown": app.send_task("nobody.knows.this", (1,)).id,
        "large": tasks.measure.delay("x" * 2_000_000).id,
        "basket": tasks.carry.delay(tasks.Basket(apples=3)).id,
        "custom": add.apply_async((1, 2), task_id="invoice:2024/ü").id,
        "countdown": add.apply_async((3, 4), countdown=1.0).id,
        "eager": add.apply((5, 6), {"note": "here"}).id,
    }


def _workflows() -> dict[str, object]:
    third = chain(add.s(1, 1), add.s(2), add.s(3)).apply_async()
    many = group(add.s(n, n) for n in range(3)).apply_async()
    fine = chord([add.s(n, 1) for n in range(3)], total.s()).apply_async()
    broken = chord([add.s(0, 1), fail.s("a member")], total.s()).apply_async()
    mixed = group(chain(add.s(1, 1), add.s(10)), add.s(100, 1)).apply_async()
    inner = chord([add.s(1, 1), add.s(2, 2)], total.s())
    outer = chord([inner, add.s(3, 3)], total.s()).apply_async()
    return {
        "chain": [third.parent.parent.id, third.parent.id, third.id],
        "group": {"id": many.id, "members": [child.id for child in many.children]},
        "chord": _chord(fine),
        "broken chord": _chord(broken),
        "mixed": {
            "id": mixed.id,
            "first step": mixed.children[0].parent.id,
            "members": [child.id for child in mixed.children],
        },
        "outer chord": _chord(outer),
    }


def _chord(body: AsyncResult) -> dict[str, object]:
    members = [child.id for child in body.parent.children]
    return {"id": body.parent.id, "body": body.id, "members": members}


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(sys.argv[1], sys.argv[2])))
