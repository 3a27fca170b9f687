"""A project's own patterns: what they mask, and which are refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from hypothesis import given
from hypothesis import strategies as st

from z4j_django import checks, conf
from z4j_django.agent import events
from z4j_django.secrets import masking, redaction, rules
from z4j_django.secrets.masking import MASK
from z4j_django.store.folding import Fold


def made(
    keys: list[str] | None = None, values: list[str] | None = None, emails: bool = False
) -> masking.Rules:
    return rules.from_setting(keys or [], values or [], emails)


class TestMasking:
    def test_a_name_is_secret_by_a_pattern_that_fits_within_it(self) -> None:
        mine = made(keys=["passport", r"^dob$", r"(?i)KUNDE.*nr"])
        shown = redaction.redact(
            {"passportNo": 1, "dob": "x", "dob2": "x", "kunde_alt_nr": 7, "n": 1}, rules=mine
        )
        assert shown == {"passportNo": MASK, "dob": MASK, "dob2": "x", "kunde_alt_nr": MASK, "n": 1}

    def test_and_so_in_positional_arguments_and_in_texts(self) -> None:
        mine = made(keys=["passport"])
        assert redaction.redact_args([1, 2], ["passport", "n"], rules=mine) == [MASK, 2]
        assert redaction.redact_text("passport_no='X1' n=1", 100, mine) == (
            f"passport_no='{MASK}' n=1"
        )

    def test_a_value_is_masked_where_it_stands(self) -> None:
        mine = made(values=[r"CUST-\d{4,8}", r"\b\d{3}-\d{2}-\d{4}\b"])
        assert redaction.redact("of CUST-12345, 078-05-1120.", rules=mine) == f"of {MASK}, {MASK}."
        trace = "x" * 40_000 + " CUST-12345"
        assert redaction.redact_text(trace, 1000, mine).endswith(f"xx {MASK}")

    def test_a_value_is_masked_in_a_name_and_as_a_number_too(self) -> None:
        mine = made(values=[r"^\d{9}$", "CUST-1"])
        assert redaction.redact([123456789, 12345678, {"CUST-1": 1}], rules=mine) == [
            MASK,
            12345678,
            {MASK: 1},
        ]

    def test_what_is_secret_anyway_stays_so(self) -> None:
        mine = made(keys=["x"], values=["zz"], emails=True)
        assert redaction.redact({"password": "p", "n": "sk_live_4eC39HqLyj"}, rules=mine) == {
            "password": MASK,
            "n": f"sk_live_{MASK}",
        }

    def test_a_secret_of_ones_own_across_a_cut_is_masked(self) -> None:
        mine = made(values=[r"CUST-\d{1,900}"])
        text = "CUST-" + "1" * 800
        budget = redaction.Budget(string=50)
        shown = redaction.redact("y" * 40 + text + "z" * 9000, budget=budget, rules=mine)
        assert "CUST" not in str(shown)

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("ann@example.com paid", f"{MASK} paid"),
            ("to <ann.b+c@mail.example.co.uk>.", f"to <{MASK}>."),
            ("jörg@example.com", MASK),
            ("a@b, @property, x @ y", "a@b, @property, x @ y"),
            ("postgres://u:p@db.example/x", f"postgres://u:{MASK}@db.example/x"),
        ],
    )
    def test_addresses_are_masked_where_asked_for(self, text: str, shown: str) -> None:
        found = redaction.redact(text, rules=made(emails=True))
        assert found == shown or "p@" not in str(found)
        assert "ann" not in str(found)

    def test_without_rules_addresses_stay(self) -> None:
        assert redaction.redact("ann@example.com") == "ann@example.com"

    def test_folding_follows_the_rules(self) -> None:
        fold = Fold(made(keys=["passport"], values=["CUST-1"], emails=True))
        header = events.Header(schema=1, project="shop", host="h", pid=7)
        message = events.Message(
            name="t",
            args=b'["X1","CUST-1"]',  # type: ignore[arg-type]  # raw JSON
            kwargs=b'{"to":"ann@example.com"}',  # type: ignore[arg-type]
            params=("passport",),
        )
        failure = events.Failure("ValueError", "no CUST-1", "line\nno CUST-1")
        told = {"task_id": "a", "at": 1.0}
        found = [
            events.TaskEvent(kind=events.TASK_SENT, message=message, **told),  # type: ignore[arg-type]
            events.TaskEvent(kind=events.TASK_FAILED, failure=failure, **told),  # type: ignore[arg-type]
            events.TaskEvent(
                kind=events.TASK_SUCCEEDED,
                task_id="b",
                at=1.0,
                result=b'"of ann@example.com"',  # type: ignore[arg-type]
            ),
        ]
        fold.add(found, header)
        row = fold.tasks["shop", "a"]
        assert (row.args, row.kwargs) == (f'["{MASK}","{MASK}"]', f'{{"to":"{MASK}"}}')
        assert (row.exception_message, row.traceback) == (f"no {MASK}", f"line\nno {MASK}")
        assert fold.tasks["shop", "b"].result == f'"of {MASK}"'
        assert [line.detail for line in fold.timeline] == ["", f"ValueError: no {MASK}", ""]


GOOD_VALUES = [
    "CUST-1", r"\d{1,30}", r"[A-Z]{2}\d{6}[A-Z]?", r"(?:\d{4}[ -]?){4}",
    r"(?i)geheim:\s{0,5}\S{1,80}",
    r"[\w.]{1,64}+@[\w.]{1,200}", r"(?<=id=)\d{1,20}", r"(['\"])x\1", r"(?:foo|bar){1,5}", "é{3}",
    r"(a)(?(1)b|c)", r"(?>ab|c)d",
]  # fmt: skip
GOOD_KEYS = [r".*_nr$", "passport", r"^x+$", r"\w+id"]
ENDLESS = "repeats without end; give it a bound: {1,30} in place of +, {0,30} in place of *."
WAYS = (
    "can fit a text in more than 1000 ways, which takes too long where it does not; give "
    "repetitions smaller bounds, or make them possessive: {1,30}+."
)
REFUSED = [
    (r"\d+", ENDLESS),
    (r"(a+)+$", ENDLESS),
    (r"(?:\w{1,20})*x", ENDLESS),
    (r"\d++", ENDLESS),
    (r"a(?!.*x)b", WAYS),
    (r"(a{1,30}){1,30}b", WAYS),
    (r"(a|aa){1,30}b", WAYS),
    (r"\w{1,50}\w{1,50}x", WAYS),
    (r"(?:a?){30}a{30}", WAYS),
    (r"(?:(?>a{1,30}b?)c?){1,9}d", WAYS),
    (r"(?:a?b?){1,20}+c", WAYS),
    (r"(?=a{1,5000})b", WAYS),
    (r"a?", "fits an empty text, and so stands everywhere."),
    (r"\b", "fits an empty text, and so stands everywhere."),
    ("", "fits an empty text, and so stands everywhere."),
    (r"a{2000}", "fits up to 2000 characters; it may fit 1000."),
    ("x" * 501, "has 501 characters; a pattern may have 500."),
    ("(", "is no pattern: missing ), unterminated subpattern at position 0."),
    ("(?P<n>a)(?P<n>b)", "is no pattern: redefinition of group name 'n' as group 2; was group 1"),
]


class TestWhichPatternsAreTaken:
    @pytest.mark.parametrize("pattern", GOOD_VALUES)
    def test_one_of_texts_that_can_not_take_long(self, pattern: str) -> None:
        assert [found.pattern for found in made(values=[pattern]).values] == [pattern]

    @pytest.mark.parametrize("pattern", GOOD_KEYS)
    def test_one_of_names_which_are_short(self, pattern: str) -> None:
        assert [found.pattern for found in made(keys=[pattern]).keys] == [pattern]

    @pytest.mark.parametrize(("pattern", "why"), REFUSED)
    def test_what_is_refused_says_why(self, pattern: str, why: str) -> None:
        with pytest.raises(ValueError, match="which") as told:
            made(values=[pattern])
        shown = repr(pattern if len(pattern) <= 60 else pattern[:60] + "…")
        assert str(told.value).startswith(f"Z4J['REDACT']['values'] has {shown}, which {why}")

    @pytest.mark.parametrize("pattern", [r"(a+)+$", r".*_.*_x", r"(?:a|aa)*b", ".*"])
    def test_names_are_not_searched_for_what_takes_too_long_either(self, pattern: str) -> None:
        with pytest.raises(ValueError, match="which"):
            made(keys=[pattern])

    def test_there_are_a_bounded_number_of_them(self) -> None:
        assert len(made(values=["x"] * 50).values) == 50
        with pytest.raises(ValueError, match="has 51 patterns; it may have 50"):
            made(values=["x"] * 51)

    def test_a_pattern_nested_deeply_is_refused_and_no_error(self) -> None:
        with pytest.raises(ValueError, match="which"):
            made(values=["(" * 249 + "a?" + ")" * 249])

    @pytest.mark.filterwarnings("ignore:Possible")
    @given(st.text("ab(){}|?*+[]\\d1,3^$.", max_size=40))
    def test_any_text_is_taken_or_refused_in_words(self, pattern: str) -> None:
        try:
            made(values=[pattern])
        except ValueError as error:
            assert str(error).startswith("Z4J['REDACT']['values'] has ")  # noqa: PT017

    @pytest.mark.parametrize("pattern", GOOD_VALUES)
    @pytest.mark.parametrize("unit", ["a", "1", "A", " ", "geheim:", "1234 ", "foo", "@"])
    def test_what_is_taken_comes_to_an_end_of_a_hostile_text(self, pattern: str, unit: str) -> None:
        text = unit * (24_000 // len(unit)) + "\n!"  # a catastrophe takes for ever
        assert re.compile(pattern).sub("", text).endswith("!")


class TestTheSetting:
    def test_it_makes_the_same_rules_each_time(self, settings: Any) -> None:
        settings.Z4J = {"REDACT": {"keys": ["passport"], "values": ["CUST-1"], "emails": True}}
        found = conf.settings.redaction
        assert found is conf.settings.redaction
        assert ([key.pattern for key in found.keys], found.emails) == (["passport"], True)
        settings.Z4J = {}
        assert conf.settings.redaction.values == ()

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            (
                {"values": [r"(a+)+"]},
                f"Z4J['REDACT']['values'] has '(a+)+', which {ENDLESS}",
            ),
            (
                {"keys": ["["]},
                "Z4J['REDACT']['keys'] has '[', which is no pattern: unterminated character set "
                "at position 0.",
            ),
            (
                {"key": ["x"]},
                "The setting Z4J is wrong: Object contains unknown field `key` - at `$.REDACT`",
            ),
            (
                {"keys": "x"},
                "The setting Z4J is wrong: Expected `array`, got `str` - at `$.REDACT.keys`",
            ),
        ],
    )
    def test_a_wrong_one_is_told_at_start(self, settings: Any, given: Any, message: str) -> None:
        settings.Z4J = {"REDACT": given}
        with pytest.raises(ImproperlyConfigured) as told:
            conf.settings.REDACT  # noqa: B018  # loads the setting
        assert str(told.value) == message
        assert [(found.id, found.msg) for found in checks.check_setting()] == [
            ("z4j_django.E001", message)
        ]
