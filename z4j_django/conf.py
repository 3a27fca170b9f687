"""The ``Z4J`` setting: typed, read when first asked for, read again when a test overrides it."""

from __future__ import annotations

import logging
import os
import re
import signal
from typing import Any, Final, Literal

import msgspec
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from z4j_django import retention_policy, values
from z4j_django.secrets import masking, rules

#: Where deployments leave what they are, the most particular first.
ENVIRONMENT_VARIABLES: Final = (
    "SENTRY_ENVIRONMENT",
    "DD_ENV",
    "RAILWAY_ENVIRONMENT_NAME",
    "VERCEL_ENV",
    "ENVIRONMENT",
)
#: Signals that neither Celery nor Python uses; SIGUSR1 and SIGUSR2 are Celery's. Those that mean
#: an end, a child, a terminal or a fault are left out. Who has no handler ignores the first two.
_FREE_SIGNALS: Final = (
    "SIGURG",
    "SIGWINCH",
    "SIGIO",
    "SIGPROF",
    "SIGVTALRM",
    "SIGPWR",
    "SIGRTMIN",
    "SIGRTMAX",
)


#: What stands for a trace in an address.
_TRACE_ID: Final = "{trace_id}"
_ADDRESS_LENGTH: Final = 2_000
_HOST: Final = re.compile(r"https?://[^/?#@]+[/?#]", re.IGNORECASE)
#: Spaces, control characters, and other braces.
_NOT_IN_AN_ADDRESS: Final = re.compile(r"[\s\x00-\x1f\x7f{}\\]")


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much of the tasks of some name to record."""

    #: Share of them, from 0 to 1. Those that fail are recorded all the same.
    sample: float


class Redact(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What else is masked in what is shown."""

    #: Regular expressions that are searched in names: keys, parameters, headers.
    keys: list[str] = []
    #: Regular expressions that are searched in texts.
    values: list[str] = []
    #: Mask e-mail addresses.
    emails: bool = False


class Alerts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is told of what is wrong, beside what the database says."""

    #: Channels by their names: each with its ``kind``, and the options of that.
    CHANNELS: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    #: Rules by their names.
    RULES: dict[str, dict[str, Any]] = msgspec.field(default_factory=dict)
    #: Addresses by the names of schedules: called when their tasks have succeeded.
    HEARTBEATS: dict[str, str] = msgspec.field(default_factory=dict)
    #: Whether channels may be in private networks, or on this host.
    PRIVATE_TARGETS: bool = False
    #: Whether rules may do something by themselves.
    AUTOMATION: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the project says in its ``Z4J`` dictionary, with our defaults."""

    #: Record at all. ``None``: yes, but not under a test runner. ``True``: there too.
    ENABLED: bool | None = None
    #: Name under which this project's tasks stand, for databases that serve several.
    PROJECT: str = "default"
    #: What runs here: a name, or the path of a callable that returns one; ``""`` for none. By
    #: default what the environment says, then the commit that is checked out.
    RELEASE: str | None = None
    #: Where it runs, such as ``production``: the first page says so. ``""`` for none. By default
    #: what the environment says.
    ENVIRONMENT: str | None = None
    #: Directory of the journal; by default one private to the user and the database.
    JOURNAL_DIR: str | None = None
    #: Who ships: a process of its own, a thread in the worker, or you (``external``).
    SHIPPER: Literal["process", "thread", "external"] = "process"
    #: Bytes that the journal may take while the database is away; then the oldest events go.
    JOURNAL_MAX_BYTES: int = 1024**3
    #: Alias of the database that holds the records; by default what the routers say.
    DATABASE: str | None = None
    #: Tasks that are noise, by pattern of their names: ``False`` for none of them, or a sample.
    CAPTURE: dict[str, bool | Capture] = msgspec.field(default_factory=dict)
    #: Keep each message as it was delivered, so that its task can be retried exactly.
    PAYLOAD: Literal["on", "off"] = "on"
    #: Bytes of a body past which a message is not kept.
    PAYLOAD_MAX_BYTES: int = 1024**2
    #: What else is masked in what is shown.
    REDACT: Redact = Redact()
    #: Keep the timeline of each task (``TaskEvent``), not only its merged record.
    TIMELINE: bool = True
    #: The least level of the log records of tasks that are kept, such as ``WARNING``; or none.
    LOGS: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] | None = None
    #: The signal by which a process of a pool writes down its stack; ``None`` for no such stacks.
    STACK_SIGNAL: str | None = "SIGURG"
    #: How long records are kept, by state; without it, for ever.
    RETENTION: dict[str, Any] | None = None
    #: Thresholds of the conditions by their keys; ``False`` for one that is not looked at.
    CONDITIONS: dict[str, bool | dict[str, Any]] = msgspec.field(default_factory=dict)
    #: Who is told of what is wrong.
    ALERTS: Alerts = Alerts()
    #: Where the admin is from outside, such as ``https://shop.example/admin/``: messages link
    #: there. By default what the sites framework says, if it is installed.
    BASE_URL: str | None = None
    #: Called every minute while tasks are recorded, conditions evaluated and alerts sent.
    HEARTBEAT_URL: str | None = None

    #: What a scraper of metrics says to be let in, as ``Authorization: Bearer``; ``None``: none is.
    METRICS_TOKEN: str | None = None
    #: Names of tasks, with their queues, that have metrics of their own.
    METRICS_NAMES: int = 500
    #: Of which other exporters the metrics' names are told, too.
    METRICS_COMPAT: list[Literal["flower", "celery-exporter"]] = []
    #: Name tasks by their ids beside metrics, where who asks takes OpenMetrics.
    METRICS_EXEMPLARS: bool = False

    #: Targets that one bulk operation may have.
    BULK_LIMIT: int = 10_000
    #: The queue on which workers do bulk operations; by default the app's default queue.
    OPERATIONS_QUEUE: str | None = None
    #: Where a trace is shown: the address of any, with ``{trace_id}`` in it.
    TRACE_URL: str | None = None

    @property
    def enabled(self) -> bool | None:
        """``ENABLED``, unless ``Z4J_DISABLED=1`` in the environment overrules it."""
        return False if os.environ.get("Z4J_DISABLED") == "1" else self.ENABLED

    @property
    def environment(self) -> str:
        """``ENVIRONMENT``, or what the environment's own names say; empty where nothing does."""
        if self.ENVIRONMENT is not None:
            return self.ENVIRONMENT
        found = (os.environ.get(name, "").strip() for name in ENVIRONMENT_VARIABLES)
        return values.clean(next(filter(None, found), ""), values.ENVIRONMENT_LENGTH)

    @property
    def sampling(self) -> dict[str, float | None]:
        """``CAPTURE`` as shares: ``None`` for nothing at all."""
        return {
            pattern: rule.sample if isinstance(rule, Capture) else 1.0 if rule else None
            for pattern, rule in self.CAPTURE.items()
        }

    @property
    def payload_limit(self) -> int | None:
        """Bytes of a body that is kept; ``None`` where no message is."""
        return self.PAYLOAD_MAX_BYTES if self.PAYLOAD == "on" else None

    @property
    def log_level(self) -> int | None:
        """``LOGS`` as a number."""
        return None if self.LOGS is None else logging.getLevelNamesMapping()[self.LOGS]

    def trace_address(self, trace_id: str) -> str:
        """Where this trace is shown; empty where nobody said where traces are."""
        return (self.TRACE_URL or "").replace(_TRACE_ID, trace_id)

    @property
    def redaction(self) -> masking.Rules:
        """``REDACT`` as rules; the same ones each time.

        Raises:
            ValueError: If a pattern is wrong.
        """
        return rules.from_setting(self.REDACT.keys, self.REDACT.values, self.REDACT.emails)

    @property
    def retention(self) -> retention_policy.RetentionPolicy:
        """``RETENTION`` as lengths of time.

        Raises:
            ValueError: If it is wrong.
        """
        return retention_policy.from_setting(self.RETENTION or {})


def _load() -> Settings:
    given = getattr(django_settings, "Z4J", {})
    try:
        settings = msgspec.convert(given, Settings)
    except msgspec.ValidationError as error:
        raise ImproperlyConfigured(f"The setting Z4J is wrong: {error}") from error
    if not 1 <= len(settings.PROJECT) <= values.PROJECT_LENGTH:
        raise ImproperlyConfigured(
            f"Z4J['PROJECT'] must have between 1 and {values.PROJECT_LENGTH} characters."
        )
    if len(settings.RELEASE or "") > values.RELEASE_LENGTH:
        raise ImproperlyConfigured(
            f"Z4J['RELEASE'] must have at most {values.RELEASE_LENGTH} characters."
        )
    if len(settings.ENVIRONMENT or "") > values.ENVIRONMENT_LENGTH:
        raise ImproperlyConfigured(
            f"Z4J['ENVIRONMENT'] must have at most {values.ENVIRONMENT_LENGTH} characters."
        )
    for pattern, share in settings.sampling.items():
        if share is not None and not 0.0 <= share <= 1.0:
            raise ImproperlyConfigured(
                f"Z4J['CAPTURE'][{pattern!r}]['sample'] must be between 0 and 1, not {share}."
            )
    try:
        settings.retention  # noqa: B018  # is told here, not in the shipper
        settings.redaction  # noqa: B018
    except ValueError as error:
        raise ImproperlyConfigured(str(error)) from None
    free = [name for name in _FREE_SIGNALS if hasattr(signal, name)]
    if settings.STACK_SIGNAL not in (None, *free):
        raise ImproperlyConfigured(
            f"Z4J['STACK_SIGNAL'] is {settings.STACK_SIGNAL!r}; it is None, or a signal that "
            f"neither Celery nor Python uses: {', '.join(free)}."
        )
    if settings.TRACE_URL is not None and not _is_of_traces(settings.TRACE_URL):
        raise ImproperlyConfigured(
            "Z4J['TRACE_URL'] must be an address with http:// or https:// and without a user, of "
            f"at most {_ADDRESS_LENGTH:,} characters, with {_TRACE_ID} behind its host and no "
            "other braces; those of the address itself are %7B and %7D."
        )
    _require_addresses(settings)
    if not 1 <= settings.METRICS_NAMES <= 5_000:
        raise ImproperlyConfigured("Z4J['METRICS_NAMES'] must be between 1 and 5000.")
    if settings.BULK_LIMIT < 1:
        raise ImproperlyConfigured("Z4J['BULK_LIMIT'] must be at least 1.")
    if settings.JOURNAL_MAX_BYTES < 16 * 1024**2:
        raise ImproperlyConfigured("Z4J['JOURNAL_MAX_BYTES'] must be at least 16 MiB (16777216).")
    if not 0 < settings.PAYLOAD_MAX_BYTES <= 16 * 1024**2:
        raise ImproperlyConfigured(
            "Z4J['PAYLOAD_MAX_BYTES'] must be between 1 and 16 MiB (16777216)."
        )
    return settings


def _is_of_traces(address: str) -> bool:
    before, *others = address.split(_TRACE_ID)
    is_bounded = len(address) <= _ADDRESS_LENGTH and not _NOT_IN_AN_ADDRESS.search(before)
    return (
        is_bounded
        and bool(others)
        and not any(map(_NOT_IN_AN_ADDRESS.search, others))
        and _HOST.match(before) is not None
    )


def _require_addresses(settings: Settings) -> None:
    addresses = {
        "Z4J['BASE_URL']": settings.BASE_URL,
        "Z4J['HEARTBEAT_URL']": settings.HEARTBEAT_URL,
        **{f"Z4J['ALERTS']['HEARTBEATS'][{k!r}]": v for k, v in settings.ALERTS.HEARTBEATS.items()},
    }
    for name, address in addresses.items():
        if address is not None and not values.is_address(address):
            raise ImproperlyConfigured(
                f"{name} must be an address that begins with http:// or https:// and names a host."
            )


class _LazySettings:
    """Stands for the current :class:`Settings`, loaded at the first attribute."""

    _loaded: Settings | None = None

    def __getattr__(self, name: str) -> Any:
        if self._loaded is None:
            self._loaded = _load()
        return getattr(self._loaded, name)

    def reset(self) -> None:
        self._loaded = None


settings = _LazySettings()


def _on_setting_changed(*, setting: str, **kwargs: object) -> None:
    if setting == "Z4J":
        settings.reset()


setting_changed.connect(_on_setting_changed, dispatch_uid="z4j_django.conf")
