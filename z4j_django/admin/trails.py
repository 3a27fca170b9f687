"""On a page of a task or group: what may be done to it, and what was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import permissions, states, verbs
from z4j_django.admin import formatting, operations
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.models import GroupRecord, Operation, TaskRecord
from z4j_django.queries import operations as queries

#: What a verb that is on no list is called here.
_NO_MESSAGE = gettext_lazy("Its message is not on record, so it can't be sent again as it was.")


@dataclass(frozen=True)
class Button:
    """A way to a page that asks; ``why`` says why there is none, here or beside the next one."""

    label: str
    url: str | None
    why: str = ""
    dangerous: bool = False


def task_buttons(admin: Any, request: HttpRequest, task: Any) -> list[Button]:
    """What this user may do to ``task``, as ``tasks.detailed`` reads it, or why not now."""
    found: list[Button] = []
    for verb in verbs.of("task"):
        if not permissions.can(request.user, verb.name):
            continue
        why, url = _why_not(verb, task), admin.page_url(verb.name, id=task.pk)
        found.append(Button(f"{_(verb.label)}…", url, why, dangerous=verb.dangerous))
        if verb is verbs.RETRY:
            found.append(Button(_("Edit and retry…"), admin.page_url("edit", task.pk), why))
    return found


def _why_not(verb: verbs.Verb, task: Any) -> str:
    """Why ``verb`` can't be done to ``task`` as it is, as far as one look tells."""
    if verb is verbs.RETRY:
        return "" if task.message_kept else str(_NO_MESSAGE)
    if verb in (verbs.CANCEL, verbs.TERMINATE) and task.state in states.FINISHED:
        return _("It is over: %(state)s.") % {"state": task.state}
    if verb is verbs.CANCEL and task.state == states.STARTED:
        return _("It runs already; only terminating stops it.")
    return ""


def group_buttons(admin: Any, request: HttpRequest, group: GroupRecord) -> list[Button]:
    """What this user may do to ``group``."""
    if not permissions.can(request.user, verbs.RETRY_GROUP.name):
        return []
    no_body = "" if group.body_id else _("It has no body: it is no chord.")
    return [
        Button(_("Retry all…"), admin.page_url("retry_all", id=group.pk)),
        Button(_("Retry failed…"), admin.page_url("retry_failed", id=group.pk)),
        Button(_("Body only…"), admin.page_url("retry_body", id=group.pk), no_body),
    ]


def trail(admin: ReadOnlyAdmin, request: HttpRequest, task: TaskRecord) -> dict[str, Any]:
    """The operations that were asked to act on it, for those who may see operations."""
    if not admin.may_view(request, Operation):
        return {}
    found = queries.trail(task)
    return {
        "trail": [
            {
                **_row(admin, row.operation),
                "at": formatting.moment(row.at or row.operation.created_at),
                "badges": operations.badge(row.outcome),
                "reason": row.reason,
                "result": formatting.identifier(row.result_id) if row.result_id else "",
            }
            for row in found.targets
        ],
        "trail_limit": str(queries.TRAIL_LIMIT) if found.more else "",
    }


def group_trail(admin: ReadOnlyAdmin, request: HttpRequest, group: GroupRecord) -> dict[str, Any]:
    """The operations that ran it again, for those who may see operations."""
    if not admin.may_view(request, Operation):
        return {}
    found = queries.of_group(group)
    return {"trail": [_row(admin, operation) for operation in found]}


def _row(admin: ReadOnlyAdmin, operation: Operation) -> dict[str, str]:
    shown = formatting.verb(operation.verb)
    given = operation.parameters if isinstance(operation.parameters, dict) else {}
    new_group = str(given.get("new_group_id") or "")
    members = str(given.get("members") or "")
    return {
        "at": formatting.moment(operation.created_at),
        "operation": admin.link(admin.url(operation), shown),
        "actor": formatting.text(operation.actor),
        "surface": operation.surface,
        "badges": operations.badges(operation),
        "reason": _("Members: %(members)s.") % {"members": members} if members else "",
        "result": formatting.identifier(new_group) if new_group else "",
    }
