"""A durable record of every Celery task, in the Django project's own database."""

from __future__ import annotations

__version__ = "0.1.0"


def progress(current: float | None = None, total: float | None = None, text: str = "") -> None:
    """Say how far the running task is. It never raises, and does nothing outside of a task.

    Args:
        current: How much is done.
        total: Of how much.
        text: What the task does at the moment; the first 255 characters are kept.
    """
    from z4j_django.agent.progress import progress as tell  # Celery, which not all need

    tell(current, total, text)
