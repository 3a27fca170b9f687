"""The Django app: it registers what Django asks for, and starts the agent."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured
from django.db.models.signals import post_migrate, pre_migrate
from django.utils.translation import gettext_lazy

from z4j_django import logs, wiring
from z4j_django.agent import bootstrap, progress
from z4j_django.conf import settings

logger = logs.logger(__name__)


class Z4JConfig(AppConfig):
    """Wires the agent to the project's settings."""

    name = "z4j_django"
    verbose_name = gettext_lazy("Celery tasks")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks, and let the agent listen unless it is switched off."""
        from z4j_django import checks, permissions, tasks  # noqa: F401  # these register
        from z4j_django.control import starting

        progress.offer()
        pre_migrate.connect(permissions.note_known, sender=self, dispatch_uid="z4j_django.known")
        post_migrate.connect(permissions.make_roles, sender=self, dispatch_uid="z4j_django.roles")
        try:
            if settings.enabled is not False:
                bootstrap.Agent(wiring.agent_config()).install()
                starting.connect()
        except ImproperlyConfigured as error:  # the checks say so too, with a hint
            logger.error("z4j records nothing: %s", error)
