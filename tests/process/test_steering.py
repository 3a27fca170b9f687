"""Every verb for workers, done to real ones, and its effect read back by Celery's own inspect.

Two fleets are steered side by side, each by one operator, who does one step after another. The
tests look at what came of it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.scene import BOOTSTRAP, PRELUDE, Scene
from tests.process.harness.servers import MORE
from tests.process.harness.waiting import wait_until

#: Does the steps, and looks after each as Celery itself does; while some go on, tasks are sent.
OPERATOR = f"""
import threading
MORE = {MORE!r}
"""
OPERATOR += """
from z4j_django import operations
from z4j_django.operations import steering
over = threading.Event()
def load():
    while not over.wait(0.1):
        tasks.add.delay(1, 2)
for name, verb, hosts, options, look, given, seconds in json.load(sys.stdin):
    steering.TIMEOUT = seconds
    if name == "restarted":
        threading.Thread(target=load).start()
    if name == "softly":
        tasks.wait_for_file.apply_async(("never",), queue=app.conf.task_default_queue + MORE)
        while not app.control.inspect(hosts, timeout=1).active()[hosts[0]]:
            pass
    operation = getattr(operations, verb)(hosts, actor="a test", **options)
    over.set()
    told = {one.target: [one.outcome, one.reason] for one in operation.targets.all()}
    seen = look and app.control.inspect(list(told), timeout=2)._request(look, **given)
    print(json.dumps([name, told, seen or {}]))
print("over", flush=True)
"""
LIMITS = {"taskinfoitems": ["rate_limit", "time_limit", "soft_time_limit"]}
#: Seconds for who will answer, on a busy machine, and for who will not.
LONG, SHORT = 10.0, 3.0


class Step(NamedTuple):
    """What is done.

    Attributes:
        name: Under which the tests find it.
        verb: What is done.
        to: Workers, by the first halves of their names; all that are online, if empty.
        options: The verb's.
        look: What inspect is asked afterwards.
        seconds: How long the workers have.
    """

    name: str
    verb: str
    to: str
    options: dict[str, Any]
    look: str
    seconds: float


def step(
    name: str, verb: str, to: str = "", look: str = "", seconds: float = LONG, **options: Any
) -> Step:
    return Step(name, verb, to, options, look, seconds)


class Fleet:
    """Two workers, and an operator who steers them."""

    def __init__(self, scene: Scene, **pools: str) -> None:
        self.scene = scene
        allowed = {"SCENE_RESTARTS": "1", "SCENE_SOFT": "2"} if "forks" in pools else {}
        environment = {**scene.environment(), **allowed}
        self.workers = [
            scene.start(
                *(sys.executable, "-m", "celery", "-A", scene.app, "worker", "-l", "INFO"),
                *("-n", scene.hostname(name), "-P", *pool.split()),
                name=name,
                environment=environment,
            )
            for name, pool in pools.items()
        ]
        self._told: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}

    def begin(self, *steps: Step) -> Program:
        """Have the operator do them."""
        for worker in self.workers:
            worker.wait_for_output(BOOTSTRAP)
        online = self.scene.records.workers.filter(online=True)
        wait_until(lambda: online.count() == len(self.workers), PATIENCE, "all on record")
        given = [
            [
                *(one.name, one.verb, self._hosts(one.to), one.options, one.look),
                *(LIMITS if one.look == "registered" else {}, one.seconds),
            ]
            for one in steps
        ]
        return self.scene.start(
            *(sys.executable, "-c", PRELUDE + OPERATOR),
            name="operator",
            given=json.dumps(given).encode(),
        )

    def hear(self, operator: Program) -> None:
        """Wait until all is done."""
        wait_until(lambda: operator.process.poll() is not None, 3 * PATIENCE, "the last step")
        assert operator.output().endswith("over\n"), operator.output()
        lines = [line for line in operator.output().splitlines() if line.startswith("[")]
        self._told = {name: (told, seen) for name, told, seen in map(json.loads, lines)}

    def found(self, step: str, worker: str) -> tuple[str, str, Any]:
        """The outcome of a step, its reason, and what inspect shows of the worker then."""
        hostname = self.scene.hostname(worker)
        told, seen = self._told[step]
        return (*told[hostname], seen.get(hostname))

    def outcomes(self, step: str) -> dict[str, str]:
        """The outcome of each worker, by the first half of its name."""
        told = self._told[step][0]
        return {hostname.partition("@")[0]: outcome for hostname, (outcome, _) in told.items()}

    def _hosts(self, to: str) -> list[str] | None:
        return [self.scene.hostname(name) for name in to.split()] or None


def consumers_limits_and_events(to: str, more: str) -> list[Step]:
    """What every pool does."""
    return [
        step("ping", "ping", look="ping"),
        step("added", "add_consumer", to, "active_queues", queue=more),
        step("again", "add_consumer", to, queue=more),
        step("left", "cancel_consumer", to, "active_queues", queue=more),
        step("gone", "cancel_consumer", to, queue=more),
        step("rated", "rate_limit", to, "registered", task="add", rate="10/m"),
        step("own", "rate_limit", to, "registered", task="add", reset=True),
        step("timed", "time_limit", to, "registered", task="add", hard=60, soft=50.5),
        step("untimed", "time_limit", to, "registered", task="add", reset=True),
        step("on", "enable_events", to),
        step("on already", "enable_events", to),
        step("off", "disable_events", to),
    ]


def shut_down(to: str) -> list[Step]:
    """All that are online, and whether they answer then."""
    return [step("shut", "shutdown", seconds=SHORT), step("after", "ping", to, seconds=SHORT)]


@pytest.fixture(scope="module")
def fleets(make_scene: SceneMaker) -> Iterator[dict[str, Fleet]]:
    """On Redis and on RabbitMQ, when all that is to be done to them has been."""
    with make_scene("redis") as one, make_scene("rabbitmq") as other:
        redis = Fleet(one, forks="prefork -c 2", threads="threads -c 2")
        rabbitmq = Fleet(other, scales="prefork --autoscale 3,1", greens="gevent -c 2")
        on_redis = redis.begin(
            *consumers_limits_and_events("forks threads", one.queue + MORE),
            step("grown", "pool_grow", "forks threads", "stats", n=2),
            step("shrunk", "pool_shrink", "forks", "stats", n=2),
            step("none", "pool_shrink", "forks", n=2),
            step("restarted", "pool_restart", "forks threads"),
            step("takes", "add_consumer", "forks", queue=one.queue + MORE),
            step("softly", "shutdown", "forks", soft=True),
            *shut_down("forks threads"),
        )
        on_rabbitmq = rabbitmq.begin(
            *consumers_limits_and_events("scales greens", other.queue + MORE),
            step("scaled", "autoscale", "scales greens", "stats", max=4, min=2),
            step("grown", "pool_grow", "scales greens", "stats", n=3),
            step("fewer", "pool_shrink", "greens", "stats", n=4),
            step("restarted", "pool_restart", "scales"),
            step("has no time", "shutdown", "scales", soft=True),
            *shut_down("scales greens"),
        )
        redis.hear(on_redis)
        rabbitmq.hear(on_rabbitmq)
        yield {"redis": redis, "rabbitmq": rabbitmq}


@pytest.fixture
def on_redis(fleets: dict[str, Fleet]) -> Fleet:
    return fleets["redis"]


@pytest.fixture
def on_rabbitmq(fleets: dict[str, Fleet]) -> Fleet:
    return fleets["rabbitmq"]


def queues(seen: Any) -> set[str]:
    return {one["name"] for one in seen}


def limits(seen: Any, name: str) -> str:
    return next(line for line in seen if line.split(" ")[0] == name)


def test_a_pool_of_processes_grows_shrinks_and_starts_anew(on_redis: Fleet) -> None:
    grown, shrunk = on_redis.found("grown", "forks"), on_redis.found("shrunk", "forks")
    assert grown[:2] == ("done", "It has 4 slots, and had 2.")
    assert len(grown[2]["pool"]["processes"]) == 4
    assert shrunk[:2] == ("done", "It has 2 slots, and had 4.")
    assert len(shrunk[2]["pool"]["processes"]) == 2
    none = on_redis.found("none", "forks")
    assert none[:2] == ("refused", "It has 2 slots: none would be left.")
    outcome, reason, _ = on_redis.found("restarted", "forks")
    assert outcome == "done"
    assert "are new." in reason or "New of its 2 processes: 1." in reason


def test_what_a_pool_of_threads_can_not_do_is_refused(on_redis: Fleet) -> None:
    outcome, reason, _ = on_redis.found("grown", "threads")
    assert outcome == "refused"
    assert "no attribute 'grow'" in reason
    assert reason.endswith("Its pool is threads.")
    assert on_redis.found("restarted", "threads")[:2] == (
        "refused",
        "Its pool (threads) has no processes that could be started anew.",
    )


@pytest.mark.parametrize(
    ("broker", "name"),
    [("redis", "forks"), ("redis", "threads"), ("rabbitmq", "scales"), ("rabbitmq", "greens")],
)
def test_queues_limits_and_events(fleets: dict[str, Fleet], broker: str, name: str) -> None:
    fleet = fleets[broker]
    more, other = fleet.scene.queue, fleet.scene.queue + MORE
    assert fleet.found("ping", name) == ("done", "It answered.", {"ok": "pong"})
    added, left = fleet.found("added", name), fleet.found("left", name)
    assert added[:2] == ("done", f"It takes from {other}.")
    assert queues(added[2]) == {more, other}
    again = fleet.found("again", name)
    assert again[:2] == ("refused", f"It takes from {other} already.")
    assert left[:2] == ("done", f"It takes no more from {other}.")
    assert queues(left[2]) == {more}
    gone = fleet.found("gone", name)
    assert gone[:2] == ("refused", f"It does not take from {other}.")
    rated, own = fleet.found("rated", name), fleet.found("own", name)
    assert rated[:2] == ("done", "rate limit 10/m; before: rate limit none.")
    assert limits(rated[2], "add") == "add [rate_limit=10/m]"
    assert own[:2] == ("done", "rate limit none; before: rate limit 10/m.")
    assert limits(own[2], "add") == "add"
    timed, untimed = fleet.found("timed", name), fleet.found("untimed", name)
    assert timed[0] == "done"
    assert limits(timed[2], "add") == "add [time_limit=60.0 soft_time_limit=50.5]"
    assert untimed[0] == "done"
    assert limits(untimed[2], "add") == "add"
    on, on_already, off = (fleet.found(one, name)[:2] for one in ("on", "on already", "off"))
    assert on == ("done", "It says: task events already enabled.")
    assert on_already == ("refused", "It says: task events already enabled.")
    assert off == ("done", "It says: task events already disabled.")


def test_a_pool_that_scales_itself_and_greenlets(on_rabbitmq: Fleet) -> None:
    scaled = on_rabbitmq.found("scaled", "scales")
    assert scaled[:2] == ("done", "It scales between 2 and 4.")
    assert (scaled[2]["autoscaler"]["max"], scaled[2]["autoscaler"]["min"]) == (4, 2)
    outcome, reason, _ = on_rabbitmq.found("grown", "scales")
    assert outcome == "refused"
    assert "It says: pool_grow is not supported with autoscale." in reason
    off = on_rabbitmq.found("scaled", "greens")
    assert off[:2] == ("refused", "It says: Autoscale not enabled. Its pool is gevent.")
    grown, fewer = on_rabbitmq.found("grown", "greens"), on_rabbitmq.found("fewer", "greens")
    assert grown[:2] == ("done", "It has 5 slots, and had 2.")
    assert grown[2]["pool"]["max-concurrency"] == 5
    assert fewer[2]["pool"]["max-concurrency"] == 1
    forbidden = on_rabbitmq.found("restarted", "scales")
    assert forbidden[:2] == ("refused", "It says: Pool restarts not enabled. Its pool is prefork.")


def test_a_soft_shutdown_gives_what_runs_its_time(fleets: dict[str, Fleet]) -> None:
    softly = fleets["redis"].found("softly", "forks")
    assert softly[:2] == (
        "done",
        "It answers no more: what it runs has its time, and then it ends.",
    )
    forks = fleets["redis"].workers[0]
    assert forks.wait() == 0
    assert "Initiating Soft Shutdown, terminating in 2.0 seconds" in forks.output()
    has_none = fleets["rabbitmq"].found("has no time", "scales")
    assert has_none[:2] == (
        "refused",
        "It says: worker_soft_shutdown_timeout is 0: what runs would be broken off at once.",
    )


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_all_that_are_online_shut_down(fleets: dict[str, Fleet], broker: str) -> None:
    fleet = fleets[broker]
    # One that takes longer to end than is waited for is unknown; whether it has, is seen below.
    told = fleet.outcomes("shut")
    assert set(told.values()) <= {"done", "unknown"}
    assert set(told) >= {"threads"} if broker == "redis" else {"scales", "greens"}
    assert set(fleet.outcomes("after").values()) <= {"unknown", "refused"}
    for worker in fleet.workers:
        assert worker.wait() == 0
    online = fleet.scene.records.workers.filter(online=True)
    wait_until(lambda: not online.exists(), PATIENCE, "both stopped on record")
