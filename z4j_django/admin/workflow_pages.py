"""The page of a whole workflow, which a task or a group is part of."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from z4j_django.admin import workflow_views
from z4j_django.admin.acting import keys
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

    def context(self) -> dict[str, Any]:
        """All of it."""
        request, admin = self.request, self.model_admin
        record = self._find(self.kwargs["object_id"])
        opened = request.GET.getlist("open")[:_OPENED_LIMIT]
        flow = flows.flow(graphs.around(record), timezone.now(), opened)
        return {
            "title": _("Workflow of %s") % self._named(record),
            "record_url": admin.url(record),
            "back": _("To the group") if isinstance(record, GroupRecord) else _("To the task"),
            "address": request.path,
            "waterfall_query": urlencode({"view": "waterfall", "open": opened}, doseq=True),
            "picture_query": urlencode({"open": opened}, doseq=True),
            "opened": opened,
            "summary": workflow_views.summary(flow),
            "length": workflow_views.length(flow),
            "limit": f"{graphs.LIMIT:,}" if flow.more else "",
            **self._shown(request, record.project, flow),
        }

    def _find(self, object_id: str) -> Any:
        model = self.model_admin.model
        rows = model.objects.filter(pk__in=keys([object_id]))
        found = (tasks.summaries(rows) if model is TaskRecord else rows).first()
        if found is None:
            raise Http404(_("There is nothing of this number on record."))
        return found

    @staticmethod
    def _named(record: Any) -> str:
        if isinstance(record, GroupRecord):
            return f"{record.kind} of {record.size}"
        return record.name or str(UNNAMED)

    def _shown(self, request: HttpRequest, project: str, flow: flows.Flow) -> dict[str, Any]:
        where = self._addresses(request)
        if request.GET.get("view") != "waterfall":
            return {
                "picture": workflow_views.picture(flow, where),
                "nested": workflow_views.nested(flow.outline(), where),
            }
        again = [
            step.task.task_id
            for step in flow.steps
            if step.task.record is not None
            and (step.task.record.retries or step.task.record.deliveries > 1)
        ]
        labels, bars = workflow_views.waterfall(flow, events.starts(project, again), where)
        return {"is_waterfall": True, "labels": labels, "bars": bars}

    def _addresses(self, request: HttpRequest) -> workflow_views.Addresses:
        admin = self.model_admin
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
