"""Who is told of what is wrong: channels, rules, and silences."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy

from z4j_django import verbs
from z4j_django.models.fields import PROJECT_HELP, AnyCharField, AnyTextField, IdentifierField
from z4j_django.models.primary import PrimaryManager

#: What finds fault with a rule or a channel. It knows the conditions and the kinds of channels,
#: and stands above this package.
_FAULTS: Final = "z4j_django.alerts.rules.faults_of"
#: Characters of the name of a rule or channel.
NAME_LENGTH: Final = 100


class _Declared(models.Model):
    """What ``Z4J["ALERTS"]`` may also say."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    name = IdentifierField(max_length=NAME_LENGTH, help_text=gettext_lazy("Its name, for good."))
    is_enabled = models.BooleanField(
        default=True, help_text=gettext_lazy("Whether it is made use of.")
    )
    created_by = AnyCharField(max_length=255, blank=True, default="", editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects = PrimaryManager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return str(self.name)

    def clean(self) -> None:
        """See that it can be.

        Raises:
            ValidationError: If not, by the field.
        """
        if wrong := import_string(_FAULTS)(self):
            raise ValidationError(wrong)


class AlertChannel(_Declared):
    """A way to somebody: an address with all that it takes to reach it."""

    kind = IdentifierField(
        max_length=32, help_text=gettext_lazy("What kind it is, such as `email`.")
    )
    options = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy("Those of its kind, but for secrets.")
    )
    #: Its secret options as JSON, sealed; nobody is shown them.
    sealed = models.BinaryField(default=b"", blank=True, editable=False)

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("alert channel")
        verbose_name_plural = gettext_lazy("alert channels")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="z4j_alert_channel_name"),
        ]


class AlertRule(_Declared):
    """Of what whom is told, and when."""

    class Severity(models.TextChoices):
        """The least that is told."""

        WARNING = "warning", gettext_lazy("warnings, too")
        CRITICAL = "critical", gettext_lazy("critical only")

    conditions = models.JSONField(
        default=list,
        blank=True,
        help_text=gettext_lazy("The keys of the conditions that it is about; none: all."),
    )
    severity = AnyCharField(
        max_length=8,
        choices=Severity.choices,
        default=Severity.CRITICAL,
        help_text=gettext_lazy("The least severity that is told."),
    )
    subjects = models.JSONField(
        default=list,
        blank=True,
        help_text=gettext_lazy(
            "Patterns of the names of queues, workers, tasks, schedules and so on, such as "
            "`mail.*`; none: all."
        ),
    )
    channels = models.JSONField(
        default=list,
        blank=True,
        help_text=gettext_lazy("The names of the channels that are told; none: all."),
    )
    after = models.FloatField(
        default=30.0, help_text=gettext_lazy("Seconds that it has to hold before it is told.")
    )
    repeat = models.FloatField(
        null=True,
        blank=True,
        help_text=gettext_lazy(
            "Seconds after which it is told again while it holds; 0: never. By default four hours "
            "where it is critical, and never where it is a warning."
        ),
    )
    quiet_from = AnyCharField(
        max_length=5,
        blank=True,
        default="",
        help_text=gettext_lazy("When quiet hours begin, such as `22:00`; none: never."),
    )
    quiet_until = AnyCharField(
        max_length=5, blank=True, default="", help_text=gettext_lazy("When they end.")
    )
    quiet_zone = AnyCharField(
        max_length=64,
        blank=True,
        default="",
        help_text=gettext_lazy(
            "Their time zone, such as `Europe/Berlin`; by default the project's."
        ),
    )
    quiet_critical = models.BooleanField(
        default=False, help_text=gettext_lazy("Hold back what is critical in them, too.")
    )

    #: What it does besides: automation.
    verb = IdentifierField(
        max_length=32,
        blank=True,
        default="",
        choices=verbs.choices,
        help_text=gettext_lazy("What is done when it holds; none: nothing."),
    )
    verb_options = models.JSONField(
        default=dict, blank=True, help_text=gettext_lazy("The options of the verb.")
    )
    is_dry_run = models.BooleanField(
        default=True, help_text=gettext_lazy("Only write down what would be done.")
    )
    hourly_limit = models.IntegerField(
        default=5, help_text=gettext_lazy("How often an hour it is done, at most.")
    )
    breaker_limit = models.IntegerField(
        default=3,
        help_text=gettext_lazy("How often it is done to one thing that goes on, at most."),
    )
    stopped_at = models.DateTimeField(
        null=True,
        blank=True,
        editable=False,
        help_text=gettext_lazy("When it was stopped because it did not help."),
    )
    stopped_why = AnyTextField(blank=True, default="", editable=False)

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("alert rule")
        verbose_name_plural = gettext_lazy("alert rules")
        default_permissions = ("view",)
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["project", "name"], name="z4j_alert_rule_name"),
        ]

    def given(self) -> dict[str, Any]:
        """What it says, as ``Z4J["ALERTS"]["RULES"]`` would; what is empty is not given."""
        names = (
            *("conditions", "severity", "subjects", "channels", "after", "repeat"),
            *("quiet_from", "quiet_until", "quiet_zone", "quiet_critical"),
            *("verb", "verb_options", "is_dry_run", "hourly_limit", "breaker_limit"),
        )
        said = {name: getattr(self, name) for name in names}
        return {name: value for name, value in said.items() if value not in (None, "")}


class AlertSilence(models.Model):
    """What nobody is told of for a while."""

    project = IdentifierField(max_length=64, default="default", help_text=PROJECT_HELP)
    condition = IdentifierField(
        max_length=64,
        blank=True,
        default="",
        help_text="The key of the condition that nobody is told of; empty: of none.",
    )
    subject = AnyCharField(
        max_length=255, default="*", help_text="A pattern of the names that it is about."
    )
    reason = AnyTextField(blank=True, default="", help_text="Why, in words.")
    created_by = AnyCharField(max_length=255, help_text="Who silenced it.")
    since = models.DateTimeField(help_text="Since when.")
    until = models.DateTimeField(help_text="Until when, unless somebody ends it before.")
    ended_at = models.DateTimeField(
        null=True, blank=True, help_text="When somebody ended it before its time."
    )
    ended_by = AnyCharField(max_length=255, blank=True, default="", help_text="Who did.")
    #: What was held back, each as its key and subject; and how many there were of them.
    held = models.JSONField(default=list, blank=True, editable=False)
    held_count = models.IntegerField(
        default=0, editable=False, help_text="How many alerts were held back."
    )
    #: When it was said, after its end, that it was there.
    said_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = PrimaryManager()

    class Meta:  # noqa: D106
        verbose_name = gettext_lazy("silence")
        verbose_name_plural = gettext_lazy("silences")
        default_permissions = ("view",)
        indexes: ClassVar = [
            models.Index(fields=["project", "until"], name="z4j_silence_until"),
        ]

    def __str__(self) -> str:
        return f"{self.condition or 'all'} {self.subject}, silenced by {self.created_by}"
