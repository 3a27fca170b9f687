"""What a worker answers at this moment."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from z4j_django.control import live_view


class ProcessSerializer(serializers.Serializer[Any]):
    """What a process uses."""

    pid = serializers.IntegerField(allow_null=True, help_text="Its number on its host.")
    memory = serializers.IntegerField(
        allow_null=True, help_text="Bytes of memory that are its own or shared."
    )
    cpu = serializers.FloatField(help_text="Seconds of CPU that it has used.")
    age = serializers.FloatField(help_text="Seconds since it began; 0 where that is not told.")


class ProcessesSerializer(serializers.Serializer[Any]):
    """The processes of a worker, as the agent in it tells."""

    load = serializers.ListField(
        child=serializers.FloatField(), help_text="The load of its host over 1, 5 and 15 minutes."
    )
    cpus = serializers.IntegerField(allow_null=True, help_text="The processors of its host.")
    main = ProcessSerializer(help_text="The main process.")
    pool = ProcessSerializer(many=True, help_text="Those of the pool, if it has processes.")


class AutoscaleSerializer(serializers.Serializer[Any]):
    """Between which sizes a pool scales itself."""

    min = serializers.IntegerField(allow_null=True, help_text="The fewest slots.")
    max = serializers.IntegerField(allow_null=True, help_text="The most slots.")


class StatsSerializer(serializers.Serializer[Any]):
    """What a worker says of itself."""

    pid = serializers.IntegerField(allow_null=True, help_text="Its main process.")
    uptime = serializers.IntegerField(allow_null=True, help_text="Seconds since it came up.")
    pool = serializers.CharField(help_text="What kind of pool it has.")
    slots = serializers.IntegerField(help_text="How many tasks it can run at once; 0: not told.")
    processes = serializers.ListField(
        child=serializers.IntegerField(), help_text="The processes of its pool, if it has any."
    )
    autoscale = AutoscaleSerializer(
        allow_null=True, help_text="Between which sizes it scales itself, if it does."
    )
    prefetch = serializers.IntegerField(
        allow_null=True, help_text="How many messages it may hold; 0 for any number."
    )
    processed = serializers.IntegerField(help_text="How many tasks it took since it came up.")
    cpu = serializers.FloatField(
        allow_null=True, help_text="Seconds of CPU that its main process has used."
    )


class LiveTaskSerializer(serializers.Serializer[Any]):
    """A task that a worker has."""

    task_id = serializers.CharField(help_text="Its id.")
    name = serializers.CharField(help_text="Its name.")
    started_at = serializers.FloatField(
        allow_null=True, help_text="When it began, in seconds since the epoch; null: it has not."
    )
    pid = serializers.IntegerField(allow_null=True, help_text="The process that runs it.")
    eta = serializers.CharField(help_text="When it may begin; empty for at once.")


class LiveTasksSerializer(serializers.Serializer[Any]):
    """Tasks that a worker has."""

    count = serializers.IntegerField(help_text="How many there are.")
    tasks = LiveTaskSerializer(
        many=True, help_text=f"The first of them, {live_view.TASKS} at most."
    )


class RevokedSerializer(serializers.Serializer[Any]):
    """Ids that a worker refuses."""

    count = serializers.IntegerField(help_text="How many there are.")
    task_ids = serializers.ListField(
        child=serializers.CharField(), help_text=f"The last of them, {live_view.TASKS} at most."
    )


class KnownTaskSerializer(serializers.Serializer[Any]):
    """A name of tasks that a worker knows, with its limits as they are there now."""

    name = serializers.CharField(help_text="The name.")
    rate_limit = serializers.CharField(help_text="How many may begin; empty for any number.")
    time_limit = serializers.CharField(help_text="Seconds that one may run; empty for any.")
    soft_time_limit = serializers.CharField(help_text="The same, softly.")


class RegisteredSerializer(serializers.Serializer[Any]):
    """The tasks that a worker knows."""

    count = serializers.IntegerField(help_text="How many there are.")
    tasks = KnownTaskSerializer(
        many=True, help_text=f"The first of them, {live_view.NAMES:,} at most."
    )


class LiveQueueSerializer(serializers.Serializer[Any]):
    """A queue that a worker takes tasks from."""

    name = serializers.CharField(help_text="Its name.")
    exchange = serializers.CharField(help_text="Its exchange.")
    routing_key = serializers.CharField(help_text="What binds it to the exchange.")


class LiveSerializer(serializers.Serializer[Any]):
    """What a worker answers at this moment; what it did not tell is null."""

    hostname = serializers.CharField(help_text="Its name.")
    answers = serializers.BooleanField(help_text="Whether it answered anything.")
    trouble = serializers.CharField(help_text="Why it could not be asked; empty where it could.")
    silent = serializers.ListField(
        child=serializers.CharField(), help_text="What it did not answer in time."
    )
    errors = serializers.DictField(
        child=serializers.CharField(), help_text="What it answered with an error, in its words."
    )
    twins = serializers.IntegerField(
        help_text="How many workers answer by this name; what is told is the first one's."
    )
    stats = StatsSerializer(source="said.stats", default=None, allow_null=True, help_text="It.")
    processes = ProcessesSerializer(
        source="said.processes",
        default=None,
        allow_null=True,
        help_text="Its processes; null also where the agent in it does not tell.",
    )
    active = LiveTasksSerializer(
        source="said.active", default=None, allow_null=True, help_text="What it runs."
    )
    reserved = LiveTasksSerializer(
        source="said.reserved",
        default=None,
        allow_null=True,
        help_text="What it took and did not begin.",
    )
    scheduled = LiveTasksSerializer(
        source="said.scheduled", default=None, allow_null=True, help_text="What waits for its ETA."
    )
    revoked = RevokedSerializer(
        source="said.revoked", default=None, allow_null=True, help_text="What it refuses."
    )
    registered = RegisteredSerializer(
        source="said.registered", default=None, allow_null=True, help_text="The tasks it knows."
    )
    active_queues = LiveQueueSerializer(
        source="said.active_queues",
        default=None,
        allow_null=True,
        many=True,
        help_text="The queues that it takes tasks from.",
    )
    conf = serializers.DictField(
        child=serializers.JSONField(),
        source="said.conf",
        default=None,
        allow_null=True,
        help_text="Celery's settings in it that are not the default, with secrets masked.",
    )
