"""Pages in German and Arabic: nothing of ours that has a translation stays English."""

import html
import re

import pytest
from django.urls import reverse
from django.utils import timezone, translation

from z4j_django.admin import fragments
from z4j_django.models import GroupRecord

PAGES = (
    "app_list",
    *(
        f"z4j_django_{name}"
        for name in (
            *("taskrecord_changelist", "taskrecord_types", "taskrecord_schedules"),
            *("grouprecord_changelist", "workerrecord_changelist", "errorgroup_changelist"),
            *("operation_changelist", "operation_queues", "journalrecord_changelist"),
            *("journalloss_changelist", "conditionrecord_changelist", "conditionrecord_watched"),
        )
    ),
)


def _shown(client, name, language):
    fragments.forget()
    args = {"app_label": "z4j_django"} if name == "app_list" else {}
    with translation.override(language):
        answer = client.get(reverse(f"admin:{name}", kwargs=args))
    assert answer.status_code == 200
    return answer.content.decode()


def _texts(page):
    """What stands between tags, and in what readers are told."""
    page = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    told = re.findall(r'(?:aria-label|title|data-label|placeholder)="([^"]*)"', page)
    return {html.unescape(one).strip() for one in [*told, *re.split(r"<[^>]*>", page)]}


@pytest.mark.django_db
@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("language", ["de", "ar"])
def test_a_page_has_no_english_that_is_translated(admin_client, name, language):
    polib = pytest.importorskip("polib")
    from tools import translations

    path = translations.LOCALE / language / "LC_MESSAGES" / "django.po"
    entries = {one.msgid: one.msgstr for one in polib.pofile(str(path)) if not one.msgid_plural}
    texts = _texts(_shown(admin_client, name, language))
    # A word may be a name, too; two words are a sentence of ours.
    left = {one for one in texts if " " in one and entries.get(one, one) != one}
    assert not left
    assert texts & {said for said in entries.values() if len(said) > 4}


@pytest.mark.django_db
def test_an_arabic_page_runs_from_right_to_left(admin_client):
    page = _shown(admin_client, "z4j_django_taskrecord_changelist", "ar")
    assert 'dir="rtl"' in page


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "words"), [("de", "Chord aus 40"), ("ar", "‏chord من 40")])
def test_a_workflow_says_what_it_is_of(admin_client, language, words):
    record = GroupRecord.objects.create(
        group_id="g", kind="chord", size=40, first_seen=timezone.now()
    )
    with translation.override(language):
        page = admin_client.get(reverse("admin:z4j_django_grouprecord_workflow", args=[record.pk]))
    assert words.lower() in page.content.decode().lower()
