"""The one form in which the API takes a body: JSON, bounded, without surprises."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from z4j_django import json_text
from z4j_django.api import problems

#: Bytes of a body.
BODY_LIMIT: Final = 1024**2


class JSONParser(BaseParser):
    """JSON as its standard has it, with nothing in it that a database or broker can't take."""

    media_type = "application/json"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """What the body says.

        Raises:
            ParseError: If it is no JSON.
            Problem: If it is too large.
        """
        raw = stream.read(BODY_LIMIT + 1)
        if len(raw) > BODY_LIMIT:
            raise problems.TooLarge(f"A body may have at most {BODY_LIMIT} bytes.")
        try:
            return json_text.read(raw)
        except json_text.JSONTextError as error:
            raise ParseError(f"The body can't be taken: {error}.") from None
