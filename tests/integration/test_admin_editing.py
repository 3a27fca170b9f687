"""A retry with other arguments: what is taken, and what is told at its field."""

from __future__ import annotations

import json

import pytest

from tests.integration.operators import (
    address,
    kept,
)
from tests.integration.pages import SCRIPT, TASKS, text
from z4j_django.models import TaskRecord
from z4j_django.secrets.masking import MASK

pytestmark = pytest.mark.django_db


class TestEditAndRetry:
    def edit(self, record: TaskRecord) -> str:
        return address("taskrecord_edit", record.pk)

    def test_it_begins_with_what_is_known(self, admin_client) -> None:
        record = kept("a", args=[1, SCRIPT], kwargs={"order": 7})
        shown = text(admin_client.get(self.edit(record)))
        assert "&quot;order&quot;: 7" in shown
        assert SCRIPT not in shown

    def test_what_is_edited_is_sent_and_what_is_not_stays(self, admin_client, pretence) -> None:
        record = kept("a", args=[1], kwargs={"token": MASK})
        given = {"args": "[2, {}]", "kwargs": f'{{"token":"{MASK}"}}', "to_queue": ""}
        response = admin_client.post(self.edit(record), given)
        assert response.status_code == 302
        options = pretence.calls[0][2]
        assert options["args"] == [2, {}]
        assert "kwargs" not in options

    def test_empty_ones_are_sent_as_empty_ones(self, admin_client, pretence) -> None:
        record = kept("a", args=[1], kwargs={"x": 1})
        admin_client.post(self.edit(record), {"args": "[]", "kwargs": "{}"})
        options = pretence.calls[0][2]
        assert (options["args"], options["kwargs"]) == ([], {})

    @pytest.mark.parametrize("value", ["<b>", "wait…", "1 < 2 > 1", "f (20 more)", "<p>a.b</p>"])
    def test_what_only_resembles_a_note_is_sent(self, admin_client, pretence, value) -> None:
        record = kept("a", 1)
        admin_client.post(self.edit(record), {"args": json.dumps([value]), "kwargs": ""})
        assert pretence.calls[0][2]["args"] == [value]

    def test_one_is_not_true(self, admin_client, pretence) -> None:
        record = kept("a", args=[1], kwargs={})
        admin_client.post(self.edit(record), {"args": "[true]", "kwargs": ""})
        assert pretence.calls[0][2]["args"] == [True]

    @pytest.mark.parametrize(
        ("field", "value", "words"),
        [
            ("args", "[1", "line 1, column"),
            ("args", '{"a": 1}', "has to be a list"),
            ("args", "7", "has to be a list"),
            ("kwargs", "[1]", "has to be an object"),
            ("kwargs", "null", "has to be an object"),
            ("args", "[NaN]", "no NaN in JSON"),
            ("args", "[-Infinity]", "no -Infinity in JSON"),
            ("kwargs", '{"a": 1, "a": 2}', "same key twice"),
            ("args", f'[{{"card": ["{MASK}"]}}]', "[0].card[0] is masked"),
            ("kwargs", f'{{"url": "https://u:{MASK}@host"}}', "The value at url is masked"),
            ("kwargs", f'{{"{MASK}": 1}}', "is masked or cut"),
            ("kwargs", '{"note": "abc… (9,000 characters)"}', "note is masked or cut"),
            ("args", '[1, "… (20 more)"]', "[1] is masked or cut"),
            ("args", '["… (1,000 items)"]', "[0] is masked or cut"),
            ("kwargs", f'{{"{"k" * 200}…": 1}}', "the top is masked or cut"),
            ("args", '["<shop.models.Order>"]', "[0] is masked or cut"),
            ("kwargs", '{"a": {"…": "20 keys"}}', "at a is masked or cut"),
            ("args", "[" * 100_000, "nested too deeply"),
            ("args", "[" + "9" * 5000 + "]", "no JSON"),
            ("args", "[\0]", "Null characters are not allowed"),
            ("args", "x" * 1_000_001, "at most 1000000 characters"),
        ],
    )
    def test_what_can_not_be_sent_is_said_at_its_field(
        self, admin_client, pretence, field, value, words
    ) -> None:
        record = kept("a", args=[1], kwargs={"order": 7})
        response = admin_client.post(self.edit(record), {field: value})
        assert response.status_code == 200
        assert words in str(response.context["form"].errors[field])
        assert pretence.calls == []

    def test_a_task_that_is_not_there_is_not_found(self, admin_client) -> None:
        for key in ("0", "abc", "9" * 30, "%00"):
            where = f"{TASKS}{key}/edit/"
            assert admin_client.get(where).status_code == 404
            assert admin_client.post(where).status_code == 404

    def test_more_than_the_project_takes_is_a_bad_request(self, admin_client, pretence) -> None:
        given = {"args": json.dumps(["x" * 3_000_000])}
        assert admin_client.post(self.edit(kept("a")), given).status_code == 400
        assert pretence.calls == []
