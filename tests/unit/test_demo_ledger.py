import json
import os

import pytest

from example_project.shop import ledger
from example_project.shop.comparison import (
    NEVER_SENT,
    Expected,
    ExpectedGroup,
    Recorded,
    compare,
    compare_groups,
    tabulate,
)
from example_project.shop.ledger import History


def line(task_id, what, at, retries=0):
    entry = {"id": task_id, "name": "shop.a", "retries": retries, "what": what, "at": at}
    return json.dumps(entry) + "\n"


def plan(outcome="SUCCESS", starts=1, ends=1):
    return Expected("t1", "shop.a", outcome, starts, ends)


def history(*outcomes, starts=1, retries=0, is_open=False):
    return History("shop.a", starts, outcomes, retries, is_open)


def record(state="SUCCESS", name="shop.a", retries=0, starts=1, ends=1, revocations=0):
    return Recorded(name, state, retries, starts, ends, revocations)


def texts(expected, noted, on_record):
    found = compare(
        {"t1": expected},
        {} if noted is None else {"t1": noted},
        {} if on_record is None else {"t1": on_record},
    )
    return [difference.text for difference in found]


def test_lines_of_several_processes_make_one_history_in_the_order_of_time():
    lines = [
        line("t1", "SUCCESS", 4.0, retries=1),
        line("t1", "start", 3.0, retries=1),
        line("t1", "start", 1.0),
        line("t1", "RETRY", 2.0),
    ]
    assert ledger.histories(lines) == {
        "t1": History("shop.a", 2, ("RETRY", "SUCCESS"), 1, open=False)
    }


def test_a_start_without_an_end_leaves_the_history_open():
    assert ledger.histories([line("t1", "start", 1.0)])["t1"].open


def test_a_torn_last_line_is_left_out():
    assert set(ledger.histories([line("t1", "start", 1.0), '{"id": "t2", "na'])) == {"t1"}


def test_what_the_tasks_append_is_what_is_read(tmp_path, settings):
    settings.LEDGER_DIR = tmp_path / "ledger"
    ledger.start("t1", "shop.a", 0)
    ledger.end("t1", "shop.a", 0, "FAILURE")
    assert ledger.read(tmp_path / "ledger") == {"t1": history("FAILURE")}
    assert [path.name for path in (tmp_path / "ledger").iterdir()] == [f"{os.getpid()}.ndjson"]


@pytest.mark.parametrize(
    ("expected", "noted", "on_record"),
    [
        (plan(), history("SUCCESS"), record()),
        (
            plan(starts=2, ends=2),
            history("RETRY", "SUCCESS", starts=2, retries=1),
            record(retries=1, starts=2, ends=2),
        ),
        # killed at its time limit: the worker says the end
        (plan("FAILURE", ends=0), history(is_open=True), record("FAILURE")),
        # terminated
        (
            plan("REVOKED", ends=0),
            history(is_open=True),
            record("REVOKED", ends=0, revocations=1),
        ),
        # revoked or expired before it began
        (
            plan("REVOKED", starts=0, ends=0),
            None,
            record("REVOKED", starts=0, ends=0, revocations=1),
        ),
        # the body of a chord that failed
        (plan("PENDING", starts=0, ends=0), None, record("PENDING", starts=0, ends=0)),
        # the rest of a chain that broke
        (plan(NEVER_SENT, starts=0, ends=0), None, None),
        (plan(NEVER_SENT, starts=0, ends=0), None, record("PENDING", starts=0, ends=0)),
    ],
)
def test_records_that_agree_with_the_ledger_show_no_difference(expected, noted, on_record):
    assert texts(expected, noted, on_record) == []


@pytest.mark.parametrize(
    ("on_record", "text"),
    [
        (None, "has no record"),
        (record(name="shop.b"), "is named 'shop.b' on record"),
        (record("STARTED"), "is STARTED on record, SUCCESS by the ledger"),
        (record(retries=1), "has 1 retries on record, 0 in the ledger"),
        (record(starts=0), "has 0 starts on record, 1 in the ledger"),
        (record(ends=2), "has 2 ends on record, 1 by the ledger"),
        (record(revocations=1), "has 1 revocations on record and is SUCCESS"),
    ],
)
def test_a_record_that_differs_in_anything_is_named(on_record, text):
    assert texts(plan(), history("SUCCESS"), on_record) == [text]


def test_a_ledger_that_differs_from_what_was_expected_is_named():
    assert texts(plan(), None, record(starts=0, ends=0)) == [
        "has 0 starts in the ledger, should have 1",
        "has 0 ends in the ledger, should have 1",
    ]
    assert texts(plan(), history("FAILURE"), record("FAILURE")) == [
        "is FAILURE in the ledger, should be SUCCESS"
    ]


def test_a_chain_that_went_on_though_it_should_have_broken_is_named():
    expected = plan(NEVER_SENT, starts=0, ends=0)
    assert "is SUCCESS in the ledger, should be never sent" in texts(
        expected, history("SUCCESS"), record()
    )


def test_tasks_that_nobody_sent_are_named():
    found = compare({}, {"t1": history("SUCCESS")}, {"t2": record()})
    assert [str(difference) for difference in found] == [
        "shop.a t1: is in the ledger, and nobody sent it",
        "shop.a t2: is on record, and nobody sent it",
    ]


def test_groups_are_compared_whole():
    sent = ExpectedGroup("g1", "chord", 3, body_id="b1", body_name="shop.body")
    assert compare_groups([sent], {"g1": sent}) == []
    assert len(compare_groups([sent], {})) == 1
    smaller = ExpectedGroup("g1", "chord", 2, body_id="b1", body_name="shop.body")
    assert len(compare_groups([sent], {"g1": smaller})) == 1


def test_the_table_counts_by_name_and_outcome_and_leaves_out_what_was_never_sent():
    expected = {
        "t1": plan(),
        "t2": Expected("t2", "shop.a", "SUCCESS", 1, 1),
        "t3": Expected("t3", "shop.b", NEVER_SENT, 0, 0),
    }
    noted = {"t1": history("SUCCESS"), "t2": history("SUCCESS")}
    on_record = {"t1": record(), "t2": record("STARTED", ends=0)}
    differences = compare(expected, noted, on_record)
    assert len(differences) == 2
    assert tabulate(expected, noted, on_record, differences).splitlines() == [
        "task    outcome  ledger  records  differences",
        "---------------------------------------------",
        "shop.a  SUCCESS       2        1            1",
        "---------------------------------------------",
        "total                 2        1            1",
    ]
