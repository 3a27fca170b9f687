"""Tasks that are retried on real workers: what arrives is what was sent at first."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import kombu
import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness import servers
from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import APP, Scene
from tests.process.harness.waiting import wait_until

BROKERS = ("redis", "rabbitmq")
SERIALIZERS = ("json", "pickle", "yaml", "msgpack")
COMPRESSIONS = (None, "gzip", "bzip2")
RESULTS = servers.redis_url()
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
RETRY = """
from z4j_django import operations
ids, options = json.loads({given!r})
operation = operations.retry(ids, actor="a test", **options)
fields = ("target", "outcome", "reason", "result_id")
print(json.dumps(list(operation.targets.order_by("position").values(*fields))))
"""
IMPORTS = f"""
from celery import chain, chord, group
from celery.canvas import StampingVisitor
from {APP}.retries import double_once_mended, fail_always, note_failure, tell
from {APP}.tasks import add, fail, total

class Stamps(StampingVisitor):
    def on_signature(self, signature, **headers):
        return {{"customer": "42"}}
"""


@dataclass(frozen=True)
class Shop:
    """A scene whose worker takes everything."""

    scene: Scene
    broker: str

    def run(self, code: str) -> Any:
        """What a script of the project printed, as JSON."""
        return json.loads(self.scene.script(IMPORTS + code, environment(self.scene)))

    def retry(self, task_ids: str | list[str], **options: Any) -> list[dict[str, str]]:
        """Retry, and tell what came of each."""
        return list(self.run(RETRY.format(given=json.dumps([task_ids, options]))))

    def retried(self, task_id: str, **options: Any) -> str:
        """Retry one task that can be; the new one's id."""
        [outcome] = self.retry(task_id, **options)
        assert outcome["outcome"] == "done", outcome
        return outcome["result_id"]

    def refused(self, task_id: str, **options: Any) -> str:
        """Retry one task that can't be; why not."""
        [outcome] = self.retry(task_id, **options)
        assert outcome["outcome"] == "refused", outcome
        assert outcome["result_id"] == ""
        return outcome["reason"]

    def ended(self, *task_ids: str) -> None:
        """Wait for the ends of tasks."""
        left = self.scene.records.unfinished
        wait_until(lambda: not left(task_ids), PATIENCE, f"the ends of {task_ids}")

    def result(self, task_id: str) -> Any:
        """What a task returned, once it has."""
        self.scene.wait_for_state(task_id, "SUCCESS")
        return self.scene.records.task(task_id).result


def environment(scene: Scene) -> dict[str, str]:
    return {
        **scene.environment(),
        "SCENE_RESULTS": RESULTS,
        "SCENE_ACCEPT": " ".join(SERIALIZERS),
        "C_FORCE_ROOT": "1",  # or root could start no worker that accepts pickle
    }


@pytest.fixture(scope="module", params=BROKERS)
def shop(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Shop]:
    with make_scene(request.param) as scene:
        options = ("-P", "prefork", "-c", "2", "-I", f"{APP}.retries")
        scene.worker(*options, environment=environment(scene))
        yield Shop(scene, request.param)
        forget_results(scene)


def forget_results(scene: Scene) -> None:
    from redis import Redis

    with Redis.from_url(RESULTS) as server:
        for key in server.scan_iter(match=f"{scene.queue}.*"):
            server.delete(key)


def test_a_retry_is_a_new_task_that_names_the_old_one(shop: Shop) -> None:
    sent = f"add.apply_async((1, 2), {{'note': 'x'}}, headers={{'traceparent': '{TRACEPARENT}'}})"
    task_id = shop.run(f"print(json.dumps({sent}.id))")
    shop.ended(task_id)
    new_id = shop.retried(task_id)
    shop.ended(new_id)
    records = shop.scene.records
    wait_until(lambda: "sent" in records.timeline(new_id), PATIENCE, "its send")
    retried = records.task(new_id)
    assert (retried.retry_of, retried.root_id, retried.parent_id) == (task_id, new_id, "")
    assert (retried.args, retried.kwargs, retried.result) == ([1, 2], {"note": "x"}, 3)
    assert retried.operation is not None
    ids = [(one.trace_id, one.parent_span_id) for one in (records.task(task_id), retried)]
    assert ids == [tuple(TRACEPARENT.split("-")[1:3])] * 2  # headers are sent as they were
    again = shop.retried(new_id)
    shop.ended(again)
    assert records.task(again).retry_of == new_id


def test_every_serializer_and_compression_arrives_as_it_was_sent(shop: Shop) -> None:
    cases = [(serializer, method) for serializer in SERIALIZERS for method in COMPRESSIONS]
    ids = shop.run(f"""
import datetime
sent = []
for serializer, method in {cases!r}:
    plain = ["é", 2**40, 1.5, None, True, {{"deep": [[], {{}}]}}, "long " * 1000]
    if serializer == "pickle":
        plain += [(1, 2), {{3}}, datetime.date(2026, 5, 1), b"bytes"]
    if serializer == "json":
        plain += [datetime.datetime(2026, 5, 1, tzinfo=datetime.UTC), b"bytes"]
    if serializer == "msgpack":
        plain += [b"bytes"]
    sent.append(tell.apply_async(plain, {{"k": plain[:3]}}, serializer=serializer,
        compression=method, priority=5, time_limit=30, soft_time_limit=20, shadow="a shadow",
        headers={{"x-mine": {{"a": [1]}}}}, expires=600,
        # kombu's YAML writes no signature.
        link=None if serializer == "yaml" else add.si(1, 2)).id)
print(json.dumps(sent))
""")
    shop.ended(*ids)
    outcomes = shop.retry(ids)
    assert {outcome["outcome"] for outcome in outcomes} == {"done"}, outcomes
    for (serializer, method), task_id, outcome in zip(cases, ids, outcomes, strict=True):
        before, after = shop.result(task_id), shop.result(outcome["result_id"])
        assert before.pop("expires"), (serializer, method)
        assert after.pop("expires") is None
        assert before.pop("reply_to")
        assert not after.pop("reply_to")
        assert before.pop("root_id") == task_id
        assert after.pop("root_id") == outcome["result_id"]
        assert before == after, (serializer, method)
        assert after["priority"] == 5
        assert after["timelimit"] == [30, 20]
        assert after["custom"] == {"a": [1]}
        assert after["correlation"]
        assert ("keep their ids" in outcome["reason"]) == (serializer == "pickle")


def test_stamps_stay(shop: Shop) -> None:
    task_id = shop.run("""
signature = tell.s()
signature.stamp(Stamps())
print(json.dumps(signature.apply_async().id))
""")
    shop.ended(task_id)
    told = shop.result(shop.retried(task_id))
    assert told["stamps"] == shop.result(task_id)["stamps"] == {"customer": "42"}


def test_a_failed_chain_goes_on_from_its_third_step(shop: Shop) -> None:
    mended = shop.scene.folder / f"mended-{shop.broker}"
    chained = shop.run(f"""
third = double_once_mended.s({str(mended)!r})
last = chain(add.s(1, 2), add.s(10), third, add.s(100), add.s(1000)).apply_async()
ids = [last.id]
while last.parent:
    last = last.parent
    ids.insert(0, last.id)
print(json.dumps(ids))
""")
    assert len(chained) == 5
    shop.scene.wait_for_state(chained[2], "FAILURE")
    mended.touch()
    new_id = shop.retried(chained[2])
    assert shop.result(new_id) == 26
    children = shop.scene.records.tasks.filter(root_id=chained[0]).exclude(task_id__in=chained[:3])
    wait_until(lambda: children.filter(state="SUCCESS").count() == 3, PATIENCE, "the chain's end")
    fourth = children.get(parent_id=new_id)
    fifth = children.get(parent_id=fourth.task_id)
    assert (fourth.result, fifth.result) == (126, 1126)
    # Fresh ids: whoever asked for the old ones has been told that they failed.
    assert not {fourth.task_id, fifth.task_id} & set(chained)
    # The first two steps ran once.
    assert [shop.scene.records.counted(one)["started"] for one in chained[:2]] == [1, 1]


def test_with_keep_ids_whoever_waits_for_the_chain_sees_it_complete(shop: Shop) -> None:
    mended = shop.scene.folder / f"kept-{shop.broker}"
    chained = shop.run(f"""
second = double_once_mended.s({str(mended)!r})
last = chain(add.s(1, 2), second, add.s(100), add.s(1000)).apply_async()
print(json.dumps([last.parent.parent.id, last.parent.id, last.id]))
""")
    shop.scene.wait_for_state(chained[0], "FAILURE")
    mended.touch()
    shop.retried(chained[0], keep_ids=True)
    assert shop.result(chained[2]) == 1106
    assert shop.run(f"print(json.dumps(app.AsyncResult({chained[2]!r}).get(timeout=20)))") == 1106


@pytest.mark.parametrize("keep_ids", [False, True])
def test_a_chain_goes_on_through_its_chords_nested_ones_included(
    shop: Shop, keep_ids: bool
) -> None:
    mended = shop.scene.folder / f"chords-{shop.broker}-{keep_ids}"
    first, last = shop.run(f"""
first = double_once_mended.s(1, {str(mended)!r})
inner = chord([add.s(10), add.s(20)], total.s())
whole = chain(first, group(add.s(1), inner, chain(add.s(2), add.s(3))), total.s(), add.s(1000))
last = whole.apply_async()
step = last
while step.parent:
    step = step.parent
print(json.dumps([step.id, last.id]))
""")
    shop.scene.wait_for_state(first, "FAILURE")
    mended.touch()
    before = set(shop.scene.records.tasks.values_list("task_id", flat=True))
    shop.retried(first, keep_ids=keep_ids)
    # 2 goes to 3, to 12 + 22, and to 7.
    added = shop.scene.records.tasks.filter(name="add", state="SUCCESS")
    ends = wait_until(
        lambda: {
            one.task_id: one.result
            for one in added.exclude(task_id__in=before)
            if one.result is not None and one.result > 1000
        },
        PATIENCE,
        "the end",
    )
    assert list(ends.values()) == [1044]
    assert (last in ends) == keep_ids
    if keep_ids:
        assert shop.run(f"print(json.dumps(app.AsyncResult({last!r}).get(timeout=20)))") == 1044


def test_callbacks_and_errbacks_stay(shop: Shop) -> None:
    trail = shop.scene.folder / f"errbacks-{shop.broker}"
    linked, failed = shop.run(f"""
linked = add.apply_async((1, 2), link=add.s(10).set(task_id="link-{shop.broker}"))
failed = fail_always.apply_async((1,), link_error=note_failure.s(path={str(trail)!r}))
print(json.dumps([linked.id, failed.id]))
""")
    shop.ended(linked, failed)
    wait_until(trail.exists, PATIENCE, "the errback")
    new_id, again = shop.retried(linked), shop.retried(failed)
    shop.ended(new_id, again)
    called = shop.scene.records.tasks.filter(parent_id=new_id)
    wait_until(lambda: called.filter(state="SUCCESS").exists(), PATIENCE, "the callback")
    callback = called.get()
    assert callback.result == 13
    assert callback.task_id != f"link-{shop.broker}"
    wait_until(lambda: len(trail.read_text().split()) == 2, PATIENCE, "the errback again")
    assert trail.read_text().split() == [failed, again]


def test_a_chords_member_is_refused_and_runs_alone_if_forced(shop: Shop) -> None:
    ids = shop.run("""
result = chord([add.s(1, 1), add.s(2, 2)], total.s()).apply_async()
chained = chord([chain(add.s(1, 1), add.s(2)), add.s(3, 3)], total.s()).apply_async()
print(json.dumps({
    "body": result.id, "members": [one.id for one in result.parent],
    "second": chained.id, "first step": chained.parent[0].parent.id,
}))
""")
    member, first_step = ids["members"][0], ids["first step"]
    shop.ended(member, ids["body"], ids["second"], first_step)
    for task_id, body in ((member, ids["body"]), (first_step, ids["second"])):
        reason = shop.refused(task_id)
        assert body in reason
        assert "retry_group" in reason
    new_id = shop.retried(member, force=True)
    assert shop.result(new_id) == 2
    freed = shop.scene.records.task(new_id)
    assert (freed.group_id, freed.chord_id) == ("", "")
    step = shop.retried(first_step, force=True)
    assert shop.result(step) == 2
    following = shop.scene.records.tasks.filter(parent_id=step)
    wait_until(lambda: following.filter(state="SUCCESS").exists(), PATIENCE, "the next step")
    assert (following.get().result, following.get().chord_id) == (4, "")


def test_other_arguments_are_checked_against_the_tasks_signature(shop: Shop) -> None:
    task_id = shop.run("print(json.dumps(add.delay(1, 2).id))")
    shop.ended(task_id)
    assert shop.refused(task_id, args=[1, 2, 3]) == (
        "add(x, y, *, note=…) can't be called like this: too many positional arguments."
    )
    assert "unexpected keyword argument 'z'" in shop.refused(task_id, kwargs={"z": 1})
    new_id = shop.retried(task_id, args=[20, 22], kwargs={"note": "other"})
    assert shop.result(new_id) == 42
    retried = shop.scene.records.task(new_id)
    assert (retried.args, retried.kwargs) == ([20, 22], {"note": "other"})


def test_a_pickled_task_takes_no_other_arguments(shop: Shop) -> None:
    task_id = shop.run('print(json.dumps(add.apply_async((1, 2), serializer="pickle").id))')
    shop.ended(task_id)
    assert "never unpickled" in shop.refused(task_id, args=[3, 4])


def test_what_has_not_ended_is_refused_unless_forced(shop: Shop) -> None:
    task_id = shop.run("print(json.dumps(add.apply_async((1, 2), countdown=3600).id))")
    shop.scene.wait_for_state(task_id, "RECEIVED")
    reason = shop.refused(task_id)
    assert reason.startswith(f"It is RECEIVED on {shop.scene.hostname()}")
    new_id = shop.retried(task_id, force=True)
    assert shop.result(new_id) == 3  # at once: the old ETA is not replayed
    assert shop.scene.records.task(new_id).eta is None


def test_a_countdown_and_a_limit_are_set_where_they_are_asked_for(shop: Shop) -> None:
    task_id = shop.run("print(json.dumps(add.delay(1, 2).id))")
    shop.ended(task_id)
    new_id = shop.retried(task_id, countdown=3600, expires=7200)
    shop.scene.wait_for_state(new_id, "RECEIVED")
    retried = shop.scene.records.task(new_id)
    assert retried.eta is not None
    assert retried.expires is not None
    assert retried.sent_at is not None
    assert round((retried.eta - retried.sent_at).total_seconds()) == 3600
    assert round((retried.expires - retried.sent_at).total_seconds()) == 7200


def test_another_queue_is_made_where_there_is_none(shop: Shop) -> None:
    other = f"{shop.scene.queue}.other"
    task_id = shop.run("print(json.dumps(add.delay(1, 2).id))")
    shop.ended(task_id)
    new_id = shop.retried(task_id, queue=other)
    shop.scene.wait_for_state(new_id, "PENDING")
    assert shop.scene.records.task(new_id).queue == other
    with kombu.Connection(environment(shop.scene)["CELERY_BROKER_URL"]) as connection:
        channel = connection.channel()
        if shop.broker == "redis":
            keyed = connection.clone(transport_options={"global_keyprefix": f"{shop.scene.queue}."})
            channel = keyed.channel()
        message = kombu.Queue(other)(channel).get(no_ack=True)
        assert message is not None
        assert message.headers["id"] == new_id
        if shop.broker == "rabbitmq":
            channel.queue_delete(other)
            channel.exchange_delete(other)


def test_many_are_retried_over_one_connection(shop: Shop) -> None:
    ids = shop.run("print(json.dumps([add.delay(n, n).id for n in range(20)]))")
    shop.ended(*ids)
    outcomes = shop.retry(ids)
    assert {outcome["outcome"] for outcome in outcomes} == {"done"}
    assert [shop.result(outcome["result_id"]) for outcome in outcomes] == [2 * n for n in range(20)]


def test_the_command_retries_too_and_its_send_is_on_record(shop: Shop) -> None:
    task_id = shop.run("print(json.dumps(add.delay(20, 22).id))")
    shop.ended(task_id)
    ended = shop.scene.run(
        *(sys.executable, "-m", "django", "z4j_retry", task_id, "--yes", "--json"),
        environment=environment(shop.scene),
    )
    assert ended.returncode == 0, ended.stderr
    [target] = json.loads(ended.stdout)["targets"]
    new_id = target["result_id"]
    assert shop.result(new_id) == 42
    wait_until(lambda: "sent" in shop.scene.records.timeline(new_id), PATIENCE, "its send")


def test_on_the_file_system_it_is_the_same(make_scene: SceneMaker) -> None:
    with make_scene("filesystem") as scene:
        shop = Shop(scene, "filesystem")
        scene.worker("-P", "solo", "-I", f"{APP}.retries", environment=environment(scene))
        task_id = shop.run("print(json.dumps(add.apply_async((1, 2), link=add.s(10)).id))")
        shop.ended(task_id)
        new_id = shop.retried(task_id)
        assert shop.result(new_id) == 3
        called = scene.records.tasks.filter(parent_id=new_id)
        wait_until(lambda: called.filter(state="SUCCESS").exists(), PATIENCE, "the callback")
        assert called.get().result == 13
        forget_results(scene)


def test_what_is_not_on_record_is_refused(shop: Shop) -> None:
    assert shop.refused("nobody") == "No task of this id is on record."
