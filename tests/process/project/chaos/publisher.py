"""Publishes the mixed workload until it is told to stop, or to die in the middle of a publish.

Run as ``python -m tests.process.project.chaos.publisher SEED DEPTH``: SIGTERM ends it, SIGUSR1
has it kill itself within its next publish.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

import django
from amqp import ChannelError
from celery import chain, chord, signals
from kombu.exceptions import OperationalError

from tests.process.project.chaos import tasks
from tests.process.project.chaos.celery import app
from tests.process.project.chaos.ledger import BYE, book

#: Publishes between two looks at the depth of the queue.
STRIDE: Final = 10
#: Seconds to wait where the queue is deep enough.
PAUSE: Final = 0.02


def _chord(dice: random.Random) -> None:
    chord([tasks.member.s(n) for n in range(dice.randint(2, 5))], tasks.total.s()).apply_async()


#: What is published, and how often.
MIX: Final[list[tuple[int, Callable[[random.Random], Any]]]] = [
    (30, lambda dice: tasks.succeed.delay(dice.randint(0, 9))),
    (20, lambda dice: tasks.succeed_late.delay(dice.randint(0, 9))),
    (8, lambda dice: tasks.fail.delay(dice.randint(0, 9))),
    (8, lambda dice: tasks.flaky.delay(dice.randint(1, 2))),
    (4, lambda dice: tasks.parent.delay(dice.randint(1, 3))),
    (6, lambda dice: tasks.work.delay(dice.uniform(0.001, 0.02))),
    (10, lambda dice: tasks.work_late.delay(dice.uniform(0.001, 0.02))),
    (2, lambda dice: tasks.measure.delay("x" * dice.choice((5_000, 50_000)))),
    (4, lambda dice: chain(tasks.add.s(1, 1), tasks.add.s(2), tasks.add.s(3)).apply_async()),
    (3, _chord),
]


def _depth(connection: Any) -> int:
    channel = connection.default_channel
    try:
        declared = channel.queue_declare(app.conf.task_default_queue, passive=True)
    except ChannelError:  # to Redis an empty queue is none
        return 0
    return int(declared.message_count)


def _die_within_the_next_publish(dice: random.Random) -> None:
    """Before the message leaves, or after it left and is on record."""
    moment = dice.choice((signals.before_task_publish, signals.after_task_publish))
    moment.connect(lambda **kwargs: os.kill(os.getpid(), signal.SIGKILL), weak=False)


def main(seed: int, depth: int) -> None:
    """Publish; the queue never grows much beyond ``depth``."""
    dice = random.Random(seed)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGUSR1, lambda *_: _die_within_the_next_publish(dice))
    book.write("hello")
    weights = [weight for weight, _ in MIX]
    with app.connection_for_write() as connection:
        while not stop.is_set():
            try:
                for _, publish in dice.choices(MIX, weights, k=STRIDE):
                    publish(dice)
                while _depth(connection) > depth and not stop.wait(PAUSE):
                    pass
            except (OperationalError, *connection.recoverable_connection_errors):
                connection.collect()
    book.write(BYE)


if __name__ == "__main__":
    django.setup()
    main(int(sys.argv[1]), int(sys.argv[2]))
