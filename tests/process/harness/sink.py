"""A receiver of webhooks that keeps what it is sent, and answers when it is told to."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Sink(ThreadingHTTPServer):
    """Takes everything; while ``answers`` is not set, nobody gets an answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = threading.Event()
        self.answers.set()
        self.bodies: list[dict[str, Any]] = []

    def channel(self) -> dict[str, Any]:
        """A channel that leads here, as the settings have it."""
        return {"kind": "webhook", "url": f"http://127.0.0.1:{self.server_port}/"}

    def lines(self) -> list[str]:
        """What was told: the status, and each problem."""
        return [
            " ".join((body["status"], *map(_place, body["alerts"]))) for body in list(self.bodies)
        ]

    def keys(self) -> set[str]:
        """The conditions that were told of."""
        return {one["labels"]["alertname"] for body in list(self.bodies) for one in body["alerts"]}


def _place(alert: dict[str, Any]) -> str:
    labels = alert["labels"]
    return f"{labels['alertname']}:{labels.get('subject', '')}"


class _Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(json.loads(body))
        self.server.answers.wait()
        with contextlib.suppress(OSError):  # of who was killed meanwhile
            self.send_response(200)
            self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[Sink]:
    """One that runs."""
    with Sink() as sink:
        thread = threading.Thread(target=sink.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield sink
        finally:
            sink.answers.set()
            sink.shutdown()
