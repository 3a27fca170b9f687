"""A workflow as people see it: its steps from the first to the last, and what is alike as one.

A task and its retries are one step, of which the newest says how it stands. Steps that are alike,
such as the members of a large group, are one node. Pure: all of it is made of a graph.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from z4j_django.queries import outlines, steps, tasks
from z4j_django.queries.graphs import Graph
from z4j_django.queries.steps import NEVER_SENT, NOT_SENT, WORDS, Step
from z4j_django.states import UNFINISHED

#: From how many on steps that are alike are folded into one node.
FOLD_FROM: Final = 6
#: Opens all that is folded.
EVERYTHING: Final = "all"


@dataclass(eq=False)
class Node:
    """What is shown in one place: a step, or several that are alike.

    Attributes:
        steps: In their order. None, where all that leads here has to end before any of what
            follows begins: the end of a chord's header that is not one node.
        before: The nodes that lead here.
        after: Those that follow.
    """

    steps: list[Step]
    before: list[Node] = field(default_factory=list)
    after: list[Node] = field(default_factory=list)

    @property
    def key(self) -> str:
        """Names it, as long as what it is made of does not change."""
        return self.steps[0].task.task_id if self.steps else ""

    @property
    def is_folded(self) -> bool:
        """Whether it stands for several steps."""
        return len(self.steps) > 1

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many of its steps stand how."""
        found = Counter(step.word for step in self.steps)
        return [(word, found[word]) for word in WORDS if found[word]]

    @property
    def is_critical(self) -> bool:
        """Whether the way that took longest leads through it."""
        return any(step.is_critical for step in self.steps)


@dataclass(frozen=True)
class Flow:
    """A workflow.

    Attributes:
        steps: In the order in which they began to wait; what never did comes last.
        nodes: Each before all that follow it.
        path: The steps on the way that took longest.
        more: Whether there is more of it on record than this.
    """

    steps: list[Step]
    nodes: list[Node]
    path: list[Step]
    more: bool

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many steps stand how."""
        return Node(self.steps).counts

    @property
    def begins(self) -> datetime | None:
        """When the first of it was sent."""
        return min((step.begins for step in self.steps if step.begins), default=None)

    @property
    def ends(self) -> datetime | None:
        """When the last of it ended; now, where something of it runs."""
        return max((step.ends for step in self.steps if step.ends), default=None)

    @property
    def goes_on(self) -> bool:
        """Whether something of it runs, or is still to come."""
        return any(step.word in (*UNFINISHED, NOT_SENT) for step in self.steps)

    def outline(self) -> list[outlines.Item[Node]]:
        """The nodes as a nested list."""
        return outlines.outline(self.nodes, lambda node: node.before)


def flow(graph: Graph, now: datetime, opened: Collection[str] = ()) -> Flow:
    """The flow of a graph.

    Args:
        graph: All that hangs together.
        now: The moment up to which it is told.
        opened: Ids of tasks whose nodes are not to be folded; :data:`EVERYTHING` for all.
    """
    net = _Net(graph, now)
    path = list(net.longest_way())
    for step in path:
        step.is_critical = True
    nodes = net.folded(opened)
    timed = (step for step in net.steps if step.begins is not None)
    rest = [step for step in net.steps if step.begins is None]
    ordered = sorted(timed, key=lambda step: (step.begins, step.ends or now))
    return Flow([*ordered, *rest], nodes, path, graph.more)


class _Net:
    """The steps and the ends of chords' headers by number, with what leads from which to which.

    Attributes:
        steps: By their numbers; the ends of headers have those beyond.
    """

    def __init__(self, graph: Graph, now: datetime) -> None:
        self._now = now
        self._superseded = {edge.source for edge in graph.edges if edge.kind == "retry"}
        self.steps, self._number = steps.collected(graph)
        self._joints: list[str] = []
        count = len(self.steps) + sum(edge.kind == "body" for edge in graph.edges)
        self._after: list[dict[int, None]] = [{} for _ in range(count)]
        self._before: list[dict[int, None]] = [{} for _ in range(count)]
        self._link(graph)
        self._order = outlines.ordered(self._after, self._before)
        self._say()

    def _link(self, graph: Graph) -> None:
        members: dict[str, list[int]] = {}
        parents: dict[int, list[int]] = {}
        for edge in graph.edges:
            if edge.kind == "member" and edge.target in self._number:
                number = self._number[edge.target]
                members.setdefault(edge.source, []).append(number)
                # Of several retries the first says so: others run in a group of their own.
                self.steps[number].group_id = self.steps[number].group_id or edge.source
            elif edge.kind == "parent":
                self._add_parent(parents, edge.source, edge.target)
        fed = self._link_chords(graph, members, parents)
        for target, sources in parents.items():
            for source in sources:
                if (source, target) not in fed:
                    self._add(source, target)
        for edge in graph.edges:
            if edge.kind == "next" and edge.source not in self._superseded:
                self._add(self._number.get(edge.source), self._number.get(edge.target))

    def _add_parent(self, parents: dict[int, list[int]], source: str, target: str) -> None:
        first, second = self._number.get(source), self._number.get(target)
        if first is not None and second is not None and first != second:
            parents.setdefault(second, []).append(first)

    def _link_chords(
        self, graph: Graph, members: dict[str, list[int]], parents: dict[int, list[int]]
    ) -> set[tuple[int, int]]:
        """Lead from chords' headers to their bodies; which parents are told by that."""
        fed: set[tuple[int, int]] = set()
        for edge in graph.edges:
            if edge.kind != "body":
                continue
            header = dict.fromkeys(members.get(edge.source, ()))
            if (task := self._number.get(edge.target)) is not None:
                targets = [task]
            else:
                inside = members.get(edge.target, ())
                targets = [self._first_of(one, header, parents) for one in inside]
            joint = len(self.steps) + len(self._joints)
            self._joints.append(edge.source)
            for number in header:
                self._add(number, joint)
            for number in dict.fromkeys(targets):
                self._add(joint, number)
                fed |= {(one, number) for one in header}
        return fed

    def _first_of(self, number: int, header: Collection[int], parents: dict[int, list[int]]) -> int:
        """The first step of the chain at whose end a member of a chord's body is."""
        seen = {number}
        while above := [one for one in parents.get(number, ()) if one not in header]:
            if len(above) > 1 or above[0] in seen:
                break
            number = above[0]
            seen.add(number)
        return number

    def _add(self, source: int | None, target: int | None) -> None:
        if source is not None and target is not None and source != target:
            self._after[source][target] = None
            self._before[target][source] = None

    def _say(self) -> None:
        """Fill in how each step stands, those before it first."""
        never = set[int]()
        for number in self._order:
            before = self._before[number]
            ended_badly = any(one in never for one in before)
            if number >= len(self.steps):
                if ended_badly:
                    never.add(number)
                continue
            step = self.steps[number]
            steps.tell(step, self._now, ended_badly, bool(before))
            if step.word == NEVER_SENT or _is_bad(step):
                never.add(number)

    def longest_way(self) -> Iterator[Step]:
        """Back from what ended last, each time to what ended last of what leads there."""
        timed = [number for number, step in enumerate(self.steps) if step.ends is not None]
        found: list[int] = []
        while timed:
            found.append(max(timed, key=lambda number: self.steps[number].ends))  # type: ignore[arg-type,return-value]
            timed = [one for one in self._leading_to(found[-1]) if self.steps[one].ends]
        return (self.steps[number] for number in reversed(found))

    def _leading_to(self, number: int) -> Iterator[int]:
        for one in self._before[number]:
            if one < len(self.steps):
                yield one
            else:
                yield from (two for two in self._before[one] if two < len(self.steps))

    def folded(self, opened: Collection[str]) -> list[Node]:
        """The nodes, each before all that follow it."""
        alike: dict[tuple[int, int], list[int]] = {}
        for number, kind in self._kinds().items():
            alike.setdefault(kind, []).append(number)
        node_of: dict[int, Node] = {}
        nodes: list[Node] = []
        for numbers in alike.values():
            some = [self.steps[number] for number in numbers if number < len(self.steps)]
            is_open = EVERYTHING in opened or any(s.task.task_id in opened for s in some)
            if len(some) >= FOLD_FROM and not is_open:
                # In the order of their places in the group.
                numbers.sort(key=lambda number: _place(self.steps[number]))
                nodes.append(Node([self.steps[number] for number in numbers]))
                node_of.update(dict.fromkeys(numbers, nodes[-1]))
                continue
            for number in numbers:
                nodes.append(Node([self.steps[number]] if number < len(self.steps) else []))
                node_of[number] = nodes[-1]
        self._link_nodes(node_of)
        _leave_out_joints(nodes)
        return _in_order([node for node in nodes if node.steps or node.before])

    def _link_nodes(self, node_of: dict[int, Node]) -> None:
        seen: set[tuple[int, int]] = set()
        for source in self._order:
            for target in self._after[source]:
                first, second = node_of[source], node_of[target]
                if first is not second and (id(first), id(second)) not in seen:
                    seen.add((id(first), id(second)))
                    first.after.append(second)
                    second.before.append(first)

    def _kinds(self) -> dict[int, tuple[int, int]]:
        """What each is like: by its name and group, and what leads there and what follows."""
        own = [hash((step.name, step.group_id)) for step in self.steps]
        own += [hash(("", group_id, "joint")) for group_id in self._joints]
        before, after = list(own), list(own)
        for number in self._order:
            above = frozenset(before[one] for one in self._before[number])
            before[number] = hash((own[number], above))
        for number in reversed(self._order):
            below = frozenset(after[one] for one in self._after[number])
            after[number] = hash((own[number], below))
        return {number: (before[number], after[number]) for number in self._order}


def _is_bad(step: Step) -> bool:
    return step.task.record is not None and tasks.is_bad_end(step.task.record)


def _place(step: Step) -> tuple[bool, int]:
    record = step.task.record
    index = record.group_index if record is not None else None
    return index is None, index or 0


def _in_order(nodes: Sequence[Node]) -> list[Node]:
    place = {id(node): number for number, node in enumerate(nodes)}
    after = [{place[id(one)]: None for one in node.after} for node in nodes]
    before = [{place[id(one)]: None for one in node.before} for node in nodes]
    return [nodes[number] for number in outlines.ordered(after, before)]


def _leave_out_joints(nodes: Sequence[Node]) -> None:
    """Where one node leads to a joint, or one follows it, the lines may go straight through."""
    for node in nodes:
        if node.steps or (len(node.before) > 1 and len(node.after) > 1):
            continue
        for one in node.before:
            one.after = [two for two in one.after if two is not node]
            one.after += [two for two in node.after if two not in one.after]
        for one in node.after:
            one.before = [two for two in one.before if two is not node]
            one.before += [two for two in node.before if two not in one.before]
        node.before, node.after = [], []
