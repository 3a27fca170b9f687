"""What a running task does at this moment: a part of its page, asked for when it is wanted."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from z4j_django import permissions
from z4j_django.admin import formatting, tracebacks
from z4j_django.admin.acting import keys
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.admin.readonly import UNNAMED
from z4j_django.models import TaskRecord
from z4j_django.operations import stacks
from z4j_django.queries import tasks


class StackPage(Page):
    """The stack of a task. Without scripts it is a page of its own."""

    template_name = "admin/z4j_django/taskrecord/stack_page.html"

    def may_see(self, request: HttpRequest) -> bool:
        """Who sees tasks, and may see stacks."""
        return super().may_see(request) and permissions.can(request.user, "stack")

    def parts(self) -> dict[str, Part]:
        """The one."""
        template = "admin/z4j_django/taskrecord/stack.html"
        return {"stack": Part(template, self._stack, every=0)}

    def context(self) -> dict[str, Any]:
        """The way back to the task."""
        task = self._task()
        title = _("What %(task)s is doing") % {"task": task.name or UNNAMED}
        return {"title": title, "task_url": self.model_admin.url(task), "still": True}

    def _stack(self) -> dict[str, Any]:
        task = self._task()
        found = stacks.look(task, actor=self.request.user)
        return {
            "sentence": found.sentence,
            "traceback": tracebacks.parts(found.text, task.name),
            "clock": formatting.full_moment(timezone.now()),
        }

    def _task(self) -> TaskRecord:
        wanted = keys([self.kwargs["object_id"]])
        found = tasks.summaries(TaskRecord.objects.filter(pk__in=wanted)).first()
        if found is None:
            raise Http404(_("There is nothing of this number on record."))
        return found
