"""Options: declared once, read strictly, and back from JSON as they were."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta, timezone
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, UnsetType

from z4j_django import operations, options, verb_options, verbs
from z4j_django.exceptions import OperationError, OptionsError
from z4j_django.secrets.masking import MASK

EAST = timezone(timedelta(hours=2))
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Every(options.Options, frozen=True):
    """One option of each kind."""

    text: Annotated[str, Meta(min_length=1, max_length=5), options.option("A text.")]
    number: Annotated[
        Annotated[float, Meta(ge=0, le=5)] | UnsetType, options.option("A number.")
    ] = UNSET
    whole: Annotated[
        Annotated[int, Meta(ge=1, le=9)] | UnsetType, options.option("A whole one.")
    ] = UNSET
    flag: Annotated[bool, options.option("A flag.")] = False
    choice: Annotated[Literal["a", "b"], options.option("A choice.")] = "a"
    at: Annotated[options.Moment | UnsetType, options.option("A moment.")] = UNSET
    until: Annotated[options.Seconds | options.Moment | UnsetType, options.option("Either.")] = (
        UNSET
    )


def read(**given: Any) -> Every:
    return options.read(Every, {"text": "x", **given})


def mistakes(kind: type[options.Options], **given: Any) -> dict[str, str]:
    with pytest.raises(OptionsError) as told:
        options.read(kind, given)
    return told.value.errors


def test_what_was_not_given_is_unset_or_its_default() -> None:
    found = read()
    assert (found.number, found.flag, found.choice) == (UNSET, False, "a")
    assert options.given(found.number) is None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("text", 5, "a text of 1 to 5 characters"),
        ("text", "", "a text of 1 to 5 characters"),
        ("number", "5", "a number from 0 to 5"),
        ("number", True, "a number from 0 to 5"),
        ("number", float("nan"), "a number from 0 to 5"),
        ("number", float("inf"), "a number from 0 to 5"),
        ("number", 10**400, "a number from 0 to 5"),
        ("number", None, "a number from 0 to 5"),
        ("whole", 1.5, "a whole number from 1 to 9"),
        ("whole", True, "a whole number from 1 to 9"),
        ("flag", 1, "true or false"),
        ("flag", "true", "true or false"),
        ("choice", "c", "one of: a, b"),
        ("choice", ["a"], "one of: a, b"),
        ("at", 5, "a moment with its offset"),
        ("at", "tomorrow", "a moment with its offset"),
        ("at", "2026-02-30T12:00:00Z", "a moment with its offset"),
        ("at", "2026-11-01T12:00:00", "a moment with its offset"),
        ("until", "60", "a number of seconds from 0 to 31,622,400, or a moment"),
        ("until", -1, "a number of seconds from 0 to 31,622,400, or a moment"),
        ("until", True, "a number of seconds from 0 to 31,622,400, or a moment"),
    ],
)
def test_nothing_is_guessed(name: str, value: Any, expected: str) -> None:
    [(where, reason)] = mistakes(Every, **{"text": "x", name: value}).items()
    assert where == name
    assert reason.startswith(f"This has to be {expected}")


def test_every_mistake_is_told_at_once_and_by_its_name() -> None:
    found = mistakes(Every, number="5", flag=1, nonsense=2)
    assert list(found) == ["flag", "nonsense", "number", "text"]
    assert found["text"] == "This is required."
    assert found["nonsense"].startswith("There is no such option; those that there are: text, ")


def test_mistakes_are_cut() -> None:
    found = mistakes(Every, **{f"{n}{'x' * 1_000}": n for n in range(900)})
    assert len(found) == 20
    assert max(map(len, found)) == 60


@pytest.mark.parametrize("name", ["SIGKILL", "KILL", "kill", " sigkill "])
def test_a_signal_has_a_short_name_for_people(name: str) -> None:
    assert options.read(verb_options.TerminateOptions, {"signal": name}, UTC).signal == "SIGKILL"


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        *((name, None) for name in ("KILL", "sigkill", "")),
        *((name, UTC) for name in ("", "SIG", 9)),
    ],
)
def test_a_program_gives_a_signal_its_whole_name(name: object, zone: Any) -> None:
    with pytest.raises(OptionsError, match="one of: SIGTERM"):
        options.read(verb_options.TerminateOptions, {"signal": name}, zone)


def test_a_whole_number_may_be_written_with_a_point() -> None:
    assert read(whole=2.0).whole == 2


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-11-01t14:00:00+02:00", None, NOON),
        ("2026-11-01T14:00", EAST, NOON),
        ("2026-11-01", EAST, datetime(2026, 10, 31, 22, tzinfo=UTC)),
        (datetime(2026, 11, 1, 14), EAST, NOON),  # naive on purpose
        ("9999-12-31T23:59:59-14:00", None, datetime.max.replace(tzinfo=UTC)),
        ("0001-01-01T00:00:00+14:00", None, datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_moment_is_kept_in_utc(text: Any, zone: Any, moment: datetime) -> None:
    found = options.read(Every, {"text": "x", "at": text, "until": text}, zone)
    assert (found.at, found.until) == (moment, moment)


def test_a_moment_that_is_too_far_off_is_a_refusal() -> None:
    options.require_near(read(at=NOON + options.LONGEST), NOON)
    with pytest.raises(OperationError, match=r"^until: .* is more than a year ahead") as told:
        options.require_near(read(until=NOON + options.LONGEST + timedelta(seconds=1)), NOON)
    assert not isinstance(told.value, OptionsError)


@given(
    st.fixed_dictionaries(
        {"text": st.text("ab", min_size=1, max_size=5)},
        optional={
            "number": st.floats(0, 5),
            "whole": st.integers(1, 9),
            "flag": st.booleans(),
            "choice": st.sampled_from(["a", "b"]),
            "at": st.datetimes(timezones=st.just(UTC)),
            "until": st.one_of(st.floats(0, 5), st.datetimes(timezones=st.just(UTC))),
        },
    )
)
def test_json_and_back_changes_nothing(values: dict[str, Any]) -> None:
    made = options.read(Every, values)
    shown = msgspec.json.decode(msgspec.json.encode({**made.as_json(), "beside": 1}))
    assert options.part(Every, shown) == made


def test_the_schema_says_what_is_read() -> None:
    found = options.schema(verb_options.RetryOptions, verb_options.BulkOptions, in_bulk=True)
    assert "args" not in found["properties"]
    assert found["properties"]["countdown"]["maximum"] == 31_622_400
    assert found["properties"]["rate"]["minimum"] == 0.01
    assert found["not"] == {"anyOf": [{"required": ["countdown", "eta"]}]}
    assert options.schema(verb_options.PurgeOptions)["required"] == ["confirm"]


class TestARetrysArguments:
    """What can't be sent as it stands."""

    @pytest.mark.parametrize(
        ("given", "name", "words"),
        [
            ({"args": [{"card": MASK}]}, "args", "The value at [0].card is masked or cut"),
            ({"kwargs": {"t": "a… (9,000 characters)"}}, "kwargs", "The value at t is masked"),
            ({"args": "[]"}, "args", "This has to be a list: [ … ]."),
            ({"kwargs": []}, "kwargs", "This has to be an object: { … }."),
            ({"args": [object()]}, "args", "This can't be sent: it is no plain JSON"),
            ({"args": [float("nan")]}, "args", "This can't be sent: it is no plain JSON"),
            ({"queue": "é" * 128}, "queue", "A queue's name has at most 255 bytes"),
            ({"queue": "a\nb"}, "queue", "A queue's name has at most 255 bytes, and can be prin"),
            ({"countdown": 1, "eta": NOON}, "eta", "Give either countdown or eta, not both."),
            ({"countdown": 31_622_401}, "countdown", "This has to be a number from 0 to 31,622,4"),
        ],
    )
    def test_are_refused_in_words(self, given: dict[str, Any], name: str, words: str) -> None:
        [(where, reason)] = mistakes(verb_options.RetryOptions, **given).items()
        assert where == name
        assert reason.startswith(words)


@pytest.mark.parametrize("verb", verbs.VERBS.values(), ids=lambda verb: verb.name)
def test_no_option_has_the_name_of_what_an_operation_takes_besides(verb: verbs.Verb) -> None:
    how = operations.bulk if verb.in_bulk else operations.ping
    beside = inspect.signature(how).parameters.keys() - {"options"}
    assert options.described(verb.options).keys().isdisjoint(beside)
