"""JSON, whatever the project's settings of Django REST framework say about it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from django.utils.functional import Promise
from rest_framework.renderers import BaseRenderer


def encode(data: Any) -> bytes:
    """``data`` as JSON; a number that JSON has no word for is null."""
    try:
        return msgspec.json.encode(data, enc_hook=_plain)
    except UnicodeEncodeError:
        # Half a surrogate pair, which a task's arguments may hold: as an escape it can be sent.
        plain = msgspec.to_builtins(data, enc_hook=_plain, str_keys=True)
        return json.dumps(plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    """For what is no plain data: texts of a class of their own."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, Promise):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON.")


class JSON(BaseRenderer):
    """The renderer of every view that says nothing else."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Any = None,
    ) -> bytes:
        """``data`` as JSON; nothing for None."""
        return b"" if data is None else encode(data)
