"""A site with the API, and a client that has a token."""

from __future__ import annotations

import http.client
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from tests.process.harness.processes import PATIENCE
from tests.process.harness.scene import Scene
from tests.process.harness.waiting import wait_until

SETTINGS: Final = "tests.process.project.site.settings"
#: Seconds that any answer may take: no broker and no worker holds one up for longer.
BOUND: Final = 60.0
_LISTENING: Final = re.compile(r"Listening at: http://127\.0\.0\.1:([0-9]+)")
#: Makes a user of a role, and prints a token.
_SIGN_UP: Final = """
import django; django.setup()
from django.contrib.auth.models import Group, User
from rest_framework.authtoken.models import Token
user = User.objects.create_user({name!r})
user.groups.add(Group.objects.get(name={role!r}))
print(Token.objects.create(user=user).key)
"""


@dataclass(frozen=True)
class Answer:
    """What came back.

    Attributes:
        status: The response's.
        headers: In lower case.
        body: Decoded, where it is JSON.
    """

    status: int
    headers: dict[str, str]
    body: Any


class Site:
    """A gunicorn that serves the API of a scene's project.

    Args:
        scene: Whose database it reads.
        environment: What differs from the scene's.
    """

    def __init__(self, scene: Scene, **environment: str) -> None:
        self.scene = scene
        self.environment = {
            **scene.environment(),
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            **environment,
        }
        ended = scene.run(
            *(sys.executable, "-m", "django", "migrate", "--verbosity", "0"),
            environment=self.environment,
        )
        assert ended.returncode == 0, ended.stderr
        self.program = scene.start(
            *(sys.executable, "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"),
            *("--bind", "127.0.0.1:0", "--workers", "1", "--threads", "4"),
            name="site",
            environment=self.environment,
        )
        self.program.wait_for_output("Booting worker")
        found = _LISTENING.search(self.program.output())
        assert found is not None
        self.port = int(found[1])

    def sign_up(self, name: str, role: str) -> Client:
        """A new user of a role, and his client."""
        code = _SIGN_UP.format(name=name, role=role)
        ended = self.scene.run(sys.executable, "-c", code, environment=self.environment)
        assert ended.returncode == 0, ended.stderr
        return Client(self.port, ended.stdout.strip())


@dataclass(frozen=True)
class Client:
    """Asks a site, as somebody.

    Attributes:
        port: The site's.
        token: The user's; none if empty.
        scheme: By which it is given.
    """

    port: int
    token: str
    scheme: str = "Token"

    def get(self, *parts: object, **query: object) -> Answer:
        """GET an address below the API's root; a whole path stands for itself."""
        return self._ask("GET", parts, query, None)

    def post(self, *parts: object, **body: object) -> Answer:
        """POST a body."""
        return self._ask("POST", parts, {}, body)

    def see(self, *parts: object, **query: object) -> Any:
        """The body of an answer that has to be a good one."""
        answer = self.get(*parts, **query)
        assert answer.status == 200, answer
        return answer.body

    def done(self, *parts: object, **body: object) -> Any:
        """The operation that came of a POST, which has to be accepted."""
        answer = self.post(*parts, **body)
        assert answer.status == 202, answer
        assert urlsplit(answer.headers["location"]).path == urlsplit(answer.body["url"]).path
        return answer.body

    def wait_for(self, condition: Callable[[Any], bool], what: str, *parts: object) -> Any:
        """Ask for an address until its body is as it should be; that body."""

        def look() -> Any:
            answer = self.get(*parts)
            return answer.body if answer.status == 200 and condition(answer.body) else None

        return wait_until(look, 3 * PATIENCE, what)

    def wait_for_task(self, task_id: str, state: str) -> Any:
        """A task, once it is in ``state``."""
        return self.wait_for(lambda body: body["state"] == state, f"{state}", "tasks", task_id)

    def wait_for_end(self, operation: Any) -> Any:
        """An operation, once it is over."""
        address = urlsplit(operation["url"]).path
        return self.wait_for(lambda body: bool(body["finished_at"]), "the operation's end", address)

    def _ask(
        self, method: str, parts: tuple[object, ...], query: dict[str, object], body: Any
    ) -> Answer:
        path = str(parts[0])
        if not path.startswith("/"):
            path = "/z4j/api/" + "".join(f"{quote(str(part), safe='')}/" for part in parts)
        if query:
            path = f"{path}?{urlencode(query)}"
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=BOUND)
        sent = None if body is None else json.dumps(body)
        headers = {} if sent is None else {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"{self.scheme} {self.token}"
        try:
            connection.request(method, path, sent, headers)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        is_json = found.get("content-type", "").partition(";")[0].endswith("json")
        return Answer(response.status, found, json.loads(content) if is_json else content)
