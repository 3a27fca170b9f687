"""Which release of the project this process runs: as it is told, or as its surroundings say."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from z4j_django import logs
from z4j_django.values import RELEASE_LENGTH, clean

logger = logs.logger("z4j_django.agent")

#: Where deployments leave it, the most particular first.
VARIABLES: Final = (
    "SENTRY_RELEASE",
    "DD_VERSION",
    "HEROKU_BUILD_COMMIT",
    "HEROKU_SLUG_COMMIT",
    "RENDER_GIT_COMMIT",
    "RAILWAY_GIT_COMMIT_SHA",
    "VERCEL_GIT_COMMIT_SHA",
    "K_REVISION",
    "GAE_DEPLOYMENT_ID",
    "CODEBUILD_RESOLVED_SOURCE_VERSION",
    "CI_COMMIT_SHA",
    "CIRCLE_SHA1",
    "GIT_COMMIT",
    "SOURCE_VERSION",
)
#: Directories above the project's in which its checkout may begin.
_ABOVE: Final = 3
#: Bytes of a file of git's that are read, at most.
_READ: Final = 4 * 1024 * 1024

_CALLABLE: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_REF: Final = re.compile(r"ref: (refs/[^\s\0]+)")
_GIT_DIR: Final = re.compile(r"gitdir: ([^\n\0]+)")


def is_callable(given: str) -> bool:
    """Whether a text is the path of a callable, ``module:function``, and no name of a release."""
    return _CALLABLE.fullmatch(given) is not None


def find(given: str | None, directory: Path | None) -> str:
    """The release that this process runs; empty where nothing tells. Never raises.

    Args:
        given: A name, the path of a callable that returns one, or ``None`` to look around.
        directory: Where the project is.
    """
    try:
        if given is None:
            found = _of_environment() or _commit(directory)
        else:
            found = str(load(given)() or "") if is_callable(given) else given
    except Exception as error:  # whatever a project's own code raises
        logger.warning("What runs here is of no known release: %s: %s", type(error).__name__, error)
        return ""
    return clean(found.strip(), RELEASE_LENGTH)


def load(path: str) -> Any:
    """What ``module:function`` names.

    Raises:
        ImportError: If there is no such module, or nothing of that name in it.
    """
    module, _, name = path.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except AttributeError as error:
        raise ImportError(str(error)) from error


def _of_environment() -> str:
    values = (os.environ.get(name, "").strip() for name in VARIABLES)
    return next(filter(None, values), "")


def _commit(directory: Path | None) -> str:
    """The commit that is checked out where the project is, as git's own files have it."""
    if directory is None:
        return ""
    for place in (directory, *directory.parents[:_ABOVE]):
        git = place / ".git"
        if git.is_file():  # a second worktree, or a submodule
            found = _GIT_DIR.match(_text(git))
            git = place / found[1].strip() if found else git
        if git.is_dir():
            return _head(git)
    return ""


def _head(git: Path) -> str:
    head = _text(git / "HEAD").strip()
    if _COMMIT.fullmatch(head):
        return head
    found = _REF.fullmatch(head)
    if not found or ".." in found[1]:
        return ""
    return next((commit for commit in _of_ref(git, found[1]) if _COMMIT.fullmatch(commit)), "")


def _of_ref(git: Path, ref: str) -> Iterator[str]:
    """What a branch points at, where git may have written that."""
    shared = git / _text(git / "commondir").strip()  # git's own, or that of the first worktree
    yield _text(git / ref).strip()
    yield _text(shared / ref).strip()
    for line in _text(shared / "packed-refs").splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            yield commit


def _text(path: Path) -> str:
    """What a file says; empty where it is not there."""
    try:
        with path.open(errors="replace") as file:
            return file.read(_READ)
    except OSError:
        return ""
