"""Times and texts as any database takes them, and how long they may be."""

from __future__ import annotations

import datetime
import functools
import hashlib
import math
import re
import urllib.parse
from typing import Final

import msgspec

#: Bits of a time in the orders: of microseconds since the epoch, until the year 2112.
TIME_BITS: Final = 52
#: Seconds since the epoch that every database takes and every time zone can show: those of the
#: years 1000 to 9999 but for a day at either end.
FIRST_MOMENT: Final = -30_610_137_600.0
LAST_MOMENT: Final = 253_402_214_400.0
_ORDERED: Final = (1 << TIME_BITS) / 1e6
#: Characters of an identifier, a name, an address.
SHORT: Final = 255
#: Characters of a project's name.
PROJECT_LENGTH: Final = 64
#: Characters of a release's name.
RELEASE_LENGTH: Final = 100
#: Characters of the name of where a project runs.
ENVIRONMENT_LENGTH: Final = 64
#: Characters of an address on the web.
ADDRESS_LENGTH: Final = 2_000
#: Seconds that a task may be put off, or be worth running: a year.
LONGEST_DELAY: Final = 366 * 24 * 3600
#: The greatest primary key.
GREATEST_ID: Final = 2**63 - 1
#: With what the names of our own tasks begin, or their ids.
INTERNAL: Final = "z4j_django."
#: Under what the statistics count names and queues for which there is no place; no task of ours
#: has it for its name.
OTHER: Final = f"{INTERNAL}other"
#: What stands for "not known".
NOTHING: Final = "-"
_ERROR_ID: Final = re.compile(r"[0-7][0-9a-f]{15}")
#: What not every database takes: NUL, and halves of a surrogate pair.
UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


def is_address(text: str) -> bool:
    """Whether a text is an absolute address on the web, which can be called."""
    try:
        found = urllib.parse.urlsplit(text)
        host, _ = found.hostname, found.port
    except ValueError:
        return False
    is_plain = text.isprintable() and " " not in text and len(text) <= ADDRESS_LENGTH
    return is_plain and found.scheme in ("http", "https") and bool(host)


def microseconds(at: float) -> int:
    """A time as an integer that fits its place in the orders; what lies beyond is at their end."""
    if 0.0 <= at < _ORDERED:
        return int(at * 1e6)
    return (1 << TIME_BITS) - 1 if at > 0.0 else 0


def moment(at: float) -> float:
    """A time to the microsecond."""
    return math.floor(at * 1e6) / 1e6


def whole_number(text: str, digits: int) -> int | None:
    """The number that so many ASCII digits at most are; ``None`` for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= digits else None


def is_storable(text: str, length: int = SHORT) -> bool:
    """Whether any database takes a text as it is where there is place for so many characters."""
    return len(text) <= length and not UNSTORABLE.search(text)


def clean(text: str, length: int = SHORT) -> str:
    """A text as any database takes it: bounded, without NUL and lone surrogates."""
    text = text[:length]
    if text.isascii():
        return text.replace("\x00", "�")
    return UNSTORABLE.sub("�", text)


def identifier(text: str) -> str:
    """A text that others refer to: one too long keeps its difference by a digest."""
    if len(text) <= SHORT:
        return clean(text)
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return clean(text, SHORT - len(digest) - 1) + "-" + digest


def digest(*texts: str) -> int:
    """A positive number of 63 bits that stands for some texts, in any process and for ever."""
    whole = "\0".join(texts).encode(errors="replace")
    return int.from_bytes(hashlib.blake2b(whole, digest_size=8).digest()) >> 1


@functools.lru_cache(maxsize=1024)
def release_key(name: str) -> int | None:
    """What stands on records for a release; nothing where it has no name."""
    return digest("release", name) if name else None


def error_id(fingerprint: int) -> str:
    """The id of an error, as people and programs give it: 16 hexadecimal digits."""
    return f"{fingerprint:016x}"


def of_error_id(text: str) -> int | None:
    """The fingerprint of the error that has this id; nothing where none can have it."""
    return int(text, 16) if _ERROR_ID.fullmatch(text) else None


def word_of(number: float) -> str:
    """What stands for a number that is not finite, and that JSON has no number for."""
    return "<NaN>" if math.isnan(number) else "<Infinity>" if number > 0 else "<-Infinity>"


def as_json(value: object) -> str:
    """Plain data as JSON text."""
    return msgspec.json.encode(value).decode()


def iso_time(text: str) -> float | None:
    """Seconds since the epoch of an ISO 8601 time, UTC where it names no zone; or nothing."""
    try:
        found = datetime.datetime.fromisoformat(text)
        if found.tzinfo is None:
            found = found.replace(tzinfo=datetime.UTC)
        at = found.timestamp()
    except (ValueError, OverflowError):
        return None
    return moment(at) if FIRST_MOMENT <= at <= LAST_MOMENT else None


def duration(seconds: float | None) -> str:
    """A length of time in two units at most: ``85 ms``, ``3.42 s``, ``2m 05s``."""
    if seconds is None:
        return NOTHING
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 0.0005:
        return "0 ms" if seconds == 0 else "<1 ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.995:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m {rest:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h {minutes:02d}m"
    days, hours = divmod(hours, 24)
    return f"{days}d {hours:02d}h"


def counted(count: int, one: str, many: str = "") -> str:
    """How many there are of something: ``1 byte``, ``2,000 bytes``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def size(count: int) -> str:
    """A number of bytes, as the admin has it: ``12 bytes``, ``600.0 MB``."""
    if count < 1024:
        return f"{count} byte{'s' if count != 1 else ''}"
    power = min((count.bit_length() - 1) // 10, 4)
    return f"{count / 1024**power:.1f} {'KMGT'[power - 1]}B"
