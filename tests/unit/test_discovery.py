from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path

import celery
import pytest

from z4j_django.agent import discovery
from z4j_django.exceptions import DiscoveryError

APP = "from celery import Celery\n{name} = Celery('{main}', set_as_current=False)\n"
FORM = 'Set it to "module:attribute", as in "myproject.celery:app".'


class Project:
    """A throw-away project on the import path."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, path: str, text: str = "") -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return Project(tmp_path)


@pytest.fixture
def shop(project: Project) -> Project:
    project.write("shopx/__init__.py")
    project.write("shopx/celery.py", APP.format(name="app", main="shop"))
    return project


@pytest.fixture
def current_app() -> Iterator[celery.Celery]:
    before = celery.current_app._get_current_object()
    app = celery.Celery("default", set_as_current=False)
    app.set_current()
    yield app
    before.set_current()


@pytest.mark.parametrize(
    "dotted", ["shopx.celery:app", "shopx.celery.app", "shopx.celery", "shopx"]
)
def test_a_named_app_is_found_in_each_form_that_celery_takes(shop: Project, dotted: str) -> None:
    found = discovery.find_app(dotted, ["elsewhere"])
    assert (found.app.main, found.path) == ("shop", "shopx.celery:app")
    assert not found.is_default


def test_a_named_app_may_have_any_name(project: Project) -> None:
    project.write("queues.py", APP.format(name="mail", main="mail"))
    assert discovery.find_app("queues:mail", []).path == "queues:mail"
    assert discovery.find_app("queues", []).path == "queues:mail"


def test_a_named_proxy_gives_the_app_behind_it(project: Project) -> None:
    project.write("queues.py", "from celery import current_app as app\n")
    assert type(discovery.find_app("queues:app", []).app) is celery.Celery


@pytest.mark.parametrize(
    ("dotted", "problem"),
    [
        ("nowhere.celery:app", "there is no module nowhere.celery"),
        ("nowhere", "there is no module nowhere"),
        ("nowhere.celery.app", "there is no module nowhere.celery"),
        ("shopx.celery:other", "shopx.celery has no Celery app under the name other"),
        ("shopx.other", "shopx has no Celery app under the name other"),
        ("shopx.empty", "shopx.empty holds no Celery app"),
        ("shopx.broken:app", "importing shopx.broken raised ValueError: boom"),
        ("shopx.needy", "importing shopx.needy raised ImportError: absent"),
    ],
)  # fmt: skip
def test_a_wrong_name_says_what_is_wrong_and_what_to_write(
    shop: Project, dotted: str, problem: str
) -> None:
    shop.write("shopx/empty.py")
    shop.write("shopx/broken.py", "raise ValueError('boom')")
    shop.write("shopx/needy.py", "raise ImportError('absent')")
    with pytest.raises(DiscoveryError) as caught:
        discovery.find_app(dotted, ["shopx"])
    assert str(caught.value) == f"CELERY_APP = {dotted!r} is wrong: {problem}. {FORM}"


@pytest.mark.parametrize("dotted", ["", 17])
def test_a_name_that_is_no_name_is_refused(dotted: str) -> None:
    with pytest.raises(DiscoveryError) as caught:
        discovery.find_app(dotted, [])
    assert str(caught.value) == f"CELERY_APP is {dotted!r}, which is no name. {FORM}"


@pytest.mark.parametrize("name", ["shopx.urls", "shopx.wsgi.application", "shopx"])
def test_an_app_is_found_in_the_package_of_what_the_project_names(shop: Project, name: str) -> None:
    shop.write("shopx/urls.py", "raise AssertionError('not to be imported')")
    shop.write("shopx/wsgi.py", "raise AssertionError('not to be imported')")
    found = discovery.find_app(None, [name])
    assert (found.app.main, found.path) == ("shop", "shopx.celery:app")


@pytest.mark.parametrize("dotted", [None, "config"])
def test_a_module_named_celery_app_is_looked_into_too(project: Project, dotted: str | None) -> None:
    project.write("config/__init__.py")
    project.write("config/celery_app.py", APP.format(name="app", main="cookie"))
    assert discovery.find_app(dotted, ["config.urls"]).path == "config.celery_app:app"


def test_the_innermost_package_comes_first(shop: Project) -> None:
    shop.write("shopx/config/__init__.py")
    shop.write("shopx/config/celery.py", APP.format(name="celery_app", main="inner"))
    found = discovery.find_app(None, ["shopx.config.urls"])
    assert found.path == "shopx.config.celery:celery_app"
    assert found.looked_in == ("shopx.config.celery",)
    assert "shopx.celery" not in sys.modules


def test_an_app_in_the_package_itself_is_found(project: Project) -> None:
    project.write("shopx/__init__.py", APP.format(name="background", main="shop"))
    assert discovery.find_app(None, ["shopx.urls"]).path == "shopx:background"


def test_the_usual_names_come_before_any_other(project: Project) -> None:
    text = APP.format(name="first", main="first") + APP.format(name="app", main="second")
    project.write("shopx/__init__.py", text)
    assert discovery.find_app(None, ["shopx"]).path == "shopx:app"


def test_a_lazy_object_is_not_woken(project: Project) -> None:
    lazy = (
        "class Lazy:\n"
        "    @property\n"
        "    def __class__(self):\n"
        "        raise AssertionError('woken')\n"
        "app = lazy = Lazy()\n"
    )
    project.write("shopx/__init__.py", lazy + APP.format(name="real", main="shop"))
    assert discovery.find_app(None, ["shopx"]).path == "shopx:real"


def test_a_celery_module_that_raises_is_reported_and_skipped(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    shop.write("broken/__init__.py")
    shop.write("broken/celery.py", "import absent")
    with caplog.at_level(logging.WARNING):
        found = discovery.find_app(None, ["broken.urls", "shopx.urls"])
    assert found.looked_in == ("broken", "shopx.celery")
    assert caplog.messages == [
        "z4j: looking for the Celery app, importing broken.celery raised ModuleNotFoundError: "
        "No module named 'absent'"
    ]


def test_a_package_that_raises_is_reported_and_skipped(
    shop: Project, caplog: pytest.LogCaptureFixture
) -> None:
    shop.write("broken/__init__.py", "raise ValueError('boom')")
    with caplog.at_level(logging.WARNING):
        assert discovery.find_app(None, ["broken.urls", "shopx"]).path == "shopx.celery:app"
    assert caplog.messages == [
        "z4j: looking for the Celery app, importing broken raised ValueError: boom"
    ]


def test_packages_and_celery_modules_that_do_not_exist_are_skipped_in_silence(
    project: Project, caplog: pytest.LogCaptureFixture
) -> None:
    project.write("shopx/__init__.py")
    found = discovery.find_app(None, ["nowhere.urls", "my-shop", "celery", "", "shopx.urls"])
    assert found.looked_in == ("shopx",)
    assert caplog.messages == []


def test_a_project_of_one_module_is_looked_into_only_if_it_runs(
    project: Project, current_app: celery.Celery
) -> None:
    project.write("single.py", APP.format(name="app", main="single"))
    assert discovery.find_app(None, ["single"]).is_default
    __import__("single")
    assert discovery.find_app(None, ["single"]).path == "single:app"


def test_at_last_celerys_current_app_is_taken_and_called_the_default(
    current_app: celery.Celery,
) -> None:
    found = discovery.find_app(None, [])
    assert (found.app, found.path, found.is_default) == (current_app, "default", True)


def test_a_current_app_with_a_name_is_no_default(current_app: celery.Celery) -> None:
    current_app.main = "elsewhere"
    found = discovery.find_app(None, [])
    assert (found.app, found.path, found.is_default) == (current_app, "elsewhere", False)
