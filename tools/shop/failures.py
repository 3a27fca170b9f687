"""How its tasks fail: exceptions with tracebacks through the shop's own code and that of others."""

from __future__ import annotations

from typing import Final

from z4j_django.agent.events import Failure

_OWN: Final = '  File "/srv/shop/shop/{path}", line {line}, in {function}\n    {code}\n'
_LIBRARY: Final = (
    '  File "/srv/shop/.venv/lib/python3.13/site-packages/{path}", line {line}, in {function}\n'
    "    {code}\n"
)
DECLINED: Final = (
    "Traceback (most recent call last):\n"
    + _LIBRARY.format(
        path="celery/app/trace.py", line=585, function="trace_task", code="R = fun(*args, **kwargs)"
    )
    + _OWN.format(
        path="payments/tasks.py",
        line=82,
        function="charge_card",
        code="receipt = acme.charge(order, card, cents)",
    )
    + _OWN.format(
        path="payments/acme.py",
        line=141,
        function="charge",
        code="raise CardDeclined(order, card)",
    )
)
NO_ANSWER: Final = "Traceback (most recent call last):\n" + _OWN.format(
    path="payments/gateway.py",
    line=64,
    function="ask",
    code="raise GatewayTimeout(provider)",
)
FULL: Final = "Traceback (most recent call last):\n" + _OWN.format(
    path="reports/tasks.py",
    line=21,
    function="nightly_report",
    code="target.write_bytes(report)",
)
TIMED_OUT: Final = (
    "Traceback (most recent call last):\n"
    + _OWN.format(
        path="stock/tasks.py", line=37, function="sync_stock", code="levels = warehouse.levels(sku)"
    )
    + _LIBRARY.format(
        path="httpx/_transports/default.py",
        line=118,
        function="map_httpcore_exceptions",
        code="raise mapped_exc(message) from exc",
    )
)
BROKEN: Final = (
    "Traceback (most recent call last):\n"
    + _OWN.format(
        path="media/tasks.py", line=58, function="resize_image", code="picture = Image.open(path)"
    )
    + _LIBRARY.format(
        path="PIL/Image.py",
        line=3493,
        function="open",
        code="raise UnidentifiedImageError(msg)",
    )
)


def failure(kind: str, text: str, traceback: str) -> Failure:
    """An exception of a type, with what it says and how it came there."""
    return Failure(kind, text, f"{traceback}{kind}: {text}\n")
