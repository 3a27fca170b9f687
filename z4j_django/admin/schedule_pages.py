"""What an operator does to a schedule: run it now, leave out its next run, switch it on and off."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.translation import gettext as _

from z4j_django import permissions, verbs
from z4j_django.admin import formatting, forms, links, workers
from z4j_django.admin.acting import VerbPage
from z4j_django.admin.trails import Button
from z4j_django.conf import settings
from z4j_django.models import Operation
from z4j_django.operations import schedules
from z4j_django.queries import liveness, schedule_runs, worker_status
from z4j_django.queries import schedules as queries


class SchedulePage(VerbPage):
    """Does one verb to a schedule."""

    verb = verbs.RUN_SCHEDULE
    place = "schedules"
    known: schedules.Known

    def back(self) -> str:
        """The schedules."""
        return self.model_admin.page_url("schedules") or super().back()

    def choose(self) -> None:
        """The schedule of this name, wherever it is kept."""
        self.known = schedules.find(self.request.GET.get("name", ""))

    def form(self, data: Any = None) -> forms.OptionsForm:
        """The form, with what is known of the arguments."""
        if self.verb is not verbs.RUN_SCHEDULE:
            return super().form(data)
        row = self.known.row
        shown = {
            "args": queries.shown_args(row) if row is not None else None,
            "kwargs": queries.shown_kwargs(row) if row is not None else None,
        }
        return forms.edit_form(self.verb.options, shown, data)

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Do it."""
        return [self.perform(self.known.name, form.options())]

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """What will come of it."""
        label = _(self.verb.label)
        return self.shown(
            form,
            title=_("%(verb)s: %(what)s") % {"verb": label, "what": self.known.name},
            note=_(self.verb.about),
            submit=label,
            dangerous=self.verb.dangerous,
        )


def urls(admin: Any) -> list[URLPattern]:
    """A page for each verb that acts on schedules."""
    return [
        admin.page(f"schedules/{verb.name}/", verb.name, SchedulePage, verb=verb)
        for verb in verbs.of("schedule")
    ]


def of_row(
    admin: Any, request: HttpRequest, name: str, *, is_kept: bool, is_on: bool = True
) -> list[Button]:
    """The ways to what this user may do to a schedule.

    Args:
        admin: Whose pages these are.
        request: The user's.
        name: The schedule's.
        is_kept: Whether django-celery-beat keeps it, and not the app's settings.
        is_on: Whether beat sends it.
    """
    pointless = [verbs.ENABLE_SCHEDULE] if is_on else [verbs.DISABLE_SCHEDULE, verbs.SKIP_NEXT_RUN]
    if not is_kept:
        pointless += [verbs.ENABLE_SCHEDULE, verbs.DISABLE_SCHEDULE]
    return [
        Button(f"{_(verb.label)}…", admin.page_url(verb.name, name=name))
        for verb in verbs.of("schedule")
        if verb not in pointless and permissions.can(request.user, verb.name)
    ]


def pulse(request: HttpRequest, now: datetime) -> list[dict[str, Any]]:
    """The beats of this project, and when each was heard of."""
    return [
        {
            "name": links.linked(
                links.record_url(request, "workerrecord", one.pk), formatting.name(one.hostname)
            ),
            "standing": workers.standing(worker_status.of(one, 0, now)),
            "seen": formatting.moment(liveness.last_word(one)),
        }
        for one in schedule_runs.beats(settings.PROJECT)
    ]
