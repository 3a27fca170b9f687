import random
from collections import Counter

import pytest

from example_project.shop import jobs, tasks


def described(job):
    return job.steps, job.options.keys(), job.treatment, repr(job.signature.task)


@pytest.mark.parametrize("runs", [1, 7, 60, 500])
def test_a_plan_takes_exactly_the_runs_that_were_asked_for(runs):
    plan = jobs.plan(runs, random.Random(1))
    assert sum(job.runs for job in plan) == runs


def test_the_same_seed_makes_the_same_plan():
    first, second = (jobs.plan(200, random.Random(5)) for _ in range(2))
    assert [described(job) for job in first] == [described(job) for job in second]


def test_another_seed_makes_another_plan():
    first, second = (jobs.plan(200, random.Random(seed)) for seed in (5, 6))
    assert [described(job) for job in first] != [described(job) for job in second]


def test_a_plan_of_some_size_has_every_outcome():
    steps = [step for job in jobs.plan(500, random.Random(1)) for step in job.steps]
    assert set(Counter(step.outcome for step in steps)) == {
        "SUCCESS",
        "FAILURE",
        "IGNORED",
        "REJECTED",
        "REVOKED",
        "PENDING",
        "never sent",
    }
    assert any(step.retries for step in steps)


def test_what_expires_is_sent_first():
    expiring = ["expires" in job.options for job in jobs.plan(500, random.Random(1))]
    assert any(expiring)
    assert expiring == sorted(expiring, reverse=True)


@pytest.mark.parametrize("slug", jobs.KINDS)
def test_the_signatures_of_a_kind_are_of_the_tasks_it_expects(slug):
    job = jobs.KINDS[slug].make(random.Random(3))
    signature = job.signature
    parts = getattr(signature, "tasks", [signature])
    body = [signature.body] if hasattr(signature, "body") else []
    assert [part.task for part in [*parts, *body]] == [step.name for step in job.steps]


def test_an_archive_weighs_two_megabytes():
    (text,) = jobs.KINDS["archive"].make(random.Random(3)).signature.args
    assert len(text) > 2_000_000


def test_a_basket_cannot_be_printed():
    (basket,) = jobs.KINDS["basket"].make(random.Random(3)).signature.args
    with pytest.raises(RuntimeError, match="no repr"):
        repr(basket)


def test_a_bit_of_everything_leaves_no_worker_busy_for_good():
    kinds = {kind.slug for kind in jobs.ending()}
    assert kinds == jobs.KINDS.keys() - {"import"}
    assert tasks.import_catalogue.time_limit == 60
