"""What a message says, and that no text in it is more than a text."""

from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.messages_of_alerts import HOSTILE, NOW, PAGE, hostile, message, problem
from z4j_django.alerts import wording

_UNSHOWN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def test_the_headline_names_where_how_bad_what_and_how_many() -> None:
    worker = problem(title="Worker gone", subject="celery@a")
    told = wording.prepared(message(worker, *(problem(),) * 40, more=2))
    assert (
        wording.headline(told) == "[shop · production] Critical: Worker gone: celery@a, and 42 more"
    )
    ended = wording.prepared(message(status="resolved"))
    assert wording.headline(ended) == "[shop · production] Resolved: Queue without a consumer: mail"


def test_a_letter_says_what_since_when_evidence_remedy_and_where() -> None:
    text = wording.plain(wording.prepared(message()))
    for part in (
        "Critical: Queue without a consumer: mail\n",
        "since 2026-11-29 08:27:00 UTC",
        "41 messages wait, the oldest for 3 minutes.",
        "To do: Start a worker with -Q mail.",
        PAGE,
        "https://shop.example/admin/z4j/",
        "By the rule on call, release v1.2",
    ):
        assert part in text
        assert part.strip() in wording.html_text(wording.prepared(message())).replace("&amp;", "&")


def test_what_ended_says_how_long_it_was_and_asks_for_nothing() -> None:
    text = wording.plain(wording.prepared(message(status="resolved")))
    assert "from 2026-11-29 08:27:00 UTC to 2026-11-29 08:30:00 UTC, 3m 00s" in text
    assert "To do" not in text


def test_an_end_before_its_beginning_is_none() -> None:
    odd = problem(since=NOW + timedelta(seconds=5))
    told = wording.prepared(message(odd, status="resolved"))
    assert told.problems[0].until == odd.since


def test_the_first_twenty_are_spelled_out_and_the_rest_counted() -> None:
    told = wording.prepared(message(*(problem(subject=f"q{n}") for n in range(130)), more=870))
    assert len(told.problems) == 100
    text = wording.plain(told)
    assert "q19" in text
    assert "q20" not in text
    assert "And 980 more." in text


def test_a_test_says_that_it_is_one() -> None:
    told = wording.prepared(message(problems=(), status="test"))
    assert wording.headline(told) == "[shop · production] Test: The channel works"
    assert "This is a test" in wording.plain(told)


def test_hostile_texts_stay_in_their_line_and_show_what_they_are() -> None:
    told = wording.prepared(hostile(3))
    for text in (wording.headline(told), wording.plain(told), wording.html_text(told)):
        assert not _UNSHOWN.search(text)
        text.encode()
    assert "\n" not in wording.headline(told)
    assert len(wording.headline(told)) <= wording.SUBJECT_LENGTH
    assert not re.search(r"^\s*Bcc:", wording.plain(told), re.MULTILINE)
    assert len(wording.plain(wording.prepared(hostile(100)))) < 60_000


def test_hostile_texts_are_no_html() -> None:
    tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert tag != "a" or dict(attrs).keys() == {"href"}

    Reader().feed(wording.html_text(wording.prepared(hostile(2))))
    assert set(tags) == {"html", "body", "h2", "h3", "a", "p", "small"}


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "//shop.example/",
        "/admin/",
        "https:///x",
        "http://[x/",
        "https://shop.example/" + "x" * 2_000,
    ],
)
def test_what_is_no_address_of_a_page_is_left_out(url: str) -> None:
    assert wording.url(url) == ""


def test_an_address_holds_nothing_that_ends_it() -> None:
    shown = wording.url('https://shop.example/q/a b"<>|`\n(é)?x=1&y=%20')
    assert shown == "https://shop.example/q/a%20b%22%3C%3E%7C%60%0A%28%C3%A9%29?x=1&y=%20"


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_text_is_cut_to_units_and_never_in_an_escape(text: str, length: int) -> None:
    escape = {"&": "&amp;", "<": "&lt;"}
    found = wording.cut(text, length, lambda one: escape.get(one, one))
    assert wording.units(found) <= length
    assert re.fullmatch("(?:&amp;|&lt;|[^&<])*", found, re.DOTALL)


@given(st.text(max_size=300))
def test_a_line_is_one(text: str) -> None:
    found = wording.line(text + HOSTILE, 200)
    assert len(found) <= 200
    assert len(found.splitlines()) <= 1
    assert not _UNSHOWN.search(found)
