"""The page of a whole workflow, which a task or a group is part of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from z4j_django.admin import formatting, fragments, workflow_views
from z4j_django.admin.acting import keys
from z4j_django.admin.fragments import Part
from z4j_django.admin.pages import Page
from z4j_django.admin.readonly import UNNAMED
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.queries import events, flows, graphs, tasks

#: Nodes that one address may open, at most.
_OPENED_LIMIT: Final = 20


def address(admin: Any, request: HttpRequest, record: TaskRecord | GroupRecord) -> str:
    """The page of the workflow that a record is part of; empty for those who may not see it."""
    if not (admin.may_view(request, TaskRecord) and admin.may_view(request, GroupRecord)):
        return ""
    return admin.page_url("workflow", record.pk) or ""


class WorkflowPage(Page):
    """One workflow, as a picture or as a waterfall."""

    template_name = "admin/z4j_django/workflow.html"

    def may_see(self, request: HttpRequest) -> bool:
        """It shows tasks and groups."""
        admin = self.model_admin
        return bool(admin.may_view(request, TaskRecord) and admin.may_view(request, GroupRecord))

    def parts(self) -> Mapping[str, Part]:
        """All that is told of it, which goes on changing as long as it does."""
        # Who asks for the part alone is told what others were, if need be.
        goes_on = fragments.PART not in self.request.GET and self._flow.goes_on
        template = "admin/z4j_django/workflow_flow.html"
        return {"flow": Part(template, self._shown, 5 if goes_on else 0)}

    def context(self) -> dict[str, Any]:
        """What it is of, and the ways to see it."""
        record = self._record
        return {
            "title": _("Workflow of %s") % self._named(record),
            "record_url": self.model_admin.url(record),
            "back": _("To the group") if isinstance(record, GroupRecord) else _("To the task"),
            "address": self.request.path,
            "waterfall_query": urlencode({"view": "waterfall", "open": self._opened}, doseq=True),
            "picture_query": urlencode({"open": self._opened}, doseq=True),
            "is_waterfall": self._is_waterfall,
        }

    @cached_property
    def _record(self) -> Any:
        model = self.model_admin.model
        rows = model.objects.filter(pk__in=keys([self.kwargs["object_id"]]))
        found = (tasks.summaries(rows) if model is TaskRecord else rows).first()
        if found is None:
            raise Http404(_("There is nothing of this number on record."))
        return found

    @cached_property
    def _flow(self) -> flows.Flow:
        return flows.flow(graphs.around(self._record), timezone.now(), self._opened)

    @property
    def _opened(self) -> list[str]:
        return self.request.GET.getlist("open")[:_OPENED_LIMIT]

    @property
    def _is_waterfall(self) -> bool:
        return self.request.GET.get("view") == "waterfall"

    @staticmethod
    def _named(record: Any) -> str:
        if isinstance(record, GroupRecord):
            return formatting.kind(record)
        return record.name or str(UNNAMED)

    def _shown(self) -> dict[str, Any]:
        flow, where = self._flow, self._addresses()
        context = {
            "address": self.request.path,
            "opened": self._opened,
            "summary": workflow_views.summary(flow),
            "length": workflow_views.length(flow),
            "limit": f"{graphs.LIMIT:,}" if flow.more else "",
        }
        if not self._is_waterfall:
            return context | {
                "picture": workflow_views.picture(flow, where),
                "nested": workflow_views.nested(flow.outline(), where),
            }
        again = [
            step.task.task_id
            for step in flow.steps
            if step.task.record is not None
            and (step.task.record.retries or step.task.record.deliveries > 1)
        ]
        starts = events.starts(self._record.project, again)
        labels, bars = workflow_views.waterfall(flow, starts, where)
        return context | {"is_waterfall": True, "labels": labels, "bars": bars}

    def _addresses(self) -> workflow_views.Addresses:
        admin, request = self.model_admin, self.request
        opened = request.GET.getlist("open")[: _OPENED_LIMIT - 1]
        listed = admin.list_url(TaskRecord) or ""

        def opens(key: str) -> str:
            given = [("open", one) for one in [*opened, key]]
            return f"{request.path}?{urlencode(given)}"

        return workflow_views.Addresses(
            task=admin.urls_of(TaskRecord),
            opened=opens,
            filtered=lambda text: f"{listed}?{urlencode({'q': text})}",
        )
