"""Scenes for tests: a project, a broker, a database and a journal that nothing else uses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker

from tests.process.harness import servers
from tests.process.harness.scene import Scene, unique_queue

SceneMaker = Callable[..., contextlib.AbstractContextManager[Scene]]


@pytest.fixture(scope="module", autouse=True)
def _databases_may_be_read(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with the project's tables, to be copied."""
    folder = tmp_path_factory.mktemp("template")
    path = folder / "db.sqlite3"
    with contextlib.closing(Scene(folder, f"sqlite:///{path}", None, unique_queue())) as scene:
        scene.migrate()
    return path


@pytest.fixture(scope="module")
def make_scene(tmp_path_factory: pytest.TempPathFactory, migrated: Path) -> SceneMaker:
    """Makes scenes; the database "unmigrated" is an SQLite file without tables."""

    @contextlib.contextmanager
    def make(
        broker: str = "filesystem", database: str = "sqlite", kind: type[Scene] = Scene
    ) -> Iterator[Scene]:
        folder = tmp_path_factory.mktemp("scene")
        queue = unique_queue()
        with contextlib.ExitStack() as stack:
            template = migrated if database == "sqlite" else None
            url = stack.enter_context(servers.DATABASES[database](folder, template))
            broker_url = stack.enter_context(servers.BROKERS[broker](queue))
            scene = kind(folder, url, broker_url, queue)
            stack.callback(scene.close)
            if database in ("postgresql", "mariadb"):
                scene.migrate()
            yield scene

    return make


@pytest.fixture
def scene(make_scene: SceneMaker) -> Iterator[Scene]:
    """The file-system broker and an SQLite file: what costs the least."""
    with make_scene() as made:
        yield made


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Show what the programs said where a test fails."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            scene = value if isinstance(value, Scene) else getattr(value, "scene", None)
            if isinstance(scene, Scene):
                report.sections.append(("programs", scene.logs()))
    return report
