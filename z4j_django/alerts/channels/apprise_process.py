"""One message by apprise, in a process of its own: ``python -m`` this module.

What apprise does is up to the URL: it may call any host, and log what it is told. Here no thread
is left behind, no log line leaves, and each connection is looked at before it is made. The URL and
the message come by the standard input; ``out`` and the outcome go to the standard output.
"""

from __future__ import annotations

import io
import logging
import re
import socket
import sys
from types import FrameType
from typing import Any, Final

import msgspec

from z4j_django import logs
from z4j_django.alerts import targets

#: Said before the first byte of a request leaves.
OUT: Final = b"out\n"
_STATUS: Final = re.compile(r"\berror[=: ]+(\d{3})\b")
#: What a URL may make apprise do on this host, by the names of Python's audit events.
_LOCAL: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "syslog.syslog"}
)
_SENDING: Final = frozenset({"http.client.send", "smtplib.send", "socket.sendto"})
#: Ports of servers whose own words apprise speaks: SMTP's, and syslog's.
_SPOKEN_TO: Final = frozenset({25, 465, 514, 587})
#: Modules that tell of what they send, after they connected.
_TELLING: Final = frozenset({"http.client", "urllib3.connection", "smtplib"})


class Guard:
    """A hook of Python's audit events that keeps what is done to what is allowed.

    Args:
        allows_private: As ``targets.refusal`` takes it.

    Attributes:
        is_out: Whether a part of a message has left.
        refused: Why something was not done; empty where nothing was refused.
    """

    def __init__(self, allows_private: bool) -> None:
        self.allows_private = allows_private
        self.is_out = False
        self.refused = ""

    def look(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Look at what is about to be done.

        Raises:
            PermissionError: If it is not allowed.
        """
        if event in _LOCAL:
            self._refuse("This kind of URL acts on this host.")
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            self._look_at(arguments[0], arguments[-1])
        if event in _SENDING or (event == "socket.connect" and not _is_told_of()):
            self._goes_out()

    def _goes_out(self) -> None:
        if not self.is_out:
            self.is_out = True
            sys.stdout.buffer.write(OUT)
            sys.stdout.buffer.flush()

    def _look_at(self, connecting: socket.socket, address: Any) -> None:
        if connecting.family not in (socket.AF_INET, socket.AF_INET6):
            self._refuse("This kind of URL acts on this host.")
        if isinstance(address, tuple):
            try:
                reason = targets.refusal(str(address[0]), self.allows_private)
            except ValueError:
                reason = "This is no address."
            if not reason and address[1] not in _SPOKEN_TO:
                reason = targets.wrong_port(address[1])
            if reason:
                self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        self.refused = reason
        raise PermissionError(reason)


def _is_told_of() -> bool:
    """Whether what connects will tell when it sends."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") in _TELLING:
            return True
        frame = frame.f_back
    return False


def outcome(is_sent: bool, guard: Guard, log: str) -> tuple[str, str]:
    """What came of it, and what was said."""
    if is_sent:
        return "sent", ""
    if found := _STATUS.search(log):
        status = int(found[1])
        return ("later" if status == 429 or status >= 500 else "refused"), log
    if guard.refused:
        return "refused", guard.refused
    return ("unknown" if guard.is_out else "later"), log


def main() -> None:
    """Send what the standard input says."""
    import apprise

    told = msgspec.json.decode(sys.stdin.buffer.read())
    asset = apprise.AppriseAsset()
    if hasattr(asset, "http_redirects"):
        asset.http_redirects = False
    log = io.StringIO()
    logger = logs.logger("apprise")
    logger.handlers[:] = [logging.StreamHandler(log)]
    logger.setLevel(logging.WARNING)
    service = apprise.Apprise.instantiate(told["url"], asset=asset)
    if service is None:
        _answer("refused", "apprise does not know what to do with this URL.")
        return
    guard = Guard(told["allows_private"])
    sys.addaudithook(guard.look)
    sender = apprise.Apprise(asset=asset)
    sender.add(service)
    is_sent = sender.notify(
        body=told["body"],
        title=told["title"],
        notify_type=told["type"],
        body_format="text",
    )
    _answer(*outcome(bool(is_sent), guard, log.getvalue()))


def _answer(outcome: str, text: str) -> None:
    sys.stdout.buffer.write(msgspec.json.encode({"outcome": outcome, "text": text[:4_000]}))


if __name__ == "__main__":
    main()
