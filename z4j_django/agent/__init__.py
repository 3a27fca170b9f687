"""Runs in every process that publishes or runs tasks. Imports Celery, and never Django."""
