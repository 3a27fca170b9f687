"""How many requests one client may make: many to read, few to operate."""

from __future__ import annotations

import hashlib
import math
import time
from typing import Any, Final

from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import SimpleRateThrottle

from z4j_django import logs

logger = logs.logger("z4j_django.api")

READ: Final = "z4j_read"
OPERATE: Final = "z4j_operate"
#: Where ``DEFAULT_THROTTLE_RATES`` of the project's ``REST_FRAMEWORK`` names no rate.
RATES: Final = {READ: "1200/min", OPERATE: "120/min"}


class Throttle(SimpleRateThrottle):
    """Counts the requests of each user, or address, in windows of the rate's length.

    One number a client, which the cache counts up by itself: the framework's own throttle keeps
    the moment of every request, and two at once overwrite each other's list.
    """

    def __init__(self) -> None:
        # The scope, and so the rate, is known with the request.
        self._rest = 0.0

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether this request is within its rate."""
        scope = READ if request.method in ("GET", "HEAD", "OPTIONS") else OPERATE
        rates = api_settings.DEFAULT_THROTTLE_RATES or {}
        allowed, length = self.parse_rate(rates.get(scope, RATES[scope]))
        if allowed is None or length is None:
            return True
        now = time.time()
        window = math.floor(now / length)
        self._rest = (window + 1) * length - now
        key = f"z4j.throttle.{scope}.{self._client(request)}.{window}"
        count = _counted(key, length)
        return count is None or count <= allowed

    def wait(self) -> float:
        """Seconds until the next window."""
        return self._rest

    def _client(self, request: Request) -> str:
        user = request.user
        if user is not None and user.is_authenticated:
            who = f"user {user.pk}"
        else:
            who = f"address {self.get_ident(request)}"
        return hashlib.blake2b(who.encode(errors="replace"), digest_size=16).hexdigest()


def _counted(key: str, seconds: float) -> int | None:
    """The requests of this window, with this one; None where the cache does not tell."""
    try:
        cache.add(key, 0, timeout=seconds)
        count: int | None = cache.incr(key)
    except ValueError:  # the cache let go of it in between
        return None
    except Exception as error:  # whatever a cache raises that is away: the API goes on without
        logger.warning("The cache can't count requests: %s", type(error).__name__)
        return None
    return count
