"""Writes the tables of what is declared into the docs: ``make verb-tables``.

A table stands between ``<!-- table: NAME -->`` and ``<!-- /table -->``. It is made from the
declarations (``z4j_django.verbs``, ``z4j_django.conditions``, ``z4j_django.alerts.channels``); a
test compares what stands there with what this would write.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from msgspec import UNSET  # noqa: E402

from z4j_django import options, verbs  # noqa: E402

_TABLE: Final = re.compile(r"(<!-- table: (.+?) -->\n).*?(<!-- /table -->)", re.DOTALL)


def options_table(verb: verbs.Verb) -> str:
    """The options of a verb."""
    return _options(options.described(verb.options).values())


def arguments_table(verb: verbs.Verb) -> str:
    """The same as arguments of a command."""
    rows = []
    for one in options.described(verb.options).values():
        flag = f"`--{one.argument.replace('_', '-')}"
        value = "`" if one.kind == "flag" else f" {one.metavar}`"
        rows.append((flag + value, one.help + _default(one, " By default `{}`.")))
    return _rows(("Argument", ""), rows)


def permissions_table() -> str:
    """The permissions, what they allow, and which role has them."""
    head = ("Permission", "What it allows", "viewer", "operator", "admin")
    view = "`view_taskrecord` and the other `view_` permissions"
    rows = [(view, "the admin's pages", "yes", "yes", "yes")]
    for one in verbs.PERMISSIONS:
        names = [f"`{verb.name}`" for verb in verbs.VERBS.values() if verb.permission == one]
        allowed = one.of or ", ".join(names)
        rows.append(
            (f"`{one.codename}`", allowed, "", "yes" if one.role == "operator" else "", "yes")
        )
    return _rows(head, rows)


def verbs_table() -> str:
    """What each verb does."""
    rows = [
        (f"`{verb.name}`", verb.noun, "yes" if verb.in_bulk else "", verb.about)
        for verb in verbs.VERBS.values()
    ]
    return _rows(("Verb", "acts on", "in bulk", "What it does"), rows)


def conditions_table() -> str:
    """What may be wrong, and what to do."""
    from z4j_django.conditions.registry import CONDITIONS

    rows = [
        (f"`{one.key}`", one.subject, one.severity, one.about, one.remedy)
        for one in CONDITIONS.values()
    ]
    return _rows(("Condition", "of", "", "It holds when", "What to do"), rows)


def thresholds_table() -> str:
    """From where on it is wrong."""
    from z4j_django.conditions.registry import CONDITIONS

    rows = [
        (f"`{one.key}`", f"`{limit.name}`", limit.expected, f"{limit.default:,.10g}", limit.help)
        for one in CONDITIONS.values()
        for limit in options.described(one.thresholds).values()
    ]
    return _rows(("Condition", "Threshold", "Type", "Default", ""), rows)


def channels_table() -> str:
    """The kinds of channels."""
    from z4j_django.alerts.channels.registry import KINDS

    rows = [
        (
            f"`{kind.key}`",
            kind.title,
            kind.about,
            "one alert" if kind.is_idempotent else "two messages",
        )
        for kind in KINDS.values()
    ]
    return _rows(("Kind", "", "What it does", "Sent twice, it is"), rows)


def channel_table(key: str) -> str:
    """The options of a kind of channel."""
    from z4j_django.alerts.channels.registry import KINDS

    rows = [
        (
            f"`{one.name}`",
            one.expected,
            "yes" if one.required else "",
            "yes" if one.secret else "",
            one.help + ("" if one.default is UNSET else f" By default `{one.default}`."),
        )
        for one in options.described(KINDS[key].options).values()
    ]
    return _rows(("Option", "Type", "Required", "Sealed", ""), rows)


def rules_table() -> str:
    """What may be said of an alert rule."""
    from z4j_django.alerts.rule_options import RuleOptions

    return _options(options.described(RuleOptions).values())


#: The tables by the first word of their names; the second names a verb, or a kind.
TABLES: Final[dict[str, Callable[..., str]]] = {
    "options": lambda name: options_table(verbs.VERBS[name]),
    "arguments": lambda name: arguments_table(verbs.VERBS[name]),
    "permissions": permissions_table,
    "verbs": verbs_table,
    "conditions": conditions_table,
    "thresholds": thresholds_table,
    "rules": rules_table,
    "channels": channels_table,
    "channel": channel_table,
}


def filled(page: str) -> str:
    """A page with its tables as they should be."""

    def table(found: re.Match[str]) -> str:
        kind, *names = found[2].split()
        return f"{found[1]}{TABLES[kind](*names)}{found[3]}"

    return _TABLE.sub(table, page)


def pages() -> list[Path]:
    """The pages that have a table."""
    return [page for page in sorted(HERE.rglob("*.md")) if "<!-- table: " in page.read_text()]


def _options(described: Iterable[options.Option]) -> str:
    rows = [(f"`{one.name}`", one.expected, _default(one, "`{}`"), one.help) for one in described]
    return _rows(("Option", "Type", "Default", ""), rows)


def _default(one: options.Option, words: str) -> str:
    return "" if one.default is UNSET or one.default is False else words.format(one.default)


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    import django

    django.setup()  # the conditions look at models
    for page in pages():
        page.write_text(filled(page.read_text()))
