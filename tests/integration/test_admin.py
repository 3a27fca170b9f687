from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.integration.operators import operation
from tests.integration.pages import GROUPS, NOW, TASKS, WORKERS, listed, page, task, text
from z4j_django import states
from z4j_django.admin.readonly import ReadOnlyAdmin
from z4j_django.models import GroupRecord, TaskEvent, WorkerRecord
from z4j_django.queries import events, groups, tasks

pytestmark = pytest.mark.django_db


@pytest.fixture
def viewer(client: Client) -> Client:
    """Signed in with the permission to view tasks, and no other."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_taskrecord"))
    client.force_login(user)
    return client


@pytest.fixture
def small_pages(monkeypatch) -> None:
    monkeypatch.setattr(ReadOnlyAdmin, "list_per_page", 3)


class TestPermissions:
    @pytest.mark.parametrize("address", [TASKS, GROUPS, WORKERS])
    def test_without_the_view_permission_there_is_no_list(self, client, address) -> None:
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        assert client.get(address).status_code == 403

    def test_without_the_view_permission_there_is_no_task(self, client) -> None:
        client.force_login(User.objects.create_user("clerk", is_staff=True))
        assert client.get(page(task("a"))).status_code == 403

    def test_the_view_permission_is_enough(self, viewer) -> None:
        assert viewer.get(TASKS).status_code == 200
        assert viewer.get(page(task("a"))).status_code == 200

    def test_a_superuser_can_neither_add_nor_change_nor_delete(self, admin_client) -> None:
        one = task("a", name="shop.pay")
        assert admin_client.get(f"{TASKS}add/").status_code == 403
        assert admin_client.post(page(one), {"name": "other"}).status_code == 403
        delete = reverse("admin:z4j_django_taskrecord_delete", args=[one.pk])
        assert admin_client.post(delete, {"post": "yes"}).status_code == 403
        admin_client.post(TASKS, {"action": "delete_selected", "_selected_action": [one.pk]})
        one.refresh_from_db()
        assert one.name == "shop.pay"

    def test_a_group_shows_no_members_to_those_who_may_not_see_tasks(self, client) -> None:
        group = GroupRecord.objects.create(group_id="g", body_id="b", first_seen=NOW)
        task("m", group_id="g", name="shop.secret")
        task("b", name="shop.secret_body")
        user = User.objects.create_user("clerk", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_grouprecord"))
        client.force_login(user)
        assert "shop.secret" not in text(client.get(page(group)))
        assert "state" not in text(client.get(GROUPS)).split("<table")[1]

    def test_a_worker_shows_no_tasks_to_those_who_may_not_see_tasks(self, client) -> None:
        worker = WorkerRecord.objects.create(hostname="w@1")
        task("m", worker="w@1", name="shop.secret")
        user = User.objects.create_user("clerk", is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="view_workerrecord"))
        client.force_login(user)
        assert "shop.secret" not in text(client.get(page(worker)))


class TestCost:
    @pytest.mark.parametrize("address", [TASKS, GROUPS, WORKERS])
    def test_a_list_counts_no_table_and_its_queries_do_not_grow(
        self, admin_client, address
    ) -> None:
        def queries() -> list[str]:
            with CaptureQueriesContext(
                connection,
            ) as captured:
                assert admin_client.get(address).status_code == 200
            return [query["sql"] for query in captured]

        few = None
        for number in range(3):
            for place in range(20 * number, 20 * number + 20):
                key = f"{place:03d}"
                task(
                    key, name=f"n{place % 3}", queue="q", worker="w", group_id="g", state="SUCCESS"
                )
                GroupRecord.objects.create(group_id=key, body_id=key, first_seen=NOW)
                WorkerRecord.objects.create(hostname=key)
            seen = queries()
            few = few or seen
            # The total takes two, where there is more than a page.
            assert len(few) <= len(seen) <= len(few) + 2 <= 11
            counts = [sql for sql in seen if "COUNT(" in sql.upper()]
            # Each count has a bound of its own.
            assert all(sql.count(" LIMIT ") >= sql.upper().count("COUNT(") for sql in counts)

    def test_a_search_and_all_filters_count_nothing(self, admin_client) -> None:
        task("abcd-1", name="shop.pay", queue="q", worker="w", state="SUCCESS")
        chosen = {"state": "SUCCESS", "name": "shop.pay", "queue": "q", "worker": "w", "q": "abcd"}
        with CaptureQueriesContext(connection) as captured:
            assert listed(admin_client.get(TASKS, chosen)) == ["abcd-1"]
        assert len(captured) <= 12
        assert not any("COUNT(" in query["sql"].upper() for query in captured)

    def test_the_list_leaves_the_heavy_columns_in_the_database(self, admin_client) -> None:
        task("a", args=[1], traceback="x", name="shop.pay")
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(TASKS)
            admin_client.get(TASKS, {"q": "shop"})
        sql = " ".join(query["sql"] for query in captured)
        # The begin of it stands under the name.
        sql = re.sub(r"SUBSTR(ING)?\([^()]+exception_message[^()]+\)", "", sql)
        assert not any(re.search(rf"\W{column}\W", sql) for column in tasks.HEAVY_FIELDS)

    def test_a_task_page_takes_a_bounded_number_of_queries(self, admin_client) -> None:
        one = task(
            "a", parent_id="p", root_id="r", chord_id="b", group_id="g", worker="w", retry_of="o",
            operation=operation().pk,
        )  # fmt: skip
        for number in range(20):
            task(f"c{number}", parent_id="a", worker="w")
            TaskEvent.objects.create(task_id="a", kind="task_sent", at=NOW)
            task(f"r{number}", retry_of="a")
            operation("cancel")
        with CaptureQueriesContext(connection) as captured:
            admin_client.get(page(one))
        assert len(captured) <= 15


class TestPaging:
    def test_older_and_newer_lead_through_all_and_back(self, admin_client, small_pages) -> None:
        for number in range(8):
            task(str(number))
        response = admin_client.get(TASKS)
        assert listed(response) == ["7", "6", "5"]
        assert "Newer" not in text(response)
        response = admin_client.get(TASKS + response.context["cl"].older_link)
        assert listed(response) == ["4", "3", "2"]
        last = admin_client.get(TASKS + response.context["cl"].older_link)
        assert listed(last) == ["1", "0"]
        assert "Older" not in text(last)
        back = admin_client.get(TASKS + last.context["cl"].newer_link)
        assert listed(back) == ["4", "3", "2"]

    def test_the_newest_page_is_full_though_one_comes_to_it_from_below(
        self, admin_client, small_pages
    ) -> None:
        records = [task(str(number)) for number in range(5)]
        response = admin_client.get(TASKS, {"after": records[3].pk})
        assert listed(response) == ["4", "3", "2"]

    def test_links_keep_the_filters_and_the_search(self, admin_client, small_pages) -> None:
        for number in range(4):
            task(f"abcd{number}", state="FAILURE")
        response = admin_client.get(TASKS, {"state": "FAILURE", "q": "abcd"})
        older = response.context["cl"].older_link
        assert "state=FAILURE" in older
        assert "q=abcd" in older
        assert listed(admin_client.get(TASKS + older)) == ["abcd0"]

    def test_a_filter_leads_back_to_the_newest_page(self, admin_client, small_pages) -> None:
        records = [task(str(number)) for number in range(5)]
        shown = text(admin_client.get(TASKS, {"before": records[3].pk}))
        assert not re.search(r'href="\?[^"]*before=[^"]*state=', shown)
        assert 'name="before"' not in shown

    def test_past_the_oldest_there_is_an_empty_page(self, admin_client) -> None:
        task("a")
        assert "No older tasks." in text(admin_client.get(TASKS, {"before": "1"}))

    def test_an_empty_table_says_so(self, admin_client) -> None:
        assert "No tasks on record yet." in text(admin_client.get(TASKS))


class TestFilters:
    @pytest.mark.parametrize(
        ("column", "value"),
        [("state", "FAILURE"), ("name", "shop.pay"), ("queue", "mail"), ("worker", "w@1")],
    )
    def test_each_filter_leaves_what_it_names(self, admin_client, column, value) -> None:
        task("match", **{column: value})
        task("other")
        assert listed(admin_client.get(TASKS, {column: value})) == ["match"]

    def test_every_state_is_on_offer(self, admin_client) -> None:
        shown = text(admin_client.get(TASKS))
        assert all(f"?state={state}" in shown for state in states.ALL)

    def test_the_chosen_value_is_shown_though_it_is_not_on_offer(self, admin_client) -> None:
        assert "gone@host" in text(admin_client.get(TASKS, {"worker": "gone@host"}))

    def test_workers_are_filtered_by_what_they_said_last(self, admin_client) -> None:
        WorkerRecord.objects.create(hostname="here@1", online=True)
        WorkerRecord.objects.create(hostname="gone@1", online=False)
        shown = text(admin_client.get(WORKERS, {"online": "yes"}))
        assert "here@1" in shown
        assert "gone@1" not in shown


class TestTaskPage:
    def test_it_shows_what_is_known(self, admin_client) -> None:
        one = task(
            "a-1",
            name="shop.charge_card",
            state="FAILURE",
            queue="payments",
            worker="w@1",
            pid=12345,
            args=[1],
            kwargs={"card": "****"},
            exception_type="CardDeclined",
            exception_message="no money",
            traceback="Traceback: line 1",
            retries=2,
            deliveries=3,
            sent_at=NOW,
            started_at=NOW + timedelta(seconds=1),
            runtime=3.0,
            schedule="nightly",
            origin="1@web",
        )
        TaskEvent.objects.create(task_id="a-1", kind="task_sent", at=NOW)
        failed = NOW + timedelta(seconds=4)
        TaskEvent.objects.create(task_id="a-1", kind="task_failed", at=failed, detail="no money")
        shown = text(admin_client.get(page(one)))
        for expected in (
            "z4j-failure",
            "shop.charge_card",
            "payments",
            "CardDeclined",
            "no money",
            "Traceback: line 1",
            "&quot;card&quot;: &quot;****&quot;",
            "waited 1.00 s, ran 3.00 s",
            "task_failed",
            "+4.00 s",
            "nightly",
            "1@web",
            "12345",
        ):
            assert expected in shown

    def test_relatives_are_links_and_those_not_on_record_plain_ids(self, admin_client) -> None:
        root = task("root-1", name="shop.place_order")
        group = GroupRecord.objects.create(group_id="g-1", kind="chord", first_seen=NOW)
        one = task("a", root_id="root-1", parent_id="lost-1", group_id="g-1", chord_id="lost-2")
        child = task("c", parent_id="a", name="shop.email_receipt")
        shown = text(admin_client.get(page(one)))
        assert all(f'href="{page(record)}"' in shown for record in (root, group, child))
        assert ">lost-1</bdi>" in shown
        assert ">lost-2</bdi>" in shown

    def test_long_timelines_and_large_families_are_cut_with_a_note(
        self, admin_client, monkeypatch
    ) -> None:
        monkeypatch.setattr(events, "TIMELINE_LIMIT", 2)
        monkeypatch.setattr(tasks, "CHILDREN_LIMIT", 1)
        one = task("a")
        for number in range(3):
            TaskEvent.objects.create(task_id="a", kind="task_sent", at=NOW)
            task(f"c{number}", parent_id="a")
        shown = text(admin_client.get(page(one)))
        assert "The first 2 events; there are more." in shown
        assert "The first 1 children; there are more." in shown


class TestGroupAndWorkerPages:
    def test_a_group_shows_its_members_in_order_with_their_states(self, admin_client) -> None:
        body = task("b", name="shop.gallery")
        group = GroupRecord.objects.create(
            group_id="g",
            kind="chord",
            size=2,
            body_id="b",
            body_name="shop.gallery",
            first_seen=NOW,
        )
        second = task("m1", group_id="g", group_index=1, state="FAILURE")
        first = task("m0", group_id="g", group_index=0, state="SUCCESS")
        shown = text(admin_client.get(page(group)))
        assert "Chord of 2" in shown
        assert shown.index(page(body)) < shown.index(page(first)) < shown.index(page(second))
        assert "shop.gallery" in text(admin_client.get(GROUPS))

    def test_a_large_group_is_cut_with_a_note(self, admin_client, monkeypatch) -> None:
        monkeypatch.setattr(groups, "MEMBERS_LIMIT", 1)
        group = GroupRecord.objects.create(group_id="g", first_seen=NOW)
        for index in range(2):
            task(f"m{index}", group_id="g", group_index=index)
        shown = text(admin_client.get(page(group)))
        assert "The first 1 members, and their states; there are more." in shown

    def test_a_worker_shows_its_tasks_and_leads_to_all_of_them(self, admin_client) -> None:
        worker = WorkerRecord.objects.create(hostname="w@1", queues=["mail"], concurrency=4)
        one = task("a", worker="w@1")
        shown = text(admin_client.get(page(worker)))
        assert page(one) in shown
        assert f'href="{TASKS}?worker=w%401"' in shown

    def test_queues_that_are_no_list_are_shown_as_they_are(self, admin_client) -> None:
        worker = WorkerRecord.objects.create(hostname="w@1", queues={"odd": 1})
        assert "&quot;odd&quot;" in text(admin_client.get(page(worker)))
