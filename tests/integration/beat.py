"""The tables of django-celery-beat, which the tests' project has not, and what stands in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.test import override_settings

from tests.integration.pages import NOW

BEAT = "django_celery_beat"


def installed() -> override_settings:
    """The app among those of the project."""
    return override_settings(INSTALLED_APPS=[*settings.INSTALLED_APPS, BEAT])


@contextmanager
def tables(django_db_blocker: Any) -> Iterator[None]:
    """The tables of that app, for a module alone."""
    pytest.importorskip(BEAT, reason="its newest asks for an older Django")
    with django_db_blocker.unblock():
        with installed():
            call_command("migrate", BEAT, verbosity=0)
            # The admin finds it as it finds any app, and would keep it after all this.
            models = apps.get_app_config(BEAT).get_models()
            admin.site.unregister([one for one in models if admin.site.is_registered(one)])
        yield
        with installed():
            call_command("migrate", BEAT, "zero", verbosity=0)
            Permission.objects.filter(content_type__app_label=BEAT).delete()
            ContentType.objects.filter(app_label=BEAT).delete()
        ContentType.objects.clear_cache()


def schedule(name: str, kind: str = "", **fields: Any) -> Any:
    """A periodic task with some schedule."""

    def model(wanted: str) -> Any:
        return apps.get_model(BEAT, wanted)

    made: dict[str, Any] = {}
    if kind == "interval":
        made[kind] = model("IntervalSchedule").objects.create(every=90, period="seconds")
    elif kind == "crontab":
        made[kind] = model("CrontabSchedule").objects.create(minute="0", hour="3")
    elif kind == "solar":
        place = {"event": "sunset", "latitude": 52, "longitude": 13}
        made[kind] = model("SolarSchedule").objects.create(**place)
    elif kind == "clocked":
        made[kind] = model("ClockedSchedule").objects.create(clocked_time=NOW)
    given = {"name": name, "task": "shop.report", "date_changed": NOW, **made, **fields}
    # Not by ``save``, which sees to it that there is a schedule.
    [row] = model("PeriodicTask").objects.bulk_create([model("PeriodicTask")(**given)])
    return model("PeriodicTask").objects.get(name=row.name)
