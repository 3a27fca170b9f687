"""What open first pages cost the site: real clients that ask as htmx does, of a real gunicorn.

    DATABASE_URL=… python -m bench.pages_open [--pages 50] [--seconds 60]

Each client has a session of its own (of the superuser ``bench``), reads the first page once and
then each of its parts every five seconds, with the ETag it was given. Prints the CPU of the web
server's processes and of their backends in PostgreSQL, in percent of a core. The conditions are
said to be looked at, as they are by a worker of the project; what they find stays as it is. With
``--bare`` the clients read another page of the admin, which asks who they are and shows nothing.
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
#: What asks who somebody is, and shows next to nothing.
BARE = "/admin/jsi18n/"
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


def forget(keys: list[str]) -> None:
    """End the sessions."""
    from django.contrib.sessions.models import Session

    Session.objects.filter(session_key__in=keys).delete()


class Client(threading.Thread):
    """One open first page."""

    def __init__(
        self, port: int, session: str, delay: float, until: float, bare: bool = False
    ) -> None:
        super().__init__(daemon=True)
        self.bare = bare
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
        found = [BARE] if self.bare else map(html.unescape, _PART.findall(page))
        self.parts = dict.fromkeys(found, "")
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
    parser.add_argument("--bare", action="store_true")
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
        measure(server.pid, port, options.pages, options.seconds, options.bare)
    finally:
        server.terminate()
        server.wait(20)


def look(until: float) -> None:
    """Say that the conditions are looked at, as a worker of the project does."""
    from django.db import connection
    from django.utils import timezone

    from z4j_django.conf import settings
    from z4j_django.models import Lease

    while time.monotonic() < until:
        told = dict.fromkeys(("until", "done_at"), timezone.now())
        Lease.objects.update_or_create(project=settings.PROJECT, name=Lease.WATCH, defaults=told)
        time.sleep(EVERY)
    connection.close()


def measure(server: int, port: int, pages: int, seconds: float, bare: bool) -> None:
    keys = sessions(pages)
    time.sleep(4)
    begun = time.monotonic()
    until = begun + EVERY * 2 + seconds
    threading.Thread(target=look, args=[until], daemon=True).start()
    clients = [
        Client(port, key, EVERY * number / pages, until, bare) for number, key in enumerate(keys)
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
    for one in clients:
        one.join()
    forget(keys)
    print(
        f"{pages} pages with {len(clients[0].parts)} parts, {took:.0f} s: "
        f"{100 * web / took:.1f} % of a core for the web server, "
        f"{100 * database / took:.1f} % for PostgreSQL; answers {dict(answers)}."
    )


if __name__ == "__main__":
    main()
