"""What can be done to a queue: purge it, move what waits in it, pause and resume it."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from z4j_django import verbs
from z4j_django.admin import formatting, forms
from z4j_django.admin.acting import VerbPage
from z4j_django.conf import settings
from z4j_django.control import queue_depths
from z4j_django.exceptions import OperationError
from z4j_django.models import Operation
from z4j_django.queries import pauses, queues
from z4j_django.values import is_storable

#: Seconds that the page waits for the broker.
TIMEOUT = queue_depths.TIMEOUT


class QueueVerbPage(VerbPage):
    """Does a verb to the queue that the address names."""

    place = "queues"
    queue = ""

    def back(self) -> str:
        """The queue, where it has a page; else all of them."""
        admin = self.model_admin
        if self.queue and queues.is_known(self.queue):
            return str(admin.page_url("queue", queue=self.queue))
        return admin.page_url("queues") or super().back()

    def choose(self) -> None:
        """The queue of this name, whether or not it is on record."""
        name = self.request.GET.get("queue", "")
        if not name or not is_storable(name):
            raise OperationError(_("That is no name of a queue."))
        self.queue = name

    def act(self, form: forms.OptionsForm) -> list[Operation]:
        """Do it."""
        return [self.perform(self.queue, form.options())]

    def shown(self, form: forms.OptionsForm, **context: Any) -> HttpResponse:
        """The page, with the queue's name."""
        return super().shown(form, queue=self.queue, **context)


class PurgePage(QueueVerbPage):
    """Empties a queue, once its name was typed back."""

    template_name = "admin/z4j_django/purge.html"
    verb = verbs.PURGE_QUEUE

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """How much would go."""
        depth = queue_depths.count(self.queue, TIMEOUT)
        return self.shown(
            form,
            title=_("Purge a queue?"),
            depth=None if depth is None else f"{depth:,}",
            submit=_("Purge it"),
            dangerous=True,
        )


class MovePage(QueueVerbPage):
    """Moves what waits in a queue into another."""

    template_name = "admin/z4j_django/queue_verb.html"
    verb = verbs.MOVE_QUEUE

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """How much there is, where to, and which of it."""
        depth = queue_depths.count(self.queue, TIMEOUT)
        return self.shown(
            form,
            title=_("Move messages into another queue?"),
            words=_(
                "%(depth)s messages wait in it. Each that is moved is saved, taken out, and "
                "published as it was to the other queue; from the operation's page what still "
                "lies there can be taken back."
            )
            % {"depth": _("unknown") if depth is None else formatting.count(depth)},
            submit=_("Move them"),
            dangerous=True,
        )


class PausePage(QueueVerbPage):
    """Has no worker take from a queue."""

    template_name = "admin/z4j_django/queue_verb.html"
    verb = verbs.PAUSE_QUEUE

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """Why, and until when."""
        return self.shown(
            form,
            title=_("Pause a queue?"),
            words=_(
                "No worker takes tasks from it any more, those that start later neither, until it "
                "is resumed. What a worker has taken already runs on; what is sent waits."
            ),
            submit=_("Pause it"),
        )


class ResumePage(QueueVerbPage):
    """Has the workers take from a queue again."""

    template_name = "admin/z4j_django/queue_verb.html"
    verb = verbs.RESUME_QUEUE

    def ask(self, form: forms.OptionsForm) -> HttpResponse:
        """Who has paused it."""
        pause = pauses.of(settings.PROJECT, self.queue)
        if pause is None:
            raise OperationError(_("The queue is not paused."))
        return self.shown(
            form,
            title=_("Resume a queue?"),
            words=formatting.paused(pause),
            submit=_("Resume it"),
        )
