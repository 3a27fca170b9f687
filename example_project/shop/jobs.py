"""The kinds of work that the shop sends, and what each is going to come to.

The dice of a kind pick arguments and nothing else: so the outcome of every task is known before
it is sent.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from celery import chain, current_app
from celery.canvas import Signature
from celery.result import AsyncResult

from example_project.shop import tasks
from example_project.shop.comparison import NEVER_SENT, Expected, ExpectedGroup

_COLOURS = ("red", "green", "blue", "black", "white")
_SECTIONS = ("orders", "refunds", "stock", "visitors", "mail")
_HOLD_SECONDS = 3.0
_IMPORT = "Not one of everything: it never ends. Terminate it within its limit of a minute."


@dataclass(frozen=True)
class Step:
    """One task of a job."""

    name: str
    outcome: str = "SUCCESS"
    retries: int = 0
    starts: bool = True
    #: Whether a run that starts comes to its own end.
    ends: bool = True
    #: What the task publishes: the key of each child's id, and the child.
    children: tuple[tuple[str, Step], ...] = ()
    #: The key of the id of the group that the children form, if they do.
    group_key: str = ""

    @property
    def runs(self) -> int:
        """How many runs of this task and its children there are going to be."""
        own = self.retries + 1 if self.starts else 0
        return own + sum(child.runs for _, child in self.children)


@dataclass(frozen=True)
class Job:
    """Something to send, its tasks in the order of their ids, and how to treat it."""

    signature: Signature
    steps: tuple[Step, ...]
    options: dict[str, Any] = field(default_factory=dict)
    treatment: Literal["none", "revoke first", "terminate"] = "none"

    @property
    def runs(self) -> int:
        """How many runs of tasks it takes."""
        return sum(step.runs for step in self.steps)


@dataclass(frozen=True)
class Sent:
    """A job that was sent: what to expect, and which tasks to terminate once they run."""

    expected: tuple[Expected, ...]
    groups: tuple[ExpectedGroup, ...]
    to_terminate: tuple[str, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of work, as the page offers it."""

    slug: str
    label: str
    description: str
    #: How often it comes up in a mixed workload, relative to the others.
    weight: int
    make: Callable[[random.Random], Job]
    #: Whether its work ends without anybody's doing.
    ends: bool = True


KINDS: Final[dict[str, Kind]] = {}


def ending() -> list[Kind]:
    """The kinds whose work ends by itself: the others keep a pool process busy."""
    return [kind for kind in KINDS.values() if kind.ends]


def send(job: Job, workers: list[str] | None = None) -> Sent:
    """Sends a job to the broker.

    Args:
        job: What to send.
        workers: Host names of the workers that a revoke is for; ``None`` for all.
    """
    options = dict(job.options)
    if job.treatment == "revoke first":
        options["task_id"] = str(uuid.uuid4())
        current_app.control.revoke(
            options["task_id"], destination=workers, reply=True, limit=1, timeout=2
        )
    result = job.signature.apply_async(**options)
    ids = _ids(result)
    expected = [
        expected
        for task_id, step in zip(ids, job.steps, strict=True)
        for expected in _expectations(task_id, step)
    ]
    to_terminate = ids if job.treatment == "terminate" else []
    return Sent(tuple(expected), tuple(_groups(job, result, ids)), tuple(to_terminate))


def plan(runs: int, dice: random.Random) -> list[Job]:
    """A mixed workload of exactly ``runs`` task runs, one of each kind if they fit.

    What expires goes first: RabbitMQ drops a message that expires in a queue, and no worker
    would ever hear of it.
    """
    kinds = list(KINDS.values())
    weights = [kind.weight for kind in kinds]
    jobs: list[Job] = []
    left = runs
    once = iter(kinds)
    while left > 0:
        kind = next(once, None) or dice.choices(kinds, weights)[0]
        job = kind.make(dice)
        if job.runs > left:
            job = KINDS["document"].make(dice)
        jobs.append(job)
        left -= job.runs
    return sorted(jobs, key=lambda job: "expires" not in job.options)


def _ids(result: AsyncResult) -> list[str]:
    """Ids of a chain from its first task on, of a chord with its body last, or of one task."""
    ids = [result.id]
    parent = result.parent
    while parent is not None:
        members = getattr(parent, "results", None)
        ids[:0] = [member.id for member in members] if members else [parent.id]
        parent = None if members else parent.parent
    return ids


def _expectations(task_id: str, step: Step) -> Iterator[Expected]:
    yield Expected(
        task_id=task_id,
        name=step.name,
        outcome=step.outcome,
        starts=step.retries + 1 if step.starts else 0,
        ends=step.retries + 1 if step.starts and step.ends else 0,
    )
    for key, child in step.children:
        yield from _expectations(tasks.child_id(task_id, key), child)


def _groups(job: Job, result: AsyncResult, ids: list[str]) -> Iterator[ExpectedGroup]:
    if getattr(result.parent, "results", None):
        yield ExpectedGroup(
            result.parent.id, "chord", len(ids) - 1, body_id=ids[-1], body_name=job.steps[-1].name
        )
    for task_id, step in zip(ids, job.steps, strict=True):
        if step.group_key:
            group_id = tasks.child_id(task_id, step.group_key)
            yield ExpectedGroup(group_id, "group", len(step.children))


def _kind(
    slug: str, label: str, description: str, *, weight: int, ends: bool = True
) -> Callable[..., Any]:
    def register(make: Callable[[random.Random], Job]) -> Callable[[random.Random], Job]:
        KINDS[slug] = Kind(slug, label, description, weight, make, ends)
        return make

    return register


def _number(dice: random.Random) -> int:
    return dice.randrange(10_000, 100_000)


def _address(dice: random.Random) -> str:
    return f"customer{_number(dice)}@example.com"


@_kind("order", "Place an order", "A chain: reserve, charge, e-mail a receipt.", weight=20)
def _order(dice: random.Random) -> Job:
    declined = dice.random() < 0.25
    items = {colour: dice.randrange(1, 5) for colour in dice.sample(_COLOURS, 2)}
    signature = chain(
        tasks.reserve_stock.s(_number(dice), items),
        tasks.charge_card.s(
            card_number="4242424242424242",
            card_token=tasks.DECLINED if declined else f"tok_test_{_number(dice)}",
            cents=_number(dice),
        ),
        tasks.email_receipt.s(address=_address(dice)),
    )
    last = Step("shop.email_receipt")
    if declined:
        last = Step("shop.email_receipt", NEVER_SENT, starts=False)
    charge = Step("shop.charge_card", "FAILURE" if declined else "SUCCESS")
    return Job(signature, (Step("shop.reserve_stock"), charge, last))


@_kind("sync", "Sync stock", "Retries with backoff until the warehouse answers, or not.", weight=10)
def _sync(dice: random.Random) -> Job:
    failures = dice.choice((0, 1, 2, tasks.SYNC_RETRIES + 1))
    exhausted = failures > tasks.SYNC_RETRIES
    step = Step(
        "shop.sync_stock",
        "FAILURE" if exhausted else "SUCCESS",
        retries=tasks.SYNC_RETRIES if exhausted else failures,
    )
    return Job(tasks.sync_stock.s(dice.choice(_COLOURS), failures=failures), (step,))


@_kind("gallery", "Resize images", "A chord; one broken image and no gallery.", weight=10)
def _gallery(dice: random.Random) -> Job:
    product = _number(dice)
    images = [f"{product}-{index}.jpg" for index in range(dice.randrange(2, 6))]
    broken = dice.random() < 0.3
    if broken:
        images[dice.randrange(len(images))] += ".broken"
    members = [
        Step("shop.resize_image", "FAILURE" if image.endswith(".broken") else "SUCCESS")
        for image in images
    ]
    body = Step("shop.publish_gallery")
    if broken:
        body = Step("shop.publish_gallery", "PENDING", starts=False)
    return Job(tasks.gallery(product, images, 640), (*members, body))


@_kind("report", "Nightly report", "A task that publishes a group; beat sends it too.", weight=3)
def _report(dice: random.Random) -> Job:
    sections = sorted(dice.sample(_SECTIONS, 3))
    children = tuple((section, Step("shop.report_section")) for section in sections)
    step = Step("shop.nightly_report", children=children, group_key="group")
    return Job(tasks.nightly_report.s(sections), (step,))


@_kind("sale", "Announce a sale", "A task that publishes one task per customer.", weight=4)
def _sale(dice: random.Random) -> Job:
    addresses = sorted({_address(dice) for _ in range(dice.randrange(1, 6))})
    children = tuple((address, Step("shop.send_newsletter")) for address in addresses)
    return Job(tasks.announce_sale.s(addresses), (Step("shop.announce_sale", children=children),))


@_kind("document", "Scan a document", "One task, a small argument.", weight=20)
def _document(dice: random.Random) -> Job:
    text = f"document {_number(dice)}"
    return Job(tasks.scan_document.s(text), (Step("shop.scan_document"),))


@_kind("archive", "Scan an archive", "One task, an argument of 2 MB.", weight=1)
def _archive(dice: random.Random) -> Job:
    text = f"{_number(dice)} " * (2 * 1024 * 1024 // 6)
    return Job(tasks.scan_document.s(text), (Step("shop.scan_document"),))


@_kind("basket", "Audit a basket", "An argument whose repr raises.", weight=5)
def _basket(dice: random.Random) -> Job:
    basket = tasks.Basket({colour: dice.randrange(9) for colour in _COLOURS})
    return Job(tasks.audit_basket.s(basket), (Step("shop.audit_basket"),))


@_kind("search", "Refresh the search", "Ignored: another refresh is under way.", weight=4)
def _search(dice: random.Random) -> Job:
    step = Step("shop.refresh_search", "IGNORED")
    return Job(tasks.refresh_search.s(dice.choice(_COLOURS)), (step,))


@_kind("webhook", "Forward a webhook", "Rejected by the task itself.", weight=4)
def _webhook(dice: random.Random) -> Job:
    step = Step("shop.forward_webhook", "REJECTED")
    return Job(tasks.forward_webhook.s({"event": _number(dice)}), (step,))


@_kind("banner", "Show a banner", "Expires before it starts.", weight=2)
def _banner(dice: random.Random) -> Job:
    return Job(
        tasks.show_banner.s(f"Only {_number(dice)} left!"),
        (Step("shop.show_banner", "REVOKED", starts=False),),
        {"countdown": _HOLD_SECONDS, "expires": _HOLD_SECONDS - 0.5},
    )


@_kind("newsletter", "Cancel a newsletter", "Revoked before it starts.", weight=2)
def _newsletter(dice: random.Random) -> Job:
    step = Step("shop.send_newsletter", "REVOKED", starts=False)
    return Job(tasks.send_newsletter.s(_address(dice)), (step,), treatment="revoke first")


@_kind("prices", "Recalculate prices", "Killed at its hard time limit of a second.", weight=1)
def _prices(dice: random.Random) -> Job:
    step = Step("shop.recalculate_prices", "FAILURE", ends=False)
    return Job(tasks.recalculate_prices.s(dice.choice(_COLOURS)), (step,))


@_kind("import", "Import a catalogue", _IMPORT, weight=1, ends=False)
def _import(dice: random.Random) -> Job:
    step = Step("shop.import_catalogue", "REVOKED", ends=False)
    job = tasks.import_catalogue.s(f"supplier {_number(dice)}")
    return Job(job, (step,), treatment="terminate")
