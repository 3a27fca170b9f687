"""The rules and the channels of a project: those of the settings, and those of the database.

What the settings name, the database does not: a row of the same name is passed over.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from fnmatch import fnmatchcase
from typing import Any, Final, Literal, TypeVar
from zoneinfo import ZoneInfo

from django.core.exceptions import ImproperlyConfigured
from django.utils import timezone
from msgspec import UNSET

from z4j_django import logs, options, verbs
from z4j_django.alerts import rule_options
from z4j_django.alerts.rule_options import RuleOptions
from z4j_django.conditions.base import Condition, Severity
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.conf import settings
from z4j_django.exceptions import OptionsError, SealError
from z4j_django.models import AlertChannel, AlertRule
from z4j_django.models.alert import NAME_LENGTH
from z4j_django.models.primary import primary
from z4j_django.options import given
from z4j_django.secrets import sealing
from z4j_django.values import is_storable

logger = logs.logger("z4j_django.alerts")

#: Where something is said: ``default`` is the rule that there is without any.
Source = Literal["settings", "database", "default"]
T = TypeVar("T")

#: Rules and channels of the database, at most.
LIMIT: Final = 200
#: Seconds after which what is critical is told again.
REPEAT: Final = 4 * 3600.0
#: The name of the rule that there is where none is written.
DEFAULT: Final = "critical"
#: What rules may do by themselves: nothing that can't be taken back, or is no use without a person.
ABLE: Final = tuple(
    verb.name
    for verb in verbs.VERBS.values()
    if not verb.dangerous and verb.noun not in ("journal", "alert", "silence", "channel", "group")
)


@dataclass(frozen=True)
class Channel:
    """A way to somebody.

    Attributes:
        name: Its name.
        kind: The key of its kind.
        source: Where it is said.
        options: Its options without the secret ones.
        is_enabled: Whether it is made use of.
        secrets: The secret options, where the settings name them.
        sealed: The same, where the database holds them.
    """

    name: str
    kind: str
    source: Source
    options: Mapping[str, Any]
    is_enabled: bool = True
    secrets: Mapping[str, Any] = field(default_factory=dict, repr=False)
    sealed: bytes = field(default=b"", repr=False)

    def opened(self, project: str) -> Any:
        """Its options, the secret ones among them.

        Args:
            project: Whose it is.

        Raises:
            SealError: If its secrets can't be opened.
            OptionsError: If they are none of its kind; the message has no value in it.
        """
        secrets = self.secrets or _secrets(project, self.name, self.sealed)
        kind = _kinds().get(self.kind)
        if kind is None:
            raise OptionsError({"kind": f"There is no kind of channels {self.kind[:60]!r}."})
        return options.read(kind.options, {**self.options, **secrets})


@dataclass(frozen=True)
class Quiet:
    """Hours of the day in which less is told.

    Attributes:
        begin: When they begin.
        end: When they end; before the begin, they last over midnight.
        zone: Of which time zone both are.
        holds_critical: Whether what is critical is held back, too.
    """

    begin: time
    end: time
    zone: str = ""
    holds_critical: bool = False

    def holds(self, at: datetime, severity: str) -> bool:
        """Whether something is held back at a moment."""
        if severity == "critical" and not self.holds_critical:
            return False
        zone = ZoneInfo(self.zone) if self.zone else timezone.get_default_timezone()
        aware = at if at.tzinfo is not None else timezone.make_aware(at)
        clock = aware.astimezone(zone).time()
        if self.begin <= self.end:
            return self.begin <= clock < self.end
        return clock >= self.begin or clock < self.end


@dataclass(frozen=True)
class Automation:
    """What a rule does by itself.

    Attributes:
        verb: The verb's name.
        options: Its options.
        is_dry_run: Whether it is only written down.
        hourly_limit: How often an hour it is done.
        breaker_limit: How often to one thing that goes on.
        stopped_at: When it was stopped because it did not help.
    """

    verb: str
    options: Mapping[str, Any]
    is_dry_run: bool = True
    hourly_limit: int = rule_options.HOURLY
    breaker_limit: int = rule_options.BREAKER
    stopped_at: datetime | None = None


@dataclass(frozen=True)
class Rule:
    """Of what whom is told, and when.

    Attributes:
        name: Its name.
        source: Where it is said.
        conditions: The keys of those that it is about; none: all.
        severity: The least that is told.
        subjects: Patterns of what it is about; none: all.
        channels: The names of those that are told; none: all.
        after: Seconds that something has to hold before.
        repeat: Seconds after which it is told again; 0: never; ``None``: by the severity.
        quiet: The quiet hours.
        automation: What it does by itself.
        is_enabled: Whether it is made use of.
    """

    name: str
    source: Source
    conditions: Sequence[str] = ()
    severity: Severity = "critical"
    subjects: Sequence[str] = ()
    channels: Sequence[str] = ()
    after: float = rule_options.AFTER
    repeat: float | None = None
    quiet: Quiet | None = None
    automation: Automation | None = None
    is_enabled: bool = True

    def is_about(self, key: str, subject: str, severity: str) -> bool:
        """Whether a problem is told by it."""
        if self.severity == "critical" and severity != "critical":
            return False
        if self.conditions and key not in self.conditions:
            return False
        return not self.subjects or any(fnmatchcase(subject, one) for one in self.subjects)

    def tells(self, channels: Iterable[Channel]) -> list[Channel]:
        """Those that it tells."""
        return [
            one
            for one in channels
            if one.is_enabled and (not self.channels or one.name in self.channels)
        ]

    def repeats_after(self, severity: str) -> float:
        """Seconds after which something of a severity is told again; 0: never."""
        if self.repeat is not None:
            return self.repeat
        return REPEAT if severity == "critical" else 0.0


def channels(project: str) -> list[Channel]:
    """The channels of a project, by name; what is wrong in the settings is logged and left out."""
    found = {}
    for name, said in settings.ALERTS.CHANNELS.items():
        if (one := _or_logged(lambda n=name, s=said: channel_of_setting(n, s))) is not None:
            found[name] = one
    for row in primary(AlertChannel).filter(project=project).order_by("name")[:LIMIT]:
        found.setdefault(row.name, _channel_of_row(row))
    return sorted(found.values(), key=lambda one: one.name)


def rules(project: str) -> list[Rule]:
    """The rules of a project, by name; what is wrong is logged and left out.

    Where there is none, or none that can be, everything critical is told to all channels.
    """
    found = {}
    for name, said in settings.ALERTS.RULES.items():
        if (one := _or_logged(lambda n=name, s=said: rule_of_setting(n, s))) is not None:
            found[name] = one
    for row in primary(AlertRule).filter(project=project).order_by("name")[:LIMIT]:
        if row.name not in found and (one := _or_logged(lambda r=row: _rule_of_row(r))) is not None:
            found[row.name] = one
    if not found:
        return [Rule(DEFAULT, "default")]
    return sorted(found.values(), key=lambda one: one.name)


def channel_of_setting(name: str, said: Mapping[str, Any]) -> Channel:
    """A channel of ``Z4J["ALERTS"]["CHANNELS"]``.

    Raises:
        ImproperlyConfigured: If it can't be; the message has no value of an option in it.
    """
    place = f"Z4J['ALERTS']['CHANNELS'][{name!r}]"
    _require_name(place, name)
    kind, own = said.get("kind"), {key: value for key, value in said.items() if key != "kind"}
    if wrong := channel_faults(kind, own):
        option, reason = next(iter(wrong.items()))
        raise ImproperlyConfigured(f"{place}[{option!r}]: {reason}")
    secret = secret_names(str(kind))
    return Channel(
        name,
        str(kind),
        "settings",
        {key: value for key, value in own.items() if key not in secret},
        secrets={key: value for key, value in own.items() if key in secret},
    )


def rule_of_setting(name: str, said: Mapping[str, Any]) -> Rule:
    """A rule of ``Z4J["ALERTS"]["RULES"]``.

    Raises:
        ImproperlyConfigured: If it can't be.
    """
    place = f"Z4J['ALERTS']['RULES'][{name!r}]"
    _require_name(place, name)
    try:
        return _rule(name, "settings", said)
    except OptionsError as error:
        option, reason = next(iter(error.errors.items()))
        raise ImproperlyConfigured(f"{place}[{option!r}]: {reason}") from None


def faults_of(row: AlertChannel | AlertRule) -> dict[str, str]:
    """What is wrong with a row, as a sentence, by its field. Of a channel, secrets are left out."""
    wrong: dict[str, str] = {}
    taken = settings.ALERTS.CHANNELS if isinstance(row, AlertChannel) else settings.ALERTS.RULES
    if row.name in taken:
        wrong["name"] = "Z4J['ALERTS'] in the settings has one of this name."
    elif not row.name.isprintable():
        wrong["name"] = "A name can be printed."
    try:
        if isinstance(row, AlertRule):
            found = _rule(row.name, "database", row.given())
            known = {one.name for one in channels(row.project)}
            if missing := [name for name in found.channels if name not in known]:
                wrong["channels"] = f"There is no channel {missing[0]!r}."
        else:
            said = {**row.options, **_secrets(row.project, row.name, bytes(row.sealed))}
            wrong |= _of_row(channel_faults(row.kind, said))
    except OptionsError as error:
        wrong |= error.errors
    except SealError:
        wrong["options"] = "Its secrets can't be opened: enter them anew."
    return wrong


def problems() -> list[str]:
    """What is wrong with ``Z4J["ALERTS"]``, in sentences."""
    found = []
    for name, said in settings.ALERTS.CHANNELS.items():
        try:
            channel_of_setting(name, said)
        except ImproperlyConfigured as error:
            found.append(str(error))
    for name, said in settings.ALERTS.RULES.items():
        try:
            rule_of_setting(name, said)
        except ImproperlyConfigured as error:
            found.append(str(error))
    return found


def missing_channels(project: str) -> list[tuple[str, str]]:
    """The rules of the settings, and the channels that they name and that there are not."""
    known = {one.name for one in channels(project)}
    return [
        (rule.name, name)
        for rule in rules(project)
        if rule.source == "settings"
        for name in rule.channels
        if name not in known
    ]


def channel_faults(kind: Any, said: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the options of a channel, by their names; ``kind`` is one, too."""
    known = _kinds()
    if kind not in known:
        return {"kind": f"This has to be one of: {', '.join(known)}."}
    try:
        options.read(known[kind].options, said)
    except OptionsError as error:
        return error.errors
    return {}


def secret_names(kind: str) -> frozenset[str]:
    """The options of a kind that are sealed and never shown again."""
    from z4j_django.alerts.channels import base

    found = _kinds().get(kind)
    return frozenset(base.secret_names(found)) if found is not None else frozenset()


def _secrets(project: str, name: str, sealed: bytes) -> dict[str, Any]:
    if not sealed:
        return {}
    found: dict[str, Any] = sealing.open_json(sealed, sealing.channel_context(project, name))
    return found


def seal_secrets(project: str, name: str, secrets: Mapping[str, Any]) -> bytes:
    """What ``AlertChannel.sealed`` holds."""
    if not secrets:
        return b""
    return sealing.seal_json(dict(secrets), sealing.channel_context(project, name))


def _kinds() -> Mapping[str, Any]:
    """The kinds of channels. They bring HTTP and mail along, so they are loaded when needed."""
    from z4j_django.alerts.channels import registry

    return registry.KINDS


def _of_row(wrong: Mapping[str, str]) -> dict[str, str]:
    """The same, by the fields of a row."""
    return {
        "kind" if name == "kind" else "options": reason if name == "kind" else f"{name}: {reason}"
        for name, reason in wrong.items()
    }


def _channel_of_row(row: AlertChannel) -> Channel:
    sealed = bytes(row.sealed)
    return Channel(row.name, row.kind, "database", row.options, row.is_enabled, sealed=sealed)


def _rule_of_row(row: AlertRule) -> Rule:
    found = _rule(row.name, "database", row.given(), stopped_at=row.stopped_at)
    return found if row.is_enabled else Rule(**{**vars(found), "is_enabled": False})


def _rule(
    name: str, source: Source, said: Mapping[str, Any], stopped_at: datetime | None = None
) -> Rule:
    """A rule, as it was said.

    Raises:
        OptionsError: If it can't be.
    """
    read = options.read(RuleOptions, said)
    wrong = {}
    keys = given(read.conditions, [])
    if unknown := [key for key in keys if key not in CONDITIONS]:
        wrong["conditions"] = f"There is no condition {unknown[0][:60]!r}."
    if (read.quiet_from is UNSET) != (read.quiet_until is UNSET):
        missing = "quiet_from" if read.quiet_from is UNSET else "quiet_until"
        wrong[missing] = "Quiet hours have a begin and an end."
    subjects = given(read.subjects, [])
    verb = given(read.verb, "")
    if verb and (reason := _verb_fault(verb, [CONDITIONS[key] for key in keys if not unknown])):
        wrong["verb"] = reason
    elif verb:
        try:
            options.read(verbs.VERBS[verb].options, given(read.verb_options, {}))
        except OptionsError as error:
            wrong["verb_options"] = str(error)
    if wrong:
        raise OptionsError(wrong)
    return Rule(
        name,
        source,
        tuple(keys),
        read.severity,
        tuple(subjects),
        tuple(given(read.channels, [])),
        read.after,
        given(read.repeat),
        _quiet(read),
        _automation(read, stopped_at) if verb else None,
    )


def _quiet(read: RuleOptions) -> Quiet | None:
    if read.quiet_from is UNSET or read.quiet_until is UNSET:
        return None
    begin, end = time.fromisoformat(read.quiet_from), time.fromisoformat(read.quiet_until)
    return Quiet(begin, end, given(read.quiet_zone, ""), read.quiet_critical)


def _automation(read: RuleOptions, stopped_at: datetime | None) -> Automation:
    return Automation(
        given(read.verb, ""),
        given(read.verb_options, {}),
        read.is_dry_run,
        read.hourly_limit,
        read.breaker_limit,
        stopped_at,
    )


def _verb_fault(verb: str, about: Sequence[Condition]) -> str:
    """Why a rule can't do a verb by itself, in a sentence; empty where it can."""
    if verb not in ABLE:
        return f"This has to be one of: {', '.join(ABLE)}."
    noun = verbs.VERBS[verb].noun
    if not about:
        return "A rule that does something names its conditions."
    for one in about:
        if one.subject != noun and not (noun == "task" and one.filter is not None):
            return f"{verb} acts on a {noun}, and {one.key} is said of a {one.subject}."
    return ""


def _require_name(place: str, name: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable() or not is_storable(name):
        raise ImproperlyConfigured(
            f"{place}: a name has 1 to {NAME_LENGTH} characters that can be printed."
        )


def _or_logged(make: Any) -> Any:
    try:
        return make()
    except (ImproperlyConfigured, OptionsError) as error:
        _log_once(str(error))
        return None


@functools.lru_cache(maxsize=100)
def _log_once(problem: str) -> None:
    logger.warning("It is passed over: %s", problem)
