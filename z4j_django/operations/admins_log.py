"""Django's own trail of what a user did, where the project has it.

It stands beside ours, which says all that it says. So it may be missing; it may not fail what was
done, nor the transaction of anybody around it.
"""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import router, transaction

from z4j_django import logs, permissions
from z4j_django.models import Operation

logger = logs.logger("z4j_django.operations")


def tell(operation: Operation, actor: permissions.Actor, words: str) -> None:
    """Add what a user did; whatever goes wrong is logged."""
    if isinstance(actor, str) or not apps.is_installed("django.contrib.admin"):
        return
    try:
        _write(operation, actor, words)
    except Exception:
        logger.exception("%s: it is not in the admin's log.", operation)


def _write(operation: Operation, actor: Any, words: str) -> None:
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.contrib.contenttypes.models import ContentType

    alias = router.db_for_write(LogEntry)
    with transaction.atomic(using=alias):
        if not _has_row(actor, alias):
            logger.info("%s: who asked is no user on record, so not in the admin's log.", operation)
            return
        LogEntry._default_manager.using(alias).create(
            user_id=actor.pk,
            content_type=ContentType.objects.db_manager(alias).get_for_model(Operation),
            object_id=str(operation.pk),
            object_repr=str(operation)[:200],
            action_flag=CHANGE,
            change_message=f"{operation.get_verb_display()}: {words}",
        )


def _has_row(actor: Any, alias: str) -> bool:
    """Whether the log may refer to a user; a foreign key is looked at as late as at the commit."""
    from django.contrib.auth import get_user_model

    users = get_user_model()._base_manager.using(alias)
    try:
        return bool(users.filter(pk=actor.pk).exists())
    except (AttributeError, TypeError, ValueError, ValidationError):
        return False  # its key is of another kind than the table's
