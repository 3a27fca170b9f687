"""The options of each operation, as an operator types them."""

from __future__ import annotations

import json
from typing import Any, Never

from django import forms
from django.core.exceptions import ValidationError

from z4j_django.operations import revoking
from z4j_django.secrets import placeholders
from z4j_django.secrets.masking import MASK
from z4j_django.values import LONGEST_DELAY, SHORT

#: Characters of arguments that are taken.
JSON_LIMIT = 1_000_000


class JSONText(forms.CharField):
    """JSON of one type, as text.

    Args:
        kind: ``list`` or ``dict``.
        shown: The redacted value that the field begins with; None where none is on record.
        **kwargs: As ``CharField`` takes them.
    """

    def __init__(self, *, kind: type, shown: Any, **kwargs: Any) -> None:
        self.kind = kind
        self.shown = shown
        initial = "" if shown is None else json.dumps(shown, indent=2, ensure_ascii=False)
        widget = forms.Textarea(
            attrs={
                "class": "z4j-json",
                "data-z4j-json": kind.__name__,
                "data-z4j-mask": MASK,
                "rows": min(max(initial.count("\n") + 2, 4), 20),
                "spellcheck": "false",
                "autocomplete": "off",
            }
        )
        super().__init__(
            initial=initial,
            required=False,
            strip=True,
            max_length=JSON_LIMIT,
            widget=widget,
            **kwargs,
        )

    def clean(self, value: Any) -> Any:
        """The value, or None where it stays as it was."""
        text = super().clean(value)
        if not text:
            return None
        data = _load(text)
        if self.shown is not None and _spelled(data) == _spelled(self.shown):
            return None
        if not isinstance(data, self.kind):
            wanted = "a list: [ … ]" if self.kind is list else "an object: { … }"
            raise ValidationError(f"This has to be {wanted}")
        if place := placeholders.place_of(data):
            raise ValidationError(
                f"The value at {place} is masked or cut; it can't be sent as it stands. Type the "
                "real one, or put the whole field back as it was: then it goes as it was."
            )
        return data


def _load(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValidationError(
            f"This is no JSON: {error.msg}, line {error.lineno}, column {error.colno}."
        ) from None
    except RecursionError:
        raise ValidationError("This is nested too deeply.") from None
    except ValueError as error:
        raise ValidationError(f"This is no JSON: {error}") from None


def _spelled(value: Any) -> str:
    """``value`` as text: as values, 1 would be the same as true."""
    return json.dumps(value, sort_keys=True)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"there is no {name} in JSON.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has the same key twice.")
    return found


class Options(forms.Form):
    """What may be said besides; ``options()`` is how the operation takes it."""

    def options(self) -> dict[str, Any]:
        """The options that were given."""
        return {
            name.removeprefix("to_"): value
            for name, value in self.cleaned_data.items()
            if value not in (None, "", False)
        }


class RetryOptions(Options):
    """How tasks are retried."""

    #: Not ``queue``: that is a filter's name, on the page that acts on all that match.
    to_queue = forms.CharField(
        label="Queue",
        required=False,
        max_length=SHORT,
        help_text="Empty: each goes to the queue that it had.",
    )
    countdown = forms.FloatField(
        required=False,
        min_value=0,
        max_value=LONGEST_DELAY,
        label="Countdown",
        help_text="Seconds until it may begin. Empty: at once.",
    )
    force = forms.BooleanField(
        required=False,
        label="Force",
        help_text="Retry also what still waits or runs, which may then run twice; and a member of "
        "a chord, which then does not complete it.",
    )


class NoOptions(Options):
    """Where there is nothing to choose."""


class TerminateOptions(Options):
    """How running tasks are terminated."""

    signal = forms.ChoiceField(
        choices=[(name, name) for name in revoking.SIGNALS],
        help_text="What the process that runs it is sent. SIGKILL leaves it no time to clean up.",
    )


class EditOptions(RetryOptions):
    """A retry of one task with other arguments.

    Args:
        args: Its arguments as they are shown, redacted.
        kwargs: Its keyword arguments, likewise.
        data: What was posted.
    """

    field_order = ("args", "kwargs", "to_queue", "countdown", "force")

    def __init__(self, *, args: Any, kwargs: Any, data: Any = None) -> None:
        super().__init__(data)
        self.fields["args"] = JSONText(kind=list, shown=args, label="Arguments")
        self.fields["kwargs"] = JSONText(kind=dict, shown=kwargs, label="Keyword arguments")
        self.order_fields(self.field_order)


class GroupOptions(Options):
    """How a group is run again."""

    keep_ids = forms.BooleanField(
        required=False,
        label="Keep the ids",
        help_text="The chord's body and what follows keep their ids, so that whoever waits for "
        "the first result gets this one.",
    )
    force = forms.BooleanField(
        required=False,
        label="Force",
        help_text="Also where members still wait or run: they may then run twice.",
    )


class BulkOptions(Options):
    """What every bulk operation takes."""

    rate = forms.FloatField(
        required=False,
        min_value=0.01,
        max_value=100_000,
        label="Rate",
        help_text="Tasks a second, at most. Empty: as fast as it goes.",
    )


class BulkRetryOptions(BulkOptions, RetryOptions):
    """How many tasks are retried."""


class BulkTerminateOptions(BulkOptions, TerminateOptions):
    """How many tasks are terminated."""


class PurgeOptions(Options):
    """The name of the queue, typed back.

    Args:
        queue: What has to be typed.
        data: What was posted.
    """

    confirm = forms.CharField(
        max_length=SHORT,
        strip=False,
        label="Name of the queue",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *, queue: str, data: Any = None) -> None:
        super().__init__(data)
        self.queue = queue

    def clean_confirm(self) -> str:
        """The name, if it is this queue's."""
        given: str = self.cleaned_data["confirm"]
        if given != self.queue:
            raise ValidationError("This is not the queue's name. Type it exactly as it stands.")
        return given
