"""An API of its own: tasks, groups, and the states of a task."""

from __future__ import annotations

from typing import Any

from django.urls import include, path
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter


class TaskSerializer(serializers.Serializer[Any]):
    """Something that somebody has to do."""

    title = serializers.CharField()
    state = serializers.ChoiceField(choices=["OPEN", "DONE"])


class GroupSerializer(serializers.Serializer[Any]):
    """People."""

    name = serializers.CharField()
    state = serializers.ChoiceField(choices=["OPEN", "DONE"])


class TaskViewSet(viewsets.ViewSet):
    """What there is to do."""

    serializer_class = TaskSerializer

    def list(self, request: Request) -> Response:
        """All of it."""
        return Response([])

    def create(self, request: Request) -> Response:
        """More of it."""
        return Response({}, status=201)


class GroupViewSet(TaskViewSet):
    """Who is to do it."""

    serializer_class = GroupSerializer


router = SimpleRouter()
router.register("tasks", TaskViewSet, basename="task")
router.register("groups", GroupViewSet, basename="group")
urlpatterns = [path("api/", include(router.urls))]
