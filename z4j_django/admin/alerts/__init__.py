"""Who is told of what is wrong: rules, channels, silences, and the log of what was told."""

from z4j_django.admin.alerts import (
    channel_pages,
    delivery_pages,
    heartbeat_pages,
    rule_pages,
    silence_pages,
)

__all__ = ["channel_pages", "delivery_pages", "heartbeat_pages", "rule_pages", "silence_pages"]
