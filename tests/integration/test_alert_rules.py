"""Rules and channels: of the settings and of the database, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.test import override_settings

from tests.integration.alerting import inbox, settings
from z4j_django import checks, conf
from z4j_django.alerts import rules
from z4j_django.models import AlertChannel, AlertRule

pytestmark = pytest.mark.django_db

#: Long enough for a secret.
KEY = "correct horse battery staple"


@pytest.fixture(autouse=True)
def kind() -> Iterator[None]:
    with inbox():
        yield


def rule(**said: Any) -> rules.Rule:
    return rules.rule_of_setting("mine", said)


class TestSettings:
    def test_without_any_rule_everything_critical_goes_everywhere(self) -> None:
        with settings():
            [found] = rules.rules("default")
        assert (found.source, found.severity, found.channels) == ("default", "critical", ())
        assert found.after == 30.0
        assert (found.repeats_after("critical"), found.repeats_after("warning")) == (14_400.0, 0.0)

    def test_a_rule_is_read_as_it_is_written(self) -> None:
        found = rule(
            conditions=["failing"],
            severity="warning",
            subjects=["shop.*"],
            channels=["ops"],
            repeat=0,
            quiet_from="22:00",
            quiet_until="07:00",
        )
        assert found.quiet == rules.Quiet(time(22), time(7))
        assert found.repeats_after("critical") == 0.0
        assert found.is_about("failing", "shop.pay", "warning")
        assert not found.is_about("failing", "mail.send", "critical")
        assert not found.is_about("no_workers", "shop.pay", "critical")

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({"conditions": ["nothing"]}, "['conditions']: There is no condition 'nothing'."),
            ({"conditions": [1]}, "['conditions']: Its members are texts of 1 to 255 characters."),
            ({"severity": "bad"}, "['severity']: This has to be one of: warning, critical."),
            (
                {"after": -1},
                "['after']: This has to be a number from 0 to 31,622,400.",
            ),
            ({"quiet_from": "22:00"}, "['quiet_until']: Quiet hours have a begin and an end."),
            (
                {"quiet_from": "25:00", "quiet_until": "07:00"},
                "['quiet_from']: This has to be a time of the day, such as 22:00.",
            ),
            (
                {"quiet_zone": "../../etc/passwd"},
                "['quiet_zone']: There is no such time zone; one is called Europe/Berlin.",
            ),
            (
                {"verb": "pause_queue"},
                "['verb']: A rule that does something names its conditions.",
            ),
            (
                {"verb": "pause_queue", "conditions": ["worker_gone"]},
                "['verb']: pause_queue acts on a queue, and worker_gone is said of a worker.",
            ),
            (
                {"verb": "retry", "conditions": ["possibly_lost"], "verb_options": {"x": 1}},
                "['verb_options']: x: There is no such option; those that there are: args, ",
            ),
            ({"chanels": []}, "['chanels']: There is no such option; those that there are: "),
        ],
    )
    def test_one_that_can_not_be_is_a_check_error(self, said: dict[str, Any], words: str) -> None:
        place = "Z4J['ALERTS']['RULES']['mine']"
        with pytest.raises(ImproperlyConfigured) as told:
            rule(**said)
        assert str(told.value).startswith(place + words)
        with settings(RULES={"mine": said}):
            [found] = checks.check_alerts()
            assert (found.id, found.msg) == ("z4j_django.E008", str(told.value))

    def test_a_verb_that_can_not_be_taken_back_is_no_rules(self) -> None:
        for verb in ("purge_queue", "terminate", "shutdown", "silence_alerts"):
            with pytest.raises(ImproperlyConfigured, match=r"\['verb'\]: This has to be one of: "):
                rule(verb=verb, conditions=["failing"])

    @pytest.mark.parametrize(
        ("said", "words"),
        [
            ({}, "['kind']: This has to be one of: "),
            ({"kind": "webhok"}, "['kind']: This has to be one of: "),
            ({"kind": "webhook"}, "['url']: This is required."),
            ({"kind": "webhook", "url": "https://a/", "key": KEY, "x": 1}, "['x']: There is no "),
        ],
    )
    def test_so_is_a_channel_that_can_not_be_and_no_secret_is_told(
        self, said: dict[str, Any], words: str
    ) -> None:
        with settings(CHANNELS={"hook": said}):
            [found] = checks.check_alerts()
            assert found.msg.startswith(f"Z4J['ALERTS']['CHANNELS']['hook']{words}")
            assert KEY not in found.msg
            assert rules.channels("default") == []

    @pytest.mark.parametrize("name", ["", "x" * 101, "a\nb"])
    def test_a_name_can_be_printed(self, name: str) -> None:
        with settings(RULES={name: {}}):
            [found] = checks.check_alerts()
            assert "a name has 1 to 100 characters" in found.msg

    def test_a_rule_that_names_no_channel_there_is_is_told_by_migrate(self) -> None:
        AlertChannel.objects.create(name="db", kind="inbox")
        with settings(RULES={"mine": {"channels": ["ops", "db", "gone"]}}):
            assert checks.check_channels() == []
            [found] = checks.check_channels(["default"])
        assert found.id == "z4j_django.W009"
        assert found.msg == (
            "Z4J['ALERTS']['RULES']['mine'] names a channel 'gone' that there is not."
        )

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"BASE_URL": "shop.example"}, "Z4J['BASE_URL'] must be an address "),
            ({"HEARTBEAT_URL": "ftp://a/"}, "Z4J['HEARTBEAT_URL'] must be an address "),
            ({"HEARTBEAT_URL": "https://:80/"}, "Z4J['HEARTBEAT_URL'] must be an address "),
            (
                {"ALERTS": {"HEARTBEATS": {"tick": "x"}}},
                "Z4J['ALERTS']['HEARTBEATS']['tick'] must be an address ",
            ),
            ({"ALERTS": {"CHANELS": {}}}, "The setting Z4J is wrong: "),
        ],
    )
    def test_addresses_are_addresses(self, given: dict[str, Any], words: str) -> None:
        with override_settings(Z4J=given):
            with pytest.raises(ImproperlyConfigured) as told:
                assert conf.settings.ALERTS
            assert str(told.value).startswith(words)


class TestDatabase:
    def test_what_the_settings_name_the_database_does_not(self) -> None:
        AlertChannel.objects.create(name="ops", kind="webhook")
        AlertRule.objects.create(name="mine", after=1)
        with settings(RULES={"mine": {"after": 2}}):
            [channel] = rules.channels("default")
            [found] = rules.rules("default")
        assert (channel.source, channel.kind) == ("settings", "inbox")
        assert (found.source, found.after) == ("settings", 2)

    def test_one_of_another_project_is_not_ours(self) -> None:
        AlertRule.objects.create(name="mine", project="other")
        with settings():
            assert [one.source for one in rules.rules("default")] == ["default"]

    def test_a_rule_says_the_same_as_one_of_the_settings(self) -> None:
        said = {"conditions": ["failing"], "severity": "warning", "after": 5.0, "repeat": 0.0}
        AlertRule.objects.create(name="mine", **said)
        with settings(CHANNELS={}):
            [found] = rules.rules("default")
        assert rules.Rule(**{**vars(found), "source": "settings"}) == rule(**said)

    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({}, {}),
            ({"channels": ["gone"]}, {"channels": ["There is no channel 'gone'."]}),
            ({"conditions": ["gone"]}, {"conditions": ["There is no condition 'gone'."]}),
            ({"quiet_from": "22:00"}, {"quiet_until": ["Quiet hours have a begin and an end."]}),
            ({"name": "a\u202eb"}, {"name": ["A name can be printed."]}),
            (
                {"name": "theirs"},
                {"name": ["Z4J['ALERTS'] in the settings has one of this name."]},
            ),
        ],
    )
    def test_a_rule_is_checked_before_it_is_kept(
        self, fields: dict[str, Any], wrong: dict[str, Any]
    ) -> None:
        row = AlertRule(**{"name": "mine", "channels": ["ops"], **fields})
        with settings(RULES={"theirs": {}}):
            try:
                row.full_clean()
                found = {}
            except ValidationError as error:
                found = error.message_dict
        assert found == wrong

    def test_a_channel_is_checked_with_its_secrets(self) -> None:
        row = AlertChannel(name="hook", kind="webhook", options={})
        with pytest.raises(ValidationError) as told:
            row.full_clean()
        assert told.value.message_dict == {"options": ["url: This is required."]}
        secrets = {"url": "https://hooks.example/x", "key": KEY}
        row.sealed = rules.seal_secrets("default", "hook", secrets)
        row.full_clean()
        row.save()
        with settings(CHANNELS={}):
            [channel] = rules.channels("default")
        assert channel.opened("default").key == KEY
        assert KEY not in repr(channel)
        row.name = "another"
        with pytest.raises(ValidationError, match="can't be opened: enter them anew"):
            row.full_clean()

    def test_a_kind_that_there_is_no_more(self) -> None:
        with pytest.raises(ValidationError) as told:
            AlertChannel(name="hook", kind="pigeon").full_clean()
        assert list(told.value.message_dict) == ["kind"]


class TestQuietHours:
    @pytest.mark.parametrize(
        ("hours", "at", "holds"),
        [
            (("22:00", "07:00"), "2026-11-29T21:00", True),  # 22:00 in Berlin
            (("22:00", "07:00"), "2026-11-29T05:59", True),
            (("22:00", "07:00"), "2026-11-29T06:00", False),
            (("22:00", "07:00"), "2026-07-01T20:00", True),  # in summer
            (("12:00", "13:00"), "2026-11-29T11:30", True),
            (("12:00", "13:00"), "2026-11-29T12:00", False),
        ],
    )
    def test_they_are_those_of_their_zone(
        self, hours: tuple[str, str], at: str, holds: bool
    ) -> None:
        begin, end = map(time.fromisoformat, hours)
        quiet = rules.Quiet(begin, end, "Europe/Berlin")
        moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
        assert quiet.holds(moment, "warning") is holds
        assert not quiet.holds(moment, "critical")
        strict = rules.Quiet(begin, end, "Europe/Berlin", True)
        assert strict.holds(moment, "critical") is holds
