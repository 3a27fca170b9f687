"""Links of the API's schema: which answer leads to which other route.

Clients that follow links, and the tests that do so without end, learn from these how an id travels.
"""

from __future__ import annotations

from typing import Any, Final

_BODY: Final = "$response.body#"

Links = dict[str, dict[str, Any]]


def _link(operation_id: str, description: str, **parameters: str) -> dict[str, Any]:
    return {"operationId": operation_id, "description": description, "parameters": parameters}


_TASK: Final = {
    "events": ("tasks_events", "Its timeline."),
    "graph": ("tasks_graph", "The workflow that it belongs to."),
    "retry": ("tasks_retry", "Publish its message again."),
    "cancel": ("tasks_cancel", "Have the workers throw it away."),
    "terminate": ("tasks_terminate", "And kill the process that runs it."),
}
_GROUP: Final = {
    "graph": ("groups_graph", "Its workflow."),
    "retry": ("groups_retry", "Run it again."),
}
_OPERATION: Final = {
    "operation": ("operations_retrieve", "How it stands."),
    "targets": ("operations_targets", "The outcome of each target."),
    "abort": ("operations_abort", "Stop it before its next target."),
}


def _of(targets: dict[str, tuple[str, str]], parameter: str) -> Links:
    return {
        name: _link(operation_id, told, **{parameter: f"{_BODY}/{parameter}"})
        for name, (operation_id, told) in targets.items()
    }


#: By operation: the links of its good answer. Lists have none, as they may be empty.
LINKS: Final[dict[str, Links]] = {
    "tasks_retrieve": _of(_TASK, "task_id"),
    "groups_retrieve": _of(_GROUP, "group_id"),
    "operations_retrieve": _of(_OPERATION, "id"),
}


def links(operation_id: str, status: int) -> Links:
    """The links of the good answer of an operation; with 202 that is an operation on record."""
    is_begun = status == 202 and operation_id != "operations_abort"
    return LINKS.get("operations_retrieve" if is_begun else operation_id, {})
