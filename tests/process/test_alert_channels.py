"""Each kind of channel against a receiver that has faults, and what it says of it."""

from __future__ import annotations

import datetime
import email.utils
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import django
import pytest
from django.test import override_settings

from tests.process.harness import receivers
from tests.process.harness.receivers import Sink
from tests.unit.messages_of_alerts import hostile, message
from z4j_django import options
from z4j_django.alerts import http
from z4j_django.alerts.channels import mail, others
from z4j_django.alerts.channels.base import Answer, Sending
from z4j_django.alerts.channels.registry import KINDS

SENDING = Sending(timeout=5.0, allows_private=True, base_url="https://shop.example/z4j/")
HASTY = replace(SENDING, timeout=2.0)
#: Seconds after which what has so little time has ended, on a machine that is busy, too.
ENDED = 5.0
#: What must be told nowhere.
SENTINEL = "5ent1ne15ent1ne15ent1ne15ent1ne1"

#: How each kind is pointed at a sink, with what is secret to it.
OPTIONS: dict[str, Callable[[str], dict[str, str]]] = {
    "webhook": lambda url: {
        "url": f"{url}/hook/{SENTINEL}?key={SENTINEL}",
        "key": SENTINEL,
        "token": SENTINEL,
    },
    "alertmanager": lambda url: {"url": url, "token": SENTINEL},
    "slack": lambda url: {"url": f"{url}/services/T000/B000/{SENTINEL}"},
    "discord": lambda url: {"url": f"{url}/api/webhooks/1/{SENTINEL}"},
    "teams": lambda url: {"url": f"{url}/workflows/x?sig={SENTINEL}"},
    "pagerduty": lambda url: {"url": f"{url}/v2/enqueue", "routing_key": SENTINEL},
}


@pytest.fixture(autouse=True)
def _nothing_secret_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    assert SENTINEL not in caplog.text


def send(kind: str, url: str, sending: Sending = SENDING, **other: Any) -> Answer:
    """Send the usual message to a sink."""
    return _send(kind, OPTIONS[kind](url), sending, **other)


def _send(kind: str, given: dict[str, str], sending: Sending = SENDING, **other: Any) -> Answer:
    channel = options.read(KINDS[kind].options, given)
    answer = KINDS[kind].send(channel, message(**other), sending)
    assert SENTINEL not in repr(answer) + repr(channel) + KINDS[kind].place(channel)
    assert len(answer.text) <= 320
    assert "\n" not in answer.text
    return answer


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    """A sink for one test after the other."""
    with receivers.http() as found:
        yield found


def _post(url: str, sending: Sending = SENDING) -> http.Reply:
    return http.post(url, b"{}", {}, timeout=sending.timeout, allows_private=sending.allows_private)


# --- What each answer means, for every kind -----------------------------------------------------

PAGE = "<!DOCTYPE html><title>Sign in</title> {echo}"


@pytest.mark.parametrize("kind", OPTIONS)
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (receivers.answers(200, "ok"), "sent"),
        (receivers.answers(202), "sent"),
        (receivers.answers(200, PAGE), "refused"),
        (receivers.answers(302, "{echo}", Location=f"http://127.0.0.1/{SENTINEL}"), "refused"),
        (receivers.answers(404, "no such hook: {echo}"), "refused"),
        (receivers.answers(500, "{echo} " * 3), "later"),
        (receivers.answers(503, "x" * 5_000 + "{echo}"), "later"),
        (receivers.answers(429, '{"retry_after": 7}', Retry_After="7"), "later"),
        (receivers.closes, "unknown"),
        (receivers.closes_after(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf"), "sent"),
        (receivers.closes_after(f"-ERR {SENTINEL} is no command\r\n".encode()), "refused"),
    ],
    ids=[
        "ok",
        "accepted",
        "page",
        "redirect",
        "404",
        "500",
        "503",
        "429",
        "closed",
        "half",
        "babble",
    ],
)
def test_an_outcome_is_told_by_the_answer_and_nothing_secret(
    sink: Sink, kind: str, fault: receivers.Fault, outcome: str
) -> None:
    sink.fault = fault
    answer = send(kind, sink.url)
    assert answer.outcome == outcome, answer
    assert answer.retry_after == (7.0 if "429" in answer.text else None)


def test_a_receiver_that_hangs_may_have_taken_it(sink: Sink) -> None:
    sink.fault = receivers.hangs
    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        said = list(pool.map(lambda kind: send(kind, sink.url, HASTY), OPTIONS))
    assert set(said) == {
        Answer("unknown", "The request is out, and there was no answer: the time is over.")
    }
    assert time.monotonic() - started < ENDED


@pytest.mark.parametrize("kind", OPTIONS)
def test_where_nobody_listens_it_is_tried_again(kind: str) -> None:
    answer = send(kind, f"http://127.0.0.1:{receivers.free_port()}")
    assert answer == Answer("later", "There is no connection: Connection refused.")


@pytest.mark.parametrize("kind", OPTIONS)
def test_without_the_setting_nothing_private_is_called(sink: Sink, kind: str) -> None:
    before = len(sink.requests)
    answer = send(kind, sink.url, Sending(timeout=5.0))
    assert answer.outcome == "refused"
    assert "PRIVATE_TARGETS" in answer.text
    assert len(sink.requests) == before


# --- Answers that are too slow, too long, or ask for too much -----------------------------------


#: How an answer begins that then drips for ever, and what is told by it.
DRIPS = {
    b"HTTP/1.1 200 OK\r\n\r\n": "sent",
    b"HTTP/1.1 500 no\r\nContent-Length: 9999\r\n\r\n": "later",
    b"HTTP/1.1 ": "unknown",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX: ": "unknown",
    b"HTTP/1.1 200 OK\r\nX: ": "unknown",
}


def test_what_drips_for_ever_ends_with_the_time() -> None:
    def sent(first: bytes) -> str:
        with receivers.http(receivers.drips(first)) as dripping:
            return send("webhook", dripping.url, HASTY).outcome

    started = time.monotonic()
    with ThreadPoolExecutor() as pool:
        assert dict(zip(DRIPS, pool.map(sent, DRIPS), strict=True)) == DRIPS
    assert time.monotonic() - started < ENDED


def test_of_an_endless_answer_a_bounded_part_is_read(sink: Sink) -> None:
    sink.fault = receivers.floods
    reply = _post(sink.url)
    assert reply.status == 200
    assert not reply.is_whole
    assert len(reply.body) <= http.ANSWER_LENGTH


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        ("30", 30.0),
        ("0", 0.0),
        ("86400", 3_600.0),
        ("9" * 400, 3_600.0),
        ("-5", None),
        ("soon", None),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("Wed, 99 Oct 2015 07:28:00 GMT", None),
    ],
)
def test_a_pause_is_taken_as_it_is_asked_for_up_to_an_hour(
    sink: Sink, asked: str, pause: float | None
) -> None:
    sink.fault = receivers.answers(429, b"", Retry_After=asked)
    assert send("slack", sink.url).retry_after == pause


def test_a_pause_may_be_a_date(sink: Sink) -> None:
    until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=100)
    sink.fault = receivers.answers(503, b"", Retry_After=email.utils.format_datetime(until, True))
    pause = send("slack", sink.url).retry_after
    assert pause is not None
    assert 90 < pause <= 100


# --- Where it may go ----------------------------------------------------------------------------


def test_a_redirect_is_not_followed(sink: Sink) -> None:
    with receivers.http() as inner:
        sink.fault = receivers.answers(307, b"", Location=f"{inner.url}/latest/meta-data/")
        answer = send("webhook", sink.url)
        assert answer.text == "307: it leads elsewhere, and redirects are not followed."
        assert not inner.requests


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "0",
        "169.254.169.254",
        "2852039166",
    ],
)
def test_however_it_is_written_an_inner_address_is_none_of_a_channel(sink: Sink, host: str) -> None:
    before = len(sink.requests)
    with pytest.raises(http.RefusedError, match=r"private|link-local"):
        _post(f"http://{host}:{sink.port}/", Sending(timeout=2.0))
    assert len(sink.requests) == before


def _resolves(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[Any]:
    """Has every name stand for these addresses, and tells who asked."""
    asked: list[Any] = []

    def getaddrinfo(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        asked.append(host)
        families = [socket.AF_INET6 if ":" in one else socket.AF_INET for one in addresses]
        return [
            (family, socket.SOCK_STREAM, 6, "", (one, port))
            for one, family in zip(addresses, families, strict=True)
        ]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "10.1.2.3", "127.0.0.1", "fd00:ec2::254", "::ffff:10.1.2.3"]
)
def test_a_name_that_stands_for_an_inner_address_is_refused(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    _resolves(monkeypatch, address)
    with pytest.raises(http.RefusedError, match=r"private|link-local"):
        _post("http://hooks.example/", Sending(timeout=2.0))


def test_the_address_that_was_looked_at_is_the_one_that_is_called(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.fault = receivers.answers()
    asked = _resolves(monkeypatch, "169.254.169.254", "127.0.0.1")
    assert _post(f"http://hooks.example:{sink.port}/x").status == 200
    assert asked == ["hooks.example"]
    assert sink.requests[-1].headers["Host"] == f"hooks.example:{sink.port}"


def test_where_one_address_does_not_answer_the_next_is_called(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.fault = receivers.answers()
    _resolves(monkeypatch, "127.0.0.99", "127.0.0.1")
    assert _post(f"http://hooks.example:{sink.port}/x").status == 200


def test_a_name_that_is_not_known_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(*rest: Any, **more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    answer = send("slack", "https://hooks.example")
    assert answer == Answer("later", "The host's name is not resolved: Name or service not known.")


def test_a_resolver_that_hangs_takes_no_longer_than_the_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    released = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *rest, **more: released.wait())
    started = time.monotonic()
    answer = send("slack", "https://hooks.example", HASTY)
    released.set()
    assert answer == Answer("later", "The host's name is not resolved: the time is over.")
    assert time.monotonic() - started < ENDED


def test_the_port_of_a_database_is_no_web_servers() -> None:
    with pytest.raises(http.RefusedError, match="Port 5432"):
        _post("http://127.0.0.1:5432/")


# --- TLS ----------------------------------------------------------------------------------------


def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    with receivers.http(certificate=receivers.certificate(tmp_path)) as sink:
        answer = send("slack", sink.url)
        assert answer.outcome == "refused"
        assert answer.text.startswith("Its certificate is wrong: self-signed certificate")
        assert not sink.requests


def test_a_certificate_of_another_host_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = receivers.certificate(tmp_path, "other.example")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    with receivers.http(certificate=other) as sink:
        answer = send("slack", sink.url)
        assert answer.outcome == "refused"
        assert "IP address mismatch" in answer.text
        assert not sink.requests


def test_a_certificate_that_is_right_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = receivers.certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(own))
    with receivers.http(receivers.answers(200, b"ok"), own) as sink:
        assert send("slack", sink.url) == Answer("sent", "200: ok")
        sink.fault = receivers.drips(b"HTTP/1.1 ")
        started = time.monotonic()
        assert send("slack", sink.url, HASTY).outcome == "unknown"
        assert time.monotonic() - started < ENDED


def test_tls_where_none_is_spoken_is_tried_again(sink: Sink) -> None:
    sink.fault = receivers.closes_after(b"HTTP/1.1 400 plain text here\r\n\r\n")
    answer = send("slack", sink.url.replace("http:", "https:"), HASTY)
    assert answer.outcome == "later"
    assert "TLS" in answer.text


# --- What arrives -------------------------------------------------------------------------------


def test_a_webhook_is_verified_as_the_docs_say(sink: Sink) -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "alert-channels.md"
    code = re.search(r"```python\n(import hashlib.*?)```", page.read_text(), re.DOTALL)
    assert code is not None
    known: dict[str, Any] = {}
    exec(code[1], known)
    sink.fault = receivers.answers()
    assert send("webhook", sink.url, id="delivery-1").outcome == "sent"
    request = sink.requests[-1]
    headers = request.headers
    assert known["is_ours"](SENTINEL, headers, request.body)
    assert not known["is_ours"](SENTINEL, headers, request.body + b" ")
    assert not known["is_ours"]("another" + SENTINEL, headers, request.body)
    before = str(int(headers["X-Z4J-Timestamp"]) - 1)
    assert not known["is_ours"](SENTINEL, headers | {"X-Z4J-Timestamp": before}, request.body)
    assert request.headers["Idempotency-Key"] == "delivery-1"
    assert request.headers["Authorization"] == f"Bearer {SENTINEL}"
    assert request.json["version"] == "4"


def test_pagerduty_hears_of_the_end_by_the_same_key(sink: Sink) -> None:
    sink.fault = receivers.answers(202, b'{"status": "success"}')
    sink.requests.clear()
    send("pagerduty", sink.url)
    send("pagerduty", sink.url, status="resolved")
    first, second = (request.json for request in sink.requests)
    assert (first["event_action"], second["event_action"]) == ("trigger", "resolve")
    assert first["dedup_key"] == second["dedup_key"]


def test_a_test_leaves_no_alert_open_at_pagerduty(sink: Sink) -> None:
    sink.fault = receivers.answers(202)
    sink.requests.clear()
    send("pagerduty", sink.url, status="test")
    actions = [request.json["event_action"] for request in sink.requests]
    assert actions == ["trigger", "resolve"]


def test_discord_is_asked_to_say_whether_it_is_there(sink: Sink) -> None:
    sink.fault = receivers.answers(200, b"{}")
    send("discord", sink.url)
    assert sink.requests[-1].path.endswith("?wait=true")


@pytest.mark.parametrize("kind", OPTIONS)
def test_the_worst_texts_arrive_as_json(sink: Sink, kind: str) -> None:
    sink.fault = receivers.answers()
    given = options.read(KINDS[kind].options, OPTIONS[kind](sink.url))
    assert KINDS[kind].send(given, hostile(100), SENDING).outcome == "sent"
    request = sink.requests[-1]
    assert request.json
    assert request.headers["Content-Type"] == "application/json"


def test_what_watches_a_projects_calls_hears_of_no_url(
    sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    for name in ("putrequest", "request", "getresponse", "connect"):
        monkeypatch.setattr(HTTPConnection, name, lambda *rest, **more: heard.append((rest, more)))
    sink.fault = receivers.answers()
    assert send("slack", sink.url).outcome == "sent"
    assert not heard


def test_a_delivery_id_is_no_header_of_its_own(sink: Sink) -> None:
    before = len(sink.requests)
    answer = send("webhook", sink.url, id="1\r\nX-Forged: yes")
    assert answer.outcome == "refused"
    assert len(sink.requests) == before


def test_a_fault_of_our_own_tells_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*rest: Any, **more: Any) -> Any:
        raise RuntimeError(f"at {SENTINEL}")

    monkeypatch.setattr(http, "post", fail)
    answer = send("slack", "https://hooks.example")
    assert answer == Answer("unknown", "Sending failed here, with RuntimeError.")
    assert "Sending by slack failed with RuntimeError" in caplog.text


# --- E-mail -------------------------------------------------------------------------------------

BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def _settings(port: int) -> dict[str, Any]:
    """Those of the server, as the version of Django wants them."""
    if django.VERSION >= (6, 1):
        told = {"host": "127.0.0.1", "port": port, "username": "z4j", "password": SENTINEL}
        return {"MAILERS": {"default": {"BACKEND": BACKEND, "OPTIONS": told}}}
    return {
        "EMAIL_BACKEND": BACKEND,
        "EMAIL_HOST": "127.0.0.1",
        "EMAIL_PORT": port,
        "EMAIL_HOST_USER": "z4j",
        "EMAIL_HOST_PASSWORD": SENTINEL,
    }


def _mailed(server: receivers.MailServer, sending: Sending = SENDING, **other: Any) -> Answer:
    sender = "Shop <shop@shop.example>"
    with override_settings(DEFAULT_FROM_EMAIL=sender, **_settings(server.port)):
        return _send("email", {"to": "ops@shop.example, on-call@shop.example"}, sending, **other)


def test_a_letter_arrives_as_text_and_as_html() -> None:
    with receivers.mail() as server:
        assert _mailed(server).outcome == "sent"
        assert _mailed(server, status="resolved", id="another").outcome == "sent"
        first, second = server.letters
    assert first["To"] == "ops@shop.example, on-call@shop.example"
    assert first["From"] == "Shop <shop@shop.example>"
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Subject"].strip().startswith("[shop · production] Critical: Queue without")
    assert first["References"] == second["References"]
    assert first["Message-ID"] != second["Message-ID"]
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "41 messages wait" in text.get_content()
    assert "<h3>" in html.get_content()


def test_no_text_becomes_a_header_of_a_letter() -> None:
    with receivers.mail() as server:
        worst = hostile(3)
        parts = {
            name: getattr(worst, name) for name in ("problems", "rule", "project", "environment")
        }
        assert _mailed(server, **parts).outcome == "sent"
        (letter,) = server.letters
    assert letter["Bcc"] is None
    assert sorted(letter.keys()) == [
        "Auto-Submitted",
        "Content-Type",
        "Date",
        "From",
        "In-Reply-To",
        "MIME-Version",
        "Message-ID",
        "References",
        "Subject",
        "To",
    ]
    assert [one.lower() for one in server.commands if one.lower().startswith("rcpt")] == [
        "rcpt to:<ops@shop.example>",
        "rcpt to:<on-call@shop.example>",
    ]


@pytest.mark.parametrize(
    ("faults", "outcome"),
    [
        ({"answers": {"AUTH": "535 no: {echo}"}}, "refused"),
        ({"answers": {"AUTH": "454 not now: {echo}"}}, "later"),
        ({"answers": {"RCPT": "550 unknown: {echo}"}}, "refused"),
        ({"answers": {"RCPT": "451 greylisted"}}, "later"),
        ({"answers": {"DATA": "554 spam"}}, "refused"),
        ({"answers": {".": "452 disk full"}}, "later"),
        ({"answers": {"HI": "421 too many"}}, "later"),
        ({"hangs_at": "HI"}, "later"),
        ({"hangs_at": "AUTH"}, "later"),
        ({"hangs_at": "."}, "unknown"),
    ],
    ids=lambda one: str(one) if isinstance(one, dict) else one,
)
def test_the_outcome_of_a_letter_is_told_by_the_servers_code(
    faults: dict[str, Any], outcome: str
) -> None:
    with receivers.mail(**faults) as server:
        sending = HASTY if "hangs_at" in faults else SENDING
        answer = _mailed(server, sending)
        assert answer.outcome == outcome, answer
        server.ended.set()
    assert not server.letters or outcome == "unknown" or "." in faults.get("answers", {})


def test_a_letter_that_was_given_up_does_not_leave_later() -> None:
    with receivers.mail(hangs_at="HI") as server:
        assert _mailed(server, HASTY).outcome == "later"
        server.hangs_at = ""
        server.ended.set()
        deadline = time.monotonic() + 5
        while "quit" not in server.commands and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "quit" in server.commands
        assert not server.letters


def test_letters_that_hang_do_not_pile_up() -> None:
    hasty = replace(SENDING, timeout=0.05)
    with receivers.mail(hangs_at="HI") as server:
        said = [_mailed(server, hasty) for _ in range(6)]
        assert {one.outcome for one in said} == {"later"}
        assert "still wait" in said[4].text
        assert "still wait" in said[5].text
        server.hangs_at = ""
        server.ended.set()
        deadline = time.monotonic() + 5
        while (answer := _mailed(server)).outcome == "later" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert answer.outcome == "sent"


def test_letters_that_hang_are_none_of_a_forked_child() -> None:
    places = [mail._post.places.acquire(blocking=False) for _ in range(5)]
    assert places == [True] * 4 + [False]
    with mail._post.leaving:
        child = os.fork()
        if not child:
            mine = mail._post.places.acquire(blocking=False)
            os._exit(0 if mine and mail._post.leaving.acquire(timeout=5) else 1)
    for _ in range(4):
        mail._post.places.release()
    assert os.waitpid(child, 0)[1] == 0


def test_a_mail_server_that_is_away_is_tried_again() -> None:
    away = receivers.MailServer(port=receivers.free_port())
    answer = _mailed(away)
    assert answer.outcome == "later"
    assert "refused" in answer.text


# --- apprise ------------------------------------------------------------------------------------


def test_without_apprise_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(others, "is_installed", lambda: False)
    answer = _send("apprise", {"url": f"json://{SENTINEL}/"})
    assert answer.outcome == "refused"
    assert "pip install 'django-z4j[alerts]'" in answer.text


@pytest.mark.skipif(not others.is_installed(), reason="apprise is in the extra `alerts`")
@pytest.mark.parametrize(
    ("fault", "path", "outcome"),
    [
        (receivers.answers(), "", "sent"),
        (receivers.answers(503, "{echo}"), "", "later"),
        (receivers.hangs, "?rto=0.2", "unknown"),
    ],
    ids=["ok", "503", "hangs"],
)
def test_apprise_sends_it_and_tells_what_came_of_it(
    sink: Sink, fault: receivers.Fault, path: str, outcome: str
) -> None:
    sink.fault = fault
    url = f"json://user:{SENTINEL}@127.0.0.1:{sink.port}/{SENTINEL}/{path}"
    answer = _send("apprise", {"url": url})
    assert answer.outcome == outcome, answer
    assert "41 messages wait" in sink.requests[-1].json["message"]


def test_apprise_is_ended_when_the_time_is_over(sink: Sink) -> None:
    sending = replace(SENDING, timeout=0.02)
    answer = _send("apprise", {"url": f"json://127.0.0.1:{sink.port}/"}, sending)
    assert answer == Answer("later", "apprise did not come to an end.")


@pytest.mark.skipif(not others.is_installed(), reason="apprise is in the extra `alerts`")
def test_apprise_calls_nothing_private_without_the_setting(sink: Sink) -> None:
    before = len(sink.requests)
    answer = _send("apprise", {"url": f"json://127.0.0.1:{sink.port}/"}, Sending())
    assert answer.outcome == "refused"
    assert "PRIVATE_TARGETS" in answer.text
    assert len(sink.requests) == before
