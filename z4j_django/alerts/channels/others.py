"""Every other service, by apprise: the extra ``alerts``."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from z4j_django.alerts import targets, wording
from z4j_django.alerts.channels import apprise_process
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Outcome, Sending, said
from z4j_django.alerts.message import Message
from z4j_django.options import option

_MISSING: Final = "apprise is not installed here: pip install 'django-z4j[alerts]'."
#: What calls people, where a service reads the text: a space takes that from it.
_CALLS: Final = re.compile(r"(?<=@)(?=everyone|here|channel|all\b|team)|(?<=<)(?=[@!#&])", re.I)

_Type = Literal["failure", "warning", "success", "info"]


def _wrong_url(url: str) -> str:
    scheme, colon, _ = url.partition("://")
    if not colon or not re.fullmatch(r"[a-zA-Z][\w.+-]*", scheme, re.ASCII):
        return "A URL of apprise begins with a word and ://."
    return "" if url.isprintable() else "A URL has no line breaks."


class AppriseOptions(ChannelOptions, frozen=True, kw_only=True):
    """Which service, and where."""

    url: Annotated[
        Annotated[str, Meta(min_length=4, max_length=targets.URL_LENGTH)],
        option(
            "The service and what it takes to write there, as apprise has it: `ntfy://topic`.",
            label="URL",
            metavar="URL",
            check=_wrong_url,
            secret=True,
        ),
    ]


class _Outcome(msgspec.Struct, frozen=True):
    """What the process says last."""

    outcome: Outcome
    text: str


def is_installed() -> bool:
    """Whether apprise is there."""
    return importlib.util.find_spec("apprise") is not None


def deliver(given: AppriseOptions, message: Message, sending: Sending) -> Answer:
    """Have apprise send it, in a process that is ended when the time is over."""
    if not is_installed():
        return Answer("refused", _MISSING)
    told = {
        "url": given.url,
        "title": _harmless(wording.headline(message)),
        "body": _harmless(wording.plain(message)),
        "type": _type(message),
        "allows_private": sending.allows_private,
    }
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    try:
        done = subprocess.run(  # noqa: S603  # our own module; what is secret goes by the pipe
            [_python(), "-m", apprise_process.__name__],
            input=msgspec.json.encode(told),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # a traceback may show the URL
            env={**os.environ, "PYTHONPATH": path},
            timeout=sending.timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        is_out = (error.stdout or b"").startswith(apprise_process.OUT)
        return Answer("unknown" if is_out else "later", "apprise did not come to an end.")
    return _answer(done.stdout, given)


def _answer(output: bytes, given: AppriseOptions) -> Answer:
    is_out = output.startswith(apprise_process.OUT)
    try:
        last = msgspec.json.decode(output.removeprefix(apprise_process.OUT), type=_Outcome)
    except msgspec.DecodeError:
        return Answer("unknown" if is_out else "later", "apprise failed.")
    return Answer(last.outcome, said(last.text, given) or "apprise sent it.")


def _type(message: Message) -> _Type:
    if message.status == "firing":
        return "failure" if message.severity == "critical" else "warning"
    return "success" if message.status == "resolved" else "info"


def _harmless(text: str) -> str:
    return _CALLS.sub(" ", text)


def _python() -> str:
    """The interpreter; where a server embeds it, ``sys.executable`` is that server."""
    if "python" in Path(sys.executable or "").name:
        return sys.executable
    return str(Path(sys.prefix) / "bin" / "python3")


KIND: Final = Kind(
    key="apprise",
    title="Others, by apprise",
    about="Any service that apprise knows, by its URL; wants the extra `alerts`.",
    options=AppriseOptions,
    deliver=deliver,
    place=lambda given: given.url.partition("://")[0].lower(),
)
