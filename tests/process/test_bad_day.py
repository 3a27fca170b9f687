"""The shop's bad day: all that z4j tells of is made to go wrong by real means, and mended.

What goes wrong and what mends it is a story each, and all of them happen at once. Who tells is
whichever shipper has the lease, at its own pace. With ``-s`` all that was told is printed.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from tests.process.conftest import SceneMaker
from tests.process.harness import sink
from tests.process.harness.processes import PATIENCE, Program
from tests.process.harness.waiting import wait_until
from tests.process.shop.mail import serving
from tests.process.shop.shop import Shop, Story, play
from z4j_django.agent import journal
from z4j_django.conditions.registry import CONDITIONS
from z4j_django.models import AlertDelivery, AlertNotice, JournalRecord

#: Seconds for the whole day; two rounds pass until the last has ended.
DAY = 200.0
#: The journal of another host.
OTHER = "journal of another host"


@pytest.fixture
def shop(make_scene: SceneMaker) -> Iterator[Shop]:
    with (
        serving() as mail,
        sink.serving() as hook,
        make_scene("redis", "postgresql", Shop) as made,
    ):
        assert isinstance(made, Shop)
        made.open(mail, hook)
        yield made


def test_whatever_goes_wrong_in_the_shop_is_told_until_it_is_mended(shop: Shop) -> None:
    execute(shop, "ALTER TABLE django_celery_beat_periodictask RENAME TO away")
    front = shop.hire("front", "-P", "solo", queue=shop.queue)
    audit = shop.hire("audit", "-P", "solo")
    mail = shop.hire("mail", "-P", "prefork", "-c", "2")
    imports = shop.hire("imports", "-P", "prefork", "-c", "1")
    documents = shop.hire("documents", "-P", "solo", JOURNAL_DIR=str(shop.folder / OTHER))
    beat = shop.beat()
    before_anyone_works(shop, front)
    for worker in (audit, mail, imports):
        worker.wait_for_output(" ready.")
    shop.hire("orders", "-P", "prefork", "-c", "2", SHIPPER="process")
    wait_until(lambda: shop.holder() in shop.shippers(), PATIENCE, "a shipper that looks")
    stories = {
        "somebody works": somebody_works(shop),
        "not evaluated": a_table_is_missing(shop),
        "wrong route": a_wrong_route(shop),
        "cancelled consumer": a_cancelled_consumer(shop),
        "expired": nobody_takes_them_in_time(shop),
        "mail": the_mail_server_hangs(shop),
        "declined": a_bank_declines(shop),
        "chord": a_chord_loses_count(shop),
        "beat": beat_stops(shop, beat),
        "audit": a_worker_hangs(shop, audit),
        "losses": a_disk_takes_nothing(shop),
        "imports": a_worker_is_killed(shop, imports),
        "shipper": a_shipper_waits_and_is_killed(shop, documents),
    }
    play(shop, stories, DAY)
    print(shop.as_text())
    # For all who work here there is one clock.
    assert shop.told.keys() == CONDITIONS.keys() - {"clocks_apart"}
    alerts_told_each_once(shop)


def alerts_told_each_once(shop: Shop) -> None:
    """Of each group of problems: that it began, what came to it, and once that it is over."""
    notices = AlertNotice.objects.using(shop.records.alias)
    deliveries = AlertDelivery.objects.using(shop.records.alias)

    def all_told() -> bool:
        shop.look()
        goes_on = {(key, subject) for key, found in shop.holds.items() for subject in found}
        left = notices.filter(is_open=True).values_list("members", flat=True)
        is_sent = not deliveries.filter(state__in=("pending", "sending")).exists()
        return is_sent and all(
            goes_on & {(key, subject) for key, subject, *_ in found["members"]} for found in left
        )

    wait_until(all_told, PATIENCE, "the last message")
    print(*shop.hook.lines(), sep="\n")
    assert shop.hook.keys() == shop.told.keys()
    for notice in notices.exclude(told_at=None):
        mine = deliveries.filter(notice=notice.pk).order_by("number")
        sent = list(mine.values_list("status", flat=True))
        assert sent[0] == "firing"
        assert sent.count("resolved") == (not notice.is_open), (notice.group, sent)
        assert notice.is_open or sent[-1] == "resolved", (notice.group, sent)
    assert len(shop.hook.bodies) == deliveries.filter(state__in=("sent", "perhaps")).count()


def execute(shop: Shop, statement: str) -> None:
    with psycopg.connect(shop.database) as connection:
        connection.execute(statement)


def before_anyone_works(shop: Shop, front: Program) -> None:
    """All that waits when the shop's queues are looked at for the second time."""
    ship = shop.ship("journal of nobody")
    front.wait_for_output(" ready.")
    play(shop, {"nobody": nobody_works(shop)}, PATIENCE)
    shop.do(
        "app.control.cancel_consumer(QUEUE, destination=[worker], reply=True)\n"
        "for n in range(6):\n"
        "    tasks.reserve_stock.apply_async((n, {}))\n"
        "    tasks.show_banner.apply_async(('Sale!',), expires=1, queue=f'{QUEUE}-banners')\n"
        "for n in range(2):\n"
        "    tasks.reserve_stock.apply_async((n, {}), queue=f'{QUEUE}-odrers')\n",
        worker=shop.hostname("front"),
    )
    ship.stop()


def nobody_works(shop: Shop) -> Story:
    told = yield shop.tells("no_workers")
    assert told == "No worker is online: none was ever heard of."


def somebody_works(shop: Shop) -> Story:
    yield shop.is_quiet("no_workers")


def a_table_is_missing(shop: Shop) -> Story:
    told = yield shop.tells("not_evaluated", "schedule_overdue")
    assert told.startswith("Whether schedule_overdue holds is not known: ProgrammingError: ")
    assert 'relation "django_celery_beat_periodictask" does not exist' in told
    execute(shop, "ALTER TABLE away RENAME TO django_celery_beat_periodictask")
    yield shop.is_quiet("not_evaluated")


def a_wrong_route(shop: Shop) -> Story:
    queue = shop.queue_of("odrers")
    told = yield shop.tells("queue_without_consumer", queue)
    assert told.startswith(f"Nobody takes tasks from the queue {queue}: 2 messages wait, the ")
    shop.do(f"app.control.add_consumer({queue!r}, destination=[{shop.hostname('orders')!r}])")
    yield shop.is_quiet("queue_without_consumer", subject=queue)


def a_cancelled_consumer(shop: Shop) -> Story:
    queue, worker = shop.queue, shop.hostname("front")
    told = yield shop.tells("queue_backing_up", queue)
    assert told == f"6 messages wait in the queue {queue}; usually 0 at most."
    slots = os.cpu_count()
    told = yield shop.tells("worker_not_consuming", worker)
    assert told.startswith(
        f"{worker} is online, has {slots} of {slots} slots free, and has taken nothing for "
    )
    assert told.endswith(f", while messages wait: 6 in {queue}.")
    shop.do(f"app.control.add_consumer({queue!r}, destination=[{worker!r}])")
    yield shop.is_quiet("worker_not_consuming", subject=worker)
    yield shop.is_quiet("queue_backing_up", subject=queue)


def nobody_takes_them_in_time(shop: Shop) -> Story:
    queue = shop.queue_of("banners")
    told = yield shop.tells("expired_in_bulk", queue, " in which 6 were sent: 6 that nobody took.")
    assert told.startswith(f"At least 6 tasks of the queue {queue} expired in the last 45.00 s, ")
    shop.do(f"operations.purge_queue({queue!r}, confirm={queue!r}, actor='the test')")
    yield shop.is_quiet("expired_in_bulk", "queue_without_consumer", subject=queue)


def the_mail_server_hangs(shop: Shop) -> Story:
    worker = shop.hostname("mail")
    send = (
        "for n in range(count):\n"
        "    given = (n,), {'address': 'you@example.com'}\n"
        "    tasks.email_receipt.apply_async(*given, queue=f'{QUEUE}-mail')\n"
    )
    shop.do(send, count=6)
    receipts = shop.records.tasks.filter(name="shop.email_receipt")
    yield lambda: receipts.filter(state="SUCCESS").count() == 6
    shop.mail.answers.clear()
    shop.do(send, count=5)
    told = yield shop.tells("slots_held", worker, ": 2 of shop.email_receipt.")
    assert told.startswith(f"All 2 slots of {worker} are held by tasks that run for longer than ")
    name = "shop.email_receipt"
    yield shop.tells("task_running_long", name, f"2 tasks of {name} run for more than ")
    told = yield shop.tells("delivered_n_times", name)
    assert told.endswith(f"while {worker} still had it: its visibility timeout of 20.00 s ran out.")
    shop.mail.answers.set()
    yield shop.is_quiet("slots_held", subject=worker)
    yield shop.is_quiet("task_running_long", "delivered_n_times", subject=name)


def a_bank_declines(shop: Shop) -> Story:
    pay = (
        "for n in range(count):\n"
        "    tasks.charge_card.apply_async((7,), {'card_number': '1234', 'card_token': token,"
        " 'cents': 100}, queue=queue)\n"
    )
    declined, fine = {"token": "tok_test_declined"}, {"token": "tok_fine"}
    shop.do(pay, count=6, queue=shop.queue_of("orders"), **declined)
    told = yield shop.tells(
        "failing", "shop.charge_card", "6 of 6 runs of shop.charge_card failed "
    )
    assert told.endswith(" (100.0%); before that it hardly ran.")
    told = yield shop.tells("new_error", None, " ago, 6 times in all.")
    error = "shop.charge_card fails with CardDeclined: order 7: card ending in 1234 was declined"
    assert told.startswith(f"{error}. It was seen first ")
    [subject] = shop.told["new_error"]
    shop.do(f"operations.resolve_errors({subject!r}, release='shop 2', actor='the test')")
    shop.do(pay, count=60, queue=shop.queue_of("orders"), **fine)
    canary = shop.hire("canary", "-P", "solo", RELEASE="shop 2")
    yield lambda: " ready." in canary.output()
    shop.do(pay, count=1, queue=shop.queue_of("canary"), **declined)
    told = yield shop.tells("regressed_error", subject)
    assert told.startswith(f"{error}. It was said to be resolved in shop 2, and came back ")
    assert told.endswith(" ago; it was seen 7 times in all.")
    shop.do(f"operations.resolve_errors({subject!r}, release='shop 3', actor='the test')")
    yield shop.is_quiet("failing", subject="shop.charge_card")
    yield shop.is_quiet("new_error", "regressed_error", subject=subject)


def a_chord_loses_count(shop: Shop) -> Story:
    group = shop.do(
        "from django_celery_results.models import ChordCounter\n"
        "images = tasks.gallery(7, ['a.png', 'b.png'], 100)\n"
        "for one in images.tasks:\n"
        "    one.set(countdown=2, queue=f'{QUEUE}-orders')\n"
        "images.body.set(queue=f'{QUEUE}-orders')\n"
        "found = images().parent.id\n"
        "ChordCounter.objects.filter(group_id=found).delete()\n"
    )
    told = yield shop.tells("chord_stuck", group)
    assert told.startswith("All 2 members of the chord ended, the last one ")
    assert " ago, and its body shop.publish_gallery was not sent. " in told
    shop.do(f"operations.retry_group({group!r}, members='body', actor='the test')")
    yield shop.is_quiet("chord_stuck", subject=group)


def beat_stops(shop: Shop, beat: Program) -> Story:
    sent = shop.records.tasks.filter(schedule="a banner every second")
    yield sent.exists
    beat.stop()
    told = yield shop.tells("beat_stopped")
    assert told.startswith("No beat runs: beat@")
    assert told.endswith(" ago. No schedule is kept.")
    told = yield shop.tells("schedule_overdue", "a banner every second")
    assert told.startswith("a banner every second (shop.show_banner, every 1 s) was due ")
    shop.beat()
    yield shop.is_quiet("beat_stopped", "schedule_overdue")


def a_worker_hangs(shop: Shop, audit: Program) -> Story:
    """And does not hear that the queue is paused which it takes from."""
    queue, worker = shop.queue_of("audit"), shop.hostname("audit")
    yield shop.records.workers.filter(hostname=worker, online=True).exists
    os.kill(audit.pid, signal.SIGSTOP)
    shop.do(f"operations.pause_queue({queue!r}, actor='the test', reason='the auditors')")
    told = yield shop.tells("worker_silent", worker)
    assert told.startswith(f"{worker} says nothing: it was last heard of ")
    told = yield shop.tells("paused_queue_consumed", queue)
    assert told.startswith(f"The queue {queue} is paused by the test. ")
    assert told.endswith(f" Told to take nothing from it, and not answering: {worker}.")
    os.kill(audit.pid, signal.SIGCONT)
    yield shop.is_quiet("worker_silent", "worker_gone", subject=worker)
    yield shop.is_quiet("paused_queue_consumed", subject=queue)
    shop.do(f"operations.resume_queue({queue!r}, actor='the test')")


def a_disk_takes_nothing(shop: Shop) -> Story:
    """No file of the console grows: so its journal takes nothing, as on a full disk."""
    shop.do(
        "import resource\n"
        "room = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, room[1]))\n"
        "for n in range(3):\n"
        "    tasks.report_section.apply_async(('sales',), queue=f'{QUEUE}-orders')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, room)\n"
        "tasks.report_section.apply_async(('sales',), queue=f'{QUEUE}-orders')\n"
    )
    told = yield shop.tells("journal_losing", "unwritten")
    assert told.startswith("3 events were lost (unwritten), the last ")
    yield shop.is_quiet("journal_losing")


def a_worker_is_killed(shop: Shop, imports: Program) -> Story:
    queue, worker = shop.queue_of("imports"), shop.hostname("imports")
    send = "tasks.import_catalogue.apply_async(('a supplier',), queue=queue)\n"
    shop.do(f"for n in range(2): {send}", queue=queue)
    mine = shop.records.tasks.filter(name="shop.import_catalogue", retry_of="")
    yield lambda: set(mine.values_list("state", flat=True)) == {"STARTED", "RECEIVED"}
    lost, kept = mine.order_by("-state").values_list("task_id", flat=True)
    imports.clean_up()
    told = yield shop.tells("worker_gone", worker)
    assert told.startswith(f"{worker} went without a goodbye: it was last heard of ")
    assert told.endswith(" ago, and ran 1 task and had taken 1 more.")
    shop.hire("imports", "-P", "prefork", "-c", "1")
    told = yield shop.tells("possibly_lost", worker, " and left 1 task that it had taken: ")
    assert told.startswith(f"{worker} was started anew ")
    assert told.endswith(f" The newest is shop.import_catalogue {lost}.")
    told = yield shop.tells("delivered_n_times", "shop.import_catalogue")
    assert f" {kept} was delivered 2 times. {worker}, which had it " in told
    assert told.endswith(" before, is gone.")
    words = f'is:lost worker:"{worker}"'
    retried = shop.do(
        "from z4j_django.queries.selection import Selection\n"
        "seen = operations.preview(Selection.from_params({'search': words}, 'default'))\n"
        "how = {'force': True, 'actor': 'the test'}\n"
        "done = operations.bulk('retry', selection=seen.selection, **how)\n"
        "found = [[one.task_id for one in seen.sample], done.done]\n",
        words=words,
    )
    assert retried == [[lost], 1]
    shop.do(f"operations.terminate({kept!r}, actor='the test')")
    yield shop.is_quiet("worker_gone", "possibly_lost", subject=worker)
    yield shop.is_quiet("delivered_n_times", subject="shop.import_catalogue")


def a_shipper_waits_and_is_killed(shop: Shop, documents: Program) -> Story:
    """On another host: for the database, in which something else holds what it needs."""
    there = shop.folder / OTHER
    ship = shop.ship(OTHER)
    reports = JournalRecord.objects.using(shop.records.alias).filter(directory=str(there))
    yield shop.records.workers.filter(hostname=shop.hostname("documents")).exists
    yield reports.exists
    with psycopg.connect(shop.database) as other:
        segments = [path.stem for path in journal.segments(there)]
        other.execute(
            "SELECT 1 FROM z4j_django_journalcursor WHERE segment = ANY(%s) FOR UPDATE", [segments]
        )
        shop.do(
            "for n in range(40):\n"
            "    tasks.scan_document.apply_async(('a word ' * 3000,), queue=queue)\n",
            queue=shop.queue_of("documents"),
        )
        # Then it is time for another report.
        yield lambda: timezone.now() - reports.get().seen_at > timedelta(seconds=10.5)
    yield reports.filter(pending__gt=0).exists
    ship.kill()
    place = f"{socket.gethostname()}:{there}"
    told = yield shop.tells("journal_behind", place)
    assert f"({there}) is behind: the oldest event has waited for " in told
    told = yield shop.tells("journal_disk", place)
    assert f"({there}) takes " in told
    assert told.endswith(" of the 16.0 MB that it may.")
    told = yield shop.tells("journal_stopped", place)
    assert f"({there}) is silent: no shipper has reported for " in told
    shop.ship(OTHER)
    documents.terminate()  # whose file it is that takes so much
    yield shop.is_quiet("journal_behind", "journal_disk", "journal_stopped", subject=place)
