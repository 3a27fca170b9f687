"""Every verb for workers, done to real ones, and its effect read back by Celery's own inspect."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, children
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until

#: Does one step after another, and looks after each as Celery itself does.
STEPS = """
from z4j_django import operations
from z4j_django.operations import steering
steering.TIMEOUT = 10  # the machine of a test may be busy
found = []
for verb, hosts, options, look, given in json.loads({given!r}):
    operation = getattr(operations, verb)(hosts, actor="a test", **options)
    told = {{one.target: [one.outcome, one.reason] for one in operation.targets.all()}}
    names = list(told)
    seen = look and app.control.inspect(names, timeout=2)._request(look, **given)
    found.append([told, seen])
print(json.dumps(found))
"""
LIMITS = {"taskinfoitems": ["rate_limit", "time_limit", "soft_time_limit"]}


class Fleet:
    """Two workers, and an operator who steers them."""

    def __init__(self, scene: Scene, *names: str) -> None:
        self.scene = scene
        self.hosts = [scene.hostname(name) for name in names]

    def steer(self, *steps: tuple[str, str, dict[str, Any], str]) -> list[tuple[str, str, Any]]:
        """The outcome of each step, its reason, and what inspect shows of the worker then."""
        asked = [
            (verb, [self.scene.hostname(name)], options, look, LIMITS if look[:3] == "reg" else {})
            for verb, name, options, look in steps
        ]
        shown = json.loads(self.scene.script(STEPS.format(given=json.dumps(asked))))
        found = []
        for (told, seen), (_, name, _, _) in zip(shown, steps, strict=True):
            outcome, reason = told[self.scene.hostname(name)]
            found.append((outcome, reason, (seen or {}).get(self.scene.hostname(name))))
        return found


@pytest.fixture(scope="module")
def on_redis(make_scene: SceneMaker) -> Iterator[Fleet]:
    with make_scene("redis") as scene:
        restarts = {**scene.environment(), "SCENE_RESTARTS": "1"}
        scene.worker("-P", "prefork", "-c", "2", name="forks", environment=restarts)
        scene.worker("-P", "threads", "-c", "2", name="threads")
        yield Fleet(scene, "forks", "threads")


@pytest.fixture(scope="module")
def on_rabbitmq(make_scene: SceneMaker) -> Iterator[Fleet]:
    with make_scene("rabbitmq") as scene:
        scene.worker("-P", "prefork", "--autoscale", "3,1", name="scales")
        scene.worker("-P", "gevent", "-c", "2", name="greenlets")
        yield Fleet(scene, "scales", "greenlets")


def queues(seen: Any) -> set[str]:
    return {one["name"] for one in seen}


def limits(seen: Any, name: str) -> str:
    return next(line for line in seen if line.split(" ")[0] == name)


def test_pools_grow_shrink_and_start_anew(on_redis: Fleet) -> None:
    forks = on_redis.scene.programs[0].pid
    grown, shrunk, none, threads, restart = on_redis.steer(
        ("pool_grow", "forks", {"n": 2}, "stats"),
        ("pool_shrink", "forks", {"n": 2}, "stats"),
        ("pool_shrink", "forks", {"n": 2}, ""),
        ("pool_grow", "threads", {}, ""),
        ("pool_restart", "threads", {}, ""),
    )
    assert grown[:2] == ("done", "It has 4 slots, and had 2.")
    assert len(grown[2]["pool"]["processes"]) == 4
    assert shrunk[:2] == ("done", "It has 2 slots, and had 4.")
    assert len(shrunk[2]["pool"]["processes"]) == 2
    assert none[:2] == ("refused", "It has 2 slots: none would be left.")
    assert threads[0] == "refused"
    assert "no attribute 'grow'" in threads[1]
    assert threads[1].endswith("Its pool is threads.")
    assert restart[:2] == (
        "refused",
        "Its pool (threads) has no processes that could be started anew.",
    )
    before = set(children(forks))
    [anew] = on_redis.steer(("pool_restart", "forks", {}, ""))
    assert "Each of its processes ends when it has run one more task." in anew[1]
    assert anew[0] == ("done" if anew[1].startswith("New of") else "unknown"), anew
    on_redis.scene.publish_many("print(json.dumps([tasks.add.delay(1, 2).id for _ in range(8)]))")
    wait_until(lambda: set(children(forks)) - before, PATIENCE, "a new process")


@pytest.mark.parametrize("name", ["forks", "threads"])
def test_queues_limits_and_events_on_redis(on_redis: Fleet, name: str) -> None:
    consumers_limits_and_events(on_redis, name)


@pytest.mark.parametrize("name", ["scales", "greenlets"])
def test_queues_limits_and_events_on_rabbitmq(on_rabbitmq: Fleet, name: str) -> None:
    consumers_limits_and_events(on_rabbitmq, name)


def consumers_limits_and_events(fleet: Fleet, name: str) -> None:
    more = fleet.scene.queue
    other = f"{more}-more-{name}"
    takes = {"queue": other}
    rate, soft = {"task": "add", "rate": "10/m"}, {"task": "add", "hard": 60, "soft": 50.5}
    ping, added, again, left, gone = fleet.steer(
        ("ping", name, {}, "ping"),
        ("add_consumer", name, takes, "active_queues"),
        ("add_consumer", name, takes, ""),
        ("cancel_consumer", name, takes, "active_queues"),
        ("cancel_consumer", name, takes, ""),
    )
    rated, own, timed, untimed, on, on_already, off = fleet.steer(
        ("rate_limit", name, rate, "registered"),
        ("rate_limit", name, {"task": "add", "reset": True}, "registered"),
        ("time_limit", name, soft, "registered"),
        ("time_limit", name, {"task": "add", "reset": True}, "registered"),
        ("enable_events", name, {}, ""),
        ("enable_events", name, {}, ""),
        ("disable_events", name, {}, ""),
    )
    assert ping == ("done", "It answered.", {"ok": "pong"})
    assert added[:2] == ("done", f"It takes from {other}.")
    assert queues(added[2]) == {more, other}
    assert again[:2] == ("refused", f"It takes from {other} already.")
    assert left[:2] == ("done", f"It takes no more from {other}.")
    assert queues(left[2]) == {more}
    assert gone[:2] == ("refused", f"It does not take from {other}.")
    assert rated[:2] == ("done", "rate limit 10/m; before: rate limit none.")
    assert limits(rated[2], "add") == "add [rate_limit=10/m]"
    assert own[:2] == ("done", "rate limit none; before: rate limit 10/m.")
    assert limits(own[2], "add") == "add"
    assert timed[0] == "done"
    assert limits(timed[2], "add") == "add [time_limit=60.0 soft_time_limit=50.5]"
    assert untimed[0] == "done"
    assert limits(untimed[2], "add") == "add"
    assert on[:2] == ("done", "It says: task events already enabled.")
    assert on_already[:2] == ("refused", "It says: task events already enabled.")
    assert off[:2] == ("done", "It says: task events already disabled.")


def test_a_pool_that_scales_itself_and_greenlets(on_rabbitmq: Fleet) -> None:
    scaled, grow, off, greenlets, fewer, forbidden = on_rabbitmq.steer(
        ("autoscale", "scales", {"max": 4, "min": 2}, "stats"),
        ("pool_grow", "scales", {}, ""),
        ("autoscale", "greenlets", {"max": 4}, ""),
        ("pool_grow", "greenlets", {"n": 3}, "stats"),
        ("pool_shrink", "greenlets", {"n": 4}, "stats"),
        ("pool_restart", "scales", {}, ""),
    )
    assert scaled[:2] == ("done", "It scales between 2 and 4.")
    assert (scaled[2]["autoscaler"]["max"], scaled[2]["autoscaler"]["min"]) == (4, 2)
    assert grow[0] == "refused"
    assert "It says: pool_grow is not supported with autoscale." in grow[1]
    assert off[:2] == ("refused", "It says: Autoscale not enabled. Its pool is gevent.")
    assert greenlets[:2] == ("done", "It has 5 slots, and had 2.")
    assert greenlets[2]["pool"]["max-concurrency"] == 5
    assert fewer[2]["pool"]["max-concurrency"] == 1
    assert forbidden[:2] == ("refused", "It says: Pool restarts not enabled. Its pool is prefork.")


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_all_that_are_online_shut_down(request: pytest.FixtureRequest, broker: str) -> None:
    """The last of all: nothing is left to steer."""
    fleet: Fleet = request.getfixturevalue(f"on_{broker}")
    records = fleet.scene.records
    wait_until(lambda: records.workers.filter(online=True).count() == 2, PATIENCE, "both on record")
    given = json.dumps([("shutdown", None, {}, "", {}), ("ping", fleet.hosts, {}, "", {})])
    shut, after = json.loads(fleet.scene.script(STEPS.format(given=given)))
    # One that takes longer to end than is waited for is unknown; whether it has, is seen below.
    assert {outcome for outcome, _ in shut[0].values()} <= {"done", "unknown"}, shut
    assert set(shut[0]) == set(fleet.hosts)
    assert {outcome for outcome, _ in after[0].values()} <= {"unknown", "refused"}
    for program in fleet.scene.programs:
        assert program.wait() == 0
    wait_until(
        lambda: not records.workers.filter(online=True).exists(), PATIENCE, "both stopped on record"
    )
