"""Chords of whose body nothing comes, where that is a group or a chord, played by Celery itself."""

from __future__ import annotations

from datetime import timedelta

import celery
import pytest
from django.utils import timezone

from tests.integration import played
from tests.integration.played import Play
from tests.integration.test_nested_workflows import (
    ALL,
    WITH_END,
    Workflow,
    group_group,
    group_group_task,
    retried,
)
from z4j_django.conditions import chord_stuck
from z4j_django.conditions.base import Finding
from z4j_django.conditions.scene import Scene
from z4j_django.models import TaskRecord

pytestmark = pytest.mark.django_db


@pytest.fixture
def play(chord_app: celery.Celery) -> Play:
    return Play(chord_app)


def find() -> list[Finding]:
    """What is stuck some minutes later."""
    later = timezone.now() + timedelta(minutes=5)
    return list(chord_stuck.find(Scene("default", later), chord_stuck.ChordStuck()))


def leave_stuck(play: Play, workflow: Workflow) -> None:
    """All members of the header succeed, and nothing comes of it."""
    play.broken = {"a"}
    play.run(workflow(play))
    assert find() == []
    TaskRecord.objects.filter(name="a").update(state="SUCCESS")


@pytest.mark.parametrize(
    ("workflow", "body"), [(group_group, "(a group)"), *((one, "(a chord)") for one in WITH_END)]
)
def test_a_body_that_is_none_task_is_missed(play: Play, workflow: Workflow, body: str) -> None:
    leave_stuck(play, workflow)
    [finding] = find()
    outer = played.chord_of("a")
    assert finding.subject == outer.group_id
    assert finding.numbers["members"] == 2
    assert finding.numbers["body_id"] == outer.body_id
    assert finding.evidence.startswith("All 2 members of the chord ended, the last one 5m ")
    assert f" ago, and its body {body} was not sent. " in finding.evidence


@pytest.mark.parametrize("workflow", ALL)
def test_one_that_went_well_is_not(play: Play, workflow: Workflow) -> None:
    play.run(workflow(play))
    assert find() == []


@pytest.mark.parametrize("workflow", [group_group, group_group_task])
def test_one_of_which_a_part_was_sent_is_not(play: Play, workflow: Workflow) -> None:
    leave_stuck(play, workflow)
    first = TaskRecord.objects.filter(name="b", group_index=0)
    first.update(sent_at=timezone.now())
    assert find() == []


@pytest.mark.parametrize("workflow", [group_group, group_group_task])
def test_one_that_an_operator_ran_again_is_seen_to(play: Play, workflow: Workflow) -> None:
    leave_stuck(play, workflow)
    assert len(find()) == 1
    retried(play, played.chord_of("a"), "all")
    assert find() == []
