"""The parts of a page that refresh by themselves.

A page is written whole, and reads without scripts. Each of its parts says where it is to be had
alone: at the page's own address, with ``?part=`` its name. htmx asks there every few seconds, and
is answered 304 where nothing has changed but how long ago things were. What one user was told, all
with the same rights are told for a few seconds: of fifty open pages, one is made. And who was told
something is told that it is so still without being asked who they are, which is what a 304 costs:
it shows nothing, and every half minute they are asked again.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from http import HTTPStatus
from threading import Lock
from typing import Any, Final, TypeAlias

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified
from django.template.loader import render_to_string
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags, quote_etag
from django.utils.safestring import SafeString
from django.utils.translation import get_language

from z4j_django.admin import navigation

_View: TypeAlias = Callable[..., HttpResponseBase]

#: The parameter that names a part.
PART: Final = "part"
#: Seconds for which a part is told as it was; a little less than from one request to the next.
SHARED: Final = 4.75
#: Seconds after which who asks is looked at again, though nothing has changed.
ASKED_AGAIN: Final = 30.0
#: Those who asked that are remembered at most.
_MOST_ASKED: Final = 1_000
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
    _remember_asker(request, key)
    return text


def unchanged_first(view: _View) -> _View:
    """A view before which a browser is told where all that it has is so still."""

    @wraps(view)
    def answered(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return _unchanged(request) or view(request, *args, **kwargs)

    return answered


def _unchanged(request: HttpRequest) -> HttpResponse | None:
    """A 304 for who was told a moment ago what is told still; None where that is not known."""
    if "If-None-Match" not in request.headers or not (asker := _asker(request)):
        return None
    now = time.monotonic()
    with _lock:
        asked_at, key = _askers.get(asker, (-ASKED_AGAIN, ()))
        at, text = _kept.get(key, (-SHARED, ""))
    if now - asked_at >= ASKED_AGAIN or now - at >= SHARED:
        return None
    response = revalidated(request, HttpResponse(), text)
    return response if response.status_code == HTTPStatus.NOT_MODIFIED else None


def _asker(request: HttpRequest) -> bytes:
    """Who asks for what, as far as a browser says it; nothing where no session does."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return b""
    asked = (get_script_prefix(), request.get_full_path(), request.method)
    names = ("Host", "Cookie", "Authorization", "Accept-Language")
    said = [request.headers.get(name, "") for name in names]
    return hashlib.blake2b(repr((*asked, *said)).encode(), digest_size=16).digest()


def _remember_asker(request: HttpRequest, key: tuple[Any, ...]) -> None:
    if not (asker := _asker(request)):
        return
    with _lock:
        _askers[asker] = time.monotonic(), key
        _askers.move_to_end(asker)
        while len(_askers) > _MOST_ASKED:
            _askers.popitem(last=False)


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
#: When who asked was told what, by which they are known for a while.
_askers: Final[OrderedDict[bytes, tuple[float, tuple[Any, ...]]]] = OrderedDict()
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
        _askers.clear()
