"""Workers."""

from __future__ import annotations

from typing import Any, ClassVar, Final, get_args

from django.urls import path
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django import operations, verbs, wiring
from z4j_django.api import bodies, fields, generic, operating, pagination, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import HOSTNAME, PROJECT, Flag, Text
from z4j_django.api.serializers.live import LiveSerializer
from z4j_django.api.serializers.tasks import TaskSerializer
from z4j_django.control import live_view
from z4j_django.models import WorkerRecord
from z4j_django.operations import auditing
from z4j_django.options import described
from z4j_django.queries import limits, liveness, pages, releases, worker_status, workers


class _Presence(serializers.ChoiceField):
    """As it is now."""

    def to_representation(self, value: Any) -> str:
        return liveness.presence(value, timezone.now())


class _Queues(serializers.ListField):
    """Their names; a list by its making, though JSON may hold anything."""

    child = serializers.CharField()

    def to_representation(self, value: Any) -> list[str]:
        return [str(name) for name in value] if isinstance(value, list) else []


class WorkerSerializer(fields.Record):
    """A worker: the newest that it said of itself."""

    url = fields.Address("worker", "hostname", project=True, help_text="Its address.")
    row = fields.Row("workers")
    presence = _Presence(
        get_args(liveness.Presence),
        source="*",
        read_only=True,
        help_text="`online`; `silent`, where it said nothing for two minutes, and never goodbye; "
        "`offline`, where it said goodbye.",
    )
    status = serializers.ChoiceField(
        get_args(worker_status.Word),
        source="status.word",
        read_only=True,
        help_text="How it stands: `online`; `busy`, where all of its slots are held; `not "
        "consuming`, where it takes nothing though it could; `silent`, and after ten minutes "
        "`gone`, where it said no goodbye; `stopped`, where it did.",
    )
    evidence = serializers.CharField(
        source="status.evidence", read_only=True, help_text="What says so."
    )
    used = serializers.IntegerField(
        read_only=True,
        help_text="How many of its slots are held, as far as is told: of the newest tasks that "
        "run.",
    )
    queues = _Queues(help_text=WorkerRecord._meta.get_field("queues").help_text)

    class Meta:  # noqa: D106
        model = WorkerRecord
        fields: tuple[str, ...] = (
            *("url", "row", "project", "hostname", "presence", "status", "evidence", "pid", "pool"),
            *("concurrency", "used", "queues", "version", "started_at", "last_seen", "stopped_at"),
        )


class LimitSerializer(serializers.Serializer[Any]):
    """A rate or time limit that a worker has by hand, until it ends."""

    task = serializers.CharField(help_text="The name of the tasks.")
    verb = serializers.ChoiceField(limits.VERBS, help_text="What was asked for.")
    limit = serializers.CharField(source="*", help_text="The limit, in words.")
    is_sure = serializers.BooleanField(
        help_text="Whether the worker was seen to have it; one that did not show it in time "
        "perhaps does."
    )
    actor = serializers.CharField(help_text="Who asked.")
    at = fields.Moment(help_text="When.")
    operation = serializers.IntegerField(help_text="The number of the operation.")


class WorkerDetail(WorkerSerializer):
    """A worker with what it did lately."""

    limits = LimitSerializer(
        many=True, help_text="What was set by hand since it started, the newest first."
    )
    releases = serializers.ListField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="The releases of its newest tasks, the newest first; null for whoever may not "
        "view tasks.",
    )
    tasks_url = fields.TasksAddress(
        worker="hostname", project="project", help_text="Address of the list of all its tasks."
    )
    recent_tasks = TaskSerializer(
        many=True,
        allow_null=True,
        help_text=f"The newest tasks that it took, {workers.RECENT_TASKS_LIMIT} at most; null for "
        "whoever may not view tasks.",
    )

    class Meta(WorkerSerializer.Meta):  # noqa: D106
        fields = (
            *WorkerSerializer.Meta.fields,
            *("limits", "releases", "tasks_url", "recent_tasks"),
        )


#: Members of a body that are no options of its verb.
_BESIDE: Final = set(described(bodies.Workers))


class WorkersView(generic.List):
    """``workers/``; all that is done to workers wants one permission."""

    reads = "workerrecord"
    verb = verbs.PING.name
    endpoints: ClassVar = {
        "get": Endpoint(
            "workers_list",
            "List workers",
            "The workers on record, those that came last first; without `online` those of which "
            "anything was heard within a day. With `q` or `online` a page may "
            "have fewer rows than asked for, or none, and still a next one: it looks through a "
            "bounded number of workers.",
            parameters=(
                Text("q", "Only workers whose hostname begins with this."),
                Flag(
                    "online",
                    "Only workers that never said goodbye, the silent ones included; or only those "
                    "that did.",
                ),
                PROJECT,
                *pagination.PAGE,
            ),
            answer=pagination.page_of(WorkerSerializer, "workers"),
        ),
        "post": operating.endpoint(
            "workers_steer",
            "Do something to several workers, or to all",
            "To those that are named, or to all that are online on record at this moment. Each has "
            "an outcome of its own.",
            PROJECT,
            body=bodies.worker_forms(),
            problems=(409,),
        ),
    }

    def post(self, request: Request) -> Response:
        """Do it."""
        members = dict(operating.members_of(request))
        verb = members.pop("verb", None)
        known = [one.name for one in verbs.of("worker")]
        if verb not in known:
            reason = f"This has to be one of: {', '.join(known)}."
            raise problems.Invalid([{"name": "verb", "reason": reason}])
        chosen = bodies.workers_of(members)
        given = {name: one for name, one in members.items() if name not in _BESIDE}
        how: dict[str, Any] = {"project": self.asked["project"], "surface": "api"}
        with operating.refusals_to(request):
            operation = operations.perform(verb, chosen, given, actor=request.user, **how)
        return operating.answer(request, operation, single=False)

    def wanted(self) -> generic.Wanted:
        """Those of a project, by the parameters."""
        asked = self.asked
        found = workers.wanted(asked["project"], asked["q"], asked["online"])
        if asked["online"] is None:
            found = found.exclude(liveness.left_long_ago(timezone.now()))
        return found, generic.EVERYTHING

    def page(self) -> pages.Page[Any]:
        """With how each stands."""
        page = super().page()
        worker_status.tell(page.rows, timezone.now())
        return page


class WorkerView(generic.Detail):
    """``workers/{hostname}/``."""

    reads = "workerrecord"
    missing = "There is no worker of this name on record."
    endpoints: ClassVar = {
        "get": Endpoint(
            "workers_retrieve",
            "One worker, and what it did lately",
            "A worker, and the newest tasks that it took. To see these wants the permission to "
            "view tasks, too.",
            parameters=(HOSTNAME, PROJECT),
            answer=WorkerDetail,
            problems=(404,),
        )
    }

    def find(self) -> Any:
        """The worker."""
        rows = WorkerRecord.objects.filter(project=self.asked["project"])
        return generic.named(rows, "hostname", self.asked["hostname"])

    def beside(self, found: WorkerRecord) -> dict[str, Any]:
        """Its limits; and what it did lately, for whoever may view tasks."""
        worker_status.tell([found], timezone.now())
        recent = workers.recent_tasks(found) if self.sees("taskrecord") else None
        return {
            "limits": limits.of_worker(found),
            "releases": None if recent is None else releases.names_on(recent),
            "recent_tasks": recent,
        }


class LiveView(WorkerView):
    """``workers/{hostname}/live/``; who may not view tasks is told of none."""

    endpoints: ClassVar = {
        "get": Endpoint(
            "workers_live",
            "What a worker does at this moment",
            "Asks the worker itself: what it runs, took and scheduled, its queues, its limits, its "
            "configuration and its processes, all at once. It has 5 seconds to answer. Nothing of "
            "it is on record.",
            parameters=(HOSTNAME, PROJECT),
            answer=LiveSerializer,
            problems=(404, 409),
        )
    }

    def get(self, request: Request, **path: Any) -> Response:
        """What it answers."""
        found = self.find()
        if found is None:
            raise problems.NotFound(self.missing)
        with operating.refusals_to(request):
            auditing.own_project(found.project)
        view = live_view.look(wiring.find_celery_app().app, found.hostname)
        if not self.sees("taskrecord"):
            for kind in ("active", "reserved", "scheduled", "revoked"):
                view.said.pop(kind, None)
        return self.answer(view)


urlpatterns = [
    path("workers/", WorkersView.as_view(), name="workers"),
    path("workers/<z4j:hostname>/live/", LiveView.as_view(), name="worker-live"),
    path("workers/<z4j:hostname>/", WorkerView.as_view(), name="worker"),
]
