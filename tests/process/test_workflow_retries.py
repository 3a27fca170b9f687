"""Chords in chains, chains in chords and chords in chords, run again on real workers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.process.conftest import SceneMaker
from tests.process.harness import tables
from tests.process.harness.processes import PATIENCE
from tests.process.harness.tables import Table
from tests.process.harness.waiting import wait_until


@pytest.fixture(scope="module", params=tables.COMBINATIONS, ids=lambda one: f"{one[0]}-{one[1]}")
def table(request: pytest.FixtureRequest, make_scene: SceneMaker) -> Iterator[Table]:
    with tables.laid(make_scene, *request.param) as laid:
        yield laid


def test_a_chord_within_a_chord_is_completed_and_completes_the_outer_one(table: Table) -> None:
    table.break_all()
    inner = "chord([seat.s(1), seat.s(2, True)], listing.s())"
    chord = table.publish_chord(f"chord([{inner}, seat.s(3)], listing.s())")
    inner_id = table.records.groups.filter(body_id=chord["members"][0])
    wait_until(inner_id.exists, PATIENCE, "the inner chord on record")
    inner_group = inner_id.get().group_id
    table.wait_for_ends([*table.records.members(inner_group), chord["members"][1]])
    table.mend_all()
    refusal = table.retry(inner_group, members="failed")["error"]
    assert refusal.startswith(f"{inner_group} is part of the chord {chord['group']}: retry that")
    body = table.body(table.retry(chord["group"], members="failed"))
    assert body.result == [[1, 2], 3]
    assert table.runs() == {"seat": 1, "listing": 2}


def test_a_chord_within_a_chord_that_stood_does_not_run_again(table: Table) -> None:
    table.break_all()
    inner = "chord([seat.s(1), seat.s(2)], listing.s())"
    chord = table.publish_chord(f"chord([{inner}, seat.s(3, True)], listing.s())")
    table.wait_for_ends(chord["members"])
    table.mend_all()
    body = table.body(table.retry(chord["group"], members="failed"))
    assert body.result == [[1, 2], 3]
    assert table.runs() == {"seat": 1, "listing": 1}


def test_all_of_a_chord_within_a_chord_runs_again(table: Table) -> None:
    table.break_all()
    inner = "chord([seat.s(1), seat.s(2)], listing.s())"
    chord = table.publish_chord(f"chord([{inner}, seat.s(3, True)], listing.s())")
    table.wait_for_ends(chord["members"])
    table.mend_all()
    body = table.body(table.retry(chord["group"], members="all"))
    assert body.result == [[1, 2], 3]
    assert table.runs() == {"seat": 3, "listing": 2}


def test_a_chord_whose_body_is_a_chord_goes_on_with_it(table: Table) -> None:
    table.break_all()
    body = "chord([count.s(), wrap.s('all')], listing.s())"
    code = f"""
sent = chord([seat.s(1), seat.s(2, True)], {body}).apply_async()
print(json.dumps(ids(sent)))
"""
    chord = table.publish(code)
    table.wait_for_ends(chord["members"])
    table.mend_all()
    operation = table.retry(chord["group"], members="failed")
    assert "error" not in operation, operation
    done = table.records.tasks.filter(name="listing", state="SUCCESS")
    results = done.values_list("result", flat=True)
    wait_until(lambda: [2, {"all": [1, 2]}] in results.all(), PATIENCE, "the body's body")
    assert table.runs() == {"seat": 1, "count": 1, "wrap": 1, "listing": 1}


def test_a_chord_in_a_chain_goes_on_with_the_rest_of_the_chain(table: Table) -> None:
    table.break_all()
    code = """
header = group(step.s(10), step.s(20, True))
sent = chain(seat.s(1), header, listing.s(), wrap.s("last"), wrap.s("very")).apply_async()
listed = sent.parent.parent
print(json.dumps({"last": sent.id, "body": listed.id, "group": listed.parent.id,
                  "members": [child.id for child in listed.parent.children]}))
"""
    chord = table.publish(code)
    table.wait_for_ends(chord["members"])
    table.mend_all()
    body = table.body(table.retry(chord["group"], members="failed"))
    assert body.result == [11, 21]
    last = table.records.tasks.filter(name="wrap", root_id=body.root_id, state="SUCCESS")
    wait_until(lambda: last.count() == 2, PATIENCE, "the rest of the chain")
    results = [{"last": [11, 21]}, {"very": {"last": [11, 21]}}]
    assert sorted(map(str, last.values_list("result", flat=True))) == list(map(str, results))
    assert table.runs() == {"step": 1, "listing": 1, "wrap": 2}


def test_members_that_are_chains_go_on_from_their_failed_step(table: Table) -> None:
    table.break_all()
    members = """
    chain(seat.s(1), step.s(10, True), step.s(100)),
    chain(seat.s(2, True), step.s(10)),
    chain(seat.s(3), step.s(10)),
    seat.s(4)
"""
    chord = table.publish_chord(f"chord([{members}], listing.s())")
    table.wait_for_ends(chord["members"][2:])
    table.failures(chord["group"], 2)
    table.mend_all()
    body = table.body(table.retry(chord["group"], members="failed"))
    assert body.result == [111, 12, 13, 4]
    assert table.runs() == {"seat": 1, "step": 3, "listing": 1}
    table.mended_again()
    body = table.body(table.retry(chord["group"], members="all"))
    assert body.result == [111, 12, 13, 4]
    assert table.runs() == {"seat": 4, "step": 4, "listing": 1}


def test_a_member_that_is_a_chain_with_a_chord_in_it_goes_on_from_there(table: Table) -> None:
    table.break_all()
    header = "group(step.s(10), step.s(20, True))"
    member = f"chain(seat.s(1), {header}, listing.s(), wrap.s('first'))"
    chord = table.publish_chord(f"chord([{member}, seat.s(2)], listing.s())")
    table.wait_for_ends(chord["members"][1:])
    failed = table.records.tasks.filter(
        name="step", state="FAILURE", root_id__in=table.roots(chord["members"])
    )
    wait_until(failed.exists, PATIENCE, "the failure")
    table.mend_all()
    body = table.body(table.retry(chord["group"], members="failed"))
    assert body.result == [{"first": [11, 21]}, 2]
    assert table.runs() == {"step": 1, "listing": 2, "wrap": 1}


def test_a_member_that_is_a_chain_that_ends_in_a_group_is_refused(table: Table) -> None:
    table.break_all()
    member = "chain(seat.s(1), group(step.s(10), step.s(20)))"
    chord = table.publish(f"""
sent = chord([{member}, seat.s(5, True)], listing.s()).apply_async()
print(json.dumps({{"group": sent.parent.id, "last": sent.parent.children[1].id}}))
""")
    records = table.records
    table.wait_for_ends([chord["last"]])
    wait_until(lambda: len(records.members(chord["group"])) >= 3, PATIENCE, "its members")
    table.mend_all()
    assert "is a chain that ends in a group" in table.retry(chord["group"])["error"]
    assert not table.runs()


def test_a_chord_that_failed_again_is_retried_from_where_it_stands(table: Table) -> None:
    table.break_all()
    members = "chain(seat.s(1), step.s(10, True)), seat.s(2, True), seat.s(3)"
    chord = table.publish_chord(f"chord([{members}], listing.s())")
    first = table.failures(chord["group"], 2)
    operation = table.retry(chord["group"], members="failed")
    assert "error" not in operation, operation
    new_group = operation["parameters"]["new_group_id"]
    again = table.records.tasks.filter(retry_of__in=first, state="FAILURE")
    wait_until(lambda: again.count() == 2, PATIENCE, "the second failures")
    second = set(again.values_list("task_id", flat=True))
    table.wait_for_ends([target["result_id"] for target in operation["targets"]])
    table.mend_all()
    body = table.body(table.retry(chord["group"], members="failed"))
    assert body.result == [11, 2, 3]
    assert table.runs() == {"seat": 1, "step": 1, "listing": 1}
    assert set(table.records.tasks.filter(retry_of__in=second).values_list("state")) == {
        ("SUCCESS",)
    }
    refusal = table.retry(new_group, members="failed")["error"]
    assert refusal.startswith(f"Nothing to run again: all 3 members of {new_group} succeeded")
    table.mended_again()
    assert table.body(table.retry(new_group, members="all")).result == [11, 2, 3]
    assert table.runs() == {"seat": 3, "step": 1, "listing": 1}


def test_a_body_that_is_a_chain_runs_to_its_end(table: Table) -> None:
    table.break_all()
    body = "chain(listing.s(True), wrap.s('one'), wrap.s('two'))"
    chord = table.publish_chord(f"chord([seat.s(1), seat.s(2)], {body})")
    failed = table.records.tasks.filter(parent_id__in=chord["members"], state="FAILURE")
    wait_until(failed.exists, PATIENCE, "the failure")
    table.mend_all()
    first = table.body(table.retry(chord["group"], members="failed"))
    assert (first.name, first.result) == ("listing", [1, 2])
    second = table.wait_for_success(parent_id=first.task_id)
    last = table.wait_for_success(parent_id=second.task_id)
    assert last.result == {"two": {"one": [1, 2]}}
    assert table.runs() == {"listing": 1, "wrap": 2}
