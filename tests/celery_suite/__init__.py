"""Celery's own integration suite, run with the app installed and without."""
