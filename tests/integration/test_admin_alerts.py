"""Who is told of what, in the admin: rules, channels, silences, and the log of what was told."""

from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.views.debug import ExceptionReporter

from tests import first_page
from tests.integration.operators import address, grant, signed_in
from tests.integration.pages import SCRIPT, page, superuser, text
from z4j_django.alerts import rules, sending
from z4j_django.alerts.channels import base
from z4j_django.alerts.channels.registry import KINDS
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import (
    AlertChannel,
    AlertDelivery,
    AlertRule,
    AlertSilence,
    ConditionRecord,
    JournalRecord,
    Operation,
)
from z4j_django.options import described

pytestmark = pytest.mark.django_db

#: Nowhere but in the form that is posted.
SENTINEL = "sentinel-4f1e9c77"
URL = f"https://hooks.shop.test/services/{SENTINEL}"
RULES, CHANNELS = address("alertrule_changelist"), address("alertchannel_changelist")
SILENCES, DELIVERIES = address("alertsilence_changelist"), address("alertdelivery_changelist")
ADD_RULE, ADD_CHANNEL = address("alertrule_add"), address("alertchannel_add")


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first_page.alone(monkeypatch)


@pytest.fixture
def root() -> Client:
    return superuser()


def add_webhook(client: Client, name: str = "hooks", **given: str) -> AlertChannel:
    fields = {"name": name, "url": URL, "is_enabled": "on", **given}
    answer = client.post(f"{ADD_CHANNEL}?kind=webhook", fields)
    assert answer.status_code == 302, shown_errors(answer)
    return AlertChannel.objects.get(name=name)


def add_rule(client: Client, **given: Any) -> AlertRule:
    fields = {"name": "night", "severity": "critical", "is_enabled": "on", **given}
    answer = client.post(ADD_RULE, fields)
    assert answer.status_code == 302, shown_errors(answer)
    return AlertRule.objects.get(name=fields["name"])


def shown_errors(answer: Any) -> dict[str, Any]:
    context = answer.context or {}
    return dict(context["form"].errors) if "form" in context else {}


def options_of(row: AlertChannel) -> Any:
    (channel,) = (one for one in rules.channels(row.project) if one.name == row.name)
    return channel.opened(row.project)


def delivery(**fields: Any) -> AlertDelivery:
    now = timezone.now()
    given = {
        **{"rule": "night", "channel": "hooks", "kind": "webhook", "status": "firing"},
        **{"state": "sent", "summary": "A worker is gone: w1", "attempts": 1, "answer": "200"},
        **{"created_at": now, "next_at": now, "finished_at": now},
    }
    return AlertDelivery.objects.create(**{**given, **fields})


def telling(key: str, subject: str, **problem: Any) -> dict[str, Any]:
    at = timezone.now().isoformat()
    one = {
        **{"key": key, "title": "T", "severity": "critical", "subject": subject, "url": ""},
        **{"evidence": "It is so.", "remedy": "Look.", "since": at, "until": None, **problem},
    }
    return {
        **{"id": "", "rule": "night", "group": "g", "status": "firing", "project": "default"},
        **{"environment": "", "release": "", "at": at, "problems": [one], "more": 0, "url": ""},
    }


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
        self._change(root, row, url="https://other.shop.test/x", key="")
        assert (options_of(row).url, options_of(row).key) == ("https://other.shop.test/x", key)
        self._change(root, row, url="", key="", without_key="on")
        assert options_of(row).url == "https://other.shop.test/x"
        assert not isinstance(options_of(row).key, str)
        said = LogEntry.objects.order_by("-id").values_list("change_message", flat=True)
        assert said[1] == '[{"changed": {"fields": ["URL"]}}]'

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


class TestRules:
    def test_all_that_the_settings_can_say_the_form_can(self, root: Client) -> None:
        add_webhook(root)
        row = add_rule(
            root,
            conditions=["worker_gone", "queue_backing_up"],
            severity="warning",
            subjects="mail.*\n  shop \n\nmail.*",
            channels=["hooks"],
            after="60",
            repeat="0",
            quiet_from="22:00",
            quiet_until="07:00",
            quiet_zone="Europe/Berlin",
            quiet_critical="on",
        )
        found = rules.rules("default")[0]
        assert found.conditions == ("worker_gone", "queue_backing_up")
        assert (found.severity, found.subjects) == ("warning", ("mail.*", "shop"))
        assert (found.channels, found.after, found.repeat) == (("hooks",), 60.0, 0.0)
        assert found.quiet is not None
        assert (found.quiet.zone, found.quiet.holds_critical) == ("Europe/Berlin", True)
        assert (row.created_by, found.automation) == ("root", None)
        shown = text(root.get(RULES))
        title = CONDITIONS["worker_gone"].title
        for words in (title, "mail.*", "once", "22:00", "Europe/Berlin", "warnings"):
            assert words in shown, words
        initial = root.get(page(row)).context["form"]
        assert initial["subjects"].value() == "mail.*\nshop"
        assert set(initial["conditions"].value()) == set(row.conditions)

    def test_without_any_it_is_about_all_that_is_critical(self, root: Client) -> None:
        add_rule(root)
        (found,) = rules.rules("default")
        expected = rules.Rule("night", "database")
        assert found == expected

    def test_what_a_verb_is_told_goes_along(self, root: Client) -> None:
        row = add_rule(
            root,
            conditions=["worker_silent"],
            verb="pool_grow",
            verb_options='{"n": 2}',
            hourly_limit="3",
        )
        (found,) = rules.rules("default")
        assert found.automation == rules.Automation("pool_grow", {"n": 2}, False, 3)
        assert "3 times an hour at most" in text(root.get(RULES))
        shown = text(root.get(page(row)))
        assert "AUTOMATION" in shown
        AlertRule.objects.update(stopped_at=timezone.now(), stopped_why=f"No help {SCRIPT}")
        shown = text(root.get(page(row)))
        assert "It acts no more since" in shown
        assert SCRIPT not in shown
        fields = root.get(page(row)).context["form"].initial
        given = {
            name: value for name, value in fields.items() if value not in (None, "", [], False)
        }
        answer = root.post(page(row), {**given, "is_enabled": "on", "start_again": "on"})
        assert answer.status_code == 302, shown_errors(answer)
        row.refresh_from_db()
        assert (row.stopped_at, row.stopped_why) == (None, "")

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"quiet_from": "22:00"}, "quiet_until"),
            ({"quiet_from": "25:00", "quiet_until": "07:00"}, "quiet_from"),
            ({"quiet_from": "22:00", "quiet_until": "7", "quiet_zone": "Mars"}, "quiet_zone"),
            ({"conditions": ["made_up"]}, "conditions"),
            ({"channels": ["nobody"]}, "channels"),
            ({"after": "-1"}, "after"),
            ({"subjects": "x" * 300}, "subjects"),
            ({"verb": "purge_queue"}, "verb"),
            ({"verb": "pool_grow"}, "verb"),
            ({"verb": "pool_grow", "conditions": ["worker_gone"], "verb_options": "[1]"},
             "verb_options"),
            ({"verb": "pool_grow", "conditions": ["worker_gone"], "verb_options": '{"m": 1}'},
             "verb_options"),
            ({"name": "x" * 101}, "name"),
            ({"name": "\u202e"}, "name"),
        ],
    )  # fmt: skip
    def test_what_can_not_be_is_told_beside_its_field(
        self, root: Client, given: dict[str, Any], field: str
    ) -> None:
        fields = {"name": "night", "severity": "critical", "is_enabled": "on", **given}
        answer = root.post(ADD_RULE, fields)
        assert answer.status_code == 200
        assert field in shown_errors(answer)
        assert not AlertRule.objects.exists()

    def test_nobody_has_a_rule_do_what_he_may_not(self, root: Client) -> None:
        user = User.objects.create_user("clerk", is_staff=True)
        grant(user, "view_alertrule", "manage_alerts", "run_schedule")
        clerk = Client()
        clerk.force_login(user)
        given = {"name": "night", "severity": "critical", "conditions": ["worker_silent"]}
        answer = clerk.post(ADD_RULE, {**given, "verb": "pool_grow"})
        assert "verb" in shown_errors(answer)
        row = add_rule(root, **given, verb="pool_grow", is_dry_run="on")
        answer = clerk.post(page(row), {**given, "severity": "warning", "verb": "pool_grow"})
        assert "You may not do this by hand" in html.unescape(text(answer))
        row.refresh_from_db()
        assert (row.severity, row.is_dry_run) == ("critical", True)
        assert clerk.post(page(row), {"severity": "warning", "verb": ""}).status_code == 302

    def test_those_of_the_settings_are_shown_as_such(self, root: Client, settings: Any) -> None:
        settings.Z4J = {"ALERTS": {"RULES": {"loud": {"severity": "warning"}}}}
        shown = text(root.get(RULES))
        assert "loud" in shown
        assert "from the settings" in shown
        assert "/change/" not in shown

    def test_one_that_can_not_be_says_why_and_can_be_changed(self, root: Client) -> None:
        row = add_rule(root)
        AlertRule.objects.update(conditions=["of_another_version"])
        shown = text(root.get(RULES))
        assert "There is no condition &#x27;of_another_version&#x27;." in shown
        assert page(row) in shown
        assert "of_another_version (there is none)" in text(root.get(page(row)))

    def test_without_a_channel_the_page_says_that_nobody_is_told(self, root: Client) -> None:
        assert "Nobody is told: no channel is set." in text(root.get(RULES))
        add_webhook(root)
        assert "Nobody is told" not in text(root.get(RULES))

    def test_who_may_only_look_is_offered_nothing(self) -> None:
        row = AlertRule.objects.create(name="night")
        client = signed_in("z4j operator")
        shown = text(client.get(RULES))
        assert "night" in shown
        assert "/change/" not in shown
        assert ADD_RULE not in shown
        assert ADD_CHANNEL not in shown
        for where in (page(row), ADD_RULE, address("alertrule_delete", row.pk), CHANNELS):
            assert client.get(where).status_code == 403, where
            assert client.post(where, {"name": "x"}).status_code in (403, 405), where
        assert AlertRule.objects.count() == 1


class TestSilences:
    def test_from_the_first_page_one_condition_is_silenced(self, root: Client) -> None:
        first_page.looked()
        first_page.condition("worker_gone", "w[1]@web")
        overview = text(root.get("/admin/z4j_django/"))
        where = address("alertsilence_silence_alerts")
        query = "?condition=worker_gone&amp;subject=w%5B%5B%5D1%5D%40web"
        assert f"{where}{query}" in overview
        form = root.get(html.unescape(f"{where}{query}")).context["form"]
        given = {name: form[name].value() for name in form.fields}
        assert given["subject"] == "w[[]1]@web"
        answer = root.post(where, {**given, "reason": f"It moves {SCRIPT}"}, follow=True)
        assert SCRIPT not in text(answer)
        row = AlertSilence.objects.get()
        assert (row.condition, row.created_by) == ("worker_gone", "root")
        lasts = row.until - timezone.now()
        assert timedelta(minutes=59) < lasts < timedelta(minutes=61)
        overview = text(root.get("/admin/z4j_django/"))
        assert f"{where}{query}" not in overview
        assert "silenced until" in overview

    def test_one_that_is_about_another_hides_nothing(self, root: Client) -> None:
        first_page.looked()
        first_page.condition("worker_gone", "w1")
        self._silence(subject="w2")
        self._silence(until=timezone.now() - timedelta(seconds=1))
        self._silence(ended_at=timezone.now())
        self._silence(condition="beat_stopped")
        assert "silenced until" not in text(root.get("/admin/z4j_django/"))
        self._silence(condition="", subject="w?")
        assert "silenced until" in text(root.get("/admin/z4j_django/"))

    def _silence(self, **fields: Any) -> AlertSilence:
        now = timezone.now()
        given = {
            **{"condition": "worker_gone", "subject": "*", "created_by": "ann", "since": now},
            "until": now + timedelta(hours=1),
        }
        return AlertSilence.objects.create(**{**given, **fields})

    def test_it_is_ended_from_its_page(self, root: Client) -> None:
        row = self._silence()
        where = address("alertsilence_end_silence", row.pk)
        assert where in text(root.get(page(row)))
        assert "ann" in text(root.get(where))
        root.post(where)
        row.refresh_from_db()
        assert row.ended_by == "root"
        assert where not in text(root.get(page(row)))
        assert "is over already" in text(root.post(where))

    def test_the_list_tells_those_that_hold(self, root: Client) -> None:
        self._silence(subject="now-*", held_count=1_234)
        self._silence(subject="then-*", until=timezone.now() - timedelta(days=1))
        shown = text(root.get(SILENCES, {"holds": "yes"}))
        assert "now-*" in shown
        assert "then-*" not in shown
        shown = text(root.get(SILENCES, {"holds": "no"}))
        assert "now-*" not in shown
        assert "then-*" in shown

    @pytest.mark.parametrize(
        ("given", "field"),
        [
            ({"until": ""}, "until"),
            ({"until": "soon"}, "until"),
            ({"until": "1e99"}, "until"),
            ({"condition": "made_up"}, "condition"),
            ({"subject": "x" * 300}, "subject"),
        ],
    )
    def test_what_can_not_be_is_told(self, root: Client, given: dict[str, str], field: str) -> None:
        fields = {"condition": "all", "subject": "*", "until": "60", **given}
        answer = root.post(address("alertsilence_silence_alerts"), fields)
        assert field in shown_errors(answer)
        assert not AlertSilence.objects.exists()

    def test_a_viewer_is_not_offered_it(self) -> None:
        first_page.looked()
        record = first_page.condition("worker_gone", "w1")
        client = signed_in("z4j viewer")
        where = address("alertsilence_silence_alerts")
        for shown in ("/admin/z4j_django/", page(record), SILENCES):
            assert where not in text(client.get(shown)), shown
        assert client.get(where).status_code == 403
        assert client.post(where, {"condition": "all", "until": "60"}).status_code == 403


class TestDeliveries:
    def test_what_was_said_its_outcome_and_the_answer_are_shown(self, root: Client) -> None:
        row = delivery(
            state="failed",
            attempts=7,
            answer=f"It did not answer {SCRIPT}",
            summary=f"A worker is gone: {SCRIPT}",
            message=telling("worker_gone", SCRIPT, evidence="w1 was last heard of 5 minutes ago."),
        )
        for where in (DELIVERIES, page(row)):
            shown = text(root.get(where))
            assert SCRIPT not in shown, where
            assert "failed" in shown
        shown = text(root.get(page(row)))
        assert "w1 was last heard of 5 minutes ago." in shown
        assert ">7<" in shown

    @pytest.mark.parametrize("stored", [{}, [], {"problems": 1}, {"problems": [1]}, {"rule": 1}])
    def test_what_another_version_wrote_breaks_no_page(self, root: Client, stored: Any) -> None:
        row = delivery(message=stored)
        assert "not on record" in text(root.get(page(row)))
        assert root.get(DELIVERIES, {"condition": "worker_gone"}).status_code == 200
        record = ConditionRecord.objects.create(
            key="worker_gone", subject="w1", severity="critical",
            since=timezone.now() - timedelta(hours=1), last_seen=timezone.now(), evidence="It is.",
        )  # fmt: skip
        assert "Nobody." in text(root.get(page(record)))

    def test_they_are_found_by_what_they_tell_of(self, root: Client) -> None:
        mine = delivery(summary="mine", message=telling("worker_gone", "w1"))
        delivery(summary="other", message=telling("worker_gone", "w2"))
        delivery(summary="else", message=telling("beat_stopped", "w1"))
        found = root.get(DELIVERIES, {"condition": "worker_gone", "subject": "w1"})
        assert [row.pk for row in found.context["cl"].result_list] == [mine.pk]
        found = root.get(DELIVERIES, {"condition": "worker_gone"})
        assert len(found.context["cl"].result_list) == 2

    @pytest.mark.parametrize("given", [{"channel": "mail"}, {"rule": "day"}, {"state": "refused"}])
    def test_they_are_found_by_whom_by_what_and_how(
        self, root: Client, given: dict[str, str]
    ) -> None:
        delivery()
        mine = delivery(**given)
        found = root.get(DELIVERIES, given).context["cl"].result_list
        assert [row.pk for row in found] == [mine.pk]

    def test_a_conditions_page_says_who_was_told(self, root: Client) -> None:
        since = timezone.now() - timedelta(minutes=5)
        record = first_page.condition("worker_gone", "w1", since=since)
        before = since - timedelta(hours=1)
        delivery(channel="early", created_at=before, message=telling("worker_gone", "w1"))
        mine = delivery(message=telling("worker_gone", "w1"))
        delivery(channel="elsewhere", message=telling("worker_gone", "w2"))
        shown = text(root.get(page(record)))
        assert page(mine) in shown
        assert "early" not in shown
        assert "elsewhere" not in shown


class TestTheFirstPage:
    OVERVIEW = "/admin/z4j_django/"

    @pytest.fixture(autouse=True)
    def _recorded(self) -> None:
        JournalRecord.objects.create(host="w", directory="/j", pid=1, seen_at=timezone.now())

    def test_it_says_that_no_channel_is_set(self, root: Client, settings: Any) -> None:
        shown = text(root.get(self.OVERVIEW))
        assert "Nobody is told: no channel is set." in shown
        assert ADD_CHANNEL in shown
        viewer = text(signed_in("z4j viewer").get(self.OVERVIEW))
        assert "Nobody is told: no channel is set." in viewer
        assert ADD_CHANNEL not in viewer
        settings.Z4J = {"ALERTS": {"CHANNELS": {"mail": {"kind": "email", "to": "a@shop.test"}}}}
        first_page.fragments.forget()
        assert "Nobody is told" not in text(root.get(self.OVERVIEW))

    def test_it_says_what_did_not_arrive_until_something_does(self, root: Client) -> None:
        add_webhook(root)
        for state in ("failed", "refused", "sent", "refused", "failed", "perhaps"):
            delivery(state=state)
        delivery(status="test", state="failed")
        delivery(state="failed", created_at=timezone.now() - timedelta(hours=25))
        assert "2 alerts did not arrive." in text(root.get(self.OVERVIEW))
        delivery(status="test", state="sent")
        first_page.fragments.forget()
        assert "did not arrive" not in text(root.get(self.OVERVIEW))


def test_no_option_of_a_channel_is_called_as_a_field_of_every_channel() -> None:
    for kind in KINDS.values():
        names = {one.argument for one in described(kind.options).values()}
        assert names.isdisjoint({"name", "is_enabled", *(f"without_{name}" for name in names)})


def test_every_condition_can_be_chosen_by_its_title(root: Client) -> None:
    shown = text(root.get(ADD_RULE))
    for one in CONDITIONS.values():
        assert html.escape(one.title) in shown
