"""What is scraped: who may, in which words, and whether it is what the records say."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from prometheus_client import CollectorRegistry, openmetrics
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as plain_families
from prometheus_client.samples import Sample

from tests import first_page
from tests.integration import operators
from tests.integration.pages import task
from z4j_django import counters, histograms, permissions, retention_policy, wiring
from z4j_django.conf import settings
from z4j_django.metrics import collector, registry, views
from z4j_django.metrics.base import Metric
from z4j_django.metrics.distributions import WORDS
from z4j_django.models import JournalLoss, JournalRecord, Statistic, WorkerRecord
from z4j_django.queries import ever, timetable
from z4j_django.store import retention
from z4j_django.values import OTHER
from z4j_django.watch import on_demand

pytestmark = pytest.mark.django_db

ADDRESS = "/metrics"
TOKEN = "a-token-that-nobody-guesses"
OPENMETRICS = "application/openmetrics-text; version=1.0.0,text/plain;version=0.0.4;q=0.5"
HOSTILE = (
    "line\nbreak",
    'quote"s',
    "back\\slash",
    '\\n"} 1',
    "{} #  le=",
    "é\u2028\x85\r\t\x01",
    "\ud800lone",
    "x" * 500,
    "",
)


@pytest.fixture(autouse=True)
def _schedules(monkeypatch: pytest.MonkeyPatch) -> None:
    """One in the app's settings, and one of whom nobody can say its name."""
    entries = [{"name": name, "task": "shop.tick", "every": 30.0} for name in ("tick", "\ud800\n")]
    monkeypatch.setattr(wiring, "schedules", lambda: {"entries": entries, "tables": ""})


def z4j(**given: Any) -> override_settings:
    return override_settings(Z4J={"METRICS_TOKEN": TOKEN, **given})


def scrape(*, accept: str = "", token: str = TOKEN) -> Any:
    headers = {"authorization": f"Bearer {token}", **({"accept": accept} if accept else {})}
    return Client().get(ADDRESS, headers=headers)


def told(**given: Any) -> dict[tuple[str, str], float]:
    """What a scrape says, by name and labels: those that tell something."""
    with z4j(**given):
        response = scrape()
    assert response.status_code == 200
    return {
        (one.name, " ".join(f"{label}={value}" for label, value in one.labels.items())): one.value
        for family in plain_families(response.content.decode())
        for one in family.samples
    }


def counted(name: str = "shop.pay", queue: str = "mail", **counts: Any) -> Statistic:
    lengths = {word: histograms.packed(counts.pop(word, {})) for word in ("runs", "waits")}
    place = {"step": counters.EVER, "scope": counters.NAMES, "at": 0}
    return Statistic.objects.create(name=name, queue=queue, **place, **counts, **lengths)


def everything() -> None:
    """A bit of all that is told."""
    first_page.looked()
    first_page.condition("schedule_overdue", "tick", severity="warning")
    first_page.condition("queue_backing_up", "mail", severity="critical")
    first_page.worker()
    first_page.worker("w2@web2", last_seen=timezone.now() - timedelta(hours=1))
    first_page.worker("w3@web3", online=False, stopped_at=timezone.now())
    first_page.running()
    first_page.sample(oldest_at=timezone.now() - timedelta(minutes=6))
    now = timezone.now()
    JournalRecord.objects.create(
        host="web1", directory="/j", pid=1, pending=70, size=100, seen_at=now
    )
    for reason, count in (("over the cap", 3), ("unheard_of", 2), ("neither", 1)):
        JournalLoss.objects.create(host="web1", reason=reason, count=count, at=now)
    counted(sent=9, received=8, started=8, succeeded=5, failed=3, runs={0: 1, 20: 7}, waits={4: 8})
    counted("z4j_django.bulk", "celery", sent=1)


class TestWhoMayScrape:
    def test_without_a_token_in_the_settings_no_token_lets_in(self) -> None:
        for given in ({}, {"METRICS_TOKEN": None}, {"METRICS_TOKEN": ""}):
            with override_settings(Z4J=given):
                for token in ("", "None", TOKEN):
                    assert scrape(token=token).status_code == 401
                assert Client().get(ADDRESS).status_code == 401

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            (f"Bearer {TOKEN}", 200),
            (f"bearer   {TOKEN} ", 200),
            (f"Bearer {TOKEN}x", 401),
            (f"Bearer {TOKEN[:-1]}", 401),
            ("Bearer \xff", 401),
            (f"Basic {TOKEN}", 401),
            (TOKEN, 401),
            ("", 401),
        ],
    )
    def test_the_token_is_wanted_as_a_bearers(self, header: str, status: int) -> None:
        with z4j():
            response = Client().get(ADDRESS, headers={"authorization": header})
            assert response.status_code == status
            assert Client().get(f"{ADDRESS}?token={TOKEN}").status_code == 401
        if status == 401:
            assert response["WWW-Authenticate"] == 'Bearer realm="metrics"'
            assert b"z4j" not in response.content

    @pytest.mark.parametrize(
        ("who", "status"),
        [
            ("anonymous", 401),
            ("staff", 403),
            ("z4j viewer", 200),
            ("z4j operator", 200),
            ("superuser", 200),
        ],
    )
    def test_a_login_may_with_the_permissions_to_look(self, who: str, status: int) -> None:
        assert operators.signed_in(who).get(ADDRESS).status_code == status

    def test_no_permission_can_be_left_out(self) -> None:
        client = operators.signed_in("staff")
        user = operators.User.objects.get()
        for model in views.SHOWN:
            assert client.get(ADDRESS).status_code == 403
            operators.grant(user, permissions.view_permission(model).partition(".")[2])
        assert client.get(ADDRESS).status_code == 200

    def test_a_project_that_wants_a_login_everywhere_lets_the_token_in(self) -> None:
        middleware = "django.contrib.auth.middleware.LoginRequiredMiddleware"
        with z4j(), override_settings(MIDDLEWARE=[*settings_middleware(), middleware]):
            assert scrape().status_code == 200
            assert Client().get(ADDRESS).status_code == 401

    def test_one_without_users_lets_the_token_in(self) -> None:
        with z4j(), override_settings(MIDDLEWARE=[]):
            assert scrape().status_code == 200
            assert Client().get(ADDRESS).status_code == 401

    def test_it_can_only_be_read(self) -> None:
        with z4j():
            headers = {"authorization": f"Bearer {TOKEN}"}
            assert Client().post(ADDRESS, headers=headers).status_code == 405
            assert Client().head(ADDRESS, headers=headers).status_code == 200


def settings_middleware() -> list[str]:
    from django.conf import settings as of_project

    return list(of_project.MIDDLEWARE)


def test_it_tells_how_the_project_stands() -> None:
    everything()
    found = told()
    of_name = "name=shop.pay queue=mail"
    assert {
        ("z4j_tasks_sent_total", of_name): 9,
        ("z4j_tasks_started_total", of_name): 8,
        ("z4j_tasks_ended_total", f"{of_name} outcome=failed"): 3,
        ("z4j_tasks_ended_total", f"{of_name} outcome=revoked"): 0,
        ("z4j_task_run_seconds_bucket", f"{of_name} le=0.004"): 1,
        ("z4j_task_run_seconds_bucket", f"{of_name} le=1.024"): 8,
        ("z4j_task_run_seconds_count", of_name): 8,
        ("z4j_task_wait_seconds_bucket", f"{of_name} le=+Inf"): 8,
        ("z4j_events_stored_total", "kind=sent"): 10,
        ("z4j_events_lost_total", "reason=over the cap"): 3,
        ("z4j_events_lost_total", "reason=unwritten"): 0,
        ("z4j_events_lost_total", f"reason={OTHER}"): 3,
        ("z4j_queue_messages", "queue=mail"): 412,
        ("z4j_queue_oldest_message_age_seconds", "queue=mail"): pytest.approx(360, abs=30),
        ("z4j_queue_consumers", "queue=mail"): 1,
        ("z4j_worker_up", "worker=w1@web1"): 1,
        ("z4j_worker_up", "worker=w2@web2"): 0,
        ("z4j_worker_slots", "worker=w1@web1"): 2,
        ("z4j_worker_busy_slots", "worker=w1@web1"): 1,
        ("z4j_schedule_overdue_seconds", "schedule=tick"): pytest.approx(360, abs=30),
        ("z4j_schedule_overdue_seconds", "schedule=�\n"): 0,
        ("z4j_condition_active", "condition=queue_backing_up severity=critical"): 1,
        ("z4j_condition_active", "condition=queue_backing_up severity=warning"): 0,
        ("z4j_condition_active", "condition=failing severity=critical"): 0,
        ("z4j_journal_pending_bytes", "host=web1 directory=/j"): 70,
    }.items() <= found.items()
    names = " ".join(labels for _, labels in found)
    assert "z4j_django.bulk" not in names
    assert ("z4j_worker_up", "worker=w3@web3") not in found


def test_what_nobody_looks_at_is_looked_at_for_the_next_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(on_demand, "refresh_soon", asked.append)
    first_page.looked()
    told()
    assert asked == []
    first_page.looked(ago=90)
    told()
    assert asked == ["default"]


def test_schedules_that_cannot_be_read_keep_back_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise TimeoutError("it has not answered the last time yet")

    everything()
    monkeypatch.setattr(timetable, "entries", fail)
    found = told()
    assert found["z4j_queue_messages", "queue=mail"] == 412
    assert ("z4j_schedule_overdue_seconds", "schedule=tick") in found  # by its condition
    assert "it has not answered" in caplog.text


class TestCounters:
    def test_names_beyond_the_first_are_told_together(self) -> None:
        for number in range(5):
            counted(f"shop.{number}", sent=10 + number, runs={3: 1})
        found = told(METRICS_NAMES=3)
        assert {labels: value for (name, labels), value in found.items() if "sent_" in name} == {
            "name=shop.0 queue=mail": 10,
            "name=shop.1 queue=mail": 11,
            "name=shop.2 queue=mail": 12,
            f"name={OTHER} queue={OTHER}": 27,
        }

    def test_names_that_had_no_place_are_told_with_them(self) -> None:
        counted(OTHER, OTHER, sent=5)
        counted("shop.a", sent=1)
        counted("shop.b", sent=2)
        found = ever.totals("default", 2)
        assert [(one.name, one.counts["sent"]) for one in found] == [(OTHER, 7), ("shop.a", 1)]

    @pytest.mark.django_db(transaction=True)
    def test_losses_count_on_when_they_are_no_longer_listed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = timezone.now()
        for days, count in ((90, 4), (80, 2), (1, 1)):
            at = now - timedelta(days=days)
            JournalLoss.objects.create(host="h", reason="over the cap", count=count, at=at)
        JournalLoss.objects.create(
            host="h", reason="over the cap", count=9, at=now, project="another"
        )
        assert ever.lost("default") == {"over the cap": 7}
        *_, dry = retention.prune(policy("60d"), "default", dry_run=True)
        assert ever.lost("default") == {"over the cap": 7}
        *_, tally = retention.prune(policy("60d"), "default")
        assert dry.others["losses"] == tally.others["losses"] == 2
        assert JournalLoss.objects.filter(project="default").count() == 1
        assert ever.lost("default") == {"over the cap": 7}
        list(retention.prune(policy("12h"), "default"))
        assert ever.lost("default") == {"over the cap": 7}


def policy(age: str) -> retention_policy.RetentionPolicy:
    return retention_policy.from_setting({"default": age})


@pytest.fixture(params=[False, True], ids=["plain", "openmetrics"])
def is_open(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def samples(text: str, is_open: bool) -> Iterator[tuple[str, str, str, Sample]]:
    for family in (open_families if is_open else plain_families)(text):
        for one in family.samples:
            yield family.name, family.type, family.documentation, one


class TestText:
    COMPAT = ("flower", "celery-exporter")

    def test_it_is_what_prometheus_client_writes(self, is_open: bool) -> None:
        everything()
        task(
            "t-1",
            name="shop.pay",
            queue="mail",
            state="FAILURE",
            runtime=0.9,
            finished_at=timezone.now(),
        )
        with z4j(METRICS_COMPAT=list(self.COMPAT), METRICS_EXEMPLARS=True):
            given = CollectorRegistry()
            given.register(collector.Z4JCollector())
            frozen = timezone.now()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(timezone, "now", lambda: frozen)
                response = scrape(accept=OPENMETRICS if is_open else "")
                generate = openmetrics.exposition.generate_latest if is_open else generate_latest
                wanted = generate(given).decode()
        assert response["Content-Type"].startswith(
            "application/openmetrics-text; version=1.0.0"
            if is_open
            else "text/plain; version=0.0.4"
        )
        found = list(samples(response.content.decode(), is_open))
        assert found == list(samples(wanted, is_open))
        assert len(found) > 150

    def test_whatever_tasks_are_called_it_can_be_read(self, is_open: bool) -> None:
        from z4j_django.values import clean

        for number, name in enumerate(HOSTILE):
            shown = clean(name)
            counted(shown, clean(f"{name}q"), sent=number + 1, runs={20: 1})
            WorkerRecord.objects.create(
                hostname=clean(f"{name}@h"), online=True, last_seen=timezone.now()
            )
            JournalRecord.objects.create(host="h", directory=clean(name), seen_at=timezone.now())
        with z4j(METRICS_COMPAT=list(self.COMPAT), METRICS_EXEMPLARS=True):
            response = scrape(accept=OPENMETRICS if is_open else "")
        found = {
            one.labels["name"]: one.value
            for _, _, _, one in samples(response.content.decode(), is_open)
            if one.name == "z4j_tasks_sent_total"
        }
        assert found == {clean(name): number + 1 for number, name in enumerate(HOSTILE)}

    def test_promtool_has_nothing_against_it(self) -> None:
        if (promtool := shutil.which("promtool")) is None:
            pytest.skip("There is no promtool here.")
        everything()
        counted("line\nbreak", sent=1)
        with z4j():
            text = scrape().content
        ran = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
        assert (ran.returncode, ran.stdout + ran.stderr) == (0, b"")

    def test_an_exemplar_names_a_task(self) -> None:
        counted(failed=1, runs={20: 2}, waits={10: 2})
        now = timezone.now()
        times = {"sent_at": now, "started_at": now + timedelta(seconds=0.03)}
        for task_id, state, seconds in (
            ("old", "FAILURE", 1.0),
            ("new", "FAILURE", 0.9),
            ("x" * 200, "FAILURE", 0.9),
        ):
            ended = {"state": state, "runtime": seconds, "finished_at": now}
            task(task_id, name="shop.pay", queue="mail", **times, **ended)
        for exemplars, wanted in ((True, 3), (False, 0)):
            with z4j(METRICS_EXEMPLARS=exemplars):
                text = scrape(accept=OPENMETRICS).content.decode()
                assert "# {" not in scrape().content.decode()
            found = [one for _, _, _, one in samples(text, True) if one.exemplar is not None]
            assert len(found) == wanted
            for one in found:
                assert one.exemplar is not None
                assert one.exemplar.labels == {"task_id": "new"}


#: What others tell: kind and labels of each, from their documentation and source.
OTHERS = {
    "flower": {
        "flower_events": ("counter", "worker type task"),
        "flower_task_runtime_seconds": ("histogram", "worker task"),
        "flower_task_prefetch_time_seconds": ("gauge", "worker task"),
        "flower_worker_prefetched_tasks": ("gauge", "worker task"),
        "flower_worker_online": ("gauge", "worker"),
        "flower_worker_number_of_currently_executing_tasks": ("gauge", "worker"),
    },
    "celery-exporter": {
        **{
            f"celery_task_{word}": ("counter", "name hostname queue_name")
            for word in counters.COUNTERS[:8]
            if word != "failed"
        },
        "celery_task_failed": ("counter", "name hostname exception queue_name"),
        "celery_task_runtime": ("histogram", "name hostname queue_name"),
        "celery_task_queue_wait_time": ("histogram", "name hostname queue_name"),
        "celery_worker_up": ("gauge", "hostname"),
        "celery_worker_tasks_active": ("gauge", "hostname"),
        "celery_queue_length": ("gauge", "queue_name"),
        "celery_active_consumer_count": ("gauge", "queue_name"),
        "celery_active_worker_count": ("gauge", "queue_name"),
        "celery_active_process_count": ("gauge", "queue_name"),
    },
}


def declared(metrics: tuple[Metric, ...]) -> dict[str, tuple[str, str]]:
    return {one.name: (one.kind, " ".join(one.labels)) for one in metrics}


class TestNamesOfOthers:
    @pytest.mark.parametrize("which", OTHERS)
    def test_their_names_types_and_labels_are_told(self, which: str) -> None:
        assert declared(registry.COMPAT[which]) == OTHERS[which]
        assert not set(declared(registry.METRICS)) & set(OTHERS[which])
        assert not [name for name, _ in told() if name.startswith(("flower_", "celery_"))]

    def test_flowers_tell_what_flower_tells(self) -> None:
        everything()
        received = timezone.now() - timedelta(seconds=1090)
        first_page.running("b", name="shop.b", received_at=received)
        task("c", name="shop.c", state="RECEIVED", worker="w1@web1")
        task("d", name="shop.c", state="RECEIVED", worker="w1@web1", eta=timezone.now())
        counted(queue="second", sent=1)
        found = told(METRICS_COMPAT=["flower", "flower"])
        assert {
            ("flower_events_total", "worker=all type=task-sent task=shop.pay"): 10,
            ("flower_events_total", "worker=all type=task-failed task=shop.pay"): 3,
            ("flower_task_runtime_seconds_count", "worker=all task=shop.pay"): 8,
            ("flower_worker_online", "worker=w1@web1"): 1,
            ("flower_worker_online", "worker=w3@web3"): 0,
            ("flower_worker_number_of_currently_executing_tasks", "worker=w1@web1"): 2,
            ("flower_worker_prefetched_tasks", "worker=w1@web1 task=shop.c"): 1,
            ("flower_task_prefetch_time_seconds", "worker=w1@web1 task=shop.b"): pytest.approx(
                10, abs=1
            ),
        }.items() <= found.items()

    def test_celery_exporters_tell_what_it_tells(self) -> None:
        everything()
        first_page.worker("w4@web1", concurrency=3)
        found = told(METRICS_COMPAT=["celery-exporter"])
        place = "name=shop.pay hostname=generic queue_name=mail"
        assert {
            ("celery_task_received_total", place): 8,
            (
                "celery_task_failed_total",
                "name=shop.pay hostname=generic exception= queue_name=mail",
            ): 3,
            ("celery_task_retried_total", place): 0,
            ("celery_task_runtime_bucket", f"{place} le=0.004"): 1,
            ("celery_task_queue_wait_time_count", place): 8,
            ("celery_worker_up", "hostname=web1"): 1,
            ("celery_worker_up", "hostname=web3"): 0,
            ("celery_worker_tasks_active", "hostname=web1"): 1,
            ("celery_queue_length", "queue_name=mail"): 412,
            ("celery_active_consumer_count", "queue_name=mail"): 2,
            ("celery_active_worker_count", "queue_name=mail"): 2,
            ("celery_active_process_count", "queue_name=mail"): 5,
        }.items() <= found.items()
        assert ("celery_worker_up", "hostname=web2") not in found


def test_open_telemetry_observes_the_same() -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    from z4j_django.metrics import opentelemetry

    everything()
    reader = InMemoryMetricReader()
    with z4j():
        opentelemetry.instrument(MeterProvider([reader]))
        scraped = told()
        data = reader.get_metrics_data()
    assert data is not None
    found: dict[tuple[str, str], Any] = {}
    monotonic: dict[str, bool] = {}
    for scope in data.resource_metrics[0].scope_metrics:
        for metric in scope.metrics:
            monotonic[metric.name] = getattr(metric.data, "is_monotonic", False)
            for point in metric.data.data_points:
                labels = " ".join(f"{name}={value}" for name, value in point.attributes.items())
                found[metric.name, labels] = point.value
    for (name, labels), value in scraped.items():
        assert found.pop((name.removesuffix("_total"), labels)) == pytest.approx(value, abs=30)
    assert not found
    assert monotonic["z4j_tasks_sent"]
    assert monotonic["z4j_task_run_seconds_bucket"]
    assert not monotonic["z4j_queue_messages"]


def test_a_collector_reads_nothing_when_it_is_registered(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        CollectorRegistry().register(collector.Z4JCollector())


def test_a_scrape_takes_few_queries(django_assert_num_queries: Any) -> None:
    everything()
    with z4j(METRICS_COMPAT=["flower", "celery-exporter"]):
        scrape()
        counted("shop.more", sent=1)
        with django_assert_num_queries(10):
            scrape()
    assert len(WORDS) == 19
    assert settings.METRICS_NAMES == 500
