"""Which release a process runs."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

import pytest

from z4j_django.agent import events, releases
from z4j_django.agent.journal import Journal

#: What :func:`told` tells, as a project's own function would.
NAME: str | None = " shop 7 "


def told() -> str | None:
    return NAME


def breaks() -> str:
    raise RuntimeError("no version file")


@pytest.fixture(autouse=True)
def _nothing_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in releases.VARIABLES:
        monkeypatch.delenv(name, raising=False)


def git(directory: Path, *words: str) -> str:
    author = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *author, *words], cwd=directory, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    place = tmp_path / "project"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    git(place, "commit", "-q", "--allow-empty", "-m", "first")
    return place


def test_a_name_is_taken_as_it_is() -> None:
    assert releases.find("shop 2026.11", None) == "shop 2026.11"
    assert releases.find("shop: 2026.11", None) == "shop: 2026.11"


def test_an_empty_name_is_none_whatever_is_around(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMIT", "abc")
    assert releases.find("", checkout) == ""


def test_a_function_is_asked() -> None:
    assert releases.find(f"{__name__}:told", None) == "shop 7"


def test_a_function_that_returns_nothing_tells_of_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.NAME", None)
    assert releases.find(f"{__name__}:told", None) == ""


@pytest.mark.parametrize("path", [f"{__name__}:breaks", "no.such_module:name", f"{__name__}:none"])
def test_what_breaks_is_told_in_the_log_and_is_no_release(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "z4j_django.agent"):
        assert releases.find(path, None) == ""
    assert "of no known release" in caplog.text


def test_the_environment_comes_before_the_checkout(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_VERSION", "later")
    monkeypatch.setenv("SENTRY_RELEASE", " shop@7 ")
    assert releases.find(None, checkout) == "shop@7"


def test_a_name_is_bounded_and_storable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMIT", "x" * 500)
    assert releases.find(None, None) == "x" * 100
    assert releases.find("a\0b\ud800", None) == "a�b�"


def test_the_commit_of_a_branch_is_found_from_a_directory_within(checkout: Path) -> None:
    inside = checkout / "src" / "shop"
    inside.mkdir(parents=True)
    assert releases.find(None, inside) == git(checkout, "rev-parse", "HEAD")


def test_the_commit_is_found_where_git_has_packed_its_refs(checkout: Path) -> None:
    git(checkout, "pack-refs", "--all")
    assert not (checkout / ".git/refs/heads/main").exists()
    assert releases.find(None, checkout) == git(checkout, "rev-parse", "HEAD")


def test_the_commit_is_found_where_no_branch_is_checked_out(checkout: Path) -> None:
    git(checkout, "checkout", "-q", "--detach")
    assert releases.find(None, checkout) == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("packed", [False, True])
def test_the_commit_of_a_second_worktree_is_its_own(checkout: Path, packed: bool) -> None:
    second = checkout.parent / "second"
    git(checkout, "worktree", "add", "-q", "-b", "fix/a", str(second))
    git(second, "commit", "-q", "--allow-empty", "-m", "second")
    if packed:
        git(checkout, "pack-refs", "--all")
    found = releases.find(None, second)
    assert found == git(second, "rev-parse", "HEAD") != git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize(
    "head", ["ref: refs/../../../etc/passwd", "ref: /etc/passwd", "\0", "", "x" * 40, "ref: HEAD"]
)
def test_a_head_that_names_no_commit_tells_of_none(tmp_path: Path, head: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text(head)
    assert releases.find(None, tmp_path) == ""


def test_a_directory_that_is_no_checkout_tells_of_none(tmp_path: Path) -> None:
    deep = tmp_path / "a/b/c/d/e"
    assert releases.find(None, deep) == ""


def test_the_journals_header_carries_it(tmp_path: Path) -> None:
    written = Journal(tmp_path / "journal", "shop", release="shop 7")
    written.write(b"{}\n")
    (segment,) = (tmp_path / "journal").glob("*.journal")
    header = events.decode_header(segment.read_bytes().splitlines()[0])
    written.close()
    assert header.release == "shop 7"
