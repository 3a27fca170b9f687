"""Which failures are taken for one."""

from __future__ import annotations

import contextlib
import json
import traceback

import pytest

from z4j_django.agent import events, failures
from z4j_django.store import fingerprints

SHOP = "/srv/releases/1/shop"
LIBRARY = "/srv/venv/lib/python3.11/site-packages/requests/api.py"


def trace(*frames: tuple[str, int, str], said: str = "ValueError: no") -> str:
    lines = [
        f'  File "{path}", line {line}, in {function}\n    x()\n' for path, line, function in frames
    ]
    return "Traceback (most recent call last):\n" + "".join(lines) + said


def of(
    text: str = "", message: str = "", *, type: str = "ValueError", name: str = "shop.pay"
) -> int:
    return fingerprints.of("default", name, events.Failure(type, message, text))


RAISED = trace(
    (f"{SHOP}/tasks.py", 7, "pay"), (f"{SHOP}/bank.py", 31, "charge"), (LIBRARY, 3, "get")
)


@pytest.mark.parametrize(
    "same",
    [
        trace((f"{SHOP}/tasks.py", 9, "pay"), (f"{SHOP}/bank.py", 1, "charge")),
        RAISED.replace("releases/1", "releases/2"),
        RAISED.replace(SHOP, "C:\\shop\\app").replace("app/", "app\\"),
        RAISED.replace("site-packages/requests", "dist-packages/httpx"),
        RAISED.replace("ValueError: no", "ValueError: other"),
        trace(("/usr/lib/python3.11/json/decoder.py", 1, "decode")) + "\n\nDuring handling of the "
        "above exception, another exception occurred:\n\n" + RAISED,
    ],
)
def test_lines_directories_libraries_and_causes_have_no_say(same: str) -> None:
    assert of(same) == of(RAISED)


@pytest.mark.parametrize(
    "other",
    [
        RAISED.replace("in charge", "in refund"),
        RAISED.replace("bank.py", "till.py"),
        trace((f"{SHOP}/tasks.py", 7, "pay")),
    ],
)
def test_other_functions_are_another_cause(other: str) -> None:
    assert of(other) != of(RAISED)


def test_another_task_type_or_project_is_another_cause() -> None:
    failure = events.Failure("ValueError", "", RAISED)
    found = {
        of(RAISED),
        of(RAISED, name="shop.refund"),
        of(RAISED, type="KeyError"),
        fingerprints.of("other", "shop.pay", failure),
        fingerprints.of_all_others("default"),
    }
    assert len(found) == 5
    assert all(0 < one < 2**63 for one in found)


@pytest.mark.parametrize(
    "path",
    [
        LIBRARY,
        "/usr/lib/python3/dist-packages/celery/app/trace.py",
        "/usr/local/lib/python3.13/json/decoder.py",
        "/home/a/.pyenv/versions/3.13.1/lib/python3.13t/ssl.py",
        "C:\\Python313\\Lib\\ssl.py",
        "<frozen importlib._bootstrap>",
        "<string>",
    ],
)
def test_code_of_others_is_not_the_projects(path: str) -> None:
    bare = trace((f"{SHOP}/tasks.py", 7, "pay"))
    assert of(trace((f"{SHOP}/tasks.py", 7, "pay"), (path, 1, "f"))) == of(bare)


def test_a_project_that_is_installed_is_known_by_its_tasks_name() -> None:
    installed = RAISED.replace(SHOP, "/srv/venv/lib/python3.11/site-packages/shop")
    assert of(installed) == of(RAISED)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("no order 17", "no order 4711"),
        ("no order 17.5 of 3", "no order 1,024 of 1"),
        ("no 'a' here", "no 'b c' here"),
        ('no "a"', 'no "b"'),
        ("id 2f0c6d1e-9a41-4bb0-8d1b-0e6f6f1c2d3e", "id 5d7e6d1e9a414bb08d1b0e6f6f1c2d3e"),
        ("<Order object at 0x7f3a>", "<Order object at 0x7f4bdeadbeef>"),
        ("commit 0a1b2c3d4e", "commit ffee00112233"),
        ("a\n b", "a b"),
    ],
)
def test_without_own_functions_a_message_counts_without_what_varies(
    first: str, second: str
) -> None:
    library = trace((LIBRARY, 1, "get"))
    assert of(library, first) == of("", second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("no order", "no user"),
        ("connection refused", "connection reset"),
        ("can't pay the bill", "can't find the bill"),
        ("", "x"),
    ],
)
def test_messages_that_say_something_else_are_another_cause(first: str, second: str) -> None:
    assert of("", first) != of("", second)


def _deep(levels: int) -> None:
    if levels:
        _deep(levels - 1)
    raise RuntimeError("too deep")


def _raised(levels: int) -> events.Failure:
    try:
        _deep(levels)
    except RuntimeError as error:
        return failures.describe_raised(error)
    raise AssertionError


def test_how_deep_a_function_called_itself_has_no_say() -> None:
    found = {fingerprints.of("p", "n", _raised(levels)) for levels in (1, 2, 50, 900)}
    assert len(found) == 1


def test_a_group_of_exceptions_has_the_functions_in_its_margin() -> None:
    found = []
    for _ in range(2):
        try:
            with contextlib.ExitStack():
                raise ExceptionGroup("several", [ValueError("a"), _raised_json()])
        except ExceptionGroup as group:
            found.append("".join(traceback.format_exception(group)))
    own = [line for line in found[0].splitlines() if "test_fingerprints.py" in line]
    assert own
    assert own[0].startswith("  |")
    assert of(found[0]) == of(found[1]) != of("")


def _raised_json() -> Exception:
    try:
        json.loads("{")
    except ValueError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize(
    "hostile",
    [
        'File "' * 5_000,
        "'" * 20_000,
        "0x" * 10_000,
        '  File "a", line 1, in f\n' * 2_000,
        "a" * 20_000 + "-" * 20_000,
        " |+" * 10_000,
        "\ud800\0",
        "During handling of the above exception, another exception occurred:\n\n" * 300,
    ],
)
def test_hostile_texts_are_read_in_no_time(hostile: str) -> None:
    assert of(hostile, hostile) > 0
