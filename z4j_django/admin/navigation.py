"""Where one can go: the line above our pages, on whichever site they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.contrib.admin import AdminSite
from django.contrib.admin.sites import all_sites
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _

from z4j_django import permissions

APP: Final = "z4j_django"


class Place(NamedTuple):
    """A page of the line.

    Attributes:
        name: What a page calls itself, to be shown as the current one.
        label: What it is called.
        url: The name of its address, without the site's.
        model: Whose permission to view it wants; all of ours have one where it is empty.
    """

    name: str
    label: Any
    url: str
    model: str


PLACES: Final = (
    Place("overview", _("Overview"), "app_list", ""),
    Place("errors", _("Errors"), f"{APP}_errorgroup_changelist", "errorgroup"),
    Place("task-types", _("Task types"), f"{APP}_taskrecord_types", "taskrecord"),
    Place("tasks", _("Tasks"), f"{APP}_taskrecord_changelist", "taskrecord"),
    Place("groups", _("Groups"), f"{APP}_grouprecord_changelist", "grouprecord"),
    Place("queues", _("Queues"), f"{APP}_operation_queues", "operation"),
    Place("workers", _("Workers"), f"{APP}_workerrecord_changelist", "workerrecord"),
    Place("schedules", _("Schedules"), f"{APP}_taskrecord_schedules", "taskrecord"),
    Place("operations", _("Operations"), f"{APP}_operation_changelist", "operation"),
    Place("alerts", _("Alerts"), f"{APP}_alertrule_changelist", "alertrule"),
    Place("recording", _("Recording"), f"{APP}_journalrecord_changelist", "journalrecord"),
)
_OF_ALERTS: Final = ("alertchannel", "alertsilence", "alertdelivery", "alertact", "alertheartbeat")
#: The place of a page that does not name one, by its model.
_OF_MODELS: Final = {
    **{place.model: place.name for place in PLACES if place.url.endswith("_changelist")},
    **{"journalloss": "recording", "conditionrecord": "overview", "savedview": "tasks"},
    **dict.fromkeys(_OF_ALERTS, "alerts"),
}


@dataclass(frozen=True)
class Link:
    """A place, as it is shown."""

    label: str
    url: str
    is_current: bool


def site_of(request: HttpRequest) -> AdminSite | None:
    """The site that a page is on; None where it is on none."""
    name = getattr(request, "current_app", None) or _namespace(request)
    return next((site for site in all_sites if site.name == name), None)


def _namespace(request: HttpRequest) -> str:
    match = request.resolver_match
    return match.namespace if match else ""


def address(request: HttpRequest, name: str, *args: Any, **kwargs: Any) -> str | None:
    """The address of a page on the site of a request, or None where that has none."""
    site = site_of(request)
    try:
        current = site.name if site else None
        return reverse(f"admin:{name}", args=args, kwargs=kwargs, current_app=current)
    except NoReverseMatch:
        return None


def may_view(request: HttpRequest, model: str) -> bool:
    """Whether the site of a request shows this model of ours to its user."""
    site = site_of(request)
    if site is None:
        return False
    for registered, admin in site._registry.items():
        if registered._meta.app_label == APP and registered._meta.model_name == model:
            return admin.has_view_permission(request)
    return False


def links(request: HttpRequest, place: str = "") -> list[Link]:
    """The places of a site that a user may see.

    Args:
        request: On whichever page.
        place: Which it is; by default the one of its model.
    """
    place = place or _here(request)
    found = []
    for one in PLACES:
        if one.model and not may_view(request, one.model):
            continue
        kwargs = {} if one.model else {"app_label": APP}
        where = address(request, one.url, **kwargs)
        if where is not None:
            found.append(Link(one.label, where, one.name == place))
    return found


def _here(request: HttpRequest) -> str:
    match = request.resolver_match
    name = (match.url_name or "") if match else ""
    exact = {place.url: place.name for place in PLACES}
    if name in exact:
        return exact[name]
    model = name.removeprefix(f"{APP}_").partition("_")[0]
    return _OF_MODELS.get(model, "")


def rights(request: HttpRequest) -> tuple[Any, ...]:
    """What the user of a request may see and do, as a key: users with the same see the same."""
    site = site_of(request)
    seen = [
        registered._meta.model_name
        for registered, admin in (site._registry.items() if site else ())
        if registered._meta.app_label == APP and admin.has_view_permission(request)
    ]
    done = sorted(permissions.verbs_of(request.user))
    return (site.name if site else "", *seen, "", *done)
