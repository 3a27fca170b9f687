"""A letter by Django's own settings for mail, whichever the version has."""

from __future__ import annotations

import smtplib
import socket
import time
from typing import Any

import django
import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.test import override_settings

from tests.unit.messages_of_alerts import hostile, message
from z4j_django import options
from z4j_django.alerts.channels import mail as letters
from z4j_django.alerts.channels.base import Answer, Sending
from z4j_django.alerts.channels.registry import KINDS

_MEMORY = "django.core.mail.backends.locmem.EmailBackend"
#: Django 6.1 has ``MAILERS``; until 7.0 it takes the older settings, too.
_SETTINGS: list[dict[str, Any]] = [{"EMAIL_BACKEND": _MEMORY}]
if django.VERSION >= (6, 1):
    _SETTINGS.append({"MAILERS": {"default": {"BACKEND": _MEMORY}}})


@pytest.fixture(params=_SETTINGS, ids=lambda given: next(iter(given)))
def outbox(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(mail, "outbox", [], raising=False)
    with override_settings(**request.param):
        yield mail.outbox


def _send(timeout: float = 10.0, **given: str) -> Answer:
    kind = KINDS["email"]
    return kind.send(options.read(kind.options, given), hostile(2), Sending(timeout))


def test_a_letter_is_handed_over(outbox: list[Any]) -> None:
    answer = _send(to="ops@shop.example, on-call@shop.example", sender="z4j@shop.example")
    assert answer == Answer("sent", "Handed over for 2 addresses.")
    (letter,) = outbox
    assert letter.to == ["ops@shop.example", "on-call@shop.example"]
    assert letter.from_email == "z4j@shop.example"
    assert "\n" not in letter.subject
    ((html, kind),) = letter.alternatives
    assert kind == "text/html"
    assert "<script" not in html


def test_what_is_told_of_a_letter_names_no_address(monkeypatch: pytest.MonkeyPatch) -> None:
    to = "a-ops@shop.example, ops@shop.example"

    def refuses(backend: EmailBackend, letters: Any) -> int:
        answers = {one: (550, f"<{one}>: nobody".encode()) for one in letters[0].to}
        raise smtplib.SMTPRecipientsRefused(answers)

    monkeypatch.setattr(EmailBackend, "send_messages", refuses)
    answer = _send(to=to)
    assert answer.outcome == "refused"
    assert "550" in answer.text
    assert "shop.example" not in answer.text
    assert "a-" not in answer.text


def test_each_attempt_at_a_letter_has_the_same_id(outbox: list[Any]) -> None:
    kind = KINDS["email"]
    given = options.read(kind.options, {"to": "ops@shop.example"})
    for told in (message(), message(), message(id="another", status="resolved")):
        assert kind.send(given, told, Sending()).outcome == "sent"
    first, again, other = (letter.extra_headers for letter in outbox)
    assert first["Message-ID"] == again["Message-ID"] != other["Message-ID"]
    assert first["References"] == other["References"]


def test_a_backend_that_is_not_there_is_refused() -> None:
    with override_settings(EMAIL_BACKEND="nowhere.EmailBackend"):
        answer = _send(to="ops@shop.example")
    assert answer.outcome == "refused"
    assert "nowhere" in answer.text


def test_a_server_that_never_says_a_word_is_not_waited_for_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(letters, "_PATIENCE", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent, override_settings(**_smtp(silent)):
        said = [_send(0.02, to="ops@shop.example") for _ in range(5)]
        assert {one.outcome for one in said} == {"later"}
        assert "still wait" in said[4].text
        deadline = time.monotonic() + 3
        while "still wait" in _send(0.02, to="ops@shop.example").text:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def _smtp(server: socket.socket) -> dict[str, Any]:
    backend, port = "django.core.mail.backends.smtp.EmailBackend", server.getsockname()[1]
    if django.VERSION >= (6, 1):
        options = {"host": "127.0.0.1", "port": port}
        return {"MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    return {"EMAIL_BACKEND": backend, "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port}
