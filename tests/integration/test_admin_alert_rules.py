"""Rules in the admin: of what whom is told."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests import first_page
from tests.integration.alert_pages import (
    ADD_CHANNEL,
    ADD_RULE,
    CHANNELS,
    RULES,
    add_rule,
    add_webhook,
    shown_errors,
)
from tests.integration.operators import address, grant, signed_in
from tests.integration.pages import SCRIPT, page, superuser, text
from z4j_django.alerts import rules
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import (
    AlertRule,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    first_page.alone(monkeypatch)


@pytest.fixture
def root() -> Client:
    return superuser()


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


def test_every_condition_can_be_chosen_by_its_title(root: Client) -> None:
    shown = text(root.get(ADD_RULE))
    for one in CONDITIONS.values():
        assert html.escape(one.title) in shown
