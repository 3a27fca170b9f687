"""The port to Celery: what other parts ask of the broker and of the workers."""

from z4j_django.control.connecting import (
    PROBE_TASK,
    broker_address,
    connect,
    open_connection,
    ping,
    probe_queue,
    record_expired_probe,
    send_probe,
)
from z4j_django.control.dispatching import (
    BULK_LIMIT,
    BULK_SOFT_LIMIT,
    BULK_TASK,
    TimeIsUp,
    leaves_to_workers,
    send_bulk,
)

__all__ = [
    "BULK_LIMIT",
    "BULK_SOFT_LIMIT",
    "BULK_TASK",
    "PROBE_TASK",
    "TimeIsUp",
    "broker_address",
    "connect",
    "leaves_to_workers",
    "open_connection",
    "ping",
    "probe_queue",
    "record_expired_probe",
    "send_bulk",
    "send_probe",
]
