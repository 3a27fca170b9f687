"""Steering workers: what is refused, what is told, what was seen, and what is remembered of it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import Any

import celery
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from tests.integration import operators
from tests.integration.api_client import address, body, client
from tests.integration.pages import text
from tests.integration.test_operating_commands import fails, run
from z4j_django import operations, verbs
from z4j_django.control import broadcasting
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation, OperationTarget, WorkerRecord
from z4j_django.operations import steering
from z4j_django.queries import limits

pytestmark = pytest.mark.django_db


class Fleet:
    """Workers that do what they are told, each by its name."""

    def __init__(self) -> None:
        self.workers: dict[str, dict[str, Any]] = {}
        self.told: list[tuple[str, dict[str, Any], tuple[str, ...]]] = []
        self.hangs = False
        self.lazy = False

    def add(self, hostname: str, *, online: bool = True, pool: str = "prefork") -> WorkerRecord:
        processes = [1, 2] if pool == "prefork" else None
        self.workers[hostname] = {
            "pool": pool, "processes": processes, "queues": {"celery"}, "limits": {}, "twins": 1,
        }  # fmt: skip
        return record(hostname, online=online, pool=pool)

    def to_some(
        self, app: Any, command: str, given: dict[str, Any], names: Collection[str], **how: Any
    ) -> dict[str, list[Any]]:
        if self.hangs:
            raise TimeoutError("no answer within 2.5 s")
        self.told.append((command, given, tuple(names)))
        found = {}
        for name in names:
            if name in self.workers:
                answer = getattr(self, f"_{command}")(self.workers[name], **given)
                found[name] = [answer] * self.workers[name]["twins"]
        return {name: told for name, told in found.items() if told != [None]}

    def _ping(self, one: dict[str, Any]) -> Any:
        return {"ok": "pong"}

    def _stats(self, one: dict[str, Any]) -> Any:
        if one.get("ended"):
            return None
        pool = {
            "implementation": f"celery.concurrency.{one['pool']}:TaskPool",
            "max-concurrency": 2,
        }
        processes = {"processes": one["processes"]} if one["processes"] is not None else {}
        return {"pid": 7, "pool": {**pool, **processes}}

    def _pool_grow(self, one: dict[str, Any], n: int) -> Any:
        if one["processes"] is None:
            return {"error": "AttributeError(\"'TaskPool' object has no attribute 'grow'\")"}
        if not self.lazy:
            one["processes"] = [*one["processes"], *range(10, 10 + n)]
        return {"ok": "pool will grow"}

    def _pool_shrink(self, one: dict[str, Any], n: int) -> Any:
        one["processes"] = one["processes"][:-1]
        return {"error": 'ValueError("Can\'t shrink pool. All processes busy!")'}

    def _autoscale(self, one: dict[str, Any], max: int, min: int | None) -> Any:
        return {"error": "ValueError('Autoscale not enabled')"}

    def _pool_restart(self, one: dict[str, Any]) -> Any:
        return {"error": "KeyError('pool_restart')"}

    def _shutdown(self, one: dict[str, Any]) -> Any:
        one["ended"] = True
        return None

    def _registered(self, one: dict[str, Any], **given: Any) -> Any:
        pairs = " ".join(f"{name}={value}" for name, value in one["limits"].items())
        return ["other", f"shop.add [{pairs}]" if pairs else "shop.add"]

    def _rate_limit(self, one: dict[str, Any], task_name: str, rate_limit: str | None) -> Any:
        if not self.lazy:
            one["limits"] = {"rate_limit": rate_limit} if rate_limit is not None else {}
        return {"ok": "new rate limit set successfully"}


def record(hostname: str, *, online: bool = True, pool: str = "prefork") -> WorkerRecord:
    now = timezone.now()
    stopped = None if online else now
    given = {"pool": pool, "started_at": now - timedelta(hours=1), "version": "celery 4.4.7"}
    return WorkerRecord.objects.create(
        hostname=hostname, online=online, last_seen=now, stopped_at=stopped, **given
    )


@pytest.fixture
def fleet(mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    made = Fleet()
    monkeypatch.setattr(broadcasting, "to_some", made.to_some)
    monkeypatch.setattr(broadcasting, "patience", lambda app, seconds: seconds)
    monkeypatch.setattr(steering, "TIMEOUT", 0.5)
    monkeypatch.setattr(steering, "ROUND", 0.5)
    return made


def outcomes(operation: Operation) -> list[tuple[str, str, str]]:
    told = operation.targets.order_by("position")
    return [(one.target, one.outcome, one.reason) for one in told]


def steer(verb: str, *names: str, **options: Any) -> list[tuple[str, str]]:
    operation = operations.perform(verb, list(names), options, actor="a test")
    return [(outcome, reason) for _, outcome, reason in outcomes(operation)]


class TestWhich:
    @pytest.mark.parametrize("name", ["w*@shop", "w?@shop", "[ab]@shop"])
    def test_a_wildcard_is_no_name(self, fleet: Fleet, name: str) -> None:
        with pytest.raises(OperationError, match="has a wildcard in it"):
            operations.ping([name], actor="a test")

    @pytest.mark.parametrize("name", ["", " ", "a\0b", 7])
    def test_what_is_no_name_is_refused(self, fleet: Fleet, name: Any) -> None:
        with pytest.raises(OperationError, match="is no name of a worker"):
            operations.ping([name], actor="a test")

    def test_none_is_none(self, fleet: Fleet) -> None:
        with pytest.raises(OperationError, match="no worker was named"):
            operations.ping([], actor="a test")
        with pytest.raises(OperationError, match="No worker is online on record"):
            operations.ping(None, actor="a test")

    def test_all_are_those_that_are_online_on_record_and_no_beat(self, fleet: Fleet) -> None:
        for name in ("w1@a", "w2@a"):
            fleet.add(name)
        fleet.add("left@a", online=False)
        record("beat@a", pool="beat")
        found = outcomes(operations.ping(None, actor="a test"))
        assert {name for name, _, _ in found} == {"w1@a", "w2@a"}
        assert {(outcome, reason) for _, outcome, reason in found} == {("done", "It answered.")}

    def test_one_that_left_is_refused_and_one_that_is_silent_is_unknown(self, fleet: Fleet) -> None:
        record("left@a", online=False)
        record("silent@a")
        left, silent, stranger = steer("pool_grow", "left@a", "silent@a", "stranger@a")
        assert left[0] == "refused"
        assert left[1].startswith("It said goodbye at 2")
        assert silent == ("unknown", "It did not answer within 0.25 s: it was not told.")
        assert stranger == (
            "unknown",
            "There is no worker of this name on record, and none answered within 0.25 s: it was "
            "not told.",
        )
        assert [command for command, _, _ in fleet.told] == ["stats"]

    def test_of_two_with_one_name_neither_is_told(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        fleet.workers["w@a"]["twins"] = 2
        [(outcome, reason)] = steer("pool_grow", "w@a")
        assert outcome == "refused"
        assert reason.startswith("2 workers answer by this name, and none was told")
        assert steer("ping", "w@a") == [("done", "It answered. 2 workers have this name.")]

    def test_another_operator_at_the_same_worker_is_refused(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        first = operations.ping("w@a", actor="a test")
        first.targets.update(outcome="acting", at=timezone.now())
        assert steer("ping", "w@a") == [
            ("refused", f"Operation {first.pk} is steering it just now.")
        ]


class TestHow:
    def test_done_is_what_was_seen(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        assert steer("pool_grow", "w@a", n=2) == [("done", "It has 4 slots, and had 2.")]
        fleet.lazy = True
        [(outcome, reason)] = steer("pool_grow", "w@a", n=2)
        assert outcome == "unknown"
        assert reason == "It says: pool will grow; nothing of it was to be seen within 0.5 s."

    def test_what_a_worker_refuses_it_says_in_its_own_words(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        fleet.add("t@a", pool="thread")
        assert steer("autoscale", "w@a", max=3) == [
            ("refused", "It says: Autoscale not enabled. Its pool is prefork.")
        ]
        assert steer("pool_grow", "t@a") == [
            ("refused", "It says: 'TaskPool' object has no attribute 'grow'. Its pool is threads.")
        ]

    def test_what_was_half_done_says_which_half(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        fleet.workers["w@a"]["processes"] = [1, 2, 3]
        assert steer("pool_shrink", "w@a", n=2) == [
            (
                "refused",
                "It says: Can't shrink pool. All processes busy! Its pool is prefork. "
                "It has 2 slots, and had 3.",
            )
        ]
        assert steer("pool_shrink", "w@a", n=2) == [
            ("refused", "It has 2 slots: none would be left.")
        ]

    def test_one_of_another_version_may_not_know_a_command(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        assert steer("pool_restart", "w@a") == [
            ("refused", "It does not know pool_restart; it is celery 4.4.7.")
        ]

    def test_one_that_ends_answers_no_more(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        assert steer("shutdown", "w@a") == [
            ("done", "It answers no more: it ends what it runs, and then itself.")
        ]

    def test_a_broker_that_hangs_tells_nobody(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        fleet.hangs = True
        assert steer("ping", "w@a") == [
            (
                "unknown",
                "The broker did not answer (no answer within 2.5 s): no worker was told.",
            )
        ]

    def test_no_worker_hears_without_remote_control(
        self, fleet: Fleet, mail_app: celery.Celery, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fleet.add("w@a")
        monkeypatch.setattr(broadcasting, "has_remote_control", lambda app: False)
        [(outcome, reason)] = steer("ping", "w@a")
        assert outcome == "refused"
        assert reason == "The broker's transport has no remote control: no worker hears."
        mail_app.conf.worker_enable_remote_control = False
        [(outcome, reason)] = steer("ping", "w@a")
        assert outcome == "refused"
        assert "worker_enable_remote_control is off" in reason
        assert fleet.told == []

    @pytest.mark.parametrize(
        ("verb", "options", "wrong"),
        [
            ("pool_grow", {"n": 0}, "n: This has to be a whole number from 1 to 1,000."),
            ("autoscale", {"max": 2, "min": 3}, "min: This is more than max."),
            ("rate_limit", {"task": "a"}, "rate: Give rate or reset."),
            ("rate_limit", {"task": "a", "rate": "fast"}, "rate: A rate is a number"),
            ("rate_limit", {"task": "a", "rate": "1/s", "reset": True}, "not both"),
            ("time_limit", {"task": "a"}, "hard: Give hard or soft or reset."),
            ("time_limit", {"task": "a", "hard": 1, "soft": 2}, "soft: This is more than hard"),
            ("add_consumer", {"queue": ""}, "queue: This has to be a text"),
            ("cancel_consumer", {}, "queue: This is required."),
        ],
    )
    def test_options_that_make_no_sense_are_named(
        self, fleet: Fleet, verb: str, options: dict[str, Any], wrong: str
    ) -> None:
        with pytest.raises(OperationError) as raised:
            operations.perform(verb, "w@a", options, actor="a test")
        assert wrong in str(raised.value)
        assert not Operation.objects.exists()

    def test_it_takes_its_permission(self, fleet: Fleet) -> None:
        with pytest.raises(PermissionDenied):
            operations.ping("w@a", actor=User.objects.create(username="nobody"))


class TestLimits:
    def test_one_that_was_set_is_remembered_until_it_is_reset(self, fleet: Fleet) -> None:
        worker = fleet.add("w@a")
        fleet.workers["w@a"]["limits"] = {"rate_limit": "5/s"}
        assert steer("rate_limit", "w@a", task="shop.add", reset=True) == [
            ("refused", "None was set by hand since it started.")
        ]
        for rate in ("10/m", "20/m"):
            assert steer("rate_limit", "w@a", task="shop.add", rate=rate)[0][0] == "done"
        [found] = limits.of_worker(worker)
        assert (str(found), found.task, found.actor) == ("rate limit 20/m", "shop.add", "a test")
        assert [str(one) for one in limits.of_task("default", "shop.add")] == ["rate limit 20/m"]
        assert limits.of_task("default", "other") == []
        assert steer("rate_limit", "w@a", task="shop.add", reset=True) == [
            ("done", "rate limit 5/s; before: rate limit 20/m.")
        ]
        assert limits.of_worker(worker) == []

    def test_one_that_was_not_seen_to_take_effect_is_perhaps_there(self, fleet: Fleet) -> None:
        worker = fleet.add("w@a")
        fleet.lazy = True
        assert steer("rate_limit", "w@a", task="shop.add", rate="10/m")[0][0] == "unknown"
        assert [one.is_sure for one in limits.of_worker(worker)] == [False]
        fleet.workers["w@a"]["limits"] = {"rate_limit": "10/m"}  # it came about after all
        assert steer("rate_limit", "w@a", task="shop.add", reset=True)[0][0] == "unknown"
        [perhaps] = limits.of_worker(worker)
        assert (str(perhaps), perhaps.is_sure) == ("rate limit 10/m", False)
        fleet.lazy = False
        assert steer("rate_limit", "w@a", task="shop.add", reset=True)[0][0] == "done"
        assert limits.of_worker(worker) == []

    def test_a_worker_that_was_never_told_has_none(self, fleet: Fleet) -> None:
        worker = record("silent@a")
        [(outcome, reason)] = steer("rate_limit", "silent@a", task="shop.add", rate="10/m")
        assert (outcome, reason[-16:]) == ("unknown", "it was not told.")
        assert limits.of_worker(worker) == []

    def test_a_worker_that_began_anew_has_none(self, fleet: Fleet) -> None:
        worker = fleet.add("w@a")
        steer("rate_limit", "w@a", task="shop.add", rate="1/s")
        worker.started_at = timezone.now()
        assert limits.of_worker(worker) == []

    def test_a_name_that_a_worker_does_not_know_is_refused(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        assert steer("rate_limit", "w@a", task="shop.none", rate="1/s") == [
            ("refused", "It has no task shop.none.")
        ]

    def test_it_stands_on_the_pages_of_worker_and_task(self, fleet: Fleet, admin_client) -> None:
        worker = fleet.add("w@a")
        steer("rate_limit", "w@a", task="shop.add", rate="10/m")
        shown = text(
            admin_client.get(reverse("admin:z4j_django_workerrecord_change", args=[worker.pk]))
        )
        assert "Limits set by hand" in shown
        assert "rate limit 10/m" in shown
        link = f"{reverse('admin:z4j_django_workerrecord_rate_limit')}?id={worker.pk}"
        assert f"{link}&amp;task=shop.add&amp;reset=on" in shown
        asked = text(admin_client.get(f"{link}&task=shop.add&reset=on"))
        assert 'value="shop.add"' in asked
        assert "checked" in asked
        told = body(client().get(address("workers", "w@a")))
        assert [(one["limit"], one["is_sure"], one["task"]) for one in told["limits"]] == [
            ("rate limit 10/m", True, "shop.add")
        ]
        assert told["releases"] == []


class TestSurfaces:
    def test_each_verb_has_a_page_that_asks_and_acts(self, fleet: Fleet, admin_client) -> None:
        worker = fleet.add("w@a")
        page = f"{reverse('admin:z4j_django_workerrecord_pool_grow')}?id={worker.pk}"
        assert "Grow the pool: w@a" in text(admin_client.get(page))
        answer = admin_client.post(page, {"n": 2}, follow=True)
        assert "1 done" in text(answer)
        target = OperationTarget.objects.get()
        assert (target.kind, target.outcome) == ("worker", "done")

    def test_a_page_does_it_to_all_that_are_online_when_it_is_confirmed(
        self, fleet: Fleet, admin_client
    ) -> None:
        page = f"{reverse('admin:z4j_django_workerrecord_ping')}?all=online"
        shown = text(admin_client.get(page, follow=True))
        assert "No worker is online on record." in shown
        fleet.add("w1@a")
        fleet.add("left@a", online=False)
        link = "Steer all that are online"
        workers_list = reverse("admin:z4j_django_workerrecord_changelist")
        assert link in text(admin_client.get(workers_list))
        asked = text(admin_client.get(page))
        assert "Ping: all that are online (1)" in asked
        assert "left@a" not in asked
        fleet.add("w2@a")
        admin_client.post(page)
        targets = OperationTarget.objects.values_list("target", "outcome")
        assert set(targets) == {("w1@a", "done"), ("w2@a", "done")}
        operator = operators.signed_in("z4j operator")
        assert operator.get(page).status_code == 403
        assert link not in text(operator.get(workers_list))

    def test_a_page_wants_the_permission(self, fleet: Fleet) -> None:
        worker = fleet.add("w@a")
        operator = operators.signed_in("z4j operator")
        for verb in verbs.of("worker"):
            page = reverse(f"admin:z4j_django_workerrecord_{verb.name}")
            assert operator.get(f"{page}?id={worker.pk}").status_code == 403
        shown = text(
            operator.get(reverse("admin:z4j_django_workerrecord_change", args=[worker.pk]))
        )
        assert "Steer it" not in shown

    def test_over_the_api_to_one_to_some_and_to_all(self, fleet: Fleet) -> None:
        fleet.add("w1@a")
        fleet.add("w2@a")
        asks = client("z4j admin")
        one = asks.post(address("workers", "w1@a", "ping"), content_type="application/json")
        assert (one.status_code, body(one, 202)["counts"]["done"]) == (202, 1)
        everyone = {"verb": "pool_grow", "all": True, "n": 2}
        told = asks.post(address("workers"), everyone, content_type="application/json")
        assert (told.status_code, body(told, 202)["counts"]["done"]) == (202, 2)
        some = {"verb": "ping", "hostnames": ["w1@a", "silent@a"]}
        told = asks.post(address("workers"), some, content_type="application/json")
        assert [target["outcome"] for target in body(told, 202)["targets"]] == ["done", "unknown"]
        for wrong in ({"verb": "ping"}, {"verb": "ping", "all": True, "hostnames": ["a"]}, {}):
            told = asks.post(address("workers"), wrong, content_type="application/json")
            assert told.status_code == 400, told.content
        missing = asks.post(address("workers", "none", "ping"), content_type="application/json")
        assert missing.status_code == 404
        strangers = client("z4j operator").post(
            address("workers"), {"verb": "ping", "all": True}, content_type="application/json"
        )
        assert strangers.status_code == 403

    def test_every_verb_has_a_public_function(self) -> None:
        for verb in verbs.of("worker"):
            function = getattr(operations, verb.name)
            assert function.__name__ in operations.__all__

    def test_the_command_does_it_to_some_or_all(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        code, shown = run("z4j_worker", "pool_grow", "w@a", "--n", "2")
        assert (code, shown.splitlines()[0]) == (0, "w@a  done  It has 4 slots, and had 2.")
        code, shown = run("z4j_worker", "ping", "--all", "--dry-run")
        assert "w@a  would be done  It is online." in shown
        assert fails("z4j_worker", "ping") == (2, "Name workers, or --all.")
        assert fails("z4j_worker", "shutdown", "w@a")[0] == 2  # nobody can be asked
        code, shown = run("z4j_worker", "rate_limit", "w@a", "--task", "no", "--rate", "1/s")
        assert code == 1
        assert "It has no task no." in shown


class TestLive:
    def test_it_is_told_bounded_and_masked_and_what_is_missing_is_named(
        self, fleet: Fleet, admin_client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        worker = fleet.add("w@a")
        conf = {"broker_password": "hunter2", "task_always_eager": True, "SECRET_KEY": "hunter3"}
        tasks = [
            {"id": f"t{number}", "name": "shop.add", "args": "hunter4"} for number in range(150)
        ]
        monkeypatch.setattr(Fleet, "_conf", lambda self, one: conf, raising=False)
        monkeypatch.setattr(Fleet, "_active", lambda self, one, safe: tasks, raising=False)
        monkeypatch.setattr(Fleet, "_reserved", lambda self, one: {"error": "no"}, raising=False)
        monkeypatch.setattr(Fleet, "_revoked", lambda self, one: None, raising=False)
        for silent in ("scheduled", "active_queues", "z4j_processes"):
            monkeypatch.setattr(Fleet, f"_{silent}", lambda self, one: None, raising=False)
        found = body(client().get(address("workers", "w@a", "live")))
        assert found["active"]["count"] == 150
        assert len(found["active"]["tasks"]) == 100
        assert found["conf"] == {"broker_password": "••••••", "task_always_eager": True}
        assert found["errors"] == {"reserved": "no"}
        assert set(found["silent"]) == {"revoked", "scheduled", "active_queues", "processes"}
        assert (found["scheduled"], found["reserved"], found["processes"]) == (None, None, None)
        assert (found["stats"]["pool"], found["stats"]["slots"]) == ("prefork", 2)
        page = reverse("admin:z4j_django_workerrecord_live", args=[worker.pk])
        for shown in (text(admin_client.get(page)), text(admin_client.get(f"{page}?part=live"))):
            assert "It did not tell in time: scheduled, revoked, active_queues, processes." in shown
            assert "hunter" not in shown

    def test_who_may_not_view_tasks_is_told_of_none(self, fleet: Fleet) -> None:
        fleet.add("w@a")
        asks = client("staff")
        assert asks.get(address("workers", "w@a", "live")).status_code == 403
        assert client().get(address("workers", "none", "live")).status_code == 404
