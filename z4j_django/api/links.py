"""Links of the schema: which answer leads to which other route.

Clients that follow links, and the tests that do so without end, learn from these how an id or a
cursor travels.
"""

from __future__ import annotations

from typing import Any, Final

_BODY: Final = "$response.body#"


def _link(operation_id: str, description: str, **parameters: str) -> dict[str, Any]:
    return {
        "operationId": operation_id,
        "description": description,
        "parameters": parameters,
    }


_FROM_A_TASK: Final = {
    "events": ("tasks_events", "Its timeline."),
    "graph": ("tasks_graph", "The workflow that it belongs to."),
    "retry": ("tasks_retry", "Publish its message again."),
    "cancel": ("tasks_cancel", "Have the workers throw it away."),
    "terminate": ("tasks_terminate", "And kill the process that runs it."),
}


def _of_task(pointer: str) -> dict[str, Any]:
    return {
        name: _link(operation_id, description, task_id=f"{_BODY}{pointer}")
        for name, (operation_id, description) in _FROM_A_TASK.items()
    }


def _of_operation(pointer: str) -> dict[str, Any]:
    number = f"{_BODY}{pointer}"
    return {
        "operation": _link("operations_retrieve", "How it stands.", id=number),
        "targets": _link("operations_targets", "The outcome of each target.", id=number),
        "abort": _link("operations_abort", "Stop it before its next target.", id=number),
    }


#: By operation: the links of its good answer. Lists have none, as they may be empty.
LINKS: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "tasks_retrieve": _of_task("/task_id"),
    "groups_retrieve": {
        "graph": _link("groups_graph", "Its workflow.", group_id=f"{_BODY}/group_id"),
        "retry": _link("groups_retry", "Run it again.", group_id=f"{_BODY}/group_id"),
    },
    "operations_retrieve": _of_operation("/id"),
}

#: What answers with an operation on record.
_ACTS: Final = (
    "tasks_retry",
    "tasks_cancel",
    "tasks_terminate",
    "groups_retry",
    "queues_purge",
    "queues_restore",
    "operations_create",
)


def add(operation: dict[str, Any]) -> None:
    """Adds to an operation of the document the links of its good answer."""
    name = operation["operationId"]
    if name in _ACTS:
        operation["responses"]["202"]["links"] = _of_operation("/id")
    elif name in LINKS:
        operation["responses"]["200"]["links"] = LINKS[name]
