"""Pieces of HTML side by side, and long texts."""

from __future__ import annotations

import json
from typing import Any, Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

#: Characters of JSON or traceback on one page, at most; the store keeps less.
TEXT_LIMIT: Final = 100_000


def pretty_json(value: Any) -> str:
    """Indented JSON, not escaped for HTML, cut at ``TEXT_LIMIT`` characters."""
    return bounded(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def bounded(value: str) -> str:
    """``value``, cut at ``TEXT_LIMIT`` characters with a word about the rest."""
    if len(value) <= TEXT_LIMIT:
        return value
    rest = _("%(count)s more characters") % {"count": len(value) - TEXT_LIMIT}
    return f"{value[:TEXT_LIMIT]}\n… {rest}"


def prose(value: str) -> SafeString:
    """A sentence of ours, in which what stands between backticks is code."""
    parts = value.split("`")
    kinds = ("{}", "<code>{}</code>")
    return format_html_join(
        "", "{}", ((format_html(kinds[place % 2], one),) for place, one in enumerate(parts))
    )


def joined(*parts: SafeString) -> SafeString:
    """Pieces of HTML with a space between them."""
    return format_html_join(" ", "{}", ((part,) for part in parts))


def stacked(upper: SafeString, lower: SafeString) -> SafeString:
    """One piece of HTML above another."""
    return format_html('{}<div class="z4j-lower">{}</div>', upper, lower)
