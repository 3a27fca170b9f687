"""A step of a worker's consumer: it runs whatever the worker's flags, and whoever made the worker.

Celery sends ``worker_ready`` for those workers alone that were started as programs,
``worker_shutdown`` for no worker that is terminated, and no heartbeat where a flag says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import bootsteps


def step(
    on_start: Callable[..., None], on_stop: Callable[..., None]
) -> type[bootsteps.StartStopStep]:
    """The step, for ``app.steps["consumer"]``.

    Args:
        on_start: Told of a consumer that takes tasks, anew after each loss of the broker.
        on_stop: Told of one that takes no more, and whether its worker ends.
    """

    class Presence(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is not typed
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, consumer: Any) -> None:
            on_start(sender=consumer)

        def stop(self, consumer: Any) -> None:
            is_end = consumer.controller.blueprint.state != bootsteps.RUN
            on_stop(sender=consumer, is_end=is_end)

    return Presence
