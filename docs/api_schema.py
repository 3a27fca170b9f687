"""Writes the OpenAPI document of the API, and its reference: ``make api-schema``.

The document is made from what the views declare (``z4j_django.api.endpoints``) and from their
serializers; the examples are those of ``api_examples.json``. It is the same in every project, and
shipped as ``z4j_django/api/openapi.json``. Tests compare both files with what this would write.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from api_links import links
from api_problems import COMPONENTS, PROBLEMS

HERE: Final = Path(__file__).parent
PACKAGE: Final = HERE.parent / "z4j_django"
DOCUMENT: Final = PACKAGE / "api" / "openapi.json"

Schema = dict[str, Any]

_DESCRIPTION: Final = """\
Every Celery task of the project, and what an operator does with it.

**Errors** are problem details (RFC 9457). **Times** are ISO 8601 in UTC, with microseconds; lengths
of time are seconds. **Lists** are read page by page: `next` and `previous` are addresses, and what
comes in between the pages shifts none of them. What the API does not know, a parameter or a member
of a body, is a 400. `ETag` and `If-None-Match` spare the body where nothing has changed.

**Operations** answer 202 with what is on record of them. Small ones are over by then; of others
`url` tells more later. An outcome `unknown` says that the broker or the workers did not answer in
time: neither done nor failed.
"""
_SECURITY: Final[Schema] = {
    "tokenAuth": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": 'A token of Django REST framework, after the word "Token"; or what else the '
        "project's `DEFAULT_AUTHENTICATION_CLASSES` take.",
    },
    "cookieAuth": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
}
_HEADERS: Final = {
    "ETag": "Stands for this answer.",
    "If-None-Match": "The `ETag` of an answer that you have. Where nothing has changed, the answer "
    "is 304.",
    "Location": "The operation's address.",
    "Retry-After": "Seconds to wait.",
}
_PARAMETER: Final = re.compile(r"<\w+:(\w+)>")
_WORD: Final = re.compile(r"\w+")


def build() -> Schema:
    """The document. Django has to be set up."""
    return _Document().whole()


class _Document:
    def __init__(self) -> None:
        from api_components import Components

        self.examples: Schema = json.loads((HERE / "api_examples.json").read_text())
        self.components = Components()

    def whole(self) -> Schema:
        import z4j_django
        from z4j_django.api.endpoints import TAGS

        responses = {**self.problems(), "NotModified": self.not_modified()}
        paths = self.paths()
        return {
            "openapi": "3.0.3",
            "info": {
                "title": "z4j",
                "version": z4j_django.__version__,
                "description": _DESCRIPTION,
                "license": {"name": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": dict(sorted(self.components.found.items())),
                "responses": responses,
                "parameters": {"IfNoneMatch": self.if_none_match()},
                "securitySchemes": _SECURITY,
            },
            "tags": [{"name": name, "description": told} for name, told in TAGS.items()],
        }

    def paths(self) -> Schema:
        from z4j_django.api import urls
        from z4j_django.api.endpoints import TAGS

        found: dict[str, Schema] = {}
        nouns: dict[str, int] = {}
        for route in urls.urlpatterns:
            for method, endpoint in route.callback.view_class.endpoints.items():
                path = "/" + _PARAMETER.sub(r"{\1}", str(route.pattern))
                found.setdefault(path, {})[method] = self.operation(endpoint, method)
                nouns[path] = list(TAGS).index(endpoint.noun)
        # A file comes after the list that it is of.
        order = sorted(found, key=lambda path: (nouns[path], path.replace(".", "~")))
        return {path: found[path] for path in order}

    def operation(self, endpoint: Any, method: str) -> Schema:
        is_kept = method == "get" and not isinstance(endpoint.answer, str)
        parameters = [self.parameter(endpoint, one) for one in _parameters(endpoint)]
        if is_kept:
            parameters.append({"$ref": "#/components/parameters/IfNoneMatch"})
        body = self.body(endpoint) if endpoint.body is not None else {}
        return {
            "operationId": endpoint.id,
            "summary": endpoint.summary,
            "description": endpoint.description,
            "tags": [endpoint.noun],
            "parameters": parameters,
            **body,
            "security": [{name: []} for name in _SECURITY],
            "responses": self.responses(endpoint, method, is_kept),
        }

    def parameter(self, endpoint: Any, described: Schema) -> Schema:
        name = described["name"]
        known = self.examples["parameters"]
        for key in (f"{endpoint.id}.{name}", f"{endpoint.noun}.{name}", name):
            if key in known and "enum" not in described["schema"] and "example" not in described:
                return {**described, "example": known[key]}
        return described

    def body(self, endpoint: Any) -> Schema:
        schema = self.components.body(endpoint.body)
        content = {"schema": schema, **self.shown(endpoint, "request")}
        is_needed = bool(self.components.whole(schema).get("required"))
        needed = {"required": True} if is_needed else {}
        return {"requestBody": {"content": {"application/json": content}, **needed}}

    def responses(self, endpoint: Any, method: str, is_kept: bool) -> Schema:

        from z4j_django.api.endpoints import ALWAYS, OF_A_BODY

        good: Schema = {"description": "", **self.answer(endpoint)}
        if is_kept:
            good["headers"] = self.headers("ETag")
        if endpoint.status == 202:
            good["headers"] = self.headers("Location", format="uri")
        if found := links(endpoint.id, endpoint.status):
            good["links"] = found
        of_a_body = OF_A_BODY if method == "post" else ()
        wrong = sorted({*ALWAYS, *of_a_body, *endpoint.problems})
        return {
            str(endpoint.status): good,
            **({"304": {"$ref": "#/components/responses/NotModified"}} if is_kept else {}),
            **{str(one): {"$ref": f"#/components/responses/{PROBLEMS[one][0]}"} for one in wrong},
        }

    def answer(self, endpoint: Any) -> Schema:
        answer = endpoint.answer
        description = ""
        if isinstance(answer, str):
            description, schema = answer, {"type": "string"}
        elif isinstance(answer, Mapping):
            schema = dict(answer)
            description = schema.pop("description")
        else:
            schema = self.components.serializer(answer())
        content = {"schema": schema, **self.shown(endpoint, "answer")}
        return {
            "description": description,
            "content": dict.fromkeys(endpoint.media_types, content),
        }

    def shown(self, endpoint: Any, what: str) -> Schema:
        found = self.examples["operations"][endpoint.id].get(what)
        return {"examples": _named(found)} if found else {}

    def problems(self) -> Schema:
        from z4j_django.api import problems

        self.components.found.update(COMPONENTS)
        found: Schema = {}
        for status, (name, told) in PROBLEMS.items():
            shown = self.examples["problems"][str(status)]
            content = {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": _named({shown["title"]: shown}),
            }
            found[name] = {"description": told, "content": {problems.MEDIA_TYPE: content}}
        found["Throttled"]["headers"] = self.headers("Retry-After")
        return found

    def not_modified(self) -> Schema:
        return {"description": "Nothing has changed.", "headers": self.headers("ETag")}

    def if_none_match(self) -> Schema:
        (described,) = self.headers("If-None-Match").values()
        return {"in": "header", "name": "If-None-Match", **described}

    def headers(self, name: str, **schema: Any) -> Schema:
        described = {
            "schema": {"type": "string", **schema},
            "description": _HEADERS[name],
            "example": self.examples["headers"][name],
        }
        return {name: described}


def _parameters(endpoint: Any) -> Iterator[Schema]:
    for one in endpoint.parameters:
        yield from one.described()


def _named(examples: Mapping[str, Any]) -> Schema:
    """Examples by a name without spaces, each with the line that says what it shows."""
    return {
        "".join(word[0].upper() + word[1:] for word in _WORD.findall(told)): {
            "summary": told,
            "value": value,
        }
        for told, value in examples.items()
    }


def written(document: Schema) -> str:
    """A document as it stands in its file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Writes the document and the reference."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_project.settings")
    sys.path.insert(0, str(HERE.parent))
    import django

    django.setup()
    import api_reference

    document = build()
    DOCUMENT.write_text(written(document))
    api_reference.PAGE.write_text(api_reference.page(document))


if __name__ == "__main__":
    main()
