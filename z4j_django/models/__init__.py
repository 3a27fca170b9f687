"""The tables, one module per noun."""

from z4j_django.models.alert import AlertChannel, AlertRule, AlertSilence
from z4j_django.models.cursor import JournalCursor
from z4j_django.models.delivery import AlertAct, AlertDelivery, AlertHeartbeat, AlertNotice
from z4j_django.models.error import ErrorGroup, ErrorRelease
from z4j_django.models.group import GroupRecord
from z4j_django.models.journal import JournalLoss, JournalRecord
from z4j_django.models.log import TaskLog
from z4j_django.models.operation import Operation, OperationTarget, SavedMessage
from z4j_django.models.pause import PausedConsumer, PausedQueue
from z4j_django.models.payload import TaskPayload
from z4j_django.models.release import Release
from z4j_django.models.saved_view import SavedView
from z4j_django.models.statistics import Statistic, StatisticsDelta, StatisticsRoster
from z4j_django.models.task import TaskEvent, TaskRecord
from z4j_django.models.watch import ConditionRecord, Lease, QueueSample
from z4j_django.models.worker import WorkerRecord

__all__ = [
    "AlertAct",
    "AlertChannel",
    "AlertDelivery",
    "AlertHeartbeat",
    "AlertNotice",
    "AlertRule",
    "AlertSilence",
    "ConditionRecord",
    "ErrorGroup",
    "ErrorRelease",
    "GroupRecord",
    "JournalCursor",
    "JournalLoss",
    "JournalRecord",
    "Lease",
    "Operation",
    "OperationTarget",
    "PausedConsumer",
    "PausedQueue",
    "QueueSample",
    "Release",
    "SavedMessage",
    "SavedView",
    "Statistic",
    "StatisticsDelta",
    "StatisticsRoster",
    "TaskEvent",
    "TaskLog",
    "TaskPayload",
    "TaskRecord",
    "WorkerRecord",
]
