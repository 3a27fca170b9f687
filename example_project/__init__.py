"""A small web shop whose tasks show what the record of a task looks like."""

from example_project.celery import app as celery_app

__all__ = ["celery_app"]
