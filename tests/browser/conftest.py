from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests import first_page

OpenPage = Callable[..., Any]


def _missing(what: str) -> NoReturn:
    reason = f"{what} is not installed"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    _missing("Chromium")


# Of the package and not of the session: as long as Playwright runs, Django takes the thread for
# an asynchronous one, and the tests of other folders must not have that check switched off.
@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    try:
        from playwright import sync_api
    except ImportError:
        _missing("playwright")
    path = _chromium()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        with sync_api.sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=path,
                args=[
                    "--headless",
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-quic",
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                ],
            )
            yield chromium
            chromium.close()


@pytest.fixture(autouse=True)
def _first_page(monkeypatch: pytest.MonkeyPatch) -> None:
    first_page.alone(monkeypatch)


@pytest.fixture
def open_page(browser: Any, live_server: Any) -> Iterator[OpenPage]:
    """Opens a path as a superuser; takes the options of a browser's context.

    At the end no page may have written an error to its console, be it that something in it went
    against the policy of ``tests.policy``.
    """
    user = User.objects.create_user("root", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    cookie = {
        "name": "sessionid",
        "value": client.cookies["sessionid"].value,
        "url": live_server.url,
    }
    contexts = []
    errors: list[str] = []

    def open_path(path: str, **options: Any) -> Any:
        context = browser.new_context(base_url=live_server.url, **options)
        contexts.append(context)
        context.add_cookies([cookie])
        context.route("**/favicon.ico", lambda route: route.fulfill(status=204))
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.on(
            "response",
            lambda got: errors.append(f"{got.status} {got.url}") if got.status >= 400 else None,
        )
        page.goto(path)
        return page

    yield open_path
    for context in contexts:
        context.close()
    assert errors == []
