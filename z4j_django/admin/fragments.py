"""The parts of a page that refresh by themselves.

A page is written whole, and reads without scripts. Each of its parts says where it is to be had
alone: at the page's own address, with ``?part=`` its name. htmx asks there every few seconds, and
is answered 304 where nothing has changed but how long ago things were. What one user was told, all
with the same rights are told for a few seconds: of fifty open pages, one is made, and the others
cost what Django takes to know who asks.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags, quote_etag
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from z4j_django.admin import navigation

#: The parameter that names a part.
PART: Final = "part"
#: Seconds for which a part is told as it was; a little less than from one request to the next.
SHARED: Final = 4.75
#: Parts that are remembered at most, and characters of one.
_MOST: Final = 64
_LONGEST: Final = 500_000

#: What changes by itself as time goes by, and ``z4j.js`` sees to.
_AGES: Final = re.compile(r' aria-label="[^"]*" data-z4j-time="[^"]*">[^<]*</time>')


@dataclass(frozen=True)
class Part:
    """A part of a page.

    Attributes:
        template: Of what stands in it. It must not show anything that is one user's own.
        context: Gives the template's context; called when the part is asked for.
        every: Seconds from one refresh to the next; 0 for none.
        once: Gives what its template shows besides in the page, and no refresh does; it stands in
            elements of the class ``z4j-keep``, which stay as they are.
    """

    template: str
    context: Callable[[], Mapping[str, Any]]
    every: int = 5
    once: Callable[[], Mapping[str, Any]] | None = None


def whole(
    request: HttpRequest, parts: Mapping[str, Part], address: str = ""
) -> dict[str, SafeString]:
    """All parts of a page, each in an element that refreshes itself.

    Args:
        request: For the page.
        parts: By their names.
        address: Where the parts are to be had, where that is not the page's own address.
    """
    return {name: _framed(request, name, part, address) for name, part in parts.items()}


def _framed(request: HttpRequest, name: str, part: Part, address: str) -> SafeString:
    query = request.GET.copy()
    query[PART] = name
    asked = f"{address or request.path}?{query.urlencode()}"
    html = _rendered(part, whole=True)
    if not address and part.once is None:
        _remember(_key(request, name), html)
    context = {"name": name, "address": asked, "every": part.every, "html": html}
    return render_to_string("admin/z4j_django/part.html", context)


def answer(request: HttpRequest, parts: Mapping[str, Part]) -> HttpResponse | None:
    """One part, where a request asks for one; None where it asks for the page."""
    name = request.GET.get(PART, "")
    if name not in parts:
        return None
    html = told(request, name, lambda: _rendered(parts[name]))
    return revalidated(request, HttpResponse(html), html)


def told(request: HttpRequest, name: str, make: Callable[[], str]) -> str:
    """What was told a moment ago to somebody with the same rights; else what ``make`` returns.

    Args:
        request: Its path, query, language and zone are part of what is told.
        name: Of this, among all that is told there.
        make: Makes it: a text in which nothing is one user's own.
    """
    key = _key(request, name)
    text = _recalled(key)
    if text is None:
        try:
            text = make()
        finally:
            with _lock:
                _making.discard(key)
        _remember(key, text)
    return text


def revalidated(request: HttpRequest, response: HttpResponse, content: str) -> HttpResponse:
    """``response`` with an ETag made of ``content``, or a 304 where the browser has it already."""
    tag = _tag(content)
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if tag in known or f"W/{tag}" in known:
        response = HttpResponseNotModified()
    response["ETag"] = f"W/{tag}"
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Cookie", "Accept-Language"])
    return response


@lru_cache(maxsize=16)
def _tag(content: str) -> str:
    """The ETag of what is told; of the same text, which many are told, it is made once."""
    text = _AGES.sub("", content)
    return quote_etag(hashlib.blake2b(text.encode(), digest_size=12).hexdigest())


def _rendered(part: Part, *, whole: bool = False) -> SafeString:
    # Without the request: what its context processors bring would be one user's own.
    besides = part.once() if whole and part.once is not None else {}
    return render_to_string(part.template, {**part.context(), **besides})


def _key(request: HttpRequest, name: str) -> tuple[Any, ...]:
    query = request.GET.copy()
    query[PART] = name
    zone = timezone.get_current_timezone_name() if settings.USE_TZ else ""
    place = (get_script_prefix(), request.path, query.urlencode(), get_language(), zone)
    return (*place, navigation.rights(request))


_kept: Final[OrderedDict[tuple[Any, ...], tuple[float, str]]] = OrderedDict()
#: What is made anew at this moment, which whoever asks meanwhile need not make, too.
_making: Final[set[tuple[Any, ...]]] = set()
_lock = Lock()


def _recalled(key: tuple[Any, ...]) -> str | None:
    """What is remembered; None for the one who is to make it anew."""
    with _lock:
        at, html = _kept.get(key, (0.0, None))
        age = time.monotonic() - at
        if html is not None and (age < SHARED or (age < 2 * SHARED and key in _making)):
            return html
        _making.add(key)
    return None


def _remember(key: tuple[Any, ...], html: str) -> None:
    if len(html) > _LONGEST:
        return
    with _lock:
        _kept[key] = time.monotonic(), html
        _kept.move_to_end(key)
        while len(_kept) > _MOST:
            _kept.popitem(last=False)


def forget() -> None:
    """Remember nothing: for tests, and for whoever has just changed what is shown."""
    with _lock:
        _kept.clear()
        _making.clear()
