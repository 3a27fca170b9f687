"""The original message of a task, sealed under the project's ``SECRET_KEY``.

A sealed message is one byte of version, four that tell the key, a random nonce of twelve, and
AES-GCM's ciphertext with its tag. What it belongs to is bound to it: a message that was moved to
another row does not open. Inside is MessagePack, compressed where that makes it smaller: most
messages shrink to a third, as Celery's headers are much the same in each, and what is not
written need not be read, replicated or backed up. That a length tells something of a content
is no news to who can read the table: the redacted copy stands beside it.

Random nonces bear some 2**32 messages a key for a chance of collision below one in 2**32, and
2**40 for one in 2**17.
"""

from __future__ import annotations

import functools
import os
import zlib
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.encoding import force_bytes

from z4j_django.agent import events
from z4j_django.exceptions import SealError

#: What the numbers and texts below may never change without.
_VERSION: Final = b"\x01"
_KEY_INFO: Final = b"z4j_django.store.sealing key 1"
_FINGERPRINT_INFO: Final = b"z4j_django.store.sealing fingerprint 1"
_KEY_BYTES: Final = 32
_FINGERPRINT_BYTES: Final = 4
_NONCE_BYTES: Final = 12
#: Bytes of a sealed message that tell its key.
HEAD: Final = len(_VERSION) + _FINGERPRINT_BYTES
_PLAIN: Final = b"\x00"
_DEFLATED: Final = b"\x01"
_WINDOW: Final = -15  # the largest; without a header
_LEVEL: Final = 1
_MEMORY: Final = 8
#: What most messages hold, the commonest last; a compressor refers to it from the first byte on.
_COMMON: Final = (
    b'"timestamp": "", "periodic_task_name": "", "stamps": {}, "stamped_headers": [], '
    b'"compression":"application/x-gzip" "group_index": 0, "timelimit": [null, null], "immutable": '
    b'false, "subtask_type": null, "options": {"queue": "", "task_id": "", "reply_to": ""}, '
    b'"kwargs": {}, "args": [], "task": "", "chord_size": null, '
    b"\x80\x02}q\x00(X\t\x00\x00\x00callbacksq\x01Nh\x01\x08\x00\x00\x00errbacksq\x02NX\x05\x00\x00\x00chainq\x03NX\x05\x00\x00\x00chordq\x04Nu"
    b"\xbeapplication/x-python-serialize\xa6binary"
    b'{"callbacks": null, "errbacks": null, "chain": null, "chord": null}]'
    b"\xb0application/json\xa5utf-8\xc5\x01"
    b'{"lang":"py","task":"","id":"","shadow":null,"eta":null,"expires":null,"group":null,'
    b'"group_index":null,"retries":0,"timelimit":[null,null],"root_id":"","parent_id":null,'
    b'"argsrepr":"()","kwargsrepr":"{}","origin":"gen@","ignore_result":false,'
    b'"replaced_task_nesting":0,"stamped_headers":null,"stamps":{}}\xc4'
    b'{"correlation_id":"","reply_to":"","delivery_mode":2,"priority":0}'
    b"\xa0\xa6celery\x90"
)
_NEWER: Final = "The sealed message is damaged, or of a newer z4j_django."


class _Content(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """What is encrypted: the fields of ``events.Original``; new ones last, with a default."""

    size: int
    body: bytes
    content_type: str
    content_encoding: str
    headers: bytes
    properties: bytes
    exchange: str
    routing_key: str
    left_out: Sequence[str]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Content)


class _Key:
    """What a secret derives to."""

    def __init__(self, secret: bytes) -> None:
        self.prefix = _VERSION + _derived(secret, _FINGERPRINT_INFO, _FINGERPRINT_BYTES)
        self.cipher = AESGCM(_derived(secret, _KEY_INFO, _KEY_BYTES))


def task_context(project: str, task_id: str) -> str:
    """What the message of a ``TaskPayload`` is bound to."""
    return f"task:{project}:{task_id}"


def saved_context(operation_id: int, position: int) -> str:
    """What the message of a ``SavedMessage`` is bound to."""
    return f"operation:{operation_id}:{position}"


def channel_context(project: str, name: str) -> str:
    """What the secrets of an ``AlertChannel`` are bound to."""
    return f"channel:{project}:{name}"


def has_key() -> bool:
    """Whether the project has a ``SECRET_KEY`` at all."""
    try:
        return bool(_keys())
    except ImproperlyConfigured:
        return False


def seal(original: events.Original, context: str) -> bytes:
    """Encrypt a message under the current ``SECRET_KEY``.

    Args:
        original: The message.
        context: What it belongs to; the same text opens it.

    Raises:
        ImproperlyConfigured: If the project has no ``SECRET_KEY``.
    """
    return _sealed(_packed(original), context)


def open_sealed(sealed: bytes, context: str) -> events.Original:
    """Decrypt a message, under ``SECRET_KEY`` or one of ``SECRET_KEY_FALLBACKS``.

    Args:
        sealed: What :func:`seal` returned, as bytes of any kind.
        context: What it was sealed with.

    Raises:
        SealError: If it can't be opened; its text says why.
    """
    if not sealed:
        raise SealError("No message is kept here: it was larger than is kept.")
    return _unpacked(_opened(bytes(sealed), context))


def seal_json(value: Any, context: str) -> bytes:
    """Encrypt plain data, likewise."""
    return _sealed(msgspec.json.encode(value), context)


def open_json(sealed: bytes, context: str) -> Any:
    """Decrypt what :func:`seal_json` returned.

    Raises:
        SealError: As of :func:`open_sealed`.
    """
    try:
        return msgspec.json.decode(_opened(bytes(sealed), context))
    except msgspec.DecodeError as error:
        raise SealError(_NEWER) from error


def is_current(sealed: bytes) -> bool:
    """Whether ``sealed`` needs no sealing anew: its key is the current one, or it is empty."""
    return not sealed or bytes(sealed[:HEAD]) == _keys()[0].prefix


def _sealed(plain: bytes, context: str) -> bytes:
    key = _keys()[0]
    nonce = os.urandom(_NONCE_BYTES)
    bound = key.prefix + context.encode(errors="replace")
    return key.prefix + nonce + key.cipher.encrypt(nonce, plain, bound)


def _opened(sealed: bytes, context: str) -> bytes:
    if not sealed.startswith(_VERSION):
        raise SealError(_NEWER)
    prefix, nonce = sealed[:HEAD], sealed[HEAD : HEAD + _NONCE_BYTES]
    keys = [key for key in _keys() if key.prefix == prefix]
    if not keys:
        raise SealError
    for key in keys:
        try:
            bound = prefix + context.encode(errors="replace")
            return key.cipher.decrypt(nonce, sealed[HEAD + len(nonce) :], bound)
        except (InvalidTag, ValueError):  # a ValueError where even the nonce is cut
            continue
    raise SealError("The sealed message is damaged, or was sealed as another's.")


def _packed(original: events.Original) -> bytes:
    packed = _encoder.encode(
        _Content(
            original.size,
            original.body,
            original.content_type,
            original.content_encoding,
            bytes(original.headers),
            bytes(original.properties),
            original.exchange,
            original.routing_key,
            original.left_out,
        )
    )
    compressor = zlib.compressobj(
        _LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, _COMMON
    )
    deflated = compressor.compress(packed) + compressor.flush()
    return _DEFLATED + deflated if len(deflated) < len(packed) else _PLAIN + packed


def _unpacked(plain: bytes) -> events.Original:
    packed = plain[1:]
    if plain[:1] == _DEFLATED:
        packed = zlib.decompressobj(_WINDOW, _COMMON).decompress(packed)
    try:
        fields = msgspec.structs.asdict(_decoder.decode(packed))
    except msgspec.ValidationError as error:
        raise SealError(_NEWER) from error
    for name in ("headers", "properties"):
        fields[name] = msgspec.Raw(fields[name])
    return events.Original(**fields)


@functools.lru_cache(maxsize=1)
def _keys() -> Sequence[_Key]:
    """The current key, then the fallbacks; derived once."""
    return [_Key(force_bytes(secret)) for secret in _secrets()]


def _secrets() -> Sequence[str | bytes]:
    return [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]


def _derived(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(secret)


def _on_setting_changed(*, setting: str, **kwargs: object) -> None:
    if setting in ("SECRET_KEY", "SECRET_KEY_FALLBACKS"):
        _keys.cache_clear()


setting_changed.connect(_on_setting_changed, dispatch_uid="z4j_django.secrets.sealing")
