"""A shop with life in it: what its web processes, workers and beat would have written down.

The events of a day go to the database by the one way there is, so that records, counts and errors
agree. What came of them is the same each time; only the moment they end at is now.
"""

from __future__ import annotations

import json
import math
import random
import uuid
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tools.shop import failures
from z4j_django.agent import events
from z4j_django.agent.batching import Slice
from z4j_django.agent.events import (
    Failure,
    Message,
    Original,
    Step,
    TaskEvent,
    WorkerEvent,
)

PROJECT: Final = "shop"
MINUTE: Final = 60.0
HOUR: Final = 3600.0
#: Seconds before the end at which the new release was deployed.
DEPLOYED: Final = 26 * MINUTE
#: Seconds before the end from which on nobody takes anything from the queue ``mail``.
STUCK: Final = 6 * MINUTE
BEFORE, AFTER = "4.11.2", "4.12.0"
#: The workers: their slots and queues.
WORKERS: Final = {
    "checkout@web1": (4, ["shop"]),
    "checkout@web2": (4, ["shop"]),
    "mail@web1": (2, ["mail", "catalogue"]),
    "media@web2": (8, ["media"]),
}
#: Of each queue, what waits in it at most, usually, and how many consume it.
DEPTHS: Final = {"shop": (4, 2), "mail": (6, 1), "media": (9, 1), "catalogue": (1, 1)}
#: Events of one batch.
_BATCH: Final = 4_000


def _original(task_id: str, message: Message, retries: int) -> Original:
    """The message as the broker delivered it, so that it can be sent again."""
    body = b"[" + bytes(message.args) + b"," + bytes(message.kwargs) + b",{}]"
    headers = {
        "lang": "py",
        "task": message.name,
        "id": task_id,
        "root_id": message.root_id,
        "parent_id": message.parent_id or None,
        "group": message.group_id or None,
        "retries": retries,
    }
    return Original(
        len(body),
        body,
        "application/json",
        "utf-8",
        msgspec.Raw(json.dumps(headers).encode()),
        routing_key=message.routing_key,
    )


class Shop:
    """Makes the events of a day.

    Args:
        end: The moment at which it ends, in seconds since the epoch.
        hours: How long it lasts.
    """

    def __init__(self, end: float, hours: float = 25.0) -> None:
        self.end = end
        self.begin = end - hours * HOUR
        self.dice = random.Random(4)  # noqa: S311 (no secret)
        self.told: list[events.Event] = []
        #: When each message was sent that nobody takes.
        self.waiting: list[float] = []

    def day(self) -> list[events.Event]:
        """All events, in the order of their moments."""
        at = self.begin
        while at < self.end - 5:
            # More by day than by night.
            busy = 0.65 + 0.35 * math.sin((at % 86_400) / 86_400 * 2 * math.pi - 1.9)
            self._something(at)
            at += self.dice.expovariate(busy / 3.2)
        self._import(self.end - 18 * MINUTE, "north")
        self._import(self.end - 11 * MINUTE, "east")
        self._catalogue(self.end - 90 * MINUTE)
        self._newsletter(self.end - STUCK, 360)
        self._schedules()
        self._workers()
        return sorted(self.told, key=lambda event: event.at)

    def _something(self, at: float) -> None:
        (made,) = self.dice.choices(
            (self._order, self._search, self._gallery, self._sync, self._mail, self._rates),
            (30, 26, 5, 8, 14, 6),
        )
        made(at)

    def _id(self) -> str:
        return str(uuid.UUID(int=self.dice.getrandbits(128), version=4))

    def _length(self, usual: float) -> float:
        return usual * self.dice.lognormvariate(0.0, 0.35)

    def _is_new(self, at: float) -> bool:
        return at >= self.end - DEPLOYED

    def _send(
        self,
        at: float,
        task_id: str,
        name: str,
        queue: str,
        *,
        retries: int = 0,
        origin: str = "31@web1",
        kwargs: dict[str, Any] | None = None,
        **more: Any,
    ) -> Message:
        message = Message(
            name=name,
            queue=queue,
            routing_key=queue,
            origin=origin,
            args=msgspec.Raw(b"[]"),
            kwargs=msgspec.Raw(json.dumps(kwargs or {}).encode()),
            complete=True,
            **{"root_id": task_id, **more},
        )
        self.told.append(
            TaskEvent(events.TASK_SENT, task_id, at, name, retries=retries, message=message)
        )
        return message

    def _run(
        self,
        at: float,
        task_id: str,
        message: Message,
        seconds: float,
        failure: Failure | None = None,
        *,
        worker: str = "",
        wait: float = 0.08,
        retries: int = 0,
        result: str = "null",
        end: str = "",
    ) -> float:
        """A run from its receipt to its end, and when that was."""
        worker = worker or self.dice.choice(
            [name for name, (_, queues) in WORKERS.items() if message.queue in queues]
        )
        received = at + 0.01
        started = at + self._length(wait)
        done = started + seconds
        same: dict[str, Any] = {"name": message.name, "worker": worker, "retries": retries}
        original = _original(task_id, message, retries)
        told = [
            TaskEvent(
                events.TASK_RECEIVED, task_id, received, message=message, original=original, **same
            )
        ]
        if started < self.end:
            told.append(
                TaskEvent(events.TASK_STARTED, task_id, started, queue=message.queue, **same)
            )
        if done < self.end:
            kind = end or (events.TASK_FAILED if failure else events.TASK_SUCCEEDED)
            told.append(
                TaskEvent(
                    kind,
                    task_id,
                    done,
                    queue=message.queue,
                    runtime=round(seconds, 6),
                    failure=failure,
                    result=msgspec.Raw(b"null" if failure else result.encode()),
                    **same,
                )
            )
        self.told += told
        return done

    # ---- What the shop does ----

    def _order(self, at: float) -> None:
        order = self.dice.randrange(10_000, 99_999)
        ids = [self._id() for _ in range(3)]
        names = ("shop.reserve_stock", "payments.charge_card", "mail.send_receipt")
        steps = [Step(task_id, name) for task_id, name in zip(ids, names, strict=True)]
        first = self._send(at, ids[0], names[0], "shop", kwargs={"order": order}, rest=steps[1:])
        at = self._run(at, ids[0], first, self._length(0.04), result=str(order))
        provider = "acme" if self.dice.random() < 0.45 else "borealis"
        kwargs = {"order": order, "provider": provider, "card_token": "tok_4f0c9a", "cents": 4_990}
        failure = None
        chance = self.dice.random()
        if provider == "acme" and self._is_new(at) and chance < 0.6:
            text = f"order {order}: card ending in 4242 was declined"
            failure = failures.failure("payments.errors.CardDeclined", text, failures.DECLINED)
        elif chance < 0.012:
            text = f"{provider} did not answer within 5 s"
            failure = failures.failure("payments.errors.GatewayTimeout", text, failures.NO_ANSWER)
        charge = self._send(
            at, ids[1], names[1], "shop", kwargs=kwargs, root_id=ids[0], parent_id=ids[0],
            rest=steps[2:], origin="checkout@web1",
        )  # fmt: skip
        at = self._run(at, ids[1], charge, self._length(0.32), failure, result=str(order))
        if failure is None and at < self.end:
            self._to_mail(at, ids[2], names[2], root_id=ids[0], parent_id=ids[1])

    def _to_mail(self, at: float, task_id: str, name: str, **more: Any) -> None:
        message = self._send(at, task_id, name, "mail", kwargs={"to": "c@example.com"}, **more)
        if at < self.end - STUCK:
            self._run(at, task_id, message, self._length(0.21), wait=0.4)
        else:
            self.waiting.append(at)

    def _mail(self, at: float) -> None:
        self._newsletter(at, self.dice.randrange(2, 6))

    def _newsletter(self, at: float, size: int) -> None:
        root = self._id()
        message = self._send(at, root, "mail.send_newsletter", "shop", kwargs={"segment": "new"})
        at = self._run(at, root, message, self._length(0.09), result=str(size))
        for number in range(size):
            self._to_mail(
                at + 0.5 * number, self._id(), "mail.send_message", root_id=root, parent_id=root
            )

    def _search(self, at: float) -> None:
        task_id = self._id()
        kwargs = {"product": self.dice.randrange(1_000, 9_999)}
        message = self._send(at, task_id, "search.index_product", "shop", kwargs=kwargs)
        self._run(at, task_id, message, self._length(0.06), result='"indexed"')

    def _rates(self, at: float) -> None:
        task_id = self._id()
        name = "shop.integrations.central_bank.services.currencies.fetch_rates"
        message = self._send(at, task_id, name, "shop", kwargs={"base": "EUR"})
        self._run(at, task_id, message, self._length(0.45), result='{"USD": 1.08}')

    def _sync(self, at: float) -> None:
        task_id = self._id()
        sku = self.dice.choice(("red", "green", "blue"))
        fails = self.dice.choices((0, 1, 2, 4), (70, 18, 6, 6))[0]
        for attempt in range(min(fails, 3) + 1):
            message = self._send(
                at, task_id, "stock.sync_stock", "shop", retries=attempt, kwargs={"sku": sku}
            )
            if at >= self.end:
                return
            failure, end = None, ""
            if attempt < fails:
                text = f"{sku}: the warehouse did not answer within 2 s"
                failure = failures.failure("httpx.ReadTimeout", text, failures.TIMED_OUT)
                end = events.TASK_FAILED if attempt == 3 else events.TASK_RETRY
            ran = self._length(2.0 if failure else 0.3)
            at = self._run(at, task_id, message, ran, failure, retries=attempt, end=end) + 2.0

    def _gallery(self, at: float) -> None:
        broken = {1} if self.dice.random() < 0.12 else set()
        self._chord(at, self.dice.randrange(3, 7), broken)

    def _catalogue(self, at: float) -> None:
        """Fifty images of a product, of which three are broken."""
        root = self._id()
        message = self._send(at, root, "media.import_product", "media", kwargs={"product": 4711})
        done = self._run(at, root, message, 3.4, result="50")
        self._chord(done, 50, {7, 20, 33}, root)

    def _chord(self, at: float, size: int, broken: set[int], root: str = "") -> None:
        group, body = self._id(), self._id()
        ids = [self._id() for _ in range(size)]
        fed = Step(body, "media.publish_gallery", group)
        product = self.dice.randrange(1_000, 9_999)
        done = []
        for number, task_id in enumerate(ids):
            message = self._send(
                at, task_id, "media.resize_image", "media",
                kwargs={"image": f"{product}-{number}.jpg", "width": 640},
                group_id=group, group_index=number, chord=fed,
                root_id=root or ids[0], parent_id=root,
            )  # fmt: skip
            failure = None
            if number in broken:
                text = f"cannot identify image file '{product}-{number}.jpg'"
                failure = failures.failure("PIL.UnidentifiedImageError", text, failures.BROKEN)
            wait = 0.1 + 1.1 * (number // 8)
            done.append(self._run(at, task_id, message, self._length(0.9), failure, wait=wait))
        if not broken and max(done) < self.end:
            message = self._send(
                max(done), body, "media.publish_gallery", "media", root_id=root or ids[0],
                parent_id=ids[-1], kwargs={"product": product},
            )  # fmt: skip
            self._run(max(done), body, message, self._length(0.2))

    def _import(self, at: float, supplier: str) -> None:
        """One that never ends, where others took forty seconds."""
        for ago in range(3, 24, 3):
            before = self._id()
            earlier = at - ago * HOUR
            message = self._send(
                earlier, before, "catalogue.import_supplier", "catalogue",
                kwargs={"supplier": supplier},
            )  # fmt: skip
            self._run(earlier, before, message, self._length(38.0), result="1204")
        task_id = self._id()
        message = self._send(
            at, task_id, "catalogue.import_supplier", "catalogue", kwargs={"supplier": supplier}
        )
        self._run(at, task_id, message, 10 * HOUR)
        said = events.Progress(47.0, 1204.0, "waiting for page 48")
        at += 40
        self.told.append(
            TaskEvent(
                events.TASK_PROGRESS, task_id, at, message.name, worker="mail@web1", progress=said
            )
        )

    def _schedules(self) -> None:
        for name, task, every, latest in (
            ("every ten minutes: expire carts", "shop.expire_carts", 10 * MINUTE, 4 * MINUTE),
            ("hourly: exchange rates", "shop.refresh_rates", HOUR, 21 * MINUTE),
            ("nightly report", "reports.nightly_report", 4 * HOUR, 6 * HOUR),
        ):
            at = self.end - latest
            number = 0
            while at > self.begin:
                task_id = self._id()
                message = self._send(at, task_id, task, "shop", schedule=name, origin="beat@web1")
                failure = None
                if name.startswith("nightly") and number == 1:
                    text = "could not write the report: no space left on device"
                    failure = failures.failure("OSError", text, failures.FULL)
                self._run(at, task_id, message, self._length(1.2), failure)
                at -= every
                number += 1

    def _workers(self) -> None:
        for number, (name, (slots, queues)) in enumerate(WORKERS.items()):
            self.told.append(
                WorkerEvent(
                    events.WORKER_ONLINE, name, self.end - DEPLOYED - 40 + number, "prefork",
                    slots, queues, "5.7.0",
                )
            )  # fmt: skip
        self.told.append(
            WorkerEvent(events.WORKER_ONLINE, "beat@web1", self.end - DEPLOYED, events.BEAT)
        )


def batches(told: list[events.Event], end: float) -> Iterator[Slice]:
    """The events as slices of journals: of the last hour as small as a shipper's are."""
    first = 0
    while first < len(told):
        at = told[first].at
        is_new = at >= end - DEPLOYED
        size = 20 if at >= end - HOUR else _BATCH
        mine = [one for one in told[first : first + size] if (one.at >= end - DEPLOYED) == is_new]
        release = AFTER if is_new else BEFORE
        header = events.Header(events.SCHEMA, PROJECT, "web1", 31, release)
        data = b"".join(map(events.encode, mine))
        yield Slice(f"{release}-{first}", header, 0, len(data), data)
        first += len(mine)
