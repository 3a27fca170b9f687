"""Where the journal lies when another user has taken its directory, or takes it while we run."""

from __future__ import annotations

import dataclasses
import os
import pwd
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.journals import line, ship
from tests.sinks import MemorySink
from tests.users import NOBODY, as_nobody, as_root
from z4j_django import checks, wiring
from z4j_django.agent import bootstrap, events, journal, private

pytestmark = as_root


@pytest.fixture(autouse=True)
def _places(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wiring, "JOURNALS", str(shared))
    monkeypatch.setenv("XDG_STATE_HOME", str(shared / "state"))


@pytest.fixture
def second(shared: Path) -> Path:
    return shared / "state" / wiring.journal_directory().name


@pytest.fixture
def no_state(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shared / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(shared / "file" / "state"))


def take(path: Path) -> None:
    as_nobody(lambda: path.mkdir(mode=0o777))


def test_the_journal_lies_in_the_users_state_and_says_so(
    second: Path, caplog: pytest.LogCaptureFixture
) -> None:
    usual = wiring.journal_directory()
    take(usual)
    find = wiring.agent_config().find_directory
    assert find() == find() == second
    assert caplog.messages == [f"{usual} is user {NOBODY}'s: the journal lies in {second}."]
    [said] = checks.check_journal()
    assert (said.id, said.msg) == (
        "z4j_django.W008",
        f"The journal lies in {second}: {usual} is user {NOBODY}'s.",
    )
    before = os.umask(0)
    try:
        journal.Journal(find(), "shop").write(line("a"))
    finally:
        os.umask(before)
    for path in (second, second.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_it_stays_there_when_the_other_has_gone(second: Path) -> None:
    usual = wiring.journal_directory()
    take(usual)
    journal.Journal(wiring.journal_directory(), "shop").write(line("a"))
    usual.rmdir()
    assert wiring.journal_directory() == second
    assert checks.check_journal() == []


def test_a_process_that_runs_goes_on_there_and_takes_along_what_it_wrote(
    second: Path, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "CHECK_EVERY", 0.0)
    config = dataclasses.replace(wiring.agent_config(), shipping="external", under_tests=True)
    agent = bootstrap.Agent(config)
    note = [events.TaskEvent(kind=events.TASK_SENT, task_id=name, at=1.0) for name in "ab"]
    agent.note(note[0])
    usual = wiring.journal_directory()
    shutil.rmtree(usual)
    take(usual)
    agent.note(note[1])
    agent._on_exit()
    assert list(usual.iterdir()) == []
    assert ship(second, sink)
    assert sink.ids == ["a", "b"]
    assert not sink.losses


def test_without_a_state_of_ones_own_it_has_a_name_that_no_other_user_can_know(
    shared: Path, no_state: None, sink: MemorySink, settings: Any
) -> None:
    usual = wiring.journal_directory()
    take(usual)
    third = wiring.journal_directory()
    assert third.parent == shared
    assert re.fullmatch(rf"z4j-{os.geteuid()}-[0-9a-f]{{32}}", third.name)
    [said] = checks.check_journal()
    assert said.msg == f"The journal lies in {third}: {usual} is user {NOBODY}'s."
    config = dataclasses.replace(wiring.agent_config(), shipping="external", under_tests=True)
    agent = bootstrap.Agent(config)
    agent.note(events.TaskEvent(kind=events.TASK_SENT, task_id="a", at=1.0))
    agent._on_exit()
    assert ship(third, sink)
    assert sink.ids == ["a"]
    settings.SECRET_KEY = "of another project"
    assert wiring.journal_directory() not in (usual, third)


def test_it_stays_there_whatever_comes_free(
    no_state: None, second: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = wiring.journal_directory()
    take(usual)
    third = wiring.journal_directory()
    journal.Journal(third, "shop").write(line("a"))
    usual.rmdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(second.parent))
    private.make(second)
    assert wiring.journal_directory() == third
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "the next"
    assert wiring.journal_directory() == third


def test_a_name_that_has_become_known_and_is_taken_has_a_successor(no_state: None) -> None:
    take(wiring.journal_directory())
    third = wiring.journal_directory()
    take(third)  # it was ours, and a cleaner of temporary files has deleted it
    fourth = wiring.journal_directory()
    assert fourth.name[:-32] == third.name[:-32]
    assert fourth != third
    journal.Journal(fourth, "shop").write(line("a"))
    third.rmdir()
    assert wiring.journal_directory() == fourth


@pytest.mark.parametrize("home", ["", "/", "/proc", "taken", "not writable"])
def test_a_user_without_a_place_for_state_has_one_all_the_same(
    shared: Path, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shared / "not writable").mkdir(mode=0o755)
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setattr(wiring.pwd, "getpwuid", lambda uid: {}[uid])
    monkeypatch.setenv("HOME", home and str(shared / home))
    monkeypatch.chdir(shared)

    def found() -> str:
        directory = wiring.journal_directory()
        journal.Journal(directory, "shop").write(line("a"))
        return str(directory)

    theirs = as_nobody(lambda: wiring._usual_directory().name)
    (shared / theirs).mkdir()
    (shared / "taken" / ".local" / "state" / theirs).mkdir(parents=True)
    assert Path(as_nobody(found)).parent == shared


def test_a_setting_is_obeyed_all_the_same(shared: Path, settings: Any) -> None:
    take(wiring.journal_directory())
    settings.Z4J = {"JOURNAL_DIR": str(shared / "ours")}
    assert wiring.journal_directory() == shared / "ours"


def test_without_the_variable_it_is_in_the_home_of_the_user_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", "/nowhere")
    home = pwd.getpwuid(os.geteuid()).pw_dir
    usual = wiring.journal_directory()
    take(usual)
    assert wiring.journal_directory() == Path(home) / ".local/state" / usual.name
