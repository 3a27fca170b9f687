"""A durable record of every Celery task, in the Django project's own database."""

__version__ = "0.1.0"
