"""The options of each verb as an operator types them: made from their declarations."""

from __future__ import annotations

import functools
import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.functional import lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from z4j_django import json_text, options
from z4j_django.exceptions import OptionsError
from z4j_django.secrets.masking import MASK

#: Characters of arguments that are taken.
JSON_LIMIT = 1_000_000
_AS_TYPED = {"autocomplete": "off", "spellcheck": "false"}


class JSONText(forms.CharField):
    """JSON of one type, as text.

    Args:
        declared: The option.
        shown: The redacted value that the field begins with; None where none is on record.
        **kwargs: As ``CharField`` takes them.
    """

    def __init__(self, *, declared: options.Option, shown: Any = None, **kwargs: Any) -> None:
        self.declared = declared
        self.shown = shown
        initial = "" if shown is None else json.dumps(shown, indent=2, ensure_ascii=False)
        attrs = {
            "class": "z4j-json",
            "data-z4j-json": "list" if declared.kind == "list" else "dict",
            "data-z4j-mask": MASK,
            "rows": min(max(initial.count("\n") + 2, 4), 20),
            **_AS_TYPED,
        }
        widget = forms.Textarea(attrs=attrs)
        super().__init__(initial=initial, max_length=JSON_LIMIT, widget=widget, **kwargs)

    def clean(self, value: Any) -> Any:
        """The value, or None where it stays as it was."""
        text = super().clean(value)
        if not text:
            return None
        try:
            data = json_text.read(text)
            if self.shown is not None and _spelled(data) == _spelled(self.shown):
                return None
            return self.declared.read(data)
        except json_text.JSONTextError as error:
            words = _("This can't be taken: %(error)s.") % {"error": error}
            raise ValidationError(words) from None
        except ValueError as error:
            raise ValidationError(str(error)) from None


class SecondsOrMoment(forms.CharField):
    """A number of seconds, or a moment in the project's time zone."""

    def clean(self, value: Any) -> Any:
        """Seconds, or the moment."""
        text = super().clean(value)
        try:
            return float(text) if text else None
        except ValueError:
            return forms.DateTimeField().clean(text)


class OptionsForm(forms.Form):
    """Options; their names are those of commands, for a filter's may stand on the same page."""

    declared: dict[str, options.Option]

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        zone = timezone.get_current_timezone_name()  # of this request
        for one in self.declared.values():
            if one.kind in ("moment", "seconds_or_moment"):
                words = _("A moment is in %(zone)s.") % {"zone": zone}
                field = self.fields[one.argument]
                field.help_text = f"{field.help_text} {words}"

    def options(self) -> dict[str, Any]:
        """What was given, as the operation takes it."""
        given = {name: self.cleaned_data.get(one.argument) for name, one in self.declared.items()}
        return {name: value for name, value in given.items() if value not in (None, "", False)}

    def refuse(self, error: Exception) -> None:
        """Say what the operation has against it, each beside its field."""
        if not isinstance(error, OptionsError):
            self.add_error(None, str(error))
            return
        for name, reason in error.errors.items():
            place = self.declared[name].argument if name in self.declared else None
            self.add_error(place, reason if place else f"{name}: {reason}")


@functools.cache
def form_for(
    *kinds: type[options.Options], once: bool = False, without: tuple[str, ...] = ()
) -> type[OptionsForm]:
    """The form of some options.

    Args:
        *kinds: The structs that declare them.
        once: Also what can't be said of many targets.
        without: What the page says by itself.
    """
    declared = {
        name: one
        for kind in kinds
        for name, one in options.described(kind).items()
        if (once or not one.once) and name not in without
    }
    fields: dict[str, Any] = {one.argument: field(one) for one in declared.values()}
    return type("Form", (OptionsForm,), {**fields, "declared": declared})


def edit_form(kind: type[options.Options], shown: dict[str, Any], data: Any = None) -> OptionsForm:
    """The form of some options with what is on record of the arguments, redacted.

    Args:
        kind: The struct.
        shown: What some options begin with, by their names.
        data: What was posted.
    """
    form = form_for(kind, once=True)(data)
    for name, value in shown.items():
        one = form.declared[name]
        form.fields[one.argument] = field(one, shown=value)
    return form


def _spelled(value: Any) -> str:
    """``value`` as text: as values, 1 would be the same as true."""
    return json.dumps(value, sort_keys=True)


def _without_ticks(text: str) -> str:
    return _(text).replace("`", "")


#: The help of an option; forms are made before anybody's language is known.
_help = lazy(_without_ticks, str)


def field(one: options.Option, **json_field: Any) -> forms.Field:
    """The field of an option; ``json_field`` are arguments of :class:`JSONText`."""
    said: dict[str, Any] = {
        "label": gettext_lazy(one.label),
        "help_text": _help(one.help),
        "required": one.required,
    }
    least, most = one.bounds
    match one.kind:
        case "flag":
            return forms.BooleanField(**said)
        case "choice":
            said |= {"required": False, "initial": one.default}
            words = [(name, gettext_lazy(name)) for name in one.choices]
            return forms.ChoiceField(choices=words, **said)
        case "number":
            return forms.FloatField(min_value=least, max_value=most, **said)
        case "whole":
            return forms.IntegerField(min_value=least, max_value=most, **said)
        case "moment":
            widget = forms.DateTimeInput(attrs={"type": "datetime-local", "step": "1"})
            return forms.DateTimeField(widget=widget, **said)
        case "seconds_or_moment":
            return SecondsOrMoment(max_length=40, **said)
        case "list" | "object":
            return JSONText(declared=one, **json_field, **said)
        case _:
            plain = forms.TextInput(attrs=_AS_TYPED)
            strip = not one.required  # what has to be typed back is compared as it is
            return forms.CharField(max_length=most, strip=strip, widget=plain, **said)
