"""Channels of alerts in the admin: their forms, their secrets, and a test."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.views.debug import ExceptionReporter

from tests import first_page
from tests.integration.alert_pages import (
    ADD_CHANNEL,
    CHANNELS,
    DELIVERIES,
    RULES,
    SENTINEL,
    URL,
    add_rule,
    add_webhook,
    delivery,
    options_of,
    shown_errors,
)
from tests.integration.operators import address, signed_in
from tests.integration.pages import SCRIPT, page, superuser, text
from z4j_django.alerts import sending
from z4j_django.alerts.channels import base
from z4j_django.alerts.channels.registry import KINDS
from z4j_django.models import (
    AlertChannel,
    AlertDelivery,
    Operation,
)
from z4j_django.options import described

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first_page.alone(monkeypatch)


@pytest.fixture
def root() -> Client:
    return superuser()


class TestChannels:
    def test_a_new_one_is_asked_for_its_kind_first(self, root: Client) -> None:
        shown = text(root.get(ADD_CHANNEL))
        for kind in KINDS.values():
            assert f"{ADD_CHANNEL}?kind={kind.key}" in shown
            assert text(root.get(ADD_CHANNEL, {"kind": kind.key})).count("<form") >= 1
        assert "What kind" in text(root.get(ADD_CHANNEL, {"kind": "pigeon"}))

    def test_its_form_has_what_its_kind_declares(self, root: Client) -> None:
        for kind in KINDS.values():
            form = root.get(ADD_CHANNEL, {"kind": kind.key}).context["form"]
            declared = described(kind.options)
            assert list(form.fields) == ["name", *declared, "is_enabled"], kind.key
            for name, one in declared.items():
                assert form.fields[name].required is one.required
                is_hidden = form.fields[name].widget.input_type == "password"
                assert is_hidden is one.secret, (kind.key, name)

    def test_its_secrets_are_sealed_and_shown_nowhere(self, root: Client) -> None:
        row = add_webhook(root, key=f"{SENTINEL}-the-key")
        assert row.options == {}
        assert SENTINEL.encode() not in bytes(row.sealed)
        assert options_of(row).url == URL
        delivery()
        operation = self._tried(root)
        pages = (CHANNELS, page(row), RULES, DELIVERIES, page(operation), reverse("admin:index"))
        for where in pages:
            assert SENTINEL not in text(root.get(where)), where
        log = LogEntry.objects.values_list("change_message", "object_repr")
        assert SENTINEL not in str([*log, *Operation.objects.values_list()])

    def _tried(self, client: Client) -> Operation:
        where = f"{address('alertchannel_test_channel')}?channel=hooks"
        answer = client.post(where, follow=True)
        assert SENTINEL not in text(answer)
        return Operation.objects.get(verb="test_channel")

    def test_a_form_that_is_wrong_gives_no_secret_back(self, root: Client) -> None:
        given = {"name": "", "url": URL, "key": SENTINEL, "is_enabled": "on"}
        answer = root.post(f"{ADD_CHANNEL}?kind=webhook", given)
        assert "name" in shown_errors(answer)
        assert SENTINEL not in text(answer)

    def test_what_is_wrong_stands_beside_its_option(self, root: Client) -> None:
        given = {"name": "x", "url": f"ftp://{SENTINEL}/", "key": "short"}
        answer = root.post(f"{ADD_CHANNEL}?kind=webhook", given)
        assert set(shown_errors(answer)) == {"url", "key"}
        assert SENTINEL not in text(answer)
        assert not AlertChannel.objects.exists()

    def test_a_secret_is_kept_written_over_and_taken_away(self, root: Client) -> None:
        key = "0123456789abcdef"
        row = add_webhook(root, key=key)
        shown = text(root.get(page(row)))
        assert "It is set; leave empty to keep it." in shown
        self._change(root, row, url="", key="")
        assert (options_of(row).url, options_of(row).key) == (URL, key)
        self._change(root, row, url="https://hooks.shop.test/x", key="")
        assert (options_of(row).url, options_of(row).key) == ("https://hooks.shop.test/x", key)
        self._change(root, row, url="", key="", without_key="on")
        assert options_of(row).url == "https://hooks.shop.test/x"
        assert not isinstance(options_of(row).key, str)
        said = LogEntry.objects.order_by("-id").values_list("change_message", flat=True)
        assert said[1] == '[{"changed": {"fields": ["URL"]}}]'

    @pytest.mark.parametrize(
        "url",
        [
            "https://mine.test/services",
            "https://hooks.shop.test:8443/",
            "http://hooks.shop.test/",
        ],
    )
    def test_no_other_server_learns_a_secret_that_is_kept(self, root: Client, url: str) -> None:
        key = "0123456789abcdef"
        row = add_webhook(root, key=key, token=SENTINEL)
        answer = root.post(page(row), {"is_enabled": "on", "url": url, "key": "", "token": ""})
        assert set(shown_errors(answer)) == {"key", "token"}
        assert SENTINEL not in text(answer)
        row.refresh_from_db()
        assert options_of(row).url == URL
        self._change(root, row, url=url, key="another-key-of-mine", without_token="on")
        assert (options_of(row).url, options_of(row).key) == (url, "another-key-of-mine")
        assert not isinstance(options_of(row).token, str)

    def test_nor_where_the_url_is_no_secret(self, root: Client) -> None:
        given = {"name": "am", "url": "http://am.shop.test:9093", "token": SENTINEL}
        root.post(f"{ADD_CHANNEL}?kind=alertmanager", {"is_enabled": "on", **given})
        row = AlertChannel.objects.get()
        answer = root.post(page(row), {"is_enabled": "on", "url": "http://mine.test", "token": ""})
        assert set(shown_errors(answer)) == {"token"}
        answer = root.post(page(row), {"is_enabled": "on", "url": "http://[", "token": ""})
        assert "url" in shown_errors(answer)
        self._change(root, row, url="HTTP://AM.shop.test:9093/prefix", token="")
        assert options_of(row).token == SENTINEL

    def _change(self, client: Client, row: AlertChannel, **given: str) -> None:
        answer = client.post(page(row), {"is_enabled": "on", **given})
        assert answer.status_code == 302, shown_errors(answer)
        row.refresh_from_db()

    def test_secrets_of_another_key_are_entered_anew(self, root: Client, settings: Any) -> None:
        row = add_webhook(root)
        settings.SECRET_KEY = "another"
        client = signed_in("z4j admin")
        assert "can&#x27;t be opened" in text(client.get(CHANNELS))
        answer = client.post(page(row), {"is_enabled": "on", "url": ""})
        assert "url" in shown_errors(answer)
        self._change(client, row, url=URL)
        assert options_of(row).url == URL

    def test_an_error_in_its_page_reports_no_secret(
        self, root: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(AlertChannel, "save", _fails)
        root.raise_request_exception = False
        answer = root.post(
            f"{ADD_CHANNEL}?kind=webhook", {"name": "x", "url": URL, "key": SENTINEL}
        )
        assert answer.status_code == 500
        assert SENTINEL not in answer.content.decode()
        request = answer.wsgi_request
        assert request.POST["url"] == URL
        reporter = ExceptionReporter(request, *answer.exc_info, is_email=True)
        assert SENTINEL not in reporter.get_traceback_text()
        assert SENTINEL not in reporter.get_traceback_html()

    def test_its_name_is_its_own_and_stays(self, root: Client, settings: Any) -> None:
        settings.Z4J = {"ALERTS": {"CHANNELS": {"mail": {"kind": "email", "to": "a@shop.test"}}}}
        row = add_webhook(root)
        for name in ("hooks", "mail", "a\nb", ""):
            answer = root.post(f"{ADD_CHANNEL}?kind=webhook", {"name": name, "url": URL})
            assert "name" in shown_errors(answer), name
        self._change(root, row, name="other", url="")
        assert row.name == "hooks"

    def test_those_of_the_settings_can_be_tried_and_not_changed(
        self, root: Client, settings: Any
    ) -> None:
        secret = {"kind": "webhook", "url": URL}
        settings.Z4J = {"ALERTS": {"CHANNELS": {"hooks": secret}}}
        shown = text(root.get(CHANNELS))
        assert "from the settings" in shown
        assert "hooks.shop.test" in shown
        assert SENTINEL not in shown
        assert "/change/" not in shown
        assert f"{address('alertchannel_test_channel')}?channel=hooks" in shown

    def test_a_test_shows_what_the_channel_answered(
        self, root: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_webhook(root)
        said = base.Answer("refused", f"403: {SCRIPT}")
        monkeypatch.setattr(sending, "send", lambda *how: said)
        where = f"{address('alertchannel_test_channel')}?channel=hooks"
        assert "Send a test message to hooks?" in text(root.get(where))
        answer = root.post(where, follow=True)
        (row,) = AlertDelivery.objects.all()
        assert answer.redirect_chain[-1][0] == page(row)
        assert SCRIPT not in text(answer)
        assert text(answer).count(html.escape(said.text)) == 2  # above the page, and on it
        operation = Operation.objects.get()
        assert (operation.refused, operation.actor) == (1, "root")
        assert page(row) not in text(root.get(page(operation)))
        said = base.Answer("sent", "200")
        root.post(where)
        newest = Operation.objects.latest("id")
        assert page(AlertDelivery.objects.latest("id")) in text(root.get(page(newest)))

    def test_of_a_channel_that_is_not_there_none_is_sent(self, root: Client) -> None:
        where = f"{address('alertchannel_test_channel')}?channel=none"
        assert "There is no such channel." in text(root.post(where, follow=True))
        assert not Operation.objects.exists()

    def test_deleting_says_which_rules_name_it(self, root: Client) -> None:
        row = add_webhook(root)
        add_rule(root, channels=["hooks"])
        where = address("alertchannel_delete", row.pk)
        assert "tell nobody by it any more: night." in text(root.get(where))
        assert root.post(where).status_code == 302
        assert not AlertChannel.objects.exists()
        assert LogEntry.objects.latest("id").action_flag == 3

    def test_what_is_gone_meanwhile_is_told(self, root: Client) -> None:
        row = add_webhook(root)
        AlertChannel.objects.filter(pk=row.pk).delete()
        for where in (
            page(row),
            address("alertchannel_delete", row.pk or 1),
            f"{CHANNELS}x/change/",
        ):
            assert "not on record any more" in text(root.post(where, follow=True))


def _fails(self: Model, *args: Any, **kwargs: Any) -> None:
    raise RuntimeError("the disk is full")


def test_no_option_of_a_channel_is_called_as_a_field_of_every_channel() -> None:
    for kind in KINDS.values():
        names = {one.argument for one in described(kind.options).values()}
        assert names.isdisjoint({"name", "is_enabled", *(f"without_{name}" for name in names)})
