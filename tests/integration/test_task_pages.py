"""The list of tasks and the page of one: what the eye meets, and what it costs."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.integration.operators import broker_in_memory, grant, kept, operation, signed_in
from tests.integration.pages import SCRIPT, TASKS, page, task, text
from z4j_django import states
from z4j_django.admin import fragments, task_detail
from z4j_django.control import results
from z4j_django.models import (
    ErrorGroup,
    GroupRecord,
    OperationTarget,
    Release,
    SavedView,
    TaskEvent,
    TaskRecord,
    WorkerRecord,
)
from z4j_django.values import error_id

pytestmark = pytest.mark.django_db

#: Queries of a page: the session, the user and his permissions included.
MOST = 12
TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 453, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/srv/shop/tasks.py", line 82, in charge_card
    raise CardDeclined(order)
shop.errors.CardDeclined: order 17750 was declined
"""


def failed(task_id: str = "f", **fields) -> TaskRecord:
    """A failed task of which there is all that can be."""
    now = timezone.now()
    record = kept(
        task_id,
        17750,
        **{
            "name": "shop.charge_card",
            "exception_type": "shop.errors.CardDeclined",
            "exception_message": "order 17750 was declined",
            "traceback": TRACEBACK,
            "sent_at": now - timedelta(minutes=12),
            "received_at": now - timedelta(minutes=12),
            "started_at": now - timedelta(minutes=11),
            "finished_at": now - timedelta(minutes=10),
            "runtime": 0.026,
            "worker": "w1@web1",
            "origin": "412@web1",
            "error": 77,
            "release": 5,
            **fields,
        },
    )
    ErrorGroup.objects.get_or_create(
        fingerprint=77,
        defaults={
            "name": record.name,
            "exception_type": record.exception_type,
            "task_id": task_id,
            "count": 40,
            "first_seen": now,
            "last_seen": now,
        },
    )
    Release.objects.get_or_create(
        key=5, defaults={"name": "4.12.0", "first_seen": now, "last_seen": now}
    )
    WorkerRecord.objects.get_or_create(hostname="w1@web1", defaults={"last_seen": now})
    TaskEvent.objects.create(task_id=task_id, kind="task_sent", at=now)
    return record


def plain(html: str) -> str:
    inline = re.sub(r"</?(bdi|a|strong|span)\b[^>]*>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", inline).split())


@pytest.fixture(autouse=True)
def _fresh() -> None:
    fragments.forget()


class TestQueries:
    @pytest.mark.parametrize("who", ["z4j viewer", "z4j operator", "superuser"])
    @pytest.mark.parametrize(
        "query", ["", "?q=state:FAILURE", "?q=charge", "?q=state:FAILURE+name:shop.*&queue=mail"]
    )
    def test_the_list_takes_few(self, who: str, query: str) -> None:
        client = signed_in(who)
        for number in range(60):
            failed(f"f{number}", deliveries=2)
        SavedView.objects.create(owner="x", name="ours", filter="queue:mail", shared=True)
        client.get(TASKS)  # content types are remembered from then on
        with CaptureQueriesContext(connection) as captured:
            text(client.get(f"{TASKS}{query}"))
        assert len(captured) <= MOST, "\n".join(one["sql"][:160] for one in captured)

    @pytest.mark.parametrize("who", ["z4j viewer", "z4j operator", "superuser"])
    def test_a_page_takes_few_whatever_is_known_of_the_task(self, who: str) -> None:
        client = signed_in(who)
        made = operation(targets=("f",))
        record = failed(
            parent_id="p",
            root_id="r",
            group_id="g",
            chord_id="b",
            retry_of="before",
            operation=made.pk,
            deliveries=2,
        )
        for name in ("p", "r", "b", "before"):
            task(name, name="shop.order")
        task("child", parent_id="f", state=states.STARTED, worker="w1@web1")
        task("again", retry_of="f")
        GroupRecord.objects.create(group_id="g", body_id="b", first_seen=timezone.now())
        GroupRecord.objects.create(group_id="h", body_id="f", first_seen=timezone.now())
        with CaptureQueriesContext(connection) as captured:
            shown = text(client.get(page(record)))
        assert len(captured) <= MOST, "\n".join(one["sql"][:160] for one in captured)
        assert "retried once as" in shown

    @pytest.mark.parametrize("verb", ["retry", "cancel", "terminate"])
    @pytest.mark.parametrize("chosen", ["one", "many", "all that match"])
    def test_a_question_takes_few(self, verb: str, chosen: str, monkeypatch) -> None:
        broker_in_memory(monkeypatch)
        client = signed_in("z4j operator")
        made = [failed(f"f{number}", group_id="g", chord_id="b") for number in range(60)]
        few = {"one": made[:1], "many": made}.get(chosen)
        query = f"?{'&'.join(f'id={one.pk}' for one in few)}" if few else "?q=state:FAILURE"
        address = f"{TASKS}{verb}/{query}" if few else f"{TASKS}bulk/{verb}/{query}"
        with CaptureQueriesContext(connection) as captured:
            text(client.get(address))
        assert len(captured) <= MOST, "\n".join(one["sql"][:160] for one in captured)

    def test_an_operation_takes_few(self) -> None:
        client = signed_in("z4j operator")
        targets = tuple(failed(f"f{number}").task_id for number in range(60))
        made = operation(targets=targets, done=60)
        OperationTarget.objects.update(outcome="done", result_id="x")
        with CaptureQueriesContext(connection) as captured:
            text(client.get(page(made)))
        assert len(captured) <= MOST, "\n".join(one["sql"][:160] for one in captured)


class TestTheList:
    def test_the_exception_stands_under_the_name(self, admin_client: Client) -> None:
        failed()
        shown = plain(text(admin_client.get(TASKS)))
        assert "shop.charge_card f CardDeclined: order 17750 was declined" in shown

    @pytest.mark.parametrize(
        "query", ["state:FAILURE", "sent:<1h", "state:FAILURE sent:<1h", "charge", "retries:0"]
    )
    def test_it_does_whatever_leads_through_the_list(
        self, admin_client: Client, query: str
    ) -> None:
        failed()
        assert "CardDeclined: order 17750" in text(admin_client.get(TASKS, {"q": query}))

    def test_a_long_message_is_not_read_whole(self, admin_client: Client) -> None:
        failed(exception_message="x" * 5000)
        assert "x" * 300 not in text(admin_client.get(TASKS))

    def test_what_runs_counts_and_says_so(self, admin_client: Client) -> None:
        began = timezone.now() - timedelta(minutes=18)
        task("r", name="shop.sync", state=states.STARTED, started_at=began, sent_at=began)
        html = text(admin_client.get(TASKS))
        assert 'data-z4j-time="elapsed">18 min</time>' in html

    def test_times_are_relative_and_whole_for_readers(self, admin_client: Client) -> None:
        sent = timezone.now() - timedelta(minutes=12)
        task("a", name="shop.sync", sent_at=sent)
        html = text(admin_client.get(TASKS))
        assert re.search(r'title="\d{4}-\d\d-\d\d [^"]+" aria-label="12 min ago, \d{4}-', html)

    def test_a_second_word_stands_beside_the_state(self, admin_client: Client) -> None:
        task("a", name="shop.sync", eta=timezone.now() + timedelta(hours=1))
        assert "due in" in text(admin_client.get(TASKS))

    def test_the_end_of_a_long_name_is_kept(self, admin_client: Client) -> None:
        name = f"pretix.base.services.{'very_' * 60}long.fetch_rates"[-255:]
        task("a", name=name)
        assert "fetch_rates</bdi>" in text(admin_client.get(TASKS))

    def test_an_empty_list_says_what_it_means(self, admin_client: Client) -> None:
        assert "No tasks on record yet." in text(admin_client.get(TASKS))
        assert "No tasks match." in text(admin_client.get(TASKS, {"q": "state:FAILURE"}))

    def test_views_stand_above_it(self) -> None:
        client = signed_in("z4j viewer")
        key = str(User.objects.get().pk)
        SavedView.objects.create(owner=key, name="my own", filter="queue:mail")
        SavedView.objects.create(owner="x", name="ours", filter="queue:bulk", shared=True)
        SavedView.objects.create(owner="x", name="not mine", filter="queue:slow")
        html = text(client.get(TASKS, {"q": "queue:mail"}))
        assert '<a href="/admin/z4j_django/taskrecord/?q=queue%3Abulk"' in html
        assert re.search(r'\?q=queue%3Amail" title="queue:mail" aria-current="true"', html)
        assert "not mine" not in html
        assert "/admin/z4j_django/savedview/add/?filter=queue%3Amail" in html

    def test_what_may_be_done_is_a_button_each(self) -> None:
        failed()
        operator = text(signed_in("z4j operator").get(TASKS))
        assert 'value="terminate_chosen"' in operator
        assert 'value="terminate_chosen"' not in text(signed_in("z4j viewer").get(TASKS))

    def test_the_button_leads_to_the_question(self) -> None:
        record = failed()
        client = signed_in("z4j operator")
        given = {"action": "retry_chosen", "index": "0", "_selected_action": record.pk}
        answer = client.post(TASKS, given)
        assert answer["Location"] == f"{TASKS}retry/?id={record.pk}"


class TestAPage:
    def test_a_failed_task_begins_with_its_exception(self, admin_client: Client) -> None:
        shown = plain(text(admin_client.get(page(failed()))))
        exception = shown.index("CardDeclined: order 17750 was declined")
        assert exception < shown.index("Timeline")
        assert exception < shown.index("sent 20")

    def test_it_leads_to_those_like_it(self, admin_client: Client) -> None:
        html = text(admin_client.get(page(failed())))
        assert "one of 40 like it" in html
        viewer = Client()
        user = User.objects.create_user("v", is_staff=True)
        grant(user, "view_taskrecord")
        viewer.force_login(user)
        html = text(viewer.get(page(TaskRecord.objects.get())))
        assert f"?q=error%3A{error_id(77)}" in html

    def test_the_only_one_of_its_kind_is_not_one_of_one(self, admin_client: Client) -> None:
        record = failed()
        ErrorGroup.objects.update(count=1)
        assert "like it" not in text(admin_client.get(page(record)))

    def test_the_projects_own_frames_stand_out(self, admin_client: Client) -> None:
        html = text(admin_client.get(page(failed())))
        folded = re.search(r"<details><summary>.*?</details>", html, re.DOTALL)
        assert folded is not None
        assert "trace_task" in folded[0]
        assert "charge_card" not in folded[0]
        assert "raise CardDeclined(order)" in html

    @pytest.mark.parametrize(
        ("fields", "said"),
        [
            ({}, "by process 412 (web1), release 4.12.0"),
            ({"schedule": "nightly"}, "by the schedule nightly (web1)"),
            ({"parent_id": "p"}, "by shop.checkout (web1)"),
            ({"origin": "", "release": None}, "min ago"),
        ],
    )
    def test_it_says_who_sent_it(self, admin_client: Client, fields: dict, said: str) -> None:
        task("p", name="shop.checkout")
        assert said in plain(text(admin_client.get(page(failed(**fields)))))

    def test_a_button_that_is_of_no_use_says_why_in_text(self, admin_client: Client) -> None:
        shown = plain(text(admin_client.get(page(failed()))))
        assert "It is over: FAILURE." in shown

    def test_it_says_what_was_retried_as_what(self, admin_client: Client) -> None:
        record = failed()
        task("2ac0d598", retry_of="f", state=states.FAILURE)
        assert "retried once as 2ac0d598 FAILURE" in plain(text(admin_client.get(page(record))))

    def test_what_is_empty_says_what_that_means(self, admin_client: Client) -> None:
        shown = plain(text(admin_client.get(page(task("a")))))
        for words in ("None are on record", "It has none so far", "It stands alone", "Nobody has"):
            assert words in shown

    def test_what_is_over_is_not_asked_for_again(self, admin_client: Client) -> None:
        assert "data-hx-get" not in text(admin_client.get(page(failed())))
        assert "data-hx-get" in text(admin_client.get(page(task("a", state=states.STARTED))))


class TestProgress:
    @pytest.fixture
    def asked(self, monkeypatch) -> list[str]:
        """The tasks of which the backend was asked."""
        broker_in_memory(monkeypatch)
        ids: list[str] = []

        def progress(app, task_id, timeout):
            ids.append(task_id)
            return results.Progress(47, 50)

        monkeypatch.setattr(results, "progress", progress)
        return ids

    def test_the_page_does_not_wait_for_it(self, admin_client: Client, asked: list[str]) -> None:
        record = task("a", state=states.STARTED)
        assert "47 of 50" not in text(admin_client.get(page(record)))
        assert asked == []

    def test_its_part_shows_it(self, admin_client: Client, asked: list[str]) -> None:
        record = task("a", state=states.STARTED)
        assert "47 of 50" in text(admin_client.get(page(record), {"part": "task"}))
        assert asked == ["a"]

    def test_only_what_runs_is_asked_about(self, admin_client: Client, asked: list[str]) -> None:
        text(admin_client.get(page(failed()), {"part": "task"}))
        assert asked == []

    def test_a_backend_that_does_not_answer_costs_nothing_but_the_bar(
        self, admin_client: Client, monkeypatch
    ) -> None:
        def silent(app, task_id, timeout):
            assert timeout == task_detail._TIMEOUT
            raise TimeoutError

        broker_in_memory(monkeypatch)
        monkeypatch.setattr(results, "progress", silent)
        record = task("a", name="shop.sync", state=states.STARTED)
        assert "Timeline" in text(admin_client.get(page(record), {"part": "task"}))


class TestHostile:
    VALUES = (
        SCRIPT,
        "\u202egnp.exe",
        "🦄" * 60,
        "x" * 255,
        '"><img src=x onerror=alert(1)>',
        "{{ 1 }}",
    )

    @pytest.mark.parametrize("value", VALUES)
    def test_nothing_runs_and_nothing_breaks(self, admin_client: Client, value: str) -> None:
        now = timezone.now()
        record = failed(
            name=value,
            queue=value,
            worker=value,
            schedule=value,
            origin=f"1@{value}"[:255],
            exception_type=value,
            exception_message=value * 20,
            traceback=f'  File "{value}", line 1, in {value}\n    {value}\n' * 20,
            args=[value],
            kwargs={value: value},
            result=value,
            state=states.RETRY,
            routing_key=value,
            exchange=value,
        )
        task("child", parent_id="f", name=value)
        task("again", retry_of="f", name=value)
        TaskEvent.objects.create(
            task_id="f", kind="task_failed", at=now, detail=value, worker=value
        )
        made = operation(targets=("f",), actor=value)
        OperationTarget.objects.update(reason=value)
        SavedView.objects.create(owner="x", name=value[:100], filter=value, shared=True)
        pages = [
            text(admin_client.get(address))
            for address in (TASKS, f"{TASKS}?q=shop", page(record), page(made))
        ]
        for html in pages:
            assert "<script>alert" not in html
            assert "<img src=x" not in html
