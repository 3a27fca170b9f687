"""Clients of the API for each who may come, and what the tests read off its answers."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from django.contrib.auth.models import User
from django.test import Client
from rest_framework.authtoken.models import Token

from tests.integration import operators
from z4j_django import permissions

#: Who comes to the API, from the one who may least on.
WHO = operators.WHO
ROOT = "/z4j/api/"
PROBLEM = "application/problem+json"


def client(who: str = "superuser") -> Client:
    """A client of one of :data:`WHO` that carries a token, as a script does."""
    if who == "anonymous":
        return Client()
    user, is_new = User.objects.get_or_create(
        username=f"api-{who.replace(' ', '-')}",
        defaults={"is_staff": who != "no staff", "is_superuser": who == "superuser"},
    )
    if is_new:
        operators.grant(user, *permissions.ROLES.get(who, ()))
    token, _ = Token.objects.get_or_create(user=user)
    return Client(headers={"Authorization": f"Token {token.key}"})


def address(*parts: str) -> str:
    """The address of ``parts`` below the API, each escaped whole."""
    path = "".join(f"{quote(str(part), safe='')}/" for part in parts)
    return f"{ROOT}{path}"


def body(response: Any, status: int = 200) -> Any:
    """The JSON of an answer with this status."""
    assert response.status_code == status, response.content[:2000]
    return response.json()


def problem(response: Any, status: int) -> dict[str, Any]:
    """The problem that an answer tells; every one of them has this form."""
    assert response.status_code == status, response.content[:2000]
    assert response.headers["Content-Type"] == PROBLEM
    told: dict[str, Any] = response.json()
    assert told["status"] == status
    assert isinstance(told["type"], str)
    assert isinstance(told["title"], str)
    assert isinstance(told["detail"], str)
    return told
