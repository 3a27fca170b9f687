"""What the tests of the API's nouns share: who may look, and how much is read for it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.integration import api_client

#: The status that each of :data:`api_client.WHO` is answered with by what viewers may see.
SEEN_BY = {
    "anonymous": 401,
    "no staff": 403,
    "staff": 403,
    "z4j viewer": 200,
    "z4j operator": 200,
    "z4j admin": 200,
    "superuser": 200,
}
#: Names that mean something to a shell, a database, a page or an address.
HOSTILE = (
    "a/b",
    "a/../b",
    "a b",
    " a",
    "%2F",
    "<script>alert(1)</script>",
    "'; --",
    "🛒",
    "?x=1#y",
    "a\nb",
    "a,b",
    "x*",
    '-"q"\\',
)


def holder(*codenames: str) -> Client:
    """A client whose user has these permissions and no others."""
    from rest_framework.authtoken.models import Token

    user = User.objects.create_user(f"holder {'+'.join(codenames)}"[:150])
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    token = Token.objects.create(user=user)
    return Client(headers={"Authorization": f"Token {token.key}"})


def reads(address: str, client: Client | None = None) -> list[str]:
    """The statements about what is on record that an answer takes."""
    asks = client or api_client.client()
    with CaptureQueriesContext(connection) as captured:
        api_client.body(asks.get(address))
    return [one["sql"] for one in captured if "z4j_django_" in one["sql"]]


def listed(address: str, column: str, client: Client | None = None) -> list[Any]:
    """A column of all rows of a list, read page by page as ``next`` says."""
    asks = client or api_client.client()
    found: list[Any] = []
    following: str | None = address
    while following:
        page = api_client.body(asks.get(following))
        found += [row[column] for row in page["results"]]
        following = page["next"]
    return found
