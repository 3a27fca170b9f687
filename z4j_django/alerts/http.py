"""The one HTTP client: one request, within a time, to where it may go, and a bounded answer.

Redirects are not followed, no proxy is asked, certificates are checked. The name of a host is
resolved once, and the address that was found to be allowed is the one that is connected to.

A URL may be a secret, and what watches a project's calls (Sentry, for one) notes down the URL of
each that ``HTTPConnection`` makes. So requests are written here; ``http.client`` reads the answers.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from z4j_django.alerts import targets
from z4j_django.exceptions import Z4JError
from z4j_django.timeouts import within

#: Bytes of an answer, its headers among them.
ANSWER_LENGTH: Final = 64 * 1024
#: Addresses of a host that are tried.
_ADDRESSES: Final = 4
#: Bytes that are handed to the network at once.
_PIECE: Final = 16 * 1024


class RefusedError(Z4JError):
    """The request is not sent there, or nobody there speaks HTTP: it would be so again."""


class UnsentError(Z4JError):
    """The request did not go out."""


class UnansweredError(Z4JError):
    """The request went out, and no answer came."""


@dataclass(frozen=True)
class Reply:
    """What was answered.

    Attributes:
        status: The status.
        headers: The headers.
        body: As much of the body as came within the time and the bound.
        is_whole: Whether that is all of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    timeout: float,
    allows_private: bool,
) -> Reply:
    """Send a body, and wait for what is answered. No error's message has the URL in it.

    Args:
        url: Where to.
        body: What.
        headers: Of the request.
        timeout: Seconds for all of it.
        allows_private: Whether the target may be one that only this host or its network reaches.

    Raises:
        RefusedError: If the target is not allowed, its certificate is wrong, or it speaks no HTTP.
        UnsentError: If there was no connection, or it broke before the request was out.
        UnansweredError: If it broke, or the time was over, before a status was answered.
    """
    try:
        target = targets.target(url)
    except ValueError as error:
        raise RefusedError(str(error)) from None
    deadline = _Deadline(timeout)
    request = _head(target, body, headers) + body
    with _Line(_connected(target, deadline, allows_private), deadline) as line:
        try:
            line.send(request)
        except OSError as error:
            raise UnsentError(f"The request did not go out: {_reason(error)}.") from None
        return _reply(line)


def _head(target: targets.Target, body: bytes, headers: Mapping[str, str]) -> bytes:
    """The request up to its body."""
    all_of_them = {
        "Host": target.authority,
        "Connection": "close",
        "Content-Length": str(len(body)),
        **headers,
    }
    lines = [f"POST {target.path} HTTP/1.1"]
    lines += (f"{name}: {value}" for name, value in all_of_them.items())
    if not all(line.isascii() and line.isprintable() for line in lines):
        raise RefusedError("A header of the request has characters that none can have.")
    return "\r\n".join((*lines, "", "")).encode()


def _reply(line: _Line) -> Reply:
    incoming: Any = line  # it asks for ``makefile`` alone
    response = http.client.HTTPResponse(incoming, method="POST")
    try:
        response.begin()
    except OSError as error:  # among them, that it was closed without a word
        raise UnansweredError(
            f"The request is out, and there was no answer: {_reason(error)}."
        ) from None
    except (http.client.HTTPException, ValueError):
        raise RefusedError("What answers there does not speak HTTP.") from None
    parts: list[bytes] = []
    is_whole = False
    try:
        while part := response.read1(_PIECE):
            parts.append(part)
        is_whole = response.length in (None, 0)
    except (OSError, http.client.HTTPException, ValueError):
        pass  # the status tells what came of it
    return Reply(response.status, dict(response.getheaders()), b"".join(parts), is_whole)


class _Deadline:
    """When all has to be done."""

    def __init__(self, seconds: float) -> None:
        self.at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then.

        Raises:
            TimeoutError: If there are none.
        """
        left = self.at - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


class _Line:
    """A connected socket: each call on it ends by the deadline."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        self.socket = connected
        self.deadline = deadline

    def __enter__(self) -> _Line:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Hand all of it to the network."""
        rest = memoryview(data)
        while rest:
            self.socket.settimeout(self.deadline.left)
            rest = rest[self.socket.send(rest[:_PIECE]) :]

    def makefile(self, mode: str) -> io.BufferedReader:
        """What comes in, as ``HTTPResponse`` asks for it."""
        return io.BufferedReader(_Incoming(self.socket, self.deadline))


class _Incoming(io.RawIOBase):
    """What comes in, as much as is read of it."""

    def __init__(self, connected: socket.socket, deadline: _Deadline) -> None:
        self._socket = connected
        self._deadline = deadline
        self._left = ANSWER_LENGTH

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._left <= 0:
            raise OSError("the answer is too long")
        self._socket.settimeout(self._deadline.left)
        count = self._socket.recv_into(memoryview(buffer)[: self._left])
        self._left -= count
        return count


def _connected(target: targets.Target, deadline: _Deadline, allows_private: bool) -> socket.socket:
    found = _resolved(target, deadline)
    refused = [targets.refusal(one[4][0], allows_private) for one in found]
    allowed = [one for one, reason in zip(found, refused, strict=True) if not reason][:_ADDRESSES]
    if not allowed:
        raise RefusedError(refused[0])
    reason = ""
    for place, one in enumerate(allowed):
        try:
            connected = _connect(one, deadline.left / (len(allowed) - place))
        except OSError as error:
            reason = _reason(error)
            continue
        return _secured(connected, target.host, deadline) if target.is_secure else connected
    raise UnsentError(f"There is no connection: {reason}.")


def _connect(found: Any, timeout: float) -> socket.socket:
    family, kind, protocol, _, address = found
    connected = socket.socket(family, kind, protocol)
    try:
        connected.settimeout(timeout)
        connected.connect(address)
    except OSError:
        connected.close()
        raise
    return connected


def _resolved(target: targets.Target, deadline: _Deadline) -> list[Any]:
    try:
        return within(
            deadline.left,
            lambda: socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM),
        )
    except UnicodeError:
        raise RefusedError("This is no name of a host.") from None
    except OSError as error:
        raise UnsentError(f"The host's name is not resolved: {_reason(error)}.") from None


def _secured(connected: socket.socket, host: str, deadline: _Deadline) -> socket.socket:
    try:
        connected.settimeout(deadline.left)
        return ssl.create_default_context().wrap_socket(connected, server_hostname=host)
    except ssl.SSLCertVerificationError as error:
        connected.close()
        raise RefusedError(f"Its certificate is wrong: {error.verify_message}.") from None
    except OSError as error:
        connected.close()
        raise UnsentError(f"There is no connection by TLS: {_reason(error)}.") from None


def _reason(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return "the time is over"
    if isinstance(error, ssl.SSLError):
        return error.reason or "TLS failed"
    return (error.strerror or str(error) or type(error).__name__).rstrip(".")
