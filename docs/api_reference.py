"""The reference of the API, ``docs/reference/api.md``, from its schema; see ``api_schema.py``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent / "reference" / "api.md"

_HEAD = """\
# The API

This page is made from the schema that the API itself serves at `GET schema/`; at `docs/` a browser
shows the same, and tries it out. How to mount it, get a token and make the first calls:
[Use the API](../how-to/use-the-api.md). Addresses are below the one at which it is mounted.

{description}
Whoever asks is who the project's `DEFAULT_AUTHENTICATION_CLASSES` say. What they may do is said by
the [permissions](operations.md#permissions): a GET wants the `view` permission of what it shows, a
POST that of its verb. What is of a format `z4j-…` is read as [the filter](filters.md) has it.

Every answer may be one of these [problems](#problem):

{problems}
"""

Schema = dict[str, Any]


def page(document: Schema) -> str:
    """The whole page."""
    return "\n".join(_Page(document).lines()).rstrip() + "\n"


class _Page:
    def __init__(self, document: Schema) -> None:
        self.document = document
        self.components: Schema = document["components"]["schemas"]
        found = [
            (path, method, self.resolved(operation))
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        ]
        self.operations = found
        everywhere = [{*operation["responses"]} for *_, operation in found]
        #: The problems that any operation may have; the pages' head tells of them.
        self.common = sorted(set.intersection(*everywhere))
        #: The first operation with the filter, whose parameters are written once.
        self.filtering: Schema = {}

    def resolved(self, operation: Schema) -> Schema:
        """The same with the shared parameters and responses in their places."""
        responses = {code: self.at(one) for code, one in operation["responses"].items()}
        parameters = [self.at(one) for one in operation["parameters"]]
        return {**operation, "responses": responses, "parameters": parameters}

    def at(self, part: Schema) -> Schema:
        """The part itself, or the component that it refers to."""
        if "$ref" not in part:
            return part
        *_, kind, name = part["$ref"].split("/")
        found: Schema = self.document["components"][kind][name]
        return found

    def lines(self) -> Iterator[str]:
        yield self.head()
        for tag in self.document["tags"]:
            here = [one for one in self.operations if tag["name"] in one[2]["tags"]]
            if here:
                yield from (f"## {tag['name'].capitalize()}", "", tag["description"], "")
                for path, method, operation in here:
                    yield from self.operation(path, method, operation)
        yield from ("## Objects", "", "What bodies and answers are made of.", "")
        for name, schema in sorted(self.components.items()):
            yield from self.component(name, schema)

    def head(self) -> str:
        responses = self.operations[0][2]["responses"]
        rows = [(code, responses[code]["description"]) for code in self.common]
        told = self.document["info"]["description"]
        return _HEAD.format(description=told, problems="\n".join(_table(("Status", ""), rows)))

    def operation(self, path: str, method: str, operation: Schema) -> Iterator[str]:
        yield from (f"### {operation['summary']}", "")
        yield from (f"`{method.upper()} {path.removeprefix('/')}`", "")
        yield from (operation["description"].strip(), "")
        yield from self.parameters(operation)
        if body := operation.get("requestBody"):
            yield from self.body(body)
        yield from self.responses(operation["responses"])

    def parameters(self, operation: Schema) -> Iterator[str]:
        given = [one for one in operation.get("parameters", ()) if one["name"] != "If-None-Match"]
        if known := self.filtering.get("parameters", ()):
            shared = [one for one in given if one in known]
            if "q" in [one["name"] for one in shared]:
                given = [one for one in given if one not in shared]
                summary = self.filtering["summary"]
                told = f"The filter and other parameters of [{summary}](#{_anchor(summary)}): "
                yield told + ", ".join(f"`{one['name']}`" for one in shared) + "."
                yield ""
        elif "q" in [one["name"] for one in given]:
            self.filtering = operation
        rows = [
            (
                f"`{one['name']}`" + (f", in the {one['in']}" if one["in"] != "query" else ""),
                self.kind(one["schema"]),
                _sentence(one["description"], _default(one["schema"]), _shown(one)),
            )
            for one in given
        ]
        if rows:
            yield from (*_table(("Parameter", "", ""), rows), "")

    def body(self, body: Schema) -> Iterator[str]:
        for content in body["content"].values():
            yield from (f"The body: {self.kind(content['schema'])}", "")
            yield from _examples(content)

    def responses(self, responses: Schema) -> Iterator[str]:
        own = {code: one for code, one in responses.items() if code not in self.common}
        rows = []
        for code, one in own.items():
            kinds = [
                self.kind(content["schema"]) if media_type.endswith("json") else f"`{media_type}`"
                for media_type, content in one.get("content", {}).items()
                if media_type != "application/problem+json"
            ]
            links = [f"`{link['operationId']}`" for link in one.get("links", {}).values()]
            leads = f"Leads to {', '.join(links)}." if links else ""
            rows.append((code, ", ".join(kinds), _sentence(one["description"], leads)))
        yield from (*_table(("Answer", "", ""), rows), "")
        for code, one in own.items():
            for media_type, content in one.get("content", {}).items():
                if code < "300" and media_type != "application/problem+json":
                    yield from _examples(content)

    def component(self, name: str, schema: Schema) -> Iterator[str]:
        yield from (f"### {name}", "")
        if told := schema.get("description"):
            yield from (told.strip(), "")
        if "enum" in schema:
            yield from (self.kind(schema), "")
        elif choices := schema.get("oneOf"):
            yield from ("One of " + ", ".join(map(self.kind, choices)) + ".", "")
        required = schema.get("required", ())
        rows = [
            (
                f"`{member}`" + ("" if member in required else ", may be absent"),
                self.kind(one),
                _sentence(one.get("description", ""), _default(one)),
            )
            for member, one in schema.get("properties", {}).items()
        ]
        if rows:
            yield from (*_table(("Member", "", ""), rows), "")

    def kind(self, schema: Schema) -> str:
        """What a value is, in a few words."""
        if reference := schema.get("$ref"):
            name = reference.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        for word in ("oneOf", "anyOf", "allOf"):
            if several := schema.get(word):
                joined = " or ".join(dict.fromkeys(map(self.kind, several)))
                return joined + (" or null" if schema.get("nullable") else "")
        if schema.get("type") == "array":
            return f"array of {self.kind(schema['items'])}"
        words = [schema.get("type", "any JSON")]
        if "enum" in schema:
            words = ["one of " + ", ".join(f"`{value}`" for value in schema["enum"])]
        elif schema.get("format"):
            words.append(f"`{schema['format']}`")
        if schema.get("nullable"):
            words.append("or null")
        return " ".join((*words, *_bounds(schema)))


def _bounds(schema: Schema) -> Iterator[str]:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        yield f"from {low} to {high}"
    elif low is not None:
        yield f"from {low} on"
    elif high is not None:
        yield f"up to {high}"
    if (longest := schema.get("maxLength")) is not None:
        yield f"of up to {longest} characters"


def _default(schema: Schema) -> str:
    return f"By default `{json.dumps(schema['default'])}`." if "default" in schema else ""


def _shown(parameter: Schema) -> str:
    return f"Such as `{parameter['example']}`." if "example" in parameter else ""


def _anchor(heading: str) -> str:
    return heading.lower().replace(" ", "-")


def _sentence(*parts: str) -> str:
    return " ".join(" ".join(part.split()) for part in parts if part)


def _examples(content: Schema) -> Iterator[str]:
    for name, one in content.get("examples", {}).items():
        value = one["value"]
        yield from (f"{one.get('summary') or name}:", "")
        if isinstance(value, str):
            yield from ("```", *value.splitlines(), "```", "")
        else:
            yield from ("```json", json.dumps(value, indent=2, ensure_ascii=False), "```", "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield _row(head)
    yield _row(("---",) * len(head))
    yield from map(_row, rows)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
