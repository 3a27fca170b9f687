"""The Django project that the process tests run: settings, a Celery app and tasks."""
