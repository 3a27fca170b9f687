"""A mail server that takes everything, and hangs while it is told to."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator

#: Of commands that end with others than "250 fine".
_ANSWERS = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as Django's backend does."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.answers = threading.Event()
        self.answers.set()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])


class _Session(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # of a worker that was killed
            self._talk()

    def _talk(self) -> None:
        self.server.answers.wait()
        self.wfile.write(b"220 shop\r\n")
        in_letter = False
        for line in self.rfile:
            if in_letter and line != b".\r\n":
                continue
            word = line[:4].upper()
            in_letter = word == b"DATA"
            self.wfile.write(_ANSWERS.get(word, b"250 fine") + b"\r\n")


@contextlib.contextmanager
def serving() -> Iterator[MailServer]:
    """One that runs."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.answers.set()
            server.shutdown()
