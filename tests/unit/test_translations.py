"""The catalogues hold every sentence of the pages, in each language."""

import gettext
import re

import pytest
from django.template import Context, Template
from django.utils import translation

polib = pytest.importorskip("polib")

from tools import translations  # noqa: E402

LANGUAGES = sorted(translations.LANGUAGES)
PLACES = re.compile(r"%\(\w+\)[sd]|%%|%[sdt]\b|\{\}|`[^`]*`|<[^>]+>")


def catalogue(language, suffix=".po"):
    path = translations.LOCALE / language / "LC_MESSAGES" / f"django{suffix}"
    return polib.pofile(str(path)) if suffix == ".po" else path


def said(entry):
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_has_the_sentences_of_the_pages_and_no_others(language):
    found = [(one.msgid, one.msgid_plural) for one in catalogue(language)]
    assert found == translations.messages(), "run tools/translations.py"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_translated_in_all_its_numbers(language):
    forms = int(translations.LANGUAGES[language][9])
    for one in catalogue(language):
        assert not one.fuzzy
        assert all(said(one)), one.msgid
        assert len(said(one)) == (forms if one.msgid_plural else 1), one.msgid


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_places_of_its_sentence(language):
    for one in catalogue(language):
        for text in said(one):
            english = [
                sorted(PLACES.findall(each)) for each in (one.msgid, one.msgid_plural) if each
            ]
            assert sorted(PLACES.findall(text)) in english[: 2 if one.msgid_plural else 1], (
                one.msgid
            )


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_compiled_is_what_is_written(language):
    with catalogue(language, ".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for one in catalogue(language):
        if not one.msgid_plural:
            assert compiled.gettext(one.msgid) == one.msgstr
            continue
        for count in range(200):
            form = compiled.plural(count)
            shown = compiled.ngettext(one.msgid, one.msgid_plural, count)
            assert shown == one.msgstr_plural[form]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_template_finds_a_sentence_with_a_percent_sign(language):
    written = Template('{% load i18n %}{% translate "%s of %t selected" %}')
    with translation.override(language):
        shown = written.render(Context())
    assert shown not in ("", "%s of %t selected")
    assert {"%s", "%t"} <= set(shown.split())
