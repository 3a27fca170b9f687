"""One of everything that our pages show, and the pages that show it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone

from z4j_django.alerts import rules
from z4j_django.models import (
    AlertAct,
    AlertChannel,
    AlertDelivery,
    AlertHeartbeat,
    AlertRule,
    AlertSilence,
    ConditionRecord,
    ErrorGroup,
    GroupRecord,
    JournalLoss,
    JournalRecord,
    Operation,
    OperationTarget,
    QueueSample,
    SavedView,
    TaskRecord,
    WorkerRecord,
)

#: What axe calls more than a blemish.
GRAVE = frozenset({"serious", "critical"})


def stored(shop: TaskRecord) -> dict[str, str]:
    """Records beside those of the shop of ``tests.browser.test_admin``; the addresses by name."""
    now = timezone.now()
    ConditionRecord.objects.create(
        key="slots_held",
        subject="celery@web-1",
        severity="critical",
        since=now - timedelta(minutes=6),
        last_seen=now,
        evidence="All 2 slots of celery@web-1 are held.",
    )
    error = ErrorGroup.objects.create(
        fingerprint=1,
        name=shop.name,
        exception_type=shop.exception_type,
        message="order 1: declined",
        count=1_234,
        first_seen=now,
        last_seen=now,
        task_id=shop.task_id,
    )
    JournalRecord.objects.create(
        host="web1", directory="/var/tmp/z4j", pid=1, size=1_234_567, pending=4_321, seen_at=now
    )
    JournalLoss.objects.create(host="web1", reason="full", count=1_234, at=now)
    QueueSample.objects.create(queue="mail", at=now, depth=12_345, consumers=1)
    SavedView.objects.create(owner="1", owner_name="root", name="Failures", filter="state:FAILURE")
    operation = Operation.objects.create(
        verb="retry", actor="root", surface="admin", total=1_234, done=1_000, refused=234,
        created_at=now, updated_at=now, finished_at=now, state=Operation.State.FINISHED,
    )  # fmt: skip
    OperationTarget.objects.create(
        operation=operation, position=0, target=shop.task_id, outcome="done", at=now
    )
    group = GroupRecord.objects.get()
    return {
        **_alerts(now),
        "index": reverse("admin:index"),
        "overview": reverse("admin:app_list", args=["z4j_django"]),
        "errors": _page("errorgroup_changelist"),
        "error": _page("errorgroup_change", error.error_id),
        "ignore": _page("errorgroup_ignore_errors", id=error.error_id),
        "types": _page("taskrecord_types"),
        "type": _page("taskrecord_type", name="shop.charge_card"),
        "tasks": _page("taskrecord_changelist"),
        "task": _page("taskrecord_change", shop.pk),
        "edit": _page("taskrecord_edit", shop.pk),
        "retry": _page("taskrecord_retry", id=shop.pk),
        "bulk": _page("taskrecord_bulk_retry", q="state:FAILURE"),
        "groups": _page("grouprecord_changelist"),
        "group": _page("grouprecord_change", group.pk),
        "workflow": _page("grouprecord_workflow", group.pk),
        "retry-group": _page("grouprecord_retry_failed", id=group.pk),
        "queues": _page("operation_queues"),
        "queue": _page("operation_queue", queue="mail", name="mail"),
        "purge": _page("operation_purge", queue="mail"),
        "pause": _page("operation_pause", queue="mail"),
        "workers": _page("workerrecord_changelist"),
        "worker": _page("workerrecord_change", WorkerRecord.objects.get().pk),
        "steer": _page("workerrecord_rate_limit", id=WorkerRecord.objects.get().pk),
        "everyone": _page("workerrecord_ping", all="online"),
        "schedules": _page("taskrecord_schedules"),
        "operations": _page("operation_changelist"),
        "operation": _page("operation_change", operation.pk),
        "recording": _page("journalrecord_changelist"),
        "journal": _page("journalrecord_change", JournalRecord.objects.get().pk),
        "losses": _page("journalloss_changelist"),
        "conditions": _page("conditionrecord_changelist"),
        "condition": _page("conditionrecord_change", ConditionRecord.objects.get().pk),
        "views": _page("savedview_changelist"),
    }


def _alerts(now: datetime) -> dict[str, str]:
    """Who is told of what is wrong, and what was told."""
    sealed = rules.seal_secrets(
        "default", "ops", {"url": "https://hooks.shop.test/", "key": "x" * 16}
    )
    channel = AlertChannel.objects.create(name="ops", kind="webhook", sealed=sealed)
    rule = AlertRule.objects.create(
        name="night",
        conditions=["slots_held", "worker_gone"],
        subjects=["celery@*"],
        quiet_from="22:00",
        quiet_until="07:00",
        verb="pool_grow",
        repeat=3_600,
    )
    silence = AlertSilence.objects.create(
        condition="worker_gone",
        subject="celery@old-*",
        reason="It moves house.",
        created_by="root",
        since=now,
        until=now + timedelta(hours=1),
        held_count=1_234,
    )
    problem = {
        "key": "slots_held",
        "title": "All slots are held",
        "severity": "critical",
        "subject": "celery@web-1",
        "evidence": "All 2 slots of celery@web-1 are held.",
        "remedy": "Look at what runs.",
        "since": now.isoformat(),
        "until": None,
        "url": "",
    }
    message = {
        **{"rule": "night", "group": "g", "status": "firing", "project": "default"},
        **{"environment": "", "release": "", "at": now.isoformat(), "problems": [problem]},
    }
    delivery = AlertDelivery.objects.create(
        rule="night",
        channel="ops",
        kind="webhook",
        number=1,
        status="firing",
        state="failed",
        summary="All slots are held: celery@web-1",
        message=message,
        attempts=1_234,
        created_at=now,
        next_at=now,
        claimed_at=now,
        finished_at=now,
        claimed_by="1@web1",
        answer="Nobody listens at mail.shop.test:25.",
    )
    AlertHeartbeat.objects.create(
        schedule="nightly", called_at=now, is_ok=False, answer="404: there is none"
    )
    AlertAct.objects.create(
        rule="night", condition="slots_held", subject="celery@web-1", since=now, at=now,
        verb="pool_grow", is_dry_run=True, words="It would grow.",
    )  # fmt: skip
    return {
        "rules": _page("alertrule_changelist"),
        "rule": _page("alertrule_change", rule.pk),
        "channels": _page("alertchannel_changelist"),
        "channel": _page("alertchannel_change", channel.pk),
        "add-channel": _page("alertchannel_add"),
        "silences": _page("alertsilence_changelist"),
        "silence": _page("alertsilence_change", silence.pk),
        "silence-alerts": _page("alertsilence_silence_alerts", condition="worker_gone"),
        "deliveries": _page("alertdelivery_changelist"),
        "delivery": _page("alertdelivery_change", delivery.pk),
        "acts": _page("alertact_changelist"),
    }


def alike() -> dict[str, str]:
    """Beside those of :func:`stored` more pages that look as some of them do."""
    channel, silence = AlertChannel.objects.get(), AlertSilence.objects.get()
    return {
        "add-rule": _page("alertrule_add"),
        "add-webhook": _page("alertchannel_add", kind="webhook"),
        "test-channel": _page("alertchannel_test_channel", channel="ops"),
        "delete-channel": _page("alertchannel_delete", channel.pk),
        "delete-rule": _page("alertrule_delete", AlertRule.objects.get().pk),
        "end-silence": _page("alertsilence_end_silence", silence.pk),
        "told-of": _page("alertdelivery_changelist", condition="slots_held"),
        "act": _page("alertact_change", AlertAct.objects.get().pk),
        "heartbeats": _page("alertheartbeat_changelist"),
        "heartbeat": _page("alertheartbeat_change", AlertHeartbeat.objects.get().pk),
    }


def _page(page: str, /, *args: object, **query: object) -> str:
    address = reverse(f"admin:z4j_django_{page}", args=args)
    return f"{address}?{urlencode(query)}" if query else address


def violations(page: Any) -> list[str]:
    """What axe finds in our part of a page that is serious or worse."""
    if not page.locator(".z4j").count():
        return []
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page, context=".z4j").response["violations"]
    return [
        f"{one['id']}: {node['target']} {node.get('failureSummary', '')}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"]
    ]


def overflow(page: Any) -> list[str]:
    """How much wider our part is than its place, if it is."""
    wide: int = page.evaluate(
        """() => Math.max(0, ...[...document.querySelectorAll('.z4j')].map((node) => {
            const box = node.getBoundingClientRect();
            return Math.max(node.scrollWidth - node.clientWidth,
                Math.round(box.right) - innerWidth, -Math.round(box.left));
        }))"""
    )
    return [f"{wide} px too wide"] if wide > 0 else []
