"""Parameters of the API: declared once, they read, refuse, and describe themselves."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import QueryDict

from z4j_django.api import pagination, problems
from z4j_django.api.endpoints import Endpoint
from z4j_django.api.parameters import (
    PROJECT,
    TASK_ID,
    Choice,
    Fields,
    Flag,
    Parameter,
    Text,
    Whole,
)
from z4j_django.api.terms import ORDERING, TERMS
from z4j_django.queries.cursors import Cursor, Key

ENDPOINT = Endpoint(
    "things_list",
    "List things",
    "All of them.",
    parameters=(
        TASK_ID,
        Text("q", "Those that begin with this.", shortest=2),
        Choice("state", "Only those.", ("new", "old")),
        Flag("online", "Only those."),
        Whole("limit", "How many.", default=5, maximum=9),
        Fields(("id", "name"), ("id",)),
        PROJECT,
        pagination.CURSOR,
    ),
)
#: Of what is left out.
DEFAULTS = {
    "q": "",
    "state": "",
    "online": None,
    "limit": 5,
    "fields": ("id",),
    "project": "default",
    "cursor": Cursor(),
}


def read(query: str, endpoint: Endpoint = ENDPOINT) -> dict[str, Any]:
    return endpoint.read(QueryDict(query))


def mistakes(query: str, endpoint: Endpoint = ENDPOINT) -> dict[str, str]:
    """What is wrong with a query, by the parameter."""
    with pytest.raises(problems.Invalid) as caught:
        read(query, endpoint)
    return {one["name"]: one["reason"] for one in caught.value.members["errors"]}


def test_what_is_left_out_has_its_default():
    assert read("") == DEFAULTS


def test_what_is_given_has_its_type():
    given = "q=ab&state=old&online=false&limit=7&fields=name,id,name&project=shop"
    assert read(given) == {
        "q": "ab",
        "state": "old",
        "online": False,
        "limit": 7,
        "fields": ("name", "id"),
        "project": "shop",
        "cursor": Cursor(),
    }


def test_a_cursor_is_a_place():
    key = Key(7)
    assert read(f"cursor=b{key.token()}")["cursor"] == Cursor(before=key)
    assert read(f"cursor=a{key.token()}")["cursor"] == Cursor(after=key)


def test_all_that_can_not_be_is_told_at_once():
    query = f"q=a&state=&online=yes&limit=10&fields=size&project={'x' * 65}&cursor=x"
    assert mistakes(query) == {
        "q": "It has to have between 2 and 255 characters.",
        "state": "It has to be one of new, old.",
        "online": "It has to be one of true, false.",
        "limit": "It has to be a whole number from 1 to 9.",
        "fields": "There is no field 'size'. The fields are: id, name.",
        "project": "A project's name has between 1 and 64 characters.",
        "cursor": "It is no cursor of this list; take those in next and previous as they are.",
    }


def test_what_is_not_known_comes_twice_or_can_not_be_stored_is_told():
    known = "q, state, online, limit, fields, project, cursor"
    assert mistakes("task_id=a&limit=1&limit=2&q=a%00") == {
        "task_id": f"There is no such parameter; those that there are: {known}.",
        "limit": "It is given more than once.",
        "q": "It has a NUL character.",
    }
    nothing = Endpoint("things_list", "List things", "All of them.")
    assert mistakes("q=a", nothing)["q"].endswith("those that there are: none.")


def test_parts_of_a_filter_that_can_not_be_read_are_told_together():
    endpoint = Endpoint("things_list", "", "", parameters=(TERMS, ORDERING))
    with pytest.raises(problems.WrongFilter) as caught:
        read("q=a:b&state=GONE&ordering=name", endpoint)
    assert caught.value.terms.keys() == {"q", "state", "ordering"}


@pytest.mark.parametrize("one", ENDPOINT.parameters, ids=lambda one: one.name)
def test_each_describes_itself(one: Parameter):
    (described,) = one.described()
    assert described["name"] == one.name
    assert described["description"] == one.help
    assert described["schema"] == one.schema
    assert described.get("required", False) is (one is TASK_ID)
