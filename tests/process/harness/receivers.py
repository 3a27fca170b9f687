"""Receivers of alerts: an HTTP server and a mail server, with the faults that such have."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, BinaryIO

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Request:
    """What was posted."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


#: Answers a request, by the connection's file.
Fault = Callable[["Sink", Request, BinaryIO], None]


@dataclass
class Sink:
    """An HTTP server that keeps what it is told, and answers as it is told to."""

    fault: Fault
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    #: Set when all is over: what hangs goes on.
    ended: threading.Event = field(default_factory=threading.Event)
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def wait(self, count: int, seconds: float = 20.0) -> list[Request]:
        """The requests, once there are so many."""
        waited = threading.Event()
        for _ in range(int(seconds / 0.02)):
            if len(self.requests) >= count:
                return self.requests
            waited.wait(0.02)
        raise AssertionError(f"{len(self.requests)} requests came, not {count}")


def answers(status: int = 200, body: bytes | str = b"", **headers: str) -> Fault:
    """A whole answer; ``{…}`` in a text is what was posted."""

    def answer(sink: Sink, request: Request, file: BinaryIO) -> None:
        told = body
        if isinstance(told, str):
            heard = f"{request.path} {request.headers} {request.body.decode()}"
            told = told.replace("{echo}", heard).encode()
        lines = [f"HTTP/1.1 {status} said", f"Content-Length: {len(told)}"]
        lines += (f"{name.replace('_', '-')}: {value}" for name, value in headers.items())
        file.write("\r\n".join((*lines, "", "")).encode() + told)

    return answer


def hangs(sink: Sink, request: Request, file: BinaryIO) -> None:
    """No answer at all."""
    sink.ended.wait()


def closes(sink: Sink, request: Request, file: BinaryIO) -> None:
    """The end, without a word."""


def drips(first: bytes) -> Fault:
    """A beginning, and then a byte now and then, for ever."""

    def drip(sink: Sink, request: Request, file: BinaryIO) -> None:
        file.write(first)
        while not sink.ended.wait(0.02):
            file.write(b"x")

    return drip


def closes_after(first: bytes) -> Fault:
    """A beginning, and then the end."""
    return lambda sink, request, file: file.write(first) and None


def floods(sink: Sink, request: Request, file: BinaryIO) -> None:
    """An answer without end, as fast as it is taken."""
    file.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not sink.ended.is_set():
        file.write(b"y" * 65_536)


@contextlib.contextmanager
def http(fault: Fault | None = None, certificate: Path | None = None) -> Iterator[Sink]:
    """A sink that listens; by TLS with a certificate."""
    sink = Sink(fault or answers(), scheme="https" if certificate else "http")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)

    class Handler(socketserver.StreamRequestHandler):
        wbufsize = 0
        disable_nagle_algorithm = True

        def setup(self) -> None:
            if context:
                self.request = context.wrap_socket(self.request, server_side=True)
            super().setup()

        def handle(self) -> None:
            sink.requests.append(_read(self.rfile))
            sink.fault(sink, sink.requests[-1], self.wfile)

    with _serving(Handler) as port:
        sink.port = port
        try:
            yield sink
        finally:
            sink.ended.set()


def _read(file: BinaryIO) -> Request:
    _, path, _ = file.readline().decode().split(" ")
    headers = {}
    while line := file.readline().decode().strip():
        name, _, value = line.partition(":")
        headers[name.title()] = value.strip()
    if headers.get("Transfer-Encoding") == "chunked":
        body = b""
        while size := int(file.readline(), 16):
            body += file.read(size)
            file.readline()
    else:
        body = file.read(int(headers.get("Content-Length", 0)))
    return Request(path, headers, body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: that callers go away is what is tried here."""


@contextlib.contextmanager
def _serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()


@dataclass
class MailServer:
    """An SMTP server that keeps the letters.

    Attributes:
        answers: What it says in place of "250 fine", by a command's first letters.
        hangs_at: The command that it does not answer; ``HI`` for the greeting.
    """

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    hangs_at: str = ""
    ended: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def mail(**faults: Any) -> Iterator[MailServer]:
    """A mail server that listens."""
    server = MailServer(**faults)
    usual = {"HI": "220 receiver", "DATA": "354 go on", "AUTH": "235 fine", "QUIT": "221 bye"}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("HI")
            while line := self.rfile.readline():
                command = line.decode(errors="replace").strip()
                server.commands.append(command)
                word = command.upper()[:4]
                self._say(word, command)
                if word == "DATA" and "DATA" not in server.answers:
                    self._take()
                    self._say(".")

        def _say(self, word: str, command: str = "") -> None:
            if word == server.hangs_at:
                server.ended.wait()
            said = server.answers.get(word) or usual.get(word, "250 fine")
            if word == "EHLO" and word not in server.answers:
                said = "250-receiver\r\n250 AUTH PLAIN"
            self.wfile.write(said.replace("{echo}", command).encode() + b"\r\n")

        def _take(self) -> None:
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(re.sub(rb"^\.\.", b".", line))
            server.raw.append(b"".join(lines))
            letter = message_from_bytes(server.raw[-1], policy=policy.default)
            assert isinstance(letter, EmailMessage)
            server.letters.append(letter)

    with _serving(Handler) as port:
        server.port = port
        try:
            yield server
        finally:
            server.ended.set()


def certificate(folder: Path, host: str = "127.0.0.1") -> Path:
    """A file with a key and a certificate that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sink")])
    now = datetime.datetime.now(datetime.UTC)
    try:
        known: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        known = x509.DNSName(host)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([known]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
