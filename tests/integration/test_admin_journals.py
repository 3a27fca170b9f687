"""Journals in the admin: one that nobody ships any more is dismissed there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.integration.operators import address, signed_in
from tests.integration.pages import page, text
from z4j_django.models import JournalRecord, Operation

pytestmark = pytest.mark.django_db


def journal(silent: float, **fields: Any) -> JournalRecord:
    """One whose shipper said something so many seconds ago."""
    at = timezone.now() - timedelta(seconds=silent)
    given = {"host": "web1", "directory": "/var/tmp/z4j", "pid": 1, "pending": 4_321}
    return JournalRecord.objects.create(**{**given, "seen_at": at, **fields})


def test_one_that_nobody_ships_is_dismissed_once_that_is_confirmed() -> None:
    client, old = signed_in("z4j admin"), journal(3600)
    where = address("journalrecord_dismiss", old.pk)
    assert f'href="{where}">Dismiss…</a>' in text(client.get(page(old)))
    asked = text(client.get(where))
    assert "Dismiss the journal web1:/var/tmp/z4j?" in asked
    assert "4,321 bytes to store" in asked
    assert JournalRecord.objects.exists()
    done = client.post(where, follow=True)
    assert "Dismiss journal: 1 done" in text(done)
    assert not JournalRecord.objects.exists()
    assert (Operation.objects.get().verb, Operation.objects.get().surface) == (
        "dismiss_journal",
        "admin",
    )


def test_one_that_is_shipped_says_why_it_is_not() -> None:
    client, shipped = signed_in("z4j admin"), journal(5)
    shown = text(client.get(page(shipped)))
    assert "Dismiss…" in shown
    assert "Somebody ships it" in shown
    where = address("journalrecord_dismiss", shipped.pk)
    assert f'href="{where}"' not in shown
    for answer in (client.get(where, follow=True), client.post(where, follow=True)):
        assert "is shipped: its shipper reported" in text(answer)
    assert JournalRecord.objects.exists()


def test_it_is_offered_to_whom_it_is_open() -> None:
    client, old = signed_in("z4j operator"), journal(3600)
    assert "Dismiss…" not in text(client.get(page(old)))
    assert client.get(address("journalrecord_dismiss", old.pk)).status_code == 403


def test_what_is_gone_is_said_to_be() -> None:
    where = address("journalrecord_dismiss", 99)
    assert "This journal is not on record." in text(signed_in("z4j admin").get(where, follow=True))
