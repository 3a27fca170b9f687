"""The schema of the API: whole, true to its own examples, and the same in every project."""

from __future__ import annotations

import importlib.util
import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from django.contrib.auth.models import User
from django.http import HttpResponse
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.test import APIRequestFactory, force_authenticate

from z4j_django.api import answers, base, document, links, openapi
from z4j_django.api.views import schema as views

DOCS = Path(__file__).parents[2] / "docs"
#: Whatever Flower 2 answers to, but its pages.
FLOWER = {
    "/api/workers",
    "/api/worker/shutdown",
    "/api/worker/pool/restart",
    "/api/worker/pool/grow",
    "/api/worker/pool/shrink",
    "/api/worker/pool/autoscale",
    "/api/worker/queue/add-consumer",
    "/api/worker/queue/cancel-consumer",
    "/api/tasks",
    "/api/task/types",
    "/api/queues/length",
    "/api/task/info",
    "/api/task/apply",
    "/api/task/async-apply",
    "/api/task/send-task",
    "/api/task/result",
    "/api/task/abort",
    "/api/task/timeout",
    "/api/task/rate-limit",
    "/api/task/revoke",
    "/metrics",
    "/healthcheck",
}


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return document.generate()


def operations(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for operation in document.operations(schema)}


def bodies(operation: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each body that an operation takes or gives, with what it is for."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", content
    for status, response in operation["responses"].items():
        for content in response.get("content", {}).values():
            yield status, content


def test_it_is_made_without_a_warning_and_is_openapi(capsys):
    made = document.generate()

    assert dict(GENERATOR_STATS._warn_cache) == {}
    assert dict(GENERATOR_STATS._error_cache) == {}
    assert capsys.readouterr().err == ""
    validate_schema(made)


def test_every_operation_says_what_it_does_and_what_may_go_wrong(schema):
    for operation in document.operations(schema):
        name = operation["operationId"]
        assert operation["summary"], name
        assert not operation["summary"].endswith("."), name
        assert operation["description"].endswith("."), name
        assert operation["tags"][0] in openapi.TAGS, name
        assert {str(status) for status in answers.ALWAYS} <= operation["responses"].keys(), name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (name, parameter["name"])


def test_no_two_operations_have_one_name(schema):
    names = [operation["operationId"] for operation in document.operations(schema)]

    assert len(set(names)) == len(names)


def test_every_body_has_an_example(schema):
    for name, operation in operations(schema).items():
        shown = {place for place, content in bodies(operation) if content.get("examples")}
        assert shown == {place for place, _ in bodies(operation)}, name


def test_every_example_is_valid(schema):
    for name, operation in operations(schema).items():
        for place, content in bodies(operation):
            for title, example in content.get("examples", {}).items():
                try:
                    check(schema, content["schema"], example["value"])
                except jsonschema.ValidationError as error:
                    pytest.fail(f"{name}, {place}, {title}: {error.message} at {error.json_path}")


def test_every_member_says_what_it_is(schema):
    for name, component in schema["components"]["schemas"].items():
        for member, told in component.get("properties", {}).items():
            assert told.get("description"), f"{name}.{member}"


def test_links_lead_to_operations_and_give_them_what_they_want(schema):
    found = operations(schema)
    followed = 0
    for operation in found.values():
        for response in operation["responses"].values():
            for link in response.get("links", {}).values():
                target = found[link["operationId"]]
                wanted = {one["name"] for one in target["parameters"] if one["in"] == "path"}
                assert link["parameters"].keys() == wanted
                followed += 1
    assert followed > len(links.LINKS)


def test_it_is_the_same_whatever_the_project_says_of_its_own(schema, monkeypatch):
    theirs = {
        "TITLE": "Theirs",
        "CAMELIZE_NAMES": True,
        "COMPONENT_SPLIT_REQUEST": False,
        "POSTPROCESSING_HOOKS": [],
        "SCHEMA_PATH_PREFIX": "/tasks",
    }
    for name, value in theirs.items():
        monkeypatch.setattr(spectacular_settings, name, value)

    assert document.generate() == schema
    assert {name: getattr(spectacular_settings, name) for name in theirs} == theirs


def test_a_way_to_sign_in_that_nobody_knows_makes_no_noise(monkeypatch, capsys):
    class ByMagic(BaseAuthentication):
        pass

    monkeypatch.setattr(base.View, "authentication_classes", [ByMagic])
    document._kept.cache_clear()
    try:
        assert document.at("/")["paths"]
    finally:
        document._kept.cache_clear()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("root", "server"), [("/z4j/api/", "/z4j/api"), ("/", "/"), ("/at/acme/", "/at/acme")]
)
def test_it_says_where_it_is_mounted(root, server):
    assert document.at(root)["servers"] == [{"url": server}]


def get(view: Any, path: str, signed_in: bool = True, **headers: str) -> HttpResponse:
    request = APIRequestFactory().get(path, **headers)
    if signed_in:
        force_authenticate(request, User(pk=1, username="anyone"))
    response: HttpResponse = view.as_view()(request)
    return response


def test_whoever_is_signed_in_may_read_it():
    response = get(views.SchemaView, "/records/schema/")

    assert response.status_code == 200
    found = json.loads(response.content)
    assert found["servers"] == [{"url": "/records"}]
    assert "/tasks/" in found["paths"]


def test_nobody_else_may():
    response = get(views.SchemaView, "/records/schema/", signed_in=False)

    assert response.status_code in (401, 403)
    assert response.headers["Content-Type"] == "application/problem+json"


def test_as_yaml_it_is_the_same():
    as_json = get(views.SchemaView, "/schema/")
    as_yaml = get(views.SchemaView, "/schema/", HTTP_ACCEPT="application/yaml")

    assert yaml.safe_load(as_yaml.content) == json.loads(as_json.content)


class Page(HTMLParser):
    """What a page loads, and what it has in itself."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.inline: list[str] = []
        self._inside = ""
        self.text = response.content.decode()
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside = tag
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if tag in ("script", "link", "img", "iframe"):
            self.loaded.append(given.get("src") or given.get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style") and data.strip():
            self.inline.append(data)


def test_the_page_has_no_script_in_itself_and_asks_no_other_host():
    response = get(views.DocsView, "/z4j/api/docs/", HTTP_ACCEPT="text/html")
    page = Page(response)

    assert response.status_code == 200
    assert page.inline == []
    loaded = [address for address in page.loaded if address != "data:,"]
    assert len(loaded) == 4
    assert all(address.startswith("/static/") for address in loaded)


def test_the_page_says_what_to_install(monkeypatch):
    monkeypatch.setattr("django.apps.apps.is_installed", lambda name: name != views._SIDECAR)

    page = Page(get(views.DocsView, "/z4j/api/docs/"))

    assert "drf_spectacular_sidecar" in page.text
    assert not any("sidecar" in address for address in page.loaded)


def test_the_page_asks_who_is_not_signed_in_to_do_so(settings):
    settings.LOGIN_URL = "/enter/"

    response = get(views.DocsView, "/z4j/api/docs/", signed_in=False)

    assert response.status_code in (401, 403)
    assert 'href="/enter/?next=/z4j/api/docs/"' in response.content.decode()


def test_the_reference_is_what_the_schema_says(schema):
    found = importlib.util.spec_from_file_location("api_reference", DOCS / "api_reference.py")
    assert found is not None
    assert found.loader is not None
    reference = importlib.util.module_from_spec(found)
    found.loader.exec_module(reference)

    written = (DOCS / "reference" / "api.md").read_text()
    assert written == reference.page(schema), "Run `make api-reference`."


def test_what_is_there_for_flowers_users_exists(schema):
    guide = (DOCS / "how-to" / "from-flower.md").read_text()
    ours = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path.removeprefix("/")))
        for path, methods in schema["paths"].items()
        for method in methods
    }

    named = re.findall(r"`(GET|POST) ([a-z][^`]*)`", guide)
    wanted = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in named}

    assert len(wanted) > 15
    assert wanted <= ours


def test_the_guide_leaves_out_nothing_of_flower():
    guide = (DOCS / "how-to" / "from-flower.md").read_text()
    named = set(re.findall(r"`(?:GET|POST) (/[^`?{]*)", guide))

    assert {path.rstrip("/") for path in named} == FLOWER


def check(document: dict[str, Any], schema: dict[str, Any], value: Any) -> None:
    """See that a value is what OpenAPI 3.0 says it is."""
    whole = {**plain(schema), "components": plain(document["components"])}
    jsonschema.validate(value, whole, cls=jsonschema.Draft4Validator)


def plain(schema: Any) -> Any:
    """The same in JSON schema's words: what may be null there is one of two types."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: plain(one) for name, one in schema.items()}
    if found.pop("nullable", False) is True:
        return {"anyOf": [found, {"type": "null"}]}
    return found
