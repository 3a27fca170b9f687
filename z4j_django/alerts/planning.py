"""Whom to tell what, now: from what holds, and from what was told. Pure.

What one rule tells one channel of problems with one cause is a notice. It is open from the first
of its problems to the end of the last. A problem waits in one that is not told yet, for as long
as the rule has it wait: that is when the problems of one cause find each other. What comes later
joins the notice of its cause, and is told again only where it says more than what was told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from z4j_django.alerts.causes import Family, Place, becomes

#: Problems of one condition, or causes of any, that are told one by one; more are one message.
FEW: Final = 5
SOME: Final = 10
#: How long a notice without a cause of its own gathers, before what joined it is told.
GATHER: Final = timedelta(minutes=5)
#: What stands for the subject of a notice of many, and for the key where they are of all kinds.
MANY: Final = "*"
_RANK: Final = {"warning": 0, "critical": 1}

#: What is done to a notice: told, told again, told that it is over; nothing but kept in mind.
Act = Literal["tell", "repeat", "resolve", "keep"]


@dataclass(frozen=True)
class Holding:
    """A problem that holds.

    Attributes:
        place: Which.
        severity: How bad it is.
        names: What patterns are compared with: its subject, and the task that it is about.
    """

    place: Place
    severity: str
    names: Collection[str] = ()


@dataclass
class Member:
    """A problem in a notice.

    Attributes:
        place: Which.
        seen_at: When it was first to be told.
        severity: How bad it was when it was told.
        is_told: Whether it was.
        note: What is said of it besides.
    """

    place: Place
    seen_at: datetime
    severity: str = "warning"
    is_told: bool = False
    note: str = ""


@dataclass
class Notice:
    """What one channel is told of problems with one cause.

    Attributes:
        root: The cause, or what stands for many.
        members: The problems, by what they are.
        told_at: When it was last told; ``None`` while it never was.
        named: Causes that were named, beside the problems.
        row: What is stored of it; nothing of a new one.
    """

    root: Place
    members: dict[Place, Member] = field(default_factory=dict)
    told_at: datetime | None = None
    named: set[Place] = field(default_factory=set)
    row: Any = None

    @property
    def severity(self) -> str:
        """The worst of its problems, as they were told; or will be, where none was."""
        told = [one.severity for one in self.members.values() if one.is_told]
        return worst(told or [one.severity for one in self.members.values()])

    @property
    def opened_at(self) -> datetime:
        """When the first of its problems was seen."""
        return min(one.seen_at for one in self.members.values())


def worst(severities: Iterable[str]) -> str:
    """The worst of some; a warning, where there are none."""
    return max(severities, key=lambda one: _RANK.get(one, 0), default="warning")


@dataclass(frozen=True)
class Terms:
    """How a rule wants it.

    Attributes:
        after: How long a problem waits.
        repeats_after: Seconds after which what is so bad is told again; 0: never.
        is_quiet: Whether nothing so bad is told now.
    """

    after: timedelta
    repeats_after: Callable[[str], float]
    is_quiet: Callable[[str], bool]


@dataclass(frozen=True)
class Decision:
    """What is done to a notice."""

    act: Act
    notice: Notice


@dataclass(frozen=True)
class Plan:
    """What one rule does with one channel.

    Attributes:
        decisions: What is done, to each notice that stays, or that is told the last time.
        gone: Notices that are forgotten: nobody was told of them.
    """

    decisions: Sequence[Decision]
    gone: Sequence[Notice]


def plan(
    now: datetime,
    wanted: Mapping[Place, Holding],
    silenced: Collection[Place],
    notes: Mapping[Place, str],
    family: Family,
    holding: Mapping[Place, Holding],
    notices: Iterable[Notice],
    terms: Terms,
) -> Plan:
    """Whom to tell what of one rule's problems by one channel.

    Args:
        now: The moment.
        wanted: The problems that the rule is about.
        silenced: Those of them that nobody is told of for now.
        notes: What is said of a problem besides, when it is told.
        family: Which problems explain which.
        holding: All problems that hold.
        notices: Those that are open.
        terms: How the rule wants it.
    """
    told = [one for one in notices if one.told_at is not None]
    untold = [one for one in notices if one.told_at is None]
    known = {place for one in told for place in one.members}
    fresh = _waiting(now, wanted, silenced, notes, known, untold)
    joined = _join(fresh, told, family, holding)
    decisions = [_of_told(now, one, joined, holding, silenced, family, terms) for one in told]
    new = _grouped([one for one in fresh.values() if one.place not in joined], family, untold)
    for notice in new:
        waits = now - notice.opened_at < terms.after
        act: Act = "keep" if waits or terms.is_quiet(notice.severity) else "tell"
        decisions.append(Decision(act, notice))
    kept = {id(one) for one in new}
    return Plan(decisions, [one for one in untold if id(one) not in kept])


def _waiting(
    now: datetime,
    wanted: Mapping[Place, Holding],
    silenced: Collection[Place],
    notes: Mapping[Place, str],
    known: Collection[Place],
    untold: Iterable[Notice],
) -> dict[Place, Member]:
    """What is to be told, and was not yet; each since it was first seen."""
    before = {place: one for notice in untold for place, one in notice.members.items()}
    found = {}
    for place, one in wanted.items():
        if place in known or place in silenced:
            continue
        member = before.get(place) or Member(place, now)
        member.severity = one.severity
        member.note = notes.get(place, member.note)
        found[place] = member
    return found


def _join(
    fresh: Mapping[Place, Member],
    told: Sequence[Notice],
    family: Family,
    holding: Mapping[Place, Holding],
) -> dict[Place, Notice]:
    """To which notice that was told a new problem belongs, if to any."""
    by_root: dict[Place, Notice] = {}
    for notice in told:
        by_root.setdefault(notice.root, notice)
        for place in (*notice.members, *notice.named):
            if place in holding:
                by_root.setdefault(family.root(place), notice)
    joined = {}
    for place in fresh:
        root = family.root(place)
        many = Place(root.key, MANY), Place(MANY, MANY)
        if found := next((by_root[one] for one in (root, *many) if one in by_root), None):
            joined[place] = found
    return joined


def _of_told(
    now: datetime,
    notice: Notice,
    joined: Mapping[Place, Notice],
    holding: Mapping[Place, Holding],
    silenced: Collection[Place],
    family: Family,
    terms: Terms,
) -> Decision:
    new = [place for place, one in joined.items() if one is notice]
    for place in new:
        notice.members[place] = Member(place, now, holding[place].severity)
    left = [place for place in notice.members if place in holding]
    if not left:
        return Decision("keep" if terms.is_quiet(notice.severity) else "resolve", notice)
    bad = worst(holding[place].severity for place in left)
    says_more = _says_more(now, notice, left, family, terms)
    if terms.is_quiet(bad) or set(left) <= set(silenced):
        return Decision("keep", notice)
    if says_more or _RANK[bad] > _RANK[notice.severity]:
        return Decision("tell", notice)
    every = terms.repeats_after(bad)
    since = now - (notice.told_at or now)
    return Decision("repeat" if 0 < every <= since.total_seconds() else "keep", notice)


def _says_more(
    now: datetime, notice: Notice, left: Iterable[Place], family: Family, terms: Terms
) -> bool:
    """Whether there is more to say than whoever was told expects.

    That is a cause that was not named; or what has none, once it has held for long enough without
    one. Of many there is more to say every now and then.
    """
    members = notice.members
    known = {place for place, one in members.items() if one.is_told} | notice.named
    is_many = notice.root.subject == MANY
    patience = GATHER if is_many else terms.after
    says_more = False
    for place in left:
        cause = family.root(place)
        if cause not in known and any(becomes(one, cause) for one in known):
            notice.named.add(cause)
            known.add(cause)
        if cause != place and cause in known:
            members[place].seen_at = now  # it waits anew, should its cause end before it
        elif cause != place or place not in known:
            since = (notice.told_at or now) if is_many else members[place].seen_at
            says_more |= now - since >= patience or (cause != place and not is_many)
    return says_more


def _grouped(fresh: Iterable[Member], family: Family, untold: Iterable[Notice]) -> list[Notice]:
    """Notices of problems that nobody was told of, one for each cause; of many causes one."""
    by_root: dict[Place, dict[Place, Member]] = {}
    for one in fresh:
        by_root.setdefault(family.root(one.place), {})[one.place] = one
    by_root = _gathered(by_root, lambda root: Place(root.key, MANY), FEW)
    by_root = _gathered(by_root, lambda root: Place(MANY, MANY), SOME)
    rows = {one.root: one for one in untold}
    found = []
    for root, members in by_root.items():
        notice = rows.get(root) or Notice(root)
        notice.members = members
        found.append(notice)
    return found


def _gathered(
    by_root: Mapping[Place, dict[Place, Member]], many: Callable[[Place], Place], few: int
) -> dict[Place, dict[Place, Member]]:
    """The same, with one group in place of those that are more than a few of one kind."""
    counts: dict[Place, int] = {}
    for root in by_root:
        counts[many(root)] = counts.get(many(root), 0) + 1
    found: dict[Place, dict[Place, Member]] = {}
    for root, members in by_root.items():
        place = many(root) if counts[many(root)] > few else root
        found.setdefault(place, {}).update(members)
    return found
