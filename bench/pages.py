"""The addresses of the admin's pages and fragments, by the words under which they are measured."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

RANGES = ("1h", "24h", "7d", "30d", "90d")
#: Filters of bulk operations: few tasks, thousands, more than one operation may have.
SELECTIONS = {
    "some": "state:STARTED",
    "an error": "error:{error}",
    "thousands": "name:shop.mail.send_3 state:FAILURE",
    "failures": "state:FAILURE",
    "failures sent lately": "state:FAILURE sent:<24h",
    "a queue's, by argument": "queue:seldom kwargs.user_id:43",
}


def at(page: str, /, *args: Any, **query: str) -> str:
    """A page of the app in the admin."""
    found = reverse(f"admin:z4j_django_{page}", args=args)
    return f"{found}?{urlencode(query)}" if query else found


def control_room() -> dict[str, list[str]]:
    """The pages beside the list of tasks, each of their parts that refreshes, and the previews."""
    from z4j_django.models import ErrorGroup, TaskRecord

    names = ("shop.tasks.order_1", "bank.report_7", "shop.mail.send_3")
    errors = ErrorGroup.objects.filter(fingerprint__lt=10_000)
    often, seldom = (
        [one.error_id for one in errors.order_by(by)[:8]] or ["0" * 16] for by in ("-count", "id")
    )
    busy = [
        one.pk for one in TaskRecord.objects.filter(state="STARTED").order_by("-pk")[:4].only("pk")
    ]
    found = {
        "admin's own index": [reverse("admin:index")],
        "first page": [reverse("admin:app_list", args=["z4j_django"])],
        "first page, part": [at("conditionrecord_room", part="now")],
        "errors": [at("errorgroup_changelist")],
        "error, frequent": [at("errorgroup_change", one) for one in often],
        "error, rare": [at("errorgroup_change", one) for one in seldom],
        "error, in common": [at("errorgroup_common", one) for one in often],
        "task list, free word": [at("taskrecord_changelist", q="report")],
        "task, running": [at("taskrecord_change", one) for one in busy],
        "queues": [at("operation_queues")],
        "queue's page": [at("operation_queue", queue="mail")],
        "queue's page, two weeks": [at("operation_queue", queue="mail", hours="336")],
        "schedules": [at("taskrecord_schedules")],
        "schedules, part": [at("taskrecord_schedules", part="table")],
        "what is watched": [at("conditionrecord_watched")],
        "conditions": [at("conditionrecord_changelist")],
        "saved views": [at("savedview_changelist")],
        "suggestions": [at("taskrecord_suggest", q="name:shop.")],
    }
    for span in RANGES:
        found |= {
            f"first page, {span}": [
                reverse("admin:app_list", args=["z4j_django"]) + f"?range={span}"
            ],
            f"first page's chart, {span}": [at("conditionrecord_series", range=span)],
            f"task types, {span}": [
                at("taskrecord_types", range=span),
                at("taskrecord_types", range=span, o="failed"),
                at("taskrecord_types", range=span, o="p95"),
            ],
            f"one task type, {span}": [
                at("taskrecord_type", name=one, range=span) for one in names
            ],
        }
    for told, text in SELECTIONS.items():
        search = text.format(error=often[0])
        found[f"preview of {told}"] = [at("taskrecord_bulk_retry", q=search)]
    return {name: addresses for name, addresses in found.items() if addresses}
