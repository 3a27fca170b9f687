"""What an operator does: the public functions, each with its permission and its audit row."""

from z4j_django.control.queue_depths import count_messages
from z4j_django.operations.bulk_operations import abort, bulk, preview
from z4j_django.operations.groups import retry_group
from z4j_django.operations.queues import purge_queue
from z4j_django.operations.restoring import restore
from z4j_django.operations.tasks import cancel, retry, terminate

__all__ = [
    "abort",
    "bulk",
    "cancel",
    "count_messages",
    "preview",
    "purge_queue",
    "restore",
    "retry",
    "retry_group",
    "terminate",
]
