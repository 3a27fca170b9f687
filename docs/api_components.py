"""The components of the API's schema, from serializers and the forms of bodies."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers

from z4j_django import options

Schema = dict[str, Any]

#: Fields that say nothing of themselves; the first that fits counts.
_TYPES: Final[tuple[tuple[type, Schema], ...]] = (
    (serializers.BooleanField, {"type": "boolean"}),
    (serializers.IntegerField, {"type": "integer"}),
    (serializers.FloatField, {"type": "number", "format": "double"}),
    (serializers.DateTimeField, {"type": "string", "format": "date-time"}),
    (serializers.URLField, {"type": "string", "format": "uri"}),
    (serializers.CharField, {"type": "string"}),
    (serializers.JSONField, {}),
)
#: What a field may be bounded by, in JSON schema's words.
_BOUNDS: Final = {
    "min_value": "minimum",
    "max_value": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
}
_INT32: Final = 2**31 - 1


class Components:
    """Makes them.

    Attributes:
        found: Those made so far, by name.
    """

    def __init__(self) -> None:
        self.found: dict[str, Schema] = {}

    def serializer(self, serializer: Any) -> Schema:
        """A reference to what a serializer answers with."""
        name = type(serializer).__name__.removesuffix("Serializer")
        if name not in self.found:
            self.found[name] = {}  # its place, for one that leads back to itself
            made = self._object(serializer, serializer.fields)
            if not getattr(serializer, "is_sparse", False):
                made["required"] = sorted(
                    name for name, one in serializer.fields.items() if one.required or one.read_only
                )
            self.found[name] = made
        return _reference(name)

    def body(self, kind: Any) -> Schema:
        """A reference to the options of a body; several by verb are one of them."""
        if not isinstance(kind, type):
            return self._one_of(kind)
        name = f"{kind.__name__.removesuffix('Options')}Request"
        self.found[name] = {"description": inspect.getdoc(kind), **options.schema(kind)}
        return _reference(name)

    def whole(self, schema: Schema) -> Schema:
        """What a reference stands for."""
        return self.found[schema["$ref"].rpartition("/")[2]]

    def _one_of(self, forms: Any) -> Schema:
        references = {verb: self._form(forms, verb) for verb in forms.kinds}
        name = f"{forms.name}Request"
        self.found[name] = {
            "oneOf": list(references.values()),
            "discriminator": {
                "propertyName": "verb",
                "mapping": {verb: one["$ref"] for verb, one in references.items()},
            },
            "required": ["verb"],
        }
        return _reference(name)

    def _form(self, forms: Any, verb: str) -> Schema:
        made = options.schema(*forms.kinds[verb], in_bulk=True)
        chosen = {"type": "string", "enum": [verb], "description": "What is done to them."}
        properties = {"verb": chosen, **made["properties"]}
        name = f"{forms.name}{verb.title().replace('_', '')}Request"
        words = verb.replace("_", " ").capitalize()
        self.found[name] = {
            "description": f"{words} many {forms.noun}.",
            **made,
            "properties": properties,
            "required": ["verb", *made.get("required", ())],
            "not": {"anyOf": [*made.get("not", {"anyOf": []})["anyOf"], *forms.not_together]},
        }
        return _reference(name)

    def _object(self, of: Any, fields: Mapping[str, Any]) -> Schema:
        return {
            "type": "object",
            "description": inspect.getdoc(type(of)),
            "properties": {name: self._field(one) for name, one in fields.items()},
        }

    def _field(self, field: Any) -> Schema:
        found = dict(self._value(field))
        if field.allow_null and "nullable" not in found:
            found["nullable"] = True
            if "enum" in found:
                found["enum"] = [*found["enum"], None]
        told = {"description": str(field.help_text)} if field.help_text else {}
        if "$ref" in found and len(found) + len(told) > 1:
            found["allOf"] = [{"$ref": found.pop("$ref")}]
        return {**found, **told}

    def _value(self, field: Any) -> Schema:
        if (said := getattr(field, "json_schema", None)) is not None:
            return dict(said)
        if isinstance(field, serializers.ListSerializer):
            return {"type": "array", "items": self.serializer(field.child)}
        if isinstance(field, serializers.Serializer):
            return self.serializer(field)
        if isinstance(field, serializers.ListField):
            return {"type": "array", "items": self._field(field.child)}
        if isinstance(field, serializers.DictField):
            return {"type": "object", "additionalProperties": self._field(field.child)}
        if isinstance(field, serializers.ChoiceField):
            return {"type": "string", "enum": list(field.choices)}
        return self._plain(field)

    def _plain(self, field: Any) -> Schema:
        found = next(dict(schema) for kind, schema in _TYPES if isinstance(field, kind))
        for name, word in _BOUNDS.items():
            if (bound := getattr(field, name, None)) is not None:
                found[word] = bound
        if found.get("maximum", 0) > _INT32 and found["type"] == "integer":
            found["format"] = "int64"
        return found


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
