"""A step of a worker's consumer that says what signals don't: that an embedded worker is there.

Celery sends ``worker_ready`` for those workers alone that were started as programs, and
``worker_shutdown`` for no worker that is terminated, as ``start_worker`` does with its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import bootsteps

from z4j_django.agent.process import is_embedded


def step(
    on_ready: Callable[..., None], on_stopped: Callable[..., None]
) -> type[bootsteps.StartStopStep]:
    """The step, for ``app.steps["consumer"]``.

    Args:
        on_ready: Told of an embedded worker's consumer that takes tasks; raises nothing.
        on_stopped: Told of the same one once it takes no more, as its worker ends.
    """

    class Presence(bootsteps.StartStopStep):  # type: ignore[misc]  # Celery is not typed
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **kwargs: Any) -> None:
            super().__init__(consumer, **kwargs)
            self._is_embedded = is_embedded(consumer.controller)
            self._is_online = False

        def start(self, consumer: Any) -> None:
            if self._is_embedded and not self._is_online:  # once more where the broker was away
                self._is_online = True
                on_ready(sender=consumer)

        def stop(self, consumer: Any) -> None:
            if self._is_online and consumer.controller.blueprint.state != bootsteps.RUN:
                self._is_online = False
                on_stopped(sender=consumer)

    return Presence
