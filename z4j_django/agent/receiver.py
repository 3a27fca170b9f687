"""The camera, under the name by which ``celery events --camera`` may still be told to load it."""

from z4j_django.agent.event_receiver import Camera

__all__ = ["Camera"]
