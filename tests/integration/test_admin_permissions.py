"""Everyone tries every operation: the table that came of it is the one in the docs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from tests.integration.counted import counted
from tests.integration.operators import (
    OPERATIONS,
    QUEUES,
    WHO,
    Pretence,
    address,
    grant,
    kept,
    operation,
    signed_in,
)
from tests.integration.pages import NOW, TASKS, page
from z4j_django import permissions, verbs
from z4j_django.models import (
    AlertChannel,
    AlertRule,
    AlertSilence,
    ErrorGroup,
    GroupRecord,
    JournalRecord,
    OperationTarget,
    SavedMessage,
    SavedView,
    TaskRecord,
    WorkerRecord,
)

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "admin.md"

Try = Callable[[Client], int]


def tries() -> dict[str, tuple[Try, str]]:
    """Each thing that can be tried, with the verb that is done where it works; then by whom."""
    record, group = kept("a"), GroupRecord.objects.create(group_id="g", first_seen=NOW)
    error = ErrorGroup.objects.create(fingerprint=7, first_seen=NOW, last_seen=NOW)
    worker = WorkerRecord.objects.create(hostname="w", last_seen=NOW)
    counted(NOW, "shop.pay", started=1)
    purge = operation("purge_queue", ("mail",))
    running = operation("retry", ("a",), state="running", finished_at=None)
    shared = SavedView.objects.create(owner="-", name="ours", filter="queue:mail", shared=True)
    until = str(TaskRecord.objects.order_by("-id")[0].pk)

    def get(where: str) -> tuple[Try, str]:
        return lambda client: client.get(where).status_code, ""

    def post(where: str, verb: str, **given: str) -> tuple[Try, str]:
        return lambda client: client.post(where, given).status_code, verb

    def chosen(name: str) -> str:
        one = group if name.startswith("group") else record
        return f"{address(name)}?id={one.pk}"

    journal = JournalRecord.objects.create(
        host="web1", directory="/j", pid=1, seen_at=timezone.now() - timedelta(hours=1)
    )
    rule = AlertRule.objects.create(name="night")
    channel = AlertChannel.objects.create(name="ops", kind="email", options={"to": "a@shop.test"})
    silence = AlertSilence.objects.create(created_by="ann", since=NOW, until=NOW)
    matching = {"state": "FAILURE", "until": until}
    bulk = "taskrecord_bulk_"
    return {
        "see the list of tasks": get(TASKS),
        "see a task": get(page(record)),
        "see a group": get(page(group)),
        "see the queues": get(QUEUES),
        "see the errors": get(address("errorgroup_changelist")),
        "see an error": get(address("errorgroup_change", error.error_id)),
        "see the task types": get(address("taskrecord_types")),
        "see a task type": get(f"{address('taskrecord_type')}?name=shop.pay"),
        "see the operations": get(OPERATIONS),
        "see an operation": get(page(purge)),
        "save a view of the list of tasks": get(address("savedview_add")),
        "change a view that is shared": get(address("savedview_delete", shared.pk)),
        "retry tasks": post(chosen("taskrecord_retry"), "retry"),
        "edit and retry a task": post(address("taskrecord_edit", record.pk), "retry", args="[1]"),
        "cancel tasks": post(chosen("taskrecord_cancel"), "cancel"),
        "terminate tasks": post(chosen("taskrecord_terminate"), "terminate", signal="SIGTERM"),
        "retry all of a group": post(chosen("grouprecord_retry_all"), "retry_group"),
        "retry what failed of a group": post(chosen("grouprecord_retry_failed"), "retry_group"),
        "run the body of a chord": post(chosen("grouprecord_retry_body"), "retry_group"),
        "retry all that match a filter": post(address(f"{bulk}retry"), "bulk", **matching),
        "cancel all that match a filter": post(address(f"{bulk}cancel"), "bulk", **matching),
        "terminate all that match a filter": post(
            address(f"{bulk}terminate"), "bulk", **matching, signal="SIGTERM"
        ),
        **{
            f"{verb.label.lower()} an error": post(
                f"{address(f'errorgroup_{verb.name}')}?id={error.error_id}", verb.name
            )
            for verb in verbs.of("error")
        },
        "see the workers": get(address("workerrecord_changelist")),
        "ping a worker": post(f"{address('workerrecord_ping')}?id={worker.pk}", "ping"),
        "shut a worker down": post(
            f"{address('workerrecord_shutdown')}?id={worker.pk}", "shutdown"
        ),
        "abort a retry that runs": post(address("operation_abort", running.pk), "abort"),
        "purge a queue": post(
            f"{address('operation_purge')}?queue=mail", "purge_queue", confirm="mail"
        ),
        "restore what was purged": post(address("operation_restore", purge.pk), "restore"),
        "dismiss a journal": post(address("journalrecord_dismiss", journal.pk), "dismiss_journal"),
        "move what waits in a queue": post(
            f"{address('operation_move')}?queue=mail", "move_queue", to="other"
        ),
        "pause a queue": post(f"{address('operation_pause')}?queue=mail", "pause_queue"),
        "see the alert rules, the silences and what was told": get(address("alertrule_changelist")),
        "see the channels of alerts": get(address("alertchannel_changelist")),
        "add a rule or a channel of alerts": get(address("alertrule_add")),
        "change a rule": get(page(rule)),
        "change a channel": get(page(channel)),
        "delete a channel": get(address("alertchannel_delete", channel.pk)),
        "test a channel": post(
            f"{address('alertchannel_test_channel')}?channel=ops", "test_channel"
        ),
        "silence an alert": post(
            address("alertsilence_silence_alerts"),
            "silence_alerts",
            condition="all",
            subject="*",
            until="60",
        ),
        "end a silence": post(address("alertsilence_end_silence", silence.pk), "end_silence"),
        "resume a queue": post(f"{address('operation_resume')}?queue=mail", "resume_queue"),
    }


def outcome(client: Client, attempt: Try, verb: str, pretence: Pretence) -> str:
    """Whether it was done; and see that what was refused was not done either."""
    pretence.calls.clear()
    status = attempt(client)
    done = [call[0] for call in pretence.calls]
    if not verb:
        assert done == []
        return {200: "yes", 302: "login", 403: "no"}[status]
    if done:
        assert (status, done) == (302, [verb])
        return "yes"
    return {302: "login", 403: "no"}[status]


def table(pretence: Pretence) -> list[list[str]]:
    everything = tries()
    clients = {who: signed_in(who) for who in WHO}
    rows = [
        [label, *(outcome(clients[who], attempt, verb, pretence) for who in WHO)]
        for label, (attempt, verb) in everything.items()
    ]
    head = ["In the admin, to", *(f"`{who}`" if who in permissions.ROLES else who for who in WHO)]
    return [head, ["---"] * len(head), *rows]


def test_the_docs_have_the_table_of_who_may_do_what(pretence) -> None:
    lines = [f"| {' | '.join(row)} |" for row in table(pretence)]
    whole = DOCS.read_text()
    assert "\n".join(lines) in whole, "\n" + "\n".join(lines)


@pytest.mark.parametrize(
    ("where", "view", "verb", "codename"),
    [
        ("taskrecord_retry", "view_taskrecord", "retry", "retry_task"),
        ("taskrecord_cancel", "view_taskrecord", "cancel", "cancel_task"),
        ("taskrecord_terminate", "view_taskrecord", "terminate", "terminate_task"),
        ("grouprecord_retry_all", "view_grouprecord", "retry_group", "retry_group"),
    ],
)
def test_each_permission_alone_opens_its_page_and_no_other(
    client, pretence, where, view, verb, codename
) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    client.force_login(user)
    record = kept("a", state="STARTED")
    group = GroupRecord.objects.create(group_id="g", first_seen=NOW)
    one = group if where.startswith("group") else record
    given = {"signal": "SIGTERM"}
    target = f"{address(where)}?id={one.pk}"
    grant(user, view, *({one.codename for one in verbs.PERMISSIONS} - {codename}))
    assert client.get(target).status_code == 403
    assert client.post(target, given).status_code == 403
    user.user_permissions.clear()
    grant(user, codename)
    assert client.post(target, given).status_code == 403
    assert pretence.calls == []
    grant(user, view)
    assert client.get(target).status_code == 200
    assert client.post(target, given).status_code == 302
    assert [call[0] for call in pretence.calls] == [verb]


@pytest.mark.parametrize("missing", ["run_bulk", "retry_task"])
def test_many_at_once_want_both_permissions(client, pretence, missing) -> None:
    user = User.objects.create_user("clerk", is_staff=True)
    grant(user, "view_taskrecord", *({"run_bulk", "retry_task"} - {missing}))
    client.force_login(user)
    kept("a")
    given = {"state": "FAILURE", "until": "1"}
    assert client.get(address("taskrecord_bulk_retry"), given).status_code == 403
    assert client.post(address("taskrecord_bulk_retry"), given).status_code == 403
    assert "Act on all" not in client.get(TASKS, {"state": "FAILURE"}).content.decode()
    assert pretence.calls == []


@pytest.mark.parametrize("who", ["z4j viewer", "z4j operator", "z4j admin"])
def test_the_list_offers_what_the_handler_lets_through(who, pretence) -> None:
    client = signed_in(who)
    record = kept("a")
    shown = client.get(TASKS).content.decode()
    buttons = client.get(page(record)).content.decode()
    for verb in ("retry", "cancel", "terminate"):
        where = address(f"taskrecord_{verb}")
        may = client.get(where, {"id": record.pk}).status_code == 200
        assert (f'value="{verb}_chosen"' in shown) is may
        assert (f"{verb.capitalize()}…" in buttons) is may


def test_an_inactive_user_is_sent_to_the_login(pretence) -> None:
    client = signed_in("superuser")
    User.objects.update(is_active=False)
    record = kept("a")
    response = client.post(f"{address('taskrecord_retry')}?id={record.pk}")
    assert response["Location"].startswith("/admin/login/")
    assert pretence.calls == []


@pytest.mark.parametrize(("who", "offered"), [("z4j operator", False), ("z4j admin", True)])
def test_restore_is_offered_to_whom_it_is_open(who, offered) -> None:
    purge = operation("purge_queue", ("mail",))
    SavedMessage.objects.create(operation=purge, position=1, sealed=b"x", size=1)
    client = signed_in(who)
    for where in (page(purge), OPERATIONS):
        shown = client.get(where).content.decode()
        assert (address("operation_restore", purge.pk) in shown) is offered


@pytest.mark.parametrize(("verb", "offered"), [("retry", True), ("purge_queue", False)])
def test_abort_is_offered_to_whom_the_verb_is_open(verb, offered, pretence) -> None:
    running = operation(verb, state="running", finished_at=None)
    OperationTarget.objects.update(outcome="pending")
    client = signed_in("z4j operator")
    assert (">Abort" in client.get(page(running)).content.decode()) is False
    assert ('value="Abort"' in client.get(page(running)).content.decode()) is offered
    answer = client.post(address("operation_abort", running.pk))
    assert answer.status_code == (302 if offered else 403)
