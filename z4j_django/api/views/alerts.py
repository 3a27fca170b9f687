"""Who is told of what is wrong: rules, channels, silences, and what was told."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.db.models import Q
from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import options
from z4j_django.alerts import rules, told, wording
from z4j_django.alerts.channels import registry
from z4j_django.alerts.rule_options import RuleOptions
from z4j_django.api import fields, generic, pagination
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import DELIVERY, PROJECT, Choice, Flag, Text
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.models import AlertDelivery, AlertSilence
from z4j_django.queries.pages import Page

_SAID: Final = options.described(RuleOptions)
_SOURCE: Final = (
    "Where it is said: `settings`, `database`; `default` is the rule that there is without any."
)


class QuietSerializer(serializers.Serializer[Any]):
    """Hours of the day in which less is told."""

    begin = serializers.CharField(help_text="When they begin, such as `22:00:00`.")
    end = serializers.CharField(help_text="When they end.")
    zone = serializers.CharField(help_text="Their time zone; empty: the project's.")
    holds_critical = serializers.BooleanField(
        help_text="Whether what is critical is held back, too."
    )


class AutomationSerializer(serializers.Serializer[Any]):
    """What a rule does by itself."""

    verb = serializers.CharField(help_text="The verb.")
    options = serializers.DictField(
        child=serializers.JSONField(), help_text="The options of the verb."
    )
    is_dry_run = serializers.BooleanField(help_text=_SAID["is_dry_run"].help)
    hourly_limit = serializers.IntegerField(help_text=_SAID["hourly_limit"].help)
    breaker_limit = serializers.IntegerField(help_text=_SAID["breaker_limit"].help)
    stopped_at = fields.Moment(
        allow_null=True, help_text="When it was stopped because it did not help."
    )


class RuleSerializer(serializers.Serializer[Any]):
    """Of what whom is told, and when."""

    name = serializers.CharField(help_text="Its name.")
    source = serializers.CharField(help_text=_SOURCE)
    is_enabled = serializers.BooleanField(help_text="Whether it is made use of.")
    conditions = serializers.ListField(
        child=serializers.CharField(), help_text=_SAID["conditions"].help
    )
    severity = serializers.CharField(help_text=_SAID["severity"].help)
    subjects = serializers.ListField(
        child=serializers.CharField(), help_text=_SAID["subjects"].help
    )
    channels = serializers.ListField(
        child=serializers.CharField(), help_text=_SAID["channels"].help
    )
    after = serializers.FloatField(help_text=_SAID["after"].help)
    repeat = serializers.FloatField(allow_null=True, help_text=_SAID["repeat"].help)
    quiet = QuietSerializer(allow_null=True, help_text="The quiet hours, if there are any.")
    automation = AutomationSerializer(
        allow_null=True, help_text="What it does by itself, if anything."
    )


class RulesSerializer(serializers.Serializer[Any]):
    """All rules."""

    results = RuleSerializer(many=True, help_text="The rules, by their names.")


class ChannelSerializer(serializers.Serializer[Any]):
    """A way to somebody. Nothing secret is in it."""

    name = serializers.CharField(help_text="Its name.")
    kind = serializers.CharField(help_text=f"Its kind: {', '.join(registry.KINDS)}.")
    source = serializers.CharField(help_text="Where it is said: `settings` or `database`.")
    is_enabled = serializers.BooleanField(help_text="Whether it is made use of.")
    place = serializers.CharField(
        help_text="Where it leads, in a few words; empty where that is not known."
    )
    options = serializers.DictField(
        child=serializers.JSONField(), help_text="Its options but the secret ones."
    )
    secrets = serializers.ListField(
        child=serializers.CharField(), help_text="The names of the secret options that are set."
    )
    fault = serializers.CharField(help_text="Why it can't be made use of; empty where it can.")


class ChannelsSerializer(serializers.Serializer[Any]):
    """All channels."""

    results = ChannelSerializer(many=True, help_text="The channels, by their names.")


class SilenceSerializer(fields.Record):
    """What nobody is told of for a while."""

    id = serializers.IntegerField(help_text="Its number.")

    class Meta:  # noqa: D106
        model = AlertSilence
        fields = (
            *("id", "project", "condition", "subject", "reason", "created_by", "since", "until"),
            *("ended_at", "ended_by", "held_count"),
        )


class DeliverySerializer(fields.Record):
    """One message to one channel."""

    id = serializers.IntegerField(help_text="Its number.")
    url = fields.Address("alert-delivery", "pk", help_text="Its address.")

    class Meta:  # noqa: D106
        model = AlertDelivery
        fields: tuple[str, ...] = (
            *("id", "url", "project", "rule", "channel", "kind", "number", "status", "summary"),
            *("state", "attempts", "created_at", "next_at", "claimed_at", "finished_at", "answer"),
        )


class DeliveryDetail(DeliverySerializer):
    """One message to one channel, with what it says."""

    text = serializers.CharField(
        help_text="What it says, as plain text; empty where that is not on record."
    )

    class Meta(DeliverySerializer.Meta):  # noqa: D106
        fields = (*DeliverySerializer.Meta.fields, "text")


class RulesView(generic.Shown):
    """``alerts/rules/``."""

    reads = "alertrule"
    endpoints: ClassVar = {
        "get": Endpoint(
            "alerts_rules_list",
            "List the rules",
            "Of what whom is told, and when: the rules of the settings and of the database. They "
            "are written there, and in the admin.",
            answer=RulesSerializer,
        )
    }

    def get(self, request: Request) -> Response:
        """All of them: there are few."""
        return self.answer({"results": rules.rules(settings.PROJECT)})


class ChannelsView(generic.Shown):
    """``alerts/channels/``."""

    reads = "alertchannel"
    endpoints: ClassVar = {
        "get": Endpoint(
            "alerts_channels_list",
            "List the channels",
            "Who can be told: the channels of the settings and of the database, without what is "
            "secret in them. They are written there, and in the admin.",
            answer=ChannelsSerializer,
        )
    }

    def get(self, request: Request) -> Response:
        """All of them: there are few."""
        project = settings.PROJECT
        found = ((one, told.reached(one, project)) for one in rules.channels(project))
        return self.answer({"results": [{**_shown(one), **vars(at)} for one, at in found]})


class SilencesView(generic.List):
    """``alerts/silences/``."""

    reads = "alertsilence"
    endpoints: ClassVar = {
        "get": Endpoint(
            "alerts_silences_list",
            "List silences",
            "What nobody is told of, or was not, by whom and why; the newest first.",
            parameters=(
                Flag("holds", "Only those that hold, or only those that are over."),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=pagination.page_of(SilenceSerializer, "silences"),
        )
    }

    def wanted(self) -> generic.Wanted:
        """Those of the parameters."""
        found = AlertSilence.objects.filter(project=self.asked["project"])
        holds = Q(ended_at=None, until__gt=timezone.now())
        if (wanted := self.asked["holds"]) is not None:
            found = found.filter(holds) if wanted else found.exclude(holds)
        return found, generic.EVERYTHING


class DeliveriesView(generic.List):
    """``alerts/deliveries/``."""

    reads = "alertdelivery"
    endpoints: ClassVar = {
        "get": Endpoint(
            "alerts_deliveries_list",
            "List what was told",
            "Every message to every channel, what came of it and what was answered; the newest "
            f"first. Under a condition a page looks through {told.LOOKED_THROUGH} messages, and "
            "may have few of them, or none, though there are more: `next` says so.",
            parameters=(
                Choice("state", "Only those in this state.", AlertDelivery.State.values),
                Choice("status", "Only those that say this.", AlertDelivery.Status.values),
                Text("channel", "Only those to the channel of this name."),
                Text("rule", "Only those by the rule of this name."),
                Choice("condition", "Only those that tell of this condition.", CONDITIONS),
                Text("subject", "With a condition: only those that tell it of this."),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=pagination.page_of(DeliverySerializer, "messages"),
        )
    }

    def page(self) -> Page[AlertDelivery]:
        """Those of the parameters."""
        asked = self.asked
        names = ("state", "status", "channel", "rule")
        given = {name: asked[name] for name in names if asked[name]}
        found = AlertDelivery.objects.filter(project=asked["project"], **given)
        if not asked["condition"]:
            found = found.defer("message")
        return told.page(
            found, asked["cursor"], asked["limit"], asked["condition"], asked["subject"]
        )


class DeliveryView(generic.Detail):
    """``alerts/deliveries/{id}/``."""

    reads = "alertdelivery"
    missing = "There is no delivery of this number."
    endpoints: ClassVar = {
        "get": Endpoint(
            "alerts_deliveries_retrieve",
            "One message",
            "A message to a channel: what it says, and what came of it.",
            parameters=(DELIVERY,),
            answer=DeliveryDetail,
            problems=(404,),
        )
    }

    def find(self) -> AlertDelivery | None:
        """The delivery."""
        return AlertDelivery.objects.filter(pk=self.asked["id"]).first()

    def beside(self, found: AlertDelivery) -> dict[str, Any]:
        """What it says."""
        message = told.message(found)
        return {"text": "" if message is None else wording.plain(wording.prepared(message))}


def _shown(channel: rules.Channel) -> dict[str, Any]:
    names = ("name", "kind", "source", "is_enabled", "options")
    return {name: getattr(channel, name) for name in names}


urlpatterns = [
    path("alerts/rules/", RulesView.as_view(), name="alert-rules"),
    path("alerts/channels/", ChannelsView.as_view(), name="alert-channels"),
    path("alerts/silences/", SilencesView.as_view(), name="alert-silences"),
    path("alerts/deliveries/", DeliveriesView.as_view(), name="alert-deliveries"),
    path("alerts/deliveries/<z4jnumber:id>/", DeliveryView.as_view(), name="alert-delivery"),
]
