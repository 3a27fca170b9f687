"""How a filter is read, how it is written again, and what is said of a mistake in it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import example, given
from hypothesis import strategies as st

from z4j_django.exceptions import FilterError
from z4j_django.queries import filter as filters
from z4j_django.queries.cursors import Key
from z4j_django.queries.filter import terms, values, words
from z4j_django.values import UNSTORABLE

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NAMES = [*filters.TERMS, "args.0", "kwargs.a", 'kwargs."a.b".0', "", "-", "State", "nothing"]
#: Texts that nearly are filters.
NEARLY = st.lists(
    st.sampled_from(
        [
            *(f"{name}:" for name in NAMES),
            *("-", '"', "\\", "\\\\", '\\"', ",", ":", ".", "..", "*", " ", "\t", "\0", "\ud800"),
            *(
                "a",
                "é",
                "🛒",
                "0",
                "42",
                "2h",
                ">",
                "<=",
                "5ms",
                "2026-11-01",
                "2026-02-31",
                "null",
            ),
            *("FAILURE", "shop.*", "T10:00", "Z", "+01:00", "1e999", "9" * 30, "w", "99999999w"),
        ]
    ),
    max_size=30,
).map("".join)


def parse(text: str) -> filters.Filter:
    return filters.parse(text, now=NOW)


def told(text: str) -> str:
    with pytest.raises(FilterError) as error:
        parse(text)
    return str(error.value)


def value(text: str) -> Any:
    (term,) = parse(text).terms
    return term.values[0]


class TestAnyText:
    """Nothing that a person or a program may send breaks it."""

    @given(st.one_of(st.text(max_size=200), NEARLY))
    @example("\0")
    @example("name:\ud800")
    @example("x" * 10_000)
    @example("a " * 900)
    @example("state:" + ",".join(["FAILURE"] * 100))
    @example("sent:>99999999w")
    @example("sent:" + "9" * 500 + "d..")
    @example("kwargs." + ".".join("a" * 100) + ":1")
    @example("-" * 1999)
    @example('"' * 1999)
    def test_it_is_read_or_refused_and_what_is_read_can_be_written(self, text: str) -> None:
        try:
            asked = parse(text)
        except FilterError as refusal:
            error = refusal
        else:
            written = str(asked)
            if len(written) <= words.LENGTH_LIMIT:  # quotes make it longer
                assert parse(written) == asked
                assert str(parse(written)) == written
            return
        assert 1 <= error.position <= max(1, len(text))
        assert len(error.term) <= 101
        assert str(error) == f'At {error.position}, "{error.term}": expected {error.expected}.'

    @given(st.sampled_from(NAMES), st.one_of(st.text(max_size=50), NEARLY))
    def test_so_is_a_plain_parameter(self, name: str, text: str) -> None:
        try:
            asked = filters.term(name, text, now=NOW)
        except FilterError as refusal:
            error = refusal
        else:
            assert len(asked.terms) == 1
            assert parse(str(asked)) == asked
            return
        assert str(error) == f'"{error.term}": expected {error.expected}.'

    @given(st.text(max_size=30))
    def test_a_quoted_value_is_taken_as_it_is(self, text: str) -> None:
        if UNSTORABLE.search(text):
            with pytest.raises(FilterError):
                parse(f"name:{words.quote(text)}")
            return
        assert value(f"name:{words.quote(text)}") == values.Exact(text)
        assert value(f"kwargs.a:{words.quote(text)}").text == text


class TestWords:
    @pytest.mark.parametrize(
        ("text", "written"),
        [
            ("", ""),
            ("  state:failure\t\nname:a  ", "state:FAILURE name:a"),
            ("-state:RETRY,retry", "-state:RETRY,RETRY"),
            ('name:"a b",c', 'name:"a b",c'),
            ('name:"shop.*"', 'name:"shop.*"'),
            ('name:"a b"*', 'name:"a b"*'),
            ("name:*", "name:*"),
            ("worker:w1@host:8000", "worker:w1@host:8000"),
            ('queue:""', 'queue:""'),
            ("word -other", "word -other"),
            ('"a:b" -"-c" "x y"', '"a:b" -"-c" "x y"'),
            ("shop.*", "shop."),
            ('back\\slash "\\\\\\""', 'back\\slash "\\\\\\""'),
            ('kwargs."a.b".0."0":1', 'kwargs."a.b".0."0":1'),
            ("kwargs.0:1", "kwargs.0:1"),
            ('kwargs."0":1', "kwargs.0:1"),
            ('kwargs.a:"42"', 'kwargs.a:"42"'),
            ('kwargs.a:"b"', "kwargs.a:b"),
            ("args.007:x", "args.7:x"),
        ],
    )
    def test_they_are_written_in_one_way(self, text: str, written: str) -> None:
        assert str(parse(text)) == written

    def test_a_pattern_is_a_beginning_and_an_asterisk(self) -> None:
        assert value("name:shop.*") == values.Prefix("shop.")
        assert value('name:"shop.*"') == values.Exact("shop.*")
        assert value("error:*") == values.Prefix("")

    def test_a_path_has_keys_and_places(self) -> None:
        (term,) = parse('kwargs.0.1."2".a:x').terms
        assert term == terms.Term(
            terms.TERMS["kwargs"], (values.Json("x", False),), path=("0", 1, "2", "a")
        )

    @pytest.mark.parametrize(
        ("text", "reads_as"),
        [
            ("42", (42,)),
            ("-0.5e1", (-5.0,)),
            ("true", (True,)),
            ("null", (None,)),
            (str(2**63 - 1), (2**63 - 1,)),
            (str(2**63), ()),
            ("1e999", ()),
            ("042", ()),
            ("٣", ()),
            ("nan", ()),
            ("True", ()),
            ('"42"', ()),
        ],
    )
    def test_a_value_reads_as_json_where_it_can(self, text: str, reads_as: tuple[Any, ...]) -> None:
        assert value(f"kwargs.a:{text}").reads_as == reads_as


class TestRanges:
    @pytest.mark.parametrize(
        ("text", "low", "high", "with_ends"),
        [
            ("sent:>2h", None, NOW - timedelta(hours=2), (True, False)),
            ("sent:>=1.5h", None, NOW - timedelta(minutes=90), (True, True)),
            ("sent:<2d", NOW - timedelta(days=2), None, (False, True)),
            ("sent:<=3w", NOW - timedelta(weeks=3), None, (True, True)),
            ("sent:1h..2h", NOW - timedelta(hours=2), NOW - timedelta(hours=1), (True, True)),
            ("sent:1h..", None, NOW - timedelta(hours=1), (True, True)),
            ("sent:..1h", NOW - timedelta(hours=1), None, (True, True)),
            ("sent:2026-11-01", "2026-11-01", "2026-11-02", (True, False)),
            ("sent:>2026-11-01", "2026-11-02", None, (True, True)),
            ("sent:>=2026-11-01", "2026-11-01", None, (True, True)),
            ("sent:<2026-11-01", None, "2026-11-01", (True, False)),
            ("sent:<=2026-11-01", None, "2026-11-02", (True, False)),
            ("sent:2026-11-01..2026-11-02", "2026-11-01", "2026-11-03", (True, False)),
            ("sent:2026-11-01..", "2026-11-01", None, (True, True)),
            ("sent:..2026-11-01", None, "2026-11-02", (True, False)),
            ("sent:>2026-11-01T10:30", "2026-11-01T10:30", None, (False, True)),
            (
                "sent:2026-11-01T10:30:00+02:00",
                "2026-11-01T08:30",
                "2026-11-01T08:30",
                (True, True),
            ),
            ('sent:<="2026-11-01 10:30:00.5"', None, "2026-11-01T10:30:00.5", (True, True)),
            ("runtime:>5s", 5.0, None, (False, True)),
            ("runtime:500ms", 0.5, 0.5, (True, True)),
            ("runtime:<=2", None, 2.0, (True, True)),
            ("runtime:1m..1.5h", 60.0, 5400.0, (True, True)),
            ("retries:>=2", 2, None, (True, True)),
            ("priority:-5..-1", -5, -1, (True, True)),
            ("deliveries:1", 1, 1, (True, True)),
        ],
    )
    def test_they_have_their_ends(
        self, text: str, low: Any, high: Any, with_ends: tuple[bool, bool]
    ) -> None:
        found = value(text)
        ends = (low, high)
        if text.startswith("sent"):
            ends = tuple(
                datetime.fromisoformat(end).replace(tzinfo=UTC) if isinstance(end, str) else end
                for end in ends
            )
        assert (found.span.low, found.span.high) == ends
        assert (found.span.with_low, found.span.with_high) == with_ends
        assert parse(str(parse(text))) == parse(text)

    def test_a_day_begins_when_it_does_in_the_current_time_zone(self) -> None:
        with timezone.override("Europe/Berlin"):
            found = value("sent:2026-10-25")
        # Its clocks go back: the day has 25 hours.
        assert (found.span.low, found.span.high) == (
            datetime(2026, 10, 24, 22, tzinfo=UTC),
            datetime(2026, 10, 25, 23, tzinfo=UTC),
        )

    def test_without_time_zones_moments_are_as_the_database_has_them(self, settings: Any) -> None:
        settings.USE_TZ = False
        assert value("sent:>=2026-11-01").span.low == datetime(2026, 11, 1)
        naive = filters.parse("sent:>=1h", now=datetime(2026, 11, 1, 12))
        assert naive.terms[0].values[0].span.high == datetime(2026, 11, 1, 11)
        key = Key(7, datetime(2026, 11, 1, 12, 0, 0, 1))
        assert Key.from_token(key.token()) == key


class TestMistakes:
    MOMENT = (
        "an age compared, such as >2h; a date or a moment, such as 2026-11-01 or "
        "2026-11-01T10:00:00Z; or a range, such as 2026-11-01..2026-11-03"
    )
    ORDER = "the smaller end of a range first"
    INTEGER = "a whole number of at most nine digits, such as 2, >=2 or 2..5"
    STAR = "* at the end alone; a text that has one of its own goes in quotes"
    VALUE = 'a value; "" stands for none'

    @pytest.mark.parametrize(
        ("text", "position", "term", "expected"),
        [
            ("word  runtime:>5x", 7, "runtime:>5x", "a length of time, such as 500ms, 5s, 2m, 3h"),
            ("runtime:5w5", 1, "runtime:5w5", "a length of time, "),
            ("runtime:5s..1s", 1, "runtime:5s..1s", ORDER),
            ("state:LOST", 1, "state:LOST", "a state: PENDING, RECEIVED, STARTED, RETRY, "),
            ('state:""', 1, 'state:""', "a state: "),
            ("name:sh*p", 1, "name:sh*p", STAR),
            ("name:**", 1, "name:**", STAR),
            ("id:ab*", 1, "id:ab*", "the whole text; one that has a * of its own goes in quotes"),
            ("sent:2h", 1, "sent:2h", MOMENT),
            ("sent:>5", 1, "sent:>5", MOMENT),
            ("sent:>5ms", 1, "sent:>5ms", MOMENT),
            ("sent:2026-02-31", 1, "sent:2026-02-31", MOMENT),
            ("sent:9999-12-31", 1, "sent:9999-12-31", MOMENT),
            ("sent:0001-01-01T00:00:00+14:00", 1, "sent:0001-01-01T00:00:00+14:00", MOMENT),
            ("sent:>99999999w", 1, "sent:>99999999w", MOMENT),
            ("sent:..", 1, "sent:..", MOMENT),
            ("sent:2h..1h", 1, "sent:2h..1h", ORDER),
            ("sent:2026-11-02..2026-11-01", 1, "sent:2026-11-02..2026-11-01", ORDER),
            (
                "sent:2026-11-02..1h",
                1,
                "sent:2026-11-02..1h",
                "two ages, or two dates or moments, as the ends of a range",
            ),
            ("retries:>=2.5", 1, "retries:>=2.5", INTEGER),
            (f"retries:{2**64}", 1, f"retries:{2**64}", INTEGER),
            ("name:", 1, "name:", VALUE),
            ("name:a,,b", 1, "name:a,,b", VALUE),
            ("-", 1, "-", "a word"),
            ('""', 1, '""', "a word"),
            ('x name:"a b', 3, 'name:"a b', "a second quote that ends what the first one begins"),
            ("a\0b", 1, "a\0b", "text without NUL characters and broken ones"),
            ("args.x:1", 1, "args.x:1", "args. and the place of an argument, from 0, such as args"),
            ("args:1", 1, "args:1", "args. and the place of an argument"),
            ("kwargs:1", 1, "kwargs:1", "kwargs. and a name, such as kwargs.user_id:42"),
            ("kwargs..a:1", 1, "kwargs..a:1", "kwargs. and a name"),
            ("kwargs" + ".a" * 13 + ":1", 1, "kwargs" + ".a" * 13 + ":1", "at most 12 names "),
            ("state.x:1", 1, "state.x:1", "nothing between state and the colon"),
        ],
    )
    def test_each_names_the_term_the_place_and_what_was_expected(
        self, text: str, position: int, term: str, expected: str
    ) -> None:
        assert told(text).startswith(f'At {position}, "{term}": expected {expected}')

    @pytest.mark.parametrize(
        ("name", "nearest"),
        [("stat", ", perhaps state;"), ("State", ", perhaps state;"), ("http", ";"), ("", ";")],
    )
    def test_an_unknown_name_is_told_the_known_and_the_nearest(
        self, name: str, nearest: str
    ) -> None:
        known = ", ".join(filters.TERMS)
        assert told(f"a {name}:b") == (
            f'At 3, "{name}:b": expected one of {known} before the colon{nearest} a free word with '
            "a colon goes in quotes."
        )

    def test_what_is_too_much_is_told_and_not_repeated(self) -> None:
        assert told("x" * 10_000) == f'At 1, "{"x" * 100}…": expected at most 2,000 characters.'
        assert told("a " * 51).startswith('At 101, "a": expected at most 50 terms.')
        assert "expected at most 50 values." in told("name:" + ",".join("a" * 51))
        assert len(parse("a " * 50).terms) == 50

    def test_a_plain_parameter_has_no_place(self) -> None:
        with pytest.raises(FilterError) as error:
            filters.term("runtime", ">5x")
        assert (error.value.term, error.value.position) == ("runtime:>5x", 0)
        assert str(error.value).startswith('"runtime:>5x": expected a length of time')


class TestKeys:
    @given(
        st.integers(0, 2**63 - 1),
        st.one_of(
            st.none(),
            st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),
        ),
    )
    def test_a_token_leads_back_to_its_key(self, row: int, sent_at: datetime | None) -> None:
        key = Key(row, sent_at)
        token = key.token()
        assert Key.from_token(token) == key
        assert len(token) <= 22
        assert token.replace("-", "").replace("_", "").isalnum()

    @given(st.one_of(st.text(max_size=30), st.from_regex(r"[\w-]{11}|[\w-]{22}", fullmatch=True)))
    @example("_" * 11)
    @example("_" * 22)
    @example("AAAAAAAAAAF")
    @example("")
    def test_any_other_text_is_refused_or_is_a_token(self, text: str) -> None:
        try:
            key = Key.from_token(text)
        except ValueError:
            return
        assert key.token() == text
        assert key.id >= 0
