"""What follows from what, in an order and as a nested list. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

N = TypeVar("N")

#: How deep lists are nested, at most: what is deeper stands beside what it would stand in.
DEPTH: Final = 8


@dataclass(eq=False)
class Item(Generic[N]):
    """A node with the branches that lead off from it, each a list of what comes in a row."""

    node: N
    branches: list[list[Item[N]]] = field(default_factory=list)


def ordered(
    after: Sequence[dict[int, None]],
    before: Sequence[dict[int, None]],
) -> list[int]:
    """The numbers, each before all that follow it; what leads back in a circle is cut.

    Args:
        after: What follows each; of several, the one of the smallest number comes first.
        before: What leads to each; cut likewise.
    """
    done: list[int] = []
    state = [0] * len(after)  # 1: on the way that is followed, 2: done
    starts = [number for number in range(len(after)) if not before[number]]
    for start in (*reversed(starts), *range(len(after))):
        if state[start]:
            continue
        state[start] = 1
        way = [(start, iter(sorted(after[start], reverse=True)))]
        while way:
            number, rest = way[-1]
            following = next(rest, None)
            if following is None:
                state[number] = 2
                done.append(number)
                way.pop()
            elif state[following] == 1:
                del after[number][following]
                del before[following][number]
            elif not state[following]:
                state[following] = 1
                way.append((following, iter(sorted(after[following], reverse=True))))
    return done[::-1]


def outline(nodes: Sequence[N], before: Callable[[N], Iterable[N]]) -> list[Item[N]]:
    """Nodes in a row, with branches where several follow one.

    Each stands below the last node that all ways to it lead through; where branches come together
    again, on goes the row that they left.

    Args:
        nodes: Each before all that follow it.
        before: What leads to a node.
    """
    place = {id(node): number for number, node in enumerate(nodes, 1)}
    above = [0] * (len(nodes) + 1)  # 0 stands for the beginning of all
    for number, node in enumerate(nodes, 1):
        known = [place[id(one)] for one in before(node)]
        found = known[0] if known else 0
        for other in known[1:]:
            while found != other:
                found, other = (above[found], other) if found > other else (found, above[other])
        above[number] = found
    below: list[list[int]] = [[] for _ in above]
    for number in range(1, len(above)):
        below[above[number]].append(number)
    items = [Item(node) for node in nodes]
    rows: list[list[Item[N]]] = [[]] * len(above)
    depths = [0] * len(above)
    whole: list[Item[N]] = []
    rows[0] = whole
    for number, children in enumerate(below):
        for child in children:
            goes_on = len(children) == 1 or len(list(before(nodes[child - 1]))) > 1
            if number == 0 or goes_on or depths[number] >= DEPTH:
                rows[child], depths[child] = rows[number], depths[number]
                continue
            rows[child], depths[child] = [], depths[number] + 1
            items[number - 1].branches.append(rows[child])
    for number, item in enumerate(items, 1):
        rows[number].append(item)
    return whole
