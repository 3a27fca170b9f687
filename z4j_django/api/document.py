"""The OpenAPI document of this API, alike in every project that mounts it.

drf-spectacular's settings belong to the project and are about its own API, so ours is made under
settings of its own. These stand in one place for the whole process; that is why the document is
made once, behind a lock, and kept.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from django.utils import translation
from drf_spectacular import generators
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.settings import SPECTACULAR_DEFAULTS, patched_settings

import z4j_django
from z4j_django.api import links, openapi

_TITLE: Final = "z4j"
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

#: Settings that are no part of the document and can't be set for a while.
_OF_SERVING: Final = ("SERVE_", "DEFAULT_GENERATOR_CLASS")
#: All others: drf-spectacular's own, whatever the project says, and what differs from them.
_SETTINGS: Final = {
    **{
        name: value
        for name, value in SPECTACULAR_DEFAULTS.items()
        if not name.startswith(_OF_SERVING)
    },
    "TITLE": _TITLE,
    "DESCRIPTION": _DESCRIPTION,
    "VERSION": z4j_django.__version__,
    "LICENSE": {"name": "Apache-2.0"},
    "TAGS": [{"name": name, "description": text} for name, text in openapi.TAGS.items()],
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "POSTPROCESSING_HOOKS": [],
    "SCHEMA_PATH_PREFIX": "",
    "SORT_OPERATION_PARAMETERS": False,
}

_lock = threading.RLock()


def generate() -> dict[str, Any]:
    """Makes the document anew; drf-spectacular's warnings are in its ``GENERATOR_STATS``."""
    urls = importlib.import_module("z4j_django.api.urls")  # which imports the view of this
    make: Any = generators.SchemaGenerator
    generator = make(patterns=urls.urlpatterns)
    with _lock, patched_settings(_SETTINGS), translation.override("en"):
        document: dict[str, Any] = generator.get_schema(request=None, public=True)
    _drop(document, "x-spec-enum-id")  # for a hook that gives enumerations names of their own
    document["paths"] = dict(sorted(document["paths"].items(), key=_place))
    for operation in operations(document):
        links.add(operation)
    return document


def at(root: str) -> dict[str, Any]:
    """The document of the API that is mounted at ``root``, a path. Not to be changed."""
    return {**_kept(), "servers": [{"url": root.rstrip("/") or "/"}]}


def operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each operation of a document."""
    for methods in document["paths"].values():
        yield from methods.values()


@lru_cache(maxsize=1)
def _kept() -> dict[str, Any]:
    # A project's own way to authenticate may be unknown to drf-spectacular. It would say so on the
    # standard error of a server, to whom it is of no use.
    with _lock, GENERATOR_STATS.silence():
        return generate()


def _drop(value: Any, key: str) -> None:
    if isinstance(value, dict):
        value.pop(key, None)
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, dict | list):
            _drop(one, key)


def _place(item: tuple[str, dict[str, Any]]) -> tuple[int, str]:
    path, methods = item
    first = next(iter(methods.values()))
    return list(openapi.TAGS).index(first["tags"][0]), path.replace(".", "~")  # after the list
