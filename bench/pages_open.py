"""What open first pages cost the site: real clients that ask as htmx does, of a real gunicorn.

    DATABASE_URL=… python -m bench.pages_open [--pages 50] [--seconds 60]

Each client has a session of its own (of the superuser ``bench``), reads the first page once and
then each of its parts every five seconds, with the ETag it was given. Prints the CPU of the web
server's processes and of their backends in PostgreSQL, in percent of a core.
"""

from __future__ import annotations

import argparse
import html
import http.client
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

from bench import common

EVERY = 5.0
_PART = re.compile(r'data-hx-get="([^"]+)"')


def sessions(count: int) -> list[str]:
    """The keys of as many sessions of a superuser."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User

    user, _ = User.objects.get_or_create(username="bench", is_staff=True, is_superuser=True)
    store = import_module(settings.SESSION_ENGINE).SessionStore
    found = []
    for _number in range(count):
        one = store()
        one[SESSION_KEY] = str(user.pk)
        one[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
        one[HASH_SESSION_KEY] = user.get_session_auth_hash()
        one.save()
        found.append(one.session_key)
    return found


class Client(threading.Thread):
    """One open first page."""

    def __init__(self, port: int, session: str, delay: float, until: float) -> None:
        super().__init__(daemon=True)
        self.port, self.delay, self.until = port, delay, until
        self.headers = {"Cookie": f"sessionid={session}"}
        self.answers: Counter[int] = Counter()
        self.bytes = 0
        self.parts: dict[str, str] = {}

    def get(self, address: str, tag: str = "") -> tuple[str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        given = {**self.headers, **({"If-None-Match": tag} if tag else {})}
        connection.request("GET", address, headers=given)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.answers[answer.status] += 1
        self.bytes += len(body)
        return body.decode(), answer.headers.get("ETag", "")

    def run(self) -> None:
        time.sleep(self.delay)
        page, _ = self.get("/admin/z4j_django/")
        self.parts = {html.unescape(one): "" for one in _PART.findall(page)}
        while True:
            time.sleep(EVERY)
            if time.monotonic() > self.until:
                return
            for address, tag in self.parts.items():
                self.parts[address] = self.get(address, tag)[1] or tag


def processes(parent: int) -> list[int]:
    """A process and its children."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [parent, *map(int, children)]


def spent(pid: int) -> float:
    """The seconds of CPU of a process, all its threads included."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def backends() -> list[int]:
    """The PostgreSQL backends of the clients that are named so."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", ["z4j_open"])
        return [row[0] for row in cursor.fetchall()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    os.environ["DJANGO_SETTINGS_MODULE"] = "bench.open_settings"
    import django

    django.setup()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "example_project.wsgi", "--threads", "8"]
    command += ["--workers", "1", "--bind", f"127.0.0.1:{port}", "--log-level", "warning"]
    server = subprocess.Popen(
        command, cwd=common.REPOSITORY, env={**os.environ, "PGAPPNAME": "z4j_open"}
    )
    try:
        measure(server.pid, port, options.pages, options.seconds)
    finally:
        server.terminate()
        server.wait(20)


def measure(server: int, port: int, pages: int, seconds: float) -> None:
    keys = sessions(pages)
    time.sleep(4)
    begun = time.monotonic()
    clients = [
        Client(port, key, EVERY * number / pages, begun + EVERY * 2 + seconds)
        for number, key in enumerate(keys)
    ]
    for one in clients:
        one.start()
    time.sleep(EVERY * 2)
    before = {pid: spent(pid) for pid in (*processes(server), *backends())}
    answered = sum((one.answers for one in clients), Counter())
    start = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - start
    web, database = 0.0, 0.0
    serving = set(processes(server))
    for pid in (*serving, *backends()):
        try:
            used = spent(pid) - before.get(pid, 0.0)
        except OSError:
            continue
        if pid in serving:
            web += used
        else:
            database += used
    answers = sum((one.answers for one in clients), Counter()) - answered
    print(
        f"{pages} pages with {len(clients[0].parts)} parts, {took:.0f} s: "
        f"{100 * web / took:.1f} % of a core for the web server, "
        f"{100 * database / took:.1f} % for PostgreSQL; answers {dict(answers)}."
    )


if __name__ == "__main__":
    main()
