"""Problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class MistakeSerializer(serializers.Serializer[Any]):
    """One thing that is wrong with a request."""

    name = serializers.CharField(
        allow_blank=True,
        help_text="The parameter, or the path of the member in the body; empty for all of it.",
    )
    reason = serializers.CharField(help_text="What is wrong, in words.")
    term = serializers.CharField(
        required=False, allow_blank=True, help_text="The term of a filter, as it was typed."
    )
    position = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="The column at which that term begins, counted from 1; 0 where it stands alone.",
    )
    expected = serializers.CharField(
        required=False, allow_blank=True, help_text="What would have been right in its place."
    )


class ProblemSerializer(serializers.Serializer[Any]):
    """An error; its media type is ``application/problem+json``."""

    type = serializers.CharField(
        help_text="Which kind of problem: `about:blank` where the status says it, or `urn:z4j:…`."
    )
    title = serializers.CharField(help_text="The kind of problem in words; always the same.")
    status = serializers.IntegerField(
        min_value=400, max_value=599, help_text="The HTTP status once more."
    )
    detail = serializers.CharField(help_text="What is wrong this time.")
    instance = serializers.CharField(
        required=False, help_text="The address of what tells more: the operation that was refused."
    )
    errors = MistakeSerializer(
        many=True, required=False, help_text="The single mistakes, where the request has some."
    )
