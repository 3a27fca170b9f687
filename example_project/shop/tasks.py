"""What the shop does in the background. How each task ends follows from its arguments alone.

What a task ``throws`` by design is no error in the worker's log, and has no traceback there.
"""

from __future__ import annotations

import hashlib
import threading
import uuid
from typing import Any, Never

from celery import Task, chord, group, shared_task
from celery.exceptions import Ignore, Reject, Retry
from django.core.mail import send_mail

from example_project.shop import ledger

#: A token that is always declined, as payment providers offer for tests.
DECLINED = "tok_test_declined"
#: Retries that a stock sync may take.
SYNC_RETRIES = 3


class CardDeclined(Exception):  # noqa: N818 (a refusal, not a mistake)
    """The bank would not pay."""


class BrokenImage(ValueError):  # noqa: N818 (names the thing)
    """The file is not an image."""


class WarehouseAway(ConnectionError):  # noqa: N818 (names the state)
    """The warehouse does not answer."""


class Basket(dict[str, Any]):
    """Goods in a basket. Nobody may print one."""

    def __repr__(self) -> str:
        raise RuntimeError("a basket has no repr")


class ShopTask(Task):
    """Keeps the ledger around each run."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Runs the task; where a worker does, with a line in the ledger before and after."""
        request = self.request
        if request.called_directly:
            return self.run(*args, **kwargs)
        run = (request.id, self.name, request.retries)
        ledger.start(*run)
        try:
            result = self.run(*args, **kwargs)
        except Exception as error:
            ledger.end(*run, _outcome(error))
            raise
        ledger.end(*run, "SUCCESS")
        return result


def _outcome(error: Exception) -> str:
    for kind, outcome in ((Retry, "RETRY"), (Ignore, "IGNORED"), (Reject, "REJECTED")):
        if isinstance(error, kind):
            return outcome
    return "FAILURE"


def child_id(parent_id: str, key: object) -> str:
    """The id of what the task ``parent_id`` publishes under ``key``: known before it does."""
    return str(uuid.uuid5(uuid.UUID(parent_id), str(key)))


@shared_task(base=ShopTask, name="shop.reserve_stock")
def reserve_stock(order: int, items: dict[str, int]) -> int:
    """First step of an order."""
    return order


@shared_task(base=ShopTask, name="shop.charge_card", throws=(CardDeclined,))
def charge_card(order: int, *, card_number: str, card_token: str, cents: int) -> int:
    """Second step of an order; a declined card ends it."""
    if card_token == DECLINED:
        raise CardDeclined(f"order {order}: card ending in {card_number[-4:]} was declined")
    return order


@shared_task(base=ShopTask, name="shop.email_receipt")
def email_receipt(order: int, *, address: str) -> str:
    """Last step of an order."""
    send_mail(f"Your order {order}", "Thank you!", "shop@example.com", [address])
    return address


@shared_task(
    base=ShopTask,
    name="shop.sync_stock",
    bind=True,
    max_retries=SYNC_RETRIES,
    throws=(WarehouseAway,),
)
def sync_stock(self: Task, sku: str, *, failures: int) -> int:
    """Asks a warehouse that does not answer the first ``failures`` times."""
    attempt = self.request.retries
    if attempt < failures:
        away = WarehouseAway(f"{sku}: no answer to attempt {attempt + 1}")
        raise self.retry(exc=away, countdown=0.1 * 2**attempt)
    return attempt


@shared_task(base=ShopTask, name="shop.resize_image", throws=(BrokenImage,))
def resize_image(image: str, width: int) -> str:
    """Member of a chord; a broken image fails, and the gallery is never published."""
    if image.endswith(".broken"):
        raise BrokenImage(image)
    return f"{image}@{width}"


@shared_task(base=ShopTask, name="shop.publish_gallery")
def publish_gallery(images: list[str], *, product: int) -> int:
    """Body of a chord: runs when all the images of a product are there."""
    return len(images)


def gallery(product: int, images: list[str], width: int) -> chord:
    """All images of a product, and then its gallery."""
    return chord(
        [resize_image.s(image, width) for image in images], publish_gallery.s(product=product)
    )


@shared_task(base=ShopTask, name="shop.report_section")
def report_section(section: str) -> int:
    """Member of a group: one part of the nightly report."""
    return len(section)


@shared_task(base=ShopTask, name="shop.nightly_report", bind=True)
def nightly_report(self: Task, sections: list[str]) -> int:
    """Publishes a group, one task per section."""
    parent = self.request.id
    parts = [report_section.s(name).set(task_id=child_id(parent, name)) for name in sections]
    group(parts).apply_async(task_id=child_id(parent, "group"))
    return len(parts)


@shared_task(base=ShopTask, name="shop.send_newsletter")
def send_newsletter(address: str) -> str:
    """One message of a sale's announcement."""
    send_mail("Sale!", "Everything must go.", "shop@example.com", [address])
    return address


@shared_task(base=ShopTask, name="shop.announce_sale", bind=True)
def announce_sale(self: Task, addresses: list[str]) -> int:
    """Publishes a task for each address, and waits for none."""
    for address in addresses:
        send_newsletter.apply_async(
            args=[address], task_id=child_id(self.request.id, address), ignore_result=True
        )
    return len(addresses)


def _forever() -> Never:
    never = threading.Event()
    while True:
        never.wait(0.05)


@shared_task(base=ShopTask, name="shop.import_catalogue", time_limit=60)
def import_catalogue(supplier: str) -> Never:
    """Never comes to an end: it is terminated, or runs into its time limit of a minute."""
    _forever()


@shared_task(base=ShopTask, name="shop.recalculate_prices", time_limit=1)
def recalculate_prices(region: str) -> Never:
    """Runs into its hard time limit of a second."""
    _forever()


@shared_task(base=ShopTask, name="shop.scan_document")
def scan_document(document: str) -> str:
    """Takes the whole document as its argument."""
    return hashlib.sha256(document.encode()).hexdigest()


@shared_task(base=ShopTask, name="shop.audit_basket")
def audit_basket(basket: dict[str, Any]) -> Basket:
    """Takes and returns an object whose repr raises."""
    return Basket(basket)


@shared_task(base=ShopTask, name="shop.refresh_search")
def refresh_search(index: str) -> Never:
    """Finds that another refresh is under way, and leaves no result."""
    raise Ignore


@shared_task(base=ShopTask, name="shop.forward_webhook", acks_late=True)
def forward_webhook(payload: dict[str, Any]) -> Never:
    """Refuses its message."""
    raise Reject("unknown sender", requeue=False)


@shared_task(base=ShopTask, name="shop.show_banner")
def show_banner(text: str) -> str:
    """Worth nothing when it comes too late: it is sent with a moment of expiry."""
    return text
