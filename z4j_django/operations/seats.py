"""Who sits where in a group: the runs of its members, by their index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from z4j_django.exceptions import OperationError
from z4j_django.models import GroupRecord, TaskRecord
from z4j_django.operations import retry_chains, workflow

#: Steps of a chain that are walked back.
_STEPS: Final = 20
#: Members that a sentence names.
_NAMED: Final = 5


class Seats:
    """Arranges the members of groups.

    Args:
        chains: The retry chains of the members.
        message_of: Opens the message of a task; ``None`` where that can't be.
    """

    def __init__(
        self,
        chains: retry_chains.RetryChains,
        message_of: Callable[[TaskRecord], workflow.Message | None],
    ) -> None:
        self._chains = chains
        self._message_of = message_of

    def arranged(self, group: GroupRecord, members: list[TaskRecord]) -> list[list[TaskRecord]]:
        """The runs on record at each index of a group, the newest first.

        Raises:
            OperationError: If members are not on record, or their places are not.
        """
        seats: dict[int, dict[str, TaskRecord]] = defaultdict(dict)
        for member in members:
            place = self._place(member)
            if place is None:
                raise OperationError(f"The place of member {member.task_id} is not on record.")
            seat = seats[place]
            if member.task_id in seat:
                continue
            if seat and not self._is_repeated(member):
                if self._is_beside(member, seat):
                    continue
                raise OperationError(
                    f"Two members of {group.group_id} have the index {place}: one of them is a "
                    "chain that ends in a group, which can't be put together again."
                )
            seat.update((run.task_id, run) for run in self._chains.runs(member))
        size = max(group.size, 1 + max(seats, default=-1))
        gone = [index for index in range(size) if index not in seats]
        if gone or not seats:
            named = ", ".join(map(str, gone[:_NAMED])) + (" ..." if len(gone) > _NAMED else "")
            raise OperationError(
                f"Of the {size} members of {group.group_id}, {len(gone)} are not on record "
                f"(index {named}): their records were pruned, or not kept."
            )
        return [sorted(seats[index].values(), key=lambda one: -one.pk) for index in range(size)]

    def _place(self, member: TaskRecord) -> int | None:
        """Its index; of a chain that ends in a group, and did not come so far, the chain's."""
        if (last := self._last_group(member)) is None:
            return member.group_index
        index = last["options"].get("group_index")
        return index if isinstance(index, int) else member.group_index

    def _is_beside(self, member: TaskRecord, seat: Mapping[str, TaskRecord]) -> bool:
        """Whether the same chain, which did not come so far, ends in it and in who has the seat."""
        parents = {one.parent_id for one in seat.values()}
        return self._last_group(member) is not None and parents == {member.parent_id}

    def _last_group(self, member: TaskRecord) -> Mapping[str, Any] | None:
        """The group that ends the chain of a member which was never sent."""
        carrier = (
            None if retry_chains.is_published(member) else self._chains.record(member.parent_id)
        )
        message = self._message_of(carrier) if carrier is not None else None
        last = message.rest[0] if message is not None and message.rest else {}
        ends_in_it = last.get("subtask_type") == "group"
        return (
            last if ends_in_it and member.task_id in workflow.carried({"chain": [last]}) else None
        )

    def _is_repeated(self, record: TaskRecord) -> bool:
        """Whether an operation published a task, or a step before it in its chain."""
        found: TaskRecord | None = record
        for _ in range(_STEPS):
            if found is None or found.operation is not None:
                break
            found = self._chains.record(found.parent_id)
        return found is not None and found.operation is not None
