"""A page with a button for every kind of work."""

from __future__ import annotations

import random

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html
from django.views.decorators.http import require_POST, require_safe
from kombu.exceptions import OperationalError

from example_project.shop import jobs

EVERYTHING = "everything"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The buttons."""
    context = {"kinds": jobs.KINDS.values(), "everything": EVERYTHING}
    return render(request, "shop/home.html", context)


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Sends the work of the button that was pressed, and goes back to the page."""
    slug = request.POST.get("kind", "")
    kinds = jobs.ending() if slug == EVERYTHING else [jobs.KINDS.get(slug)]
    dice = random.Random()
    sent = 0
    try:
        for kind in kinds:
            if kind is None:
                return HttpResponseBadRequest("There is no such kind of work.")
            sent += len(jobs.send(kind.make(dice)).expected)
    except OperationalError as error:
        messages.error(request, f"The broker does not take it: {error}")
    else:
        label = "A bit of everything" if slug == EVERYTHING else jobs.KINDS[slug].label
        messages.success(request, _sent_message(label, sent))
    return redirect("shop:home")


def _sent_message(label: str, sent: int) -> str:
    return format_html(
        '{}: {} {} on the way. <a href="{}">See the records</a>',
        label,
        sent,
        "task" if sent == 1 else "tasks",
        reverse("admin:z4j_django_taskrecord_changelist"),
    )
