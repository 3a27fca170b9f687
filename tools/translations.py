"""Brings the catalogues of the admin's pages up to date: ``python tools/translations.py``.

Every sentence is found in the templates, in calls of gettext, and in what is declared for all
surfaces (verbs, conditions, terms of the filter). What is new is added without a translation, what
is gone is taken out, and the compiled catalogues are written. It needs polib, and no gettext.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PACKAGE: Final = ROOT / "z4j_django"
LOCALE: Final = PACKAGE / "locale"
LANGUAGES: Final = {
    "de": "nplurals=2; plural=(n != 1);",
    "ar": "nplurals=6; plural=n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 "
    ": n%100>=11 && n%100<=99 ? 4 : 5;",
}
#: What marks a sentence, and the same of sentences in two numbers.
_ONE: Final = {"_", "_lazy", "gettext", "gettext_lazy", "Said"}
_MANY: Final = {"ngettext", "ngettext_lazy"}

#: A sentence, and its plural where it has one.
Message = tuple[str, str]


def messages() -> list[Message]:
    """Every sentence that pages show, in the order of its text."""
    from z4j_django import verbs

    found: set[Message] = set()
    for path in PACKAGE.rglob("*.py"):
        found.update(_in_python(ast.parse(path.read_text())))
    for path in (PACKAGE / "templates").rglob("*.html"):
        found.update(_in_template(path.read_text()))
    found.update((text, "") for text in _declared())
    assert verbs.VERBS  # noqa: S101 - what is declared was imported
    plural = {one for one, many in found if many}
    return sorted((one, many) for one, many in found if one and (many or one not in plural))


def _in_python(tree: ast.AST) -> Iterator[Message]:
    constants = {
        node.target.id: node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Name)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        texts = [
            constants.get(one.id) if isinstance(one, ast.Name) else getattr(one, "value", None)
            for one in node.args[:2]
        ]
        if name in _ONE and isinstance(texts[0], str):
            yield texts[0], ""
        elif name in _MANY and isinstance(texts[0], str) and isinstance(texts[1], str):
            yield texts[0], texts[1]


def _in_template(text: str) -> Iterator[Message]:
    from django.template import engines

    yield from _in_nodes(engines["django"].engine.from_string(text).nodelist)  # type: ignore[attr-defined]


def _in_nodes(nodes: Iterable[Any]) -> Iterator[Message]:
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode

    for node in nodes:
        if isinstance(node, BlockTranslateNode):
            plural = node.render_token_list(node.plural)[0] if node.plural else ""
            yield node.render_token_list(node.singular)[0], plural
        elif isinstance(node, TranslateNode):
            said = node.filter_expression.var
            text = getattr(said, "literal", said)
            if isinstance(text, str):
                # So Django looks for them, as for those of blocktranslate.
                yield text.replace("%", "%%"), ""
        for name in getattr(node, "child_nodelists", ()):
            yield from _in_nodes(getattr(node, name, None) or ())
        for _condition, within in getattr(node, "conditions_nodelists", ()):
            yield from _in_nodes(within)


def _declared() -> Iterator[str]:
    """What is declared once for every surface, and translated where a page shows it."""
    from z4j_django import options, verb_options, verbs
    from z4j_django.alerts import told
    from z4j_django.alerts.channels.registry import KINDS
    from z4j_django.alerts.rule_options import RuleOptions
    from z4j_django.conditions.registry import CONDITIONS
    from z4j_django.models import (
        AlertDelivery,
        ConditionRecord,
        GroupRecord,
        Operation,
        OperationTarget,
    )
    from z4j_django.operations import tallies
    from z4j_django.queries import filter as filters
    from z4j_django.queries import health
    from z4j_django.queries.status import STATUSES

    kinds: list[type[options.Options]] = [verb_options.BulkOptions, RuleOptions]
    for channel in KINDS.values():
        kinds.append(channel.options)
        yield channel.about
    yield from (told.NO_KIND, told.UNOPENED, told.WRONG)
    for verb in verbs.VERBS.values():
        kinds.append(verb.options)
        yield from (verb.label, verb.about, verb.promise, verb.words, verb.words.lower())
    for kind in kinds:
        for one in options.described(kind).values():
            yield from (one.label, one.help)
    for condition in CONDITIONS.values():
        yield from (condition.title, condition.about, condition.remedy)
    for term in filters.TERMS.values():
        yield term.help
        if term.is_parameter:
            yield term.name
    yield from (one.help for one in STATUSES.values())
    for words in (
        ConditionRecord.Severity.values,
        GroupRecord.Kind.values,
        [one.capitalize() for one in GroupRecord.Kind.values],
        Operation.State.values,
        OperationTarget.Kind.values,
        OperationTarget.Outcome.values,
        AlertDelivery.State.values,
        AlertDelivery.Status.values,
        health.JournalState.__args__,
        tallies.REASONS,
    ):
        yield from (word.replace("_", " ") for word in words)
    yield from ("verb", "state", "reason", "channel", "rule")


def main() -> None:
    """Write the catalogues, and say what is missing."""
    import polib

    wanted = messages()
    for language, plurals in LANGUAGES.items():
        path = LOCALE / language / "LC_MESSAGES" / "django.po"
        old = polib.pofile(str(path)) if path.exists() else polib.POFile()
        known = {(one.msgid, one.msgid_plural): one for one in old}
        made = polib.POFile(wrapwidth=100)
        made.metadata = {
            "Project-Id-Version": "django-z4j",
            "Language": language,
            "MIME-Version": "1.0",
            "Content-Type": "text/plain; charset=UTF-8",
            "Content-Transfer-Encoding": "8bit",
            "Plural-Forms": plurals,
        }
        for one, many in wanted:
            entry = known.get((one, many))
            if entry is None:
                forms = dict.fromkeys(range(int(plurals[9])), "") if many else {}
                entry = polib.POEntry(msgid=one, msgid_plural=many, msgstr_plural=forms)
            entry.flags = ["python-format"] if "%(" in one else []
            made.append(entry)
        path.parent.mkdir(parents=True, exist_ok=True)
        made.save(str(path))
        made.save_as_mofile(str(path.with_suffix(".mo")))
        print(f"{language}: {len(made)} sentences, {len(made.untranslated_entries())} to translate")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    main()
