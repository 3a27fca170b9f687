"""Sealing: bytes in, the same bytes out, for those alone who have the key."""

from __future__ import annotations

import os

import msgspec
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from z4j_django.agent import events
from z4j_django.exceptions import SealError
from z4j_django.secrets import sealing

CONTEXT = "task:shop:a"
LOST_KEY = (
    "The sealed message can't be opened: SECRET_KEY changed, and its old value is no fallback."
)
DAMAGED = "The sealed message is damaged, or was sealed as another's."
NEWER = "The sealed message is damaged, or of a newer z4j_django."


def original(body: bytes = b'[["o-1"], {}, {}]', **fields: object) -> events.Original:
    told = {"size": len(body), "body": body, "content_type": "application/json", **fields}
    return events.Original(**told)  # type: ignore[arg-type]  # as a test names them


@given(
    st.binary(max_size=3000),
    st.text(max_size=50),
    st.dictionaries(st.text(max_size=20), st.text(max_size=200) | st.none(), max_size=8),
    st.text(max_size=50),
)
def test_a_message_comes_back_as_it_was(
    body: bytes, exchange: str, headers: dict[str, str | None], context: str
) -> None:
    given = original(
        body,
        content_encoding="binary",
        headers=msgspec.Raw(msgspec.json.encode(headers)),
        properties=msgspec.Raw(b'{"priority":3,"correlation_id":"a"}'),
        exchange=exchange,
        routing_key="mail",
        left_out=("numpy",),
    )
    opened = sealing.open_sealed(sealing.seal(given, context), context)
    assert msgspec.structs.asdict(opened) == {
        **msgspec.structs.asdict(given),
        "left_out": ["numpy"],
    }


def test_the_same_message_is_sealed_differently_each_time() -> None:
    assert sealing.seal(original(), CONTEXT) != sealing.seal(original(), CONTEXT)


def test_nothing_of_the_message_can_be_read_in_the_sealed_one() -> None:
    sealed = sealing.seal(original(b"hunter2 " * 200), CONTEXT)
    assert b"hunter2" not in sealed
    assert b"json" not in sealed


def test_a_message_that_compresses_takes_less_room_and_one_that_does_not_takes_no_more() -> None:
    assert len(sealing.seal(original(b"abc " * 1000), CONTEXT)) < 200
    noise = os.urandom(4000)
    assert len(sealing.seal(original(noise), CONTEXT)) < 4000 + 150


def test_a_message_that_was_moved_to_another_task_does_not_open() -> None:
    sealed = sealing.seal(original(), CONTEXT)
    with pytest.raises(SealError, match=DAMAGED):
        sealing.open_sealed(sealed, "task:shop:b")


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_anywhere_is_found(place: int, change: int) -> None:
    sealed = bytearray(sealing.seal(original(), CONTEXT))
    sealed[place % len(sealed)] ^= change
    with pytest.raises(SealError):
        sealing.open_sealed(bytes(sealed), CONTEXT)


@given(st.integers(0, 10_000))
def test_a_message_cut_anywhere_does_not_open(length: int) -> None:
    sealed = sealing.seal(original(), CONTEXT)
    with pytest.raises(SealError):
        sealing.open_sealed(sealed[: length % len(sealed)], CONTEXT)


def test_no_message_says_that_it_was_too_large() -> None:
    with pytest.raises(SealError, match="larger than is kept"):
        sealing.open_sealed(b"", CONTEXT)


def test_a_message_of_a_newer_version_says_so() -> None:
    sealed = sealing.seal(original(), CONTEXT)
    with pytest.raises(SealError, match=NEWER):
        sealing.open_sealed(b"\x02" + sealed[1:], CONTEXT)


def test_a_memoryview_opens_as_postgresql_gives_it() -> None:
    sealed = sealing.seal(original(), CONTEXT)
    assert sealing.open_sealed(memoryview(sealed), CONTEXT) == sealing.open_sealed(sealed, CONTEXT)
    assert sealing.is_current(memoryview(sealed))


def test_a_lost_key_is_told_from_a_damaged_message() -> None:
    sealed = sealing.seal(original(), CONTEXT)
    with override_settings(SECRET_KEY="another"):
        assert not sealing.is_current(sealed)
        with pytest.raises(SealError, match=LOST_KEY):
            sealing.open_sealed(sealed, CONTEXT)


def test_a_rotated_key_opens_as_a_fallback_and_is_not_current() -> None:
    with override_settings(SECRET_KEY="old"):
        sealed = sealing.seal(original(), CONTEXT)
        assert sealing.is_current(sealed)
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["older", "old"]):
        assert sealing.open_sealed(sealed, CONTEXT).body == original().body
        assert not sealing.is_current(sealed)


def test_a_key_of_bytes_is_that_of_the_same_text() -> None:
    with override_settings(SECRET_KEY="ключ"):
        sealed = sealing.seal(original(), CONTEXT)
    with override_settings(SECRET_KEY="ключ".encode()):
        assert sealing.open_sealed(sealed, CONTEXT).body == original().body


def test_a_project_without_a_key_seals_nothing() -> None:
    assert sealing.has_key()
    with override_settings(SECRET_KEY=""):
        assert not sealing.has_key()
        with pytest.raises(ImproperlyConfigured):
            sealing.seal(original(), CONTEXT)


def test_a_message_with_a_field_that_is_not_known_here_does_not_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Newer(sealing._Content, array_like=True):
        delay: int = 5

    with monkeypatch.context() as newer:
        newer.setattr(sealing, "_Content", Newer)
        sealed = sealing.seal(original(), CONTEXT)
    with pytest.raises(SealError, match=NEWER):
        sealing.open_sealed(sealed, CONTEXT)


def test_the_format_is_what_it_was() -> None:
    """Sealed by the first release; what is in a database must open for ever."""
    with override_settings(SECRET_KEY="fixed"):
        assert sealing.open_sealed(bytes.fromhex(SEALED), CONTEXT).body == original().body


SEALED = (
    "01d77c65d281ae3d983ac412c038f31154d98d9482906d1cf2a6dc833481261e337fabee1357238a"
    "95deaa8046a13714e76b2964ebb04b45ea34163333353e05b498"
)
