"""What is on offer while a filter is typed, and what may be meant by one that is wrong."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.pages import task
from z4j_django.exceptions import FilterError
from z4j_django.models import ErrorGroup, Release
from z4j_django.queries import filter as filters
from z4j_django.queries.filter import corrections, suggestions, words
from z4j_django.queries.filter.suggestions import LIMIT, suggest

pytestmark = pytest.mark.django_db

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(autouse=True)
def _shop() -> None:
    now = timezone.now()
    task("a", name="shop.charge_card", queue="mail", worker="w1@web1", schedule="nightly report")
    task("b", name="shop.resize_image", queue="bulk", worker="w2@web2")
    task("c", name="blog.tidy up", queue="mail, slow")
    Release.objects.create(key=1, name="4.12.0", first_seen=now, last_seen=now)
    ErrorGroup.objects.create(
        fingerprint=1,
        name="shop.charge_card",
        exception_type="shop.errors.CardDeclined",
        task_id="a",
        first_seen=now,
        last_seen=now,
    )


def shown(text: str, position: int | None = None) -> list[str]:
    found = suggest(text, len(text) if position is None else position)
    return [one.shown for one in found]


def taken(text: str, position: int | None = None) -> list[tuple[str, int]]:
    found = suggest(text, len(text) if position is None else position)
    return [(one.text, one.position) for one in found]


class TestTerms:
    def test_nothing_typed_offers_the_first_terms(self) -> None:
        assert shown("")[:4] == ["state:", "is:", "name:", "queue:"]
        assert len(shown("")) == LIMIT
        assert shown("state:FAILURE ")[0] == "state:"

    def test_a_beginning_offers_terms_states_and_what_is_on_record(self) -> None:
        assert shown("st") == ["state:", "started:", "state:STARTED"]
        assert shown("FAI") == ["state:FAILURE"]
        assert shown("lo") == ["is:lost", "is:long"]
        assert shown("cha") == ["name:shop.charge_card"]
        assert shown("w1") == ["worker:w1@web1"]
        assert shown("mai") == ["queue:mail", 'queue:"mail, slow"']

    def test_one_letter_looks_at_no_table(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            assert "state:" in shown("s")
        assert len(captured) == 0

    def test_what_is_json_goes_on_with_a_dot(self) -> None:
        assert "kwargs." in shown("kw")


class TestValues:
    @pytest.mark.parametrize(
        ("typed", "expected"),
        [
            ("state:f", ["state:FAILURE"]),
            ("is:re", ["is:retrying", "is:redelivered"]),
            ("name:char", ["name:shop.charge_card"]),
            ("name:shop.*", ["name:shop.charge_card", "name:shop.resize_image"]),
            ("queue:", ["queue:bulk", "queue:mail", 'queue:"mail, slow"']),
            ("worker:w2", ["worker:w2@web2"]),
            ('schedule:"night', ['schedule:"nightly report"']),
            ("release:4", ["release:4.12.0"]),
            ("error:card", ["error:CardDeclined"]),
            ("error:shop.e", ["error:shop.errors.CardDeclined"]),
            ("project:d", ["project:default"]),
            ("sent:<2", ["sent:<24h"]),
            ("runtime:>10", ["runtime:>10s", "runtime:>10m"]),
            ("kwargs.user_id:4", []),
            ("nothing:x", []),
        ],
    )
    def test_they_are_those_that_begin_so(self, typed: str, expected: list[str]) -> None:
        assert shown(typed) == expected

    def test_what_is_said_of_a_status_stands_beside_it(self) -> None:
        (one,) = suggest("is:due", 6)
        assert one.help == "waits for its ETA"


class TestTaking:
    def test_a_term_is_followed_by_its_value_and_a_value_by_the_next_term(self) -> None:
        assert taken("sta")[0] == ("state:", 6)
        assert taken("state:FAI") == [("state:FAILURE ", 14)]
        assert taken("kw") == [("kwargs.", 7)]

    def test_only_the_term_at_the_cursor_is_replaced(self) -> None:
        assert taken("name:shop.* queue:b sent:<2h", 19) == [
            ("name:shop.* queue:bulk sent:<2h", 22)
        ]
        assert taken("queue:bu,mail", 8) == [("queue:bulk,mail", 10)]
        assert taken("-state:SUCCESS,RET") == [("-state:SUCCESS,RETRY ", 21)]

    def test_what_is_taken_can_be_read(self) -> None:
        for typed in ("queue:", "name:", "schedule:", "state:", "is:", "sent:", "runtime:"):
            for text, position in taken(typed):
                filters.parse(text)
                assert text[:position] == text

    def test_quotes_hold_a_term_together(self) -> None:
        assert taken('queue:"mail, s') == [('queue:"mail, slow" ', 19)]
        assert taken('schedule:"nightly rep" x', 21)[0] == ('schedule:"nightly report" x', 25)


class TestHostile:
    @pytest.mark.parametrize(
        "typed",
        ["\0", "\ud800", "x" * (words.LENGTH_LIMIT + 1), '"' * 500, "\\" * 500, ":,:-", "%", "_"],
    )
    def test_whatever_is_typed_is_answered(self, typed: str) -> None:
        for position in (-5, 0, 3, len(typed), len(typed) + 9):
            assert len(suggest(typed, position)) <= LIMIT

    def test_names_are_quoted_as_they_are(self) -> None:
        task("h", name='<script>"x"', queue="\u202efdp.exe")
        assert shown("name:<scr") == [r'name:"<script>\"x\""']
        (found,) = filters.parse(suggest("name:<scr", 9)[0].text).terms
        assert found.values[0].text == '<script>"x"'  # type: ignore[union-attr]
        assert shown("queue:\u202e") == ["queue:\u202efdp.exe"]

    def test_it_steps_through_indexes_alone(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            assert len(suggest("shop", 4)) == 2
        statements = [one["sql"] for one in captured]
        assert len(statements) == 3
        assert not any("LIKE '%" in one.upper() for one in statements)
        assert all("LIMIT" in one or "position <" in one for one in statements)


class TestMistakes:
    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("state:FAILED", "state:FAILURE"),
            ("status:failed", "state:FAILURE"),
            ("stat:FAILURE", "state:FAILURE"),
            ("state:failure,sucess", "state:FAILURE,SUCCESS"),
            ("state:FAILED,sucess queue:mail", "state:FAILURE,SUCCESS queue:mail"),
            ("is:failed", "state:FAILURE"),
            ("state:lost", "is:lost"),
            ("-state:runing", "-state:STARTED"),
            ("task:shop.pay", "name:shop.pay"),
            ("sent:2h", "sent:<2h"),
            ('queue:"mail', 'queue:"mail"'),
            ("nmae:shop.* stat:FAILED", "name:shop.* state:FAILURE"),
            ("zzz:FAILURE", None),
            ("runtime:abc", None),
        ],
    )
    def test_what_can_not_be_read_is_mended_where_it_is_near(
        self, typed: str, meant: str | None
    ) -> None:
        with pytest.raises(FilterError):
            filters.parse(typed)
        assert corrections.of_mistake(typed) == meant
        if meant:
            filters.parse(meant)

    def test_what_can_be_read_is_not_mended(self) -> None:
        assert corrections.of_mistake("state:FAILURE") is None

    @pytest.mark.parametrize("typed", ["x" * 3000, '"' * 99, ":" * 50, "a:b " * 60, "\0:x"])
    def test_it_ends_whatever_is_typed(self, typed: str) -> None:
        meant = corrections.of_mistake(typed)
        assert meant is None or filters.parse(meant)

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("failed", "state:FAILURE"),
            ("FAILURE", "state:FAILURE"),
            ("running queue:mail", "state:STARTED queue:mail"),
            ("-lost", "-is:lost"),
            ("charge", None),
        ],
    )
    def test_a_word_may_mean_a_state(self, typed: str, meant: str | None) -> None:
        assert corrections.of_words(filters.parse(typed)) == meant

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            ("name:shop.chrage_card", "name:shop.charge_card"),
            ("name:charge_crad state:FAILURE", "name:shop.charge_card state:FAILURE"),
            ("name:charge", "name:shop.charge_card"),
            ("queue:mial", "queue:mail"),
            ("worker:w1@wbe1", "worker:w1@web1"),
            ("error:CardDecline", "error:CardDeclined"),
            ("resise_image", "name:shop.resize_image"),
            ("failre", "state:FAILURE"),
            ("name:shop.charge_card state:STARTED", None),
            ("name:shop.*", None),
            ("-queue:mial", None),
            ("zzzzzzzz", None),
        ],
    )
    def test_what_finds_nothing_may_mean_what_is_on_record(
        self, typed: str, meant: str | None
    ) -> None:
        assert corrections.of_nothing_found(filters.parse(typed)) == meant

    @pytest.mark.parametrize(
        ("typed", "meant"),
        [
            (TRACE, f"trace:{TRACE}"),
            (TRACE.upper(), f"trace:{TRACE}"),
            (f"00-{TRACE}-00f067aa0ba902b7-01 state:FAILURE", f"trace:{TRACE} state:FAILURE"),
            (TRACE[:-1], None),
            (TRACE[::-1], None),
            (f"-{TRACE}", None),
        ],
    )
    def test_an_id_as_a_tracer_tells_it_may_mean_a_trace(
        self, typed: str, meant: str | None
    ) -> None:
        task("traced", trace_id=TRACE)
        assert corrections.of_nothing_found(filters.parse(typed)) == meant


def test_the_named_terms_all_have_values_to_offer() -> None:
    from z4j_django.queries.filter import TERMS

    assert all(TERMS[name].suggestions for name in suggestions._NAMED)
