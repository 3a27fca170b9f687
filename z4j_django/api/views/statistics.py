"""Statistics: series over time, and the names of tasks with what happened to each."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, get_args

import msgspec
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from z4j_django.api import base, fields, generic, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.pagination import page_of
from z4j_django.api.parameters import PROJECT, TASK_NAME, Choice, Parameter, Text, Time, Whole
from z4j_django.counters import COUNTERS, DAY
from z4j_django.models import Statistic
from z4j_django.models.fields import PROJECT_HELP
from z4j_django.queries import statistics, time_ranges
from z4j_django.queries.statistics import TaskType
from z4j_django.queries.time_ranges import Range
from z4j_django.values import OTHER

_ABOUT: Final = (
    "What was stored in the last seconds may not be counted yet. Percentiles are read off "
    "histograms: they are approximate, by a factor of 1.4 at the most."
)


class _Until(Time):
    """The end of a range."""

    def absent(self) -> float:
        """Now."""
        return time.time()


_RANGE: Final = (
    Time(
        "since",
        "When the range begins; by default an hour before its end. It has at most "
        f"{time_ranges.LONGEST // DAY} days; that of `statistics/`, "
        f"{time_ranges.LONGEST_SERIES // DAY}.",
    ),
    _Until("until", "When it ends; by default now."),
)
_STEP: Final = Choice(
    "step",
    "How long a point is; by default one that makes some hundred points at most. "
    "Which are valid depends on the range; where one is not, the problem names those that are.",
    time_ranges.STEP_WORDS,
)
_COMPARE: Final = Choice(
    "compare", "Count the same range an hour, a day or a week before, too.", time_ranges.BEFORE
)


class Percentiles(serializers.Serializer[Any]):
    """Lengths of time, in seconds, about; null where there are none."""

    p50 = serializers.FloatField(allow_null=True, help_text="Half of them took no longer.")
    p95 = serializers.FloatField(allow_null=True, help_text="95 of 100 took no longer.")
    p99 = serializers.FloatField(allow_null=True, help_text="99 of 100 took no longer.")


class TaskCountsSerializer(serializers.Serializer[Any]):
    """What happened."""

    def get_fields(self) -> dict[str, Any]:
        """The counters come first."""
        columns: Any = Statistic._meta.get_field
        counters: dict[str, Any] = {
            name: serializers.IntegerField(
                source=f"counters.{name}", help_text=columns(name).help_text
            )
            for name in COUNTERS
        }
        return {**counters, **super().get_fields()}

    rate = serializers.FloatField(help_text="Runs that began in a second.")
    failure_share = serializers.FloatField(
        allow_null=True,
        help_text="How many of the runs that succeeded, failed or were ignored failed, from 0 to "
        "1; null where there were none.",
    )


class CountedSerializer(TaskCountsSerializer):
    """What happened, and how long it took."""

    runtime = Percentiles(help_text="How long runs took.")
    wait = Percentiles(
        help_text="How long tasks waited for their start after they were sent, or due."
    )


class _Epoch(fields.Moment):
    """A moment that is known in seconds since the epoch."""

    def to_representation(self, value: int) -> str | None:
        """As every moment."""
        return super().to_representation(datetime.fromtimestamp(value, UTC))


class PointSerializer(CountedSerializer):
    """A point of a series."""

    at = _Epoch(help_text="When it begins.")


class SeriesSerializer(serializers.Serializer[Any]):
    """A series."""

    since = _Epoch(help_text="When it begins: the range is widened to whole steps.")
    until = _Epoch(help_text="When it ends.")
    step = serializers.IntegerField(help_text="Seconds of a point.")
    points = PointSerializer(many=True, help_text="A point for each step, the oldest first.")


class TaskTypeSerializer(CountedSerializer):
    """All tasks of one name."""

    url = fields.Address("task-type", "name", project=True, help_text="Its address.")
    project = serializers.CharField(help_text=PROJECT_HELP)
    name = serializers.CharField(
        help_text=f"Their name. Names for which there is no place come together, as `{OTHER}`."
    )
    tasks_url = fields.TasksAddress(
        name="name", project="project", help_text="Address of the list of its tasks."
    )
    earlier = TaskCountsSerializer(
        allow_null=True, help_text="What it is compared with; null where nothing is."
    )


class TaskTypeQueueSerializer(CountedSerializer):
    """All tasks of one name from one queue."""

    queue = serializers.CharField(help_text="The queue; empty where nobody knows it.")


class TaskTypeDetail(TaskTypeSerializer):
    """All tasks of one name, by queue and over time."""

    queues = TaskTypeQueueSerializer(
        many=True,
        help_text=f"By queue, the busiest first, {statistics.QUEUES_LIMIT} at most.",
    )
    series = SeriesSerializer(help_text="Over time.")


TaskTypePage: Final = page_of(TaskTypeSerializer, "names of tasks")


class _Place(Parameter):
    """``?cursor=``: the name, and its place, that a page follows."""

    def __init__(self) -> None:
        told = "Where the page begins: take `next` and `previous` of an answer as they are."
        super().__init__("cursor", told, default=None, format="z4j-place")

    def read(self, given: str) -> tuple[float, str]:
        """The place, if some list gave it out."""
        try:
            packed = base64.b64decode(given, altchars=b"-_", validate=True)
            return msgspec.msgpack.decode(packed, type=tuple[float, str])
        except (ValueError, msgspec.MsgspecError):
            raise ValueError("It is no cursor of this list.") from None


def _token(place: tuple[float, str]) -> str:
    return base64.urlsafe_b64encode(msgspec.msgpack.encode(place)).decode()


class SeriesView(generic.Shown):
    """``statistics/``."""

    reads = "taskrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "statistics_series",
            "A series over time",
            "What happened to all tasks, to those of a name, from a queue, or both. The numbers of "
            f"all and of a queue count also what has no name. {_ABOUT}",
            parameters=(
                PROJECT,
                Text("name", "The name of the tasks."),
                Text("queue", "The queue that they were sent to."),
                *_RANGE,
                _STEP,
            ),
            answer=SeriesSerializer,
        )
    }

    def get(self, request: Request) -> Response:
        """The series."""
        asked = self.asked
        return self.answer(_series(asked, asked["name"], asked["queue"], asked["step"]))


class TaskTypesView(generic.Shown):
    """``task-types/``."""

    reads = "taskrecord"
    endpoints: ClassVar = {
        "get": Endpoint(
            "task_types_list",
            "List the names of tasks",
            "Each name of which anything happened in a range, with what happened. The range is "
            "widened to whole minutes; one of more than an hour to hours, and one of more than "
            f"two days to days, which are those of UTC. {_ABOUT}",
            parameters=(
                PROJECT,
                *_RANGE,
                _COMPARE,
                Choice(
                    "ordering",
                    "By what they follow each other: numbers the greatest first.",
                    get_args(statistics.Ordering),
                    default="started",
                ),
                Whole("limit", "How many at most.", default=25, maximum=100),
                _Place(),
            ),
            answer=TaskTypePage,
            tag="task-types",
        )
    }

    def get(self, request: Request) -> Response:
        """The page."""
        asked = self.asked
        within, order, limit = _within(asked), asked["ordering"], asked["limit"]
        found = statistics.task_types(asked["project"], within, order)
        places = [statistics.place(one, order) for one in found]
        after = asked["cursor"]
        first = 0 if after is None else sum(place <= after for place in places)
        page = found[first : first + limit]
        statistics.fill(asked["project"], within, page, asked["compare"])
        more, before = first + limit < len(found), first - limit - 1
        following = _token(places[first + limit - 1]) if more else None
        previous = base.here(request, cursor=_token(places[before]) if before >= 0 else None)
        rows = [_of_project(one, asked["project"]) for one in page]
        shown = self.serializer.row(rows, many=True, context={"request": request})
        return Response(
            {
                "next": base.here(request, cursor=following) if following else None,
                "previous": previous if first else None,
                "results": shown.data,
            }
        )


class TaskTypeView(generic.Detail):
    """``task-types/{name}/``."""

    reads = "taskrecord"
    missing = "No task of this name was counted."
    endpoints: ClassVar = {
        "get": Endpoint(
            "task_types_retrieve",
            "One name of tasks",
            f"What happened to the tasks of a name in a range, by queue and over time. {_ABOUT}",
            parameters=(TASK_NAME, PROJECT, *_RANGE, _STEP, _COMPARE),
            answer=TaskTypeDetail,
            problems=(404,),
            tag="task-types",
        )
    }

    def find(self) -> TaskType | None:
        """The name, with what happened."""
        asked = self.asked
        project, name = asked["project"], asked["name"]
        if not generic.may_be(name) or not statistics.is_known(project, name):
            return None
        within = _within(asked)
        found = statistics.task_type(project, within, name, asked["compare"])
        return _of_project(found, project)

    def beside(self, found: TaskType) -> dict[str, Any]:
        """Its queues, and its series."""
        asked = self.asked
        return {
            "queues": statistics.of_queues(asked["project"], _within(asked), found.name),
            "series": _series(asked, found.name, "", asked["step"]),
        }


def _of_project(found: TaskType, project: str) -> TaskType:
    found.project = project  # type: ignore[attr-defined]  # for its addresses
    return found


def _series(asked: dict[str, Any], name: str, queue: str, step: str) -> dict[str, Any]:
    _within(asked, time_ranges.series_range)  # tells what is wrong with the range
    try:
        within = time_ranges.series_range(*_bounds(asked), step)
    except ValueError as error:
        raise _wrong(error, "step") from None
    points = statistics.series(asked["project"], within, name, queue)
    return {"since": within.since, "until": within.until, "step": within.step, "points": points}


def _within(
    asked: dict[str, Any], make: Callable[[float, float], Range] = time_ranges.table_range
) -> Range:
    try:
        return make(*_bounds(asked))
    except ValueError as error:
        raise _wrong(error, "since") from None


def _bounds(asked: dict[str, Any]) -> tuple[float, float]:
    since, until = asked["since"], asked["until"]
    return until - time_ranges.DEFAULT_RANGE if since is None else since, until


def _wrong(error: ValueError, name: str) -> problems.Invalid:
    return problems.Invalid([{"name": name, "reason": str(error)}])


urlpatterns = [
    path("statistics/", SeriesView.as_view(), name="statistics"),
    path("task-types/", TaskTypesView.as_view(), name="task-types"),
    path("task-types/<z4j:name>/", TaskTypeView.as_view(), name="task-type"),
]
