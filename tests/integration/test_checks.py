from __future__ import annotations

import importlib.util
import io
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core import checks as django_checks
from django.core.checks.registry import registry
from django.core.management import call_command
from django.db import connections

from z4j_django import checks, conf, wiring

DOCUMENTED = Path(__file__).parents[2] / "docs/reference/checks.md"
SETTINGS = ", ".join(conf.Settings.__struct_fields__)
MENDED = "Tasks run on, but without records, until this is mended."


def error(number: int, message: str, hint: str) -> django_checks.Error:
    return django_checks.Error(message, hint=hint, id=f"z4j_django.E{number:03}")


def warning(number: int, message: str, hint: str) -> django_checks.Warning:
    return django_checks.Warning(message, hint=hint, id=f"z4j_django.W{number:03}")


def test_every_check_registers_under_the_tag() -> None:
    registered = {check for check in registry.get_checks() if "z4j" in check.tags}  # type: ignore[attr-defined]
    assert registered == {
        checks.check_setting,
        checks.check_alerts,
        checks.check_channels,
        checks.check_conditions,
        checks.check_database,
        checks.check_celery_app,
        checks.check_journal,
        checks.check_release,
        checks.check_users,
        checks.check_character_sets,
    }


def test_the_command_reports_them(settings: Any) -> None:
    settings.Z4J = {"JOURNAL_DIRECTORY": "/x"}
    with pytest.raises(Exception, match=r"z4j_django\.E001"):
        call_command("check", "--tag", "z4j", stdout=io.StringIO(), stderr=io.StringIO())


def test_every_message_has_a_row_in_the_documentation() -> None:
    source = Path(checks.__file__).read_text()
    rows = re.findall(r"^\| `(z4j_django\.[EW]\d{3})`", DOCUMENTED.read_text(), re.MULTILINE)
    assert sorted(rows) == sorted(set(re.findall(r'id="(z4j_django\.[EW]\d{3})"', source)))


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        (
            {"JOURNAL_DIRECTORY": "/x"},
            "The setting Z4J is wrong: Object contains unknown field `JOURNAL_DIRECTORY`",
            'Did you mean "JOURNAL_DIR"?',
        ),
        (
            {"database": "x"},
            "The setting Z4J is wrong: Object contains unknown field `database`",
            'Did you mean "DATABASE"?',
        ),
        (
            {"QUUX": 1},
            "The setting Z4J is wrong: Object contains unknown field `QUUX`",
            f"Z4J is a dictionary; it may hold {SETTINGS}.",
        ),
        (
            {"TIMELINE": "yes"},
            "The setting Z4J is wrong: Expected `bool`, got `str` - at `$.TIMELINE`",
            f"Z4J is a dictionary; it may hold {SETTINGS}.",
        ),
        (
            [],
            "The setting Z4J is wrong: Expected `object`, got `array`",
            f"Z4J is a dictionary; it may hold {SETTINGS}.",
        ),
        (
            {"PROJECT": ""},
            "Z4J['PROJECT'] must have between 1 and 64 characters.",
            f"Z4J is a dictionary; it may hold {SETTINGS}.",
        ),
        (
            {"PAYLOAD_MAX_BYTES": 0},
            "Z4J['PAYLOAD_MAX_BYTES'] must be between 1 and 16 MiB (16777216).",
            f"Z4J is a dictionary; it may hold {SETTINGS}.",
        ),
        (
            {"PAYLOAD_MAX_BYTES": 16 * 1024**2 + 1},
            "Z4J['PAYLOAD_MAX_BYTES'] must be between 1 and 16 MiB (16777216).",
            f"Z4J is a dictionary; it may hold {SETTINGS}.",
        ),
    ],
)
def test_a_malformed_setting_is_an_error_and_the_only_one(
    settings: Any, given: object, message: str, hint: str
) -> None:
    settings.Z4J = given
    assert checks.check_setting() == [error(1, message, hint)]
    assert checks.check_database() == []
    assert checks.check_celery_app() == []
    assert checks.check_journal() == []


def test_a_sound_setting_passes(settings: Any) -> None:
    settings.Z4J = {"PROJECT": "shop", "TIMELINE": False}
    assert checks.check_setting() == []


@pytest.mark.parametrize(
    ("given", "limit"),
    [
        ({}, 1024**2),
        ({"PAYLOAD_MAX_BYTES": 16 * 1024**2}, 16 * 1024**2),
        ({"PAYLOAD": "off", "PAYLOAD_MAX_BYTES": 10}, None),
    ],
)
def test_the_agent_is_told_how_much_of_a_message_to_keep(
    settings: Any, given: dict[str, Any], limit: int | None
) -> None:
    settings.Z4J = given
    assert wiring.agent_config().payload_limit == limit


def test_an_unknown_database_is_an_error(settings: Any) -> None:
    settings.Z4J = {"DATABASE": "records"}
    assert checks.check_database() == [
        error(
            2, 'Z4J["DATABASE"] is "records", which is not in DATABASES.', "DATABASES has: default."
        )
    ]
    assert checks.check_journal() == []


@pytest.fixture
def records(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A second database that no test connects to."""
    wrapper = connections.create_connection("default")
    wrapper.settings_dict = {**wrapper.settings_dict, "OPTIONS": {}}
    monkeypatch.setitem(settings.DATABASES, "records", wrapper.settings_dict)
    settings.DATABASE_ROUTERS = ["z4j_django.routers.Z4JRouter"]
    settings.Z4J = {"DATABASE": "records"}
    connections["records"] = wrapper
    yield wrapper
    del connections["records"]


def test_a_database_without_its_router_is_a_warning(
    settings: Any, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(records), "vendor", "postgresql")
    assert checks.check_database() == []
    settings.DATABASE_ROUTERS = []
    assert checks.check_database() == [
        warning(
            1,
            'Z4J["DATABASE"] is "records", but the routers send the records to "default".',
            'Add "z4j_django.routers.Z4JRouter" at the head of DATABASE_ROUTERS.',
        )
    ]


def test_sqlite_as_django_has_it_is_a_warning_with_the_options_to_write(
    settings: Any, records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(records), "vendor", "sqlite")
    assert checks.check_database() == [
        warning(
            3,
            'The records\' database "records" is SQLite without WAL, a timeout of 10 s or more, '
            'IMMEDIATE transactions: under a busy worker it answers "database is locked".',
            'In DATABASES["records"] write "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; '
            'PRAGMA synchronous=NORMAL;", "timeout": 20, "transaction_mode": "IMMEDIATE"}.',
        )
    ]
    settings.Z4J = {"DATABASE": "records", "ENABLED": False}
    assert checks.check_database() == []


def test_the_options_of_the_hint_satisfy_the_check(
    records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(records), "vendor", "sqlite")
    options = eval("{" + checks.SQLITE_OPTIONS + "}")
    records.settings_dict["OPTIONS"] = options["OPTIONS"]
    assert checks.check_database() == []


def test_a_narrow_character_set_in_mysql_is_a_warning(
    records: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(records), "vendor", "mysql")
    assert checks.check_database() == []
    records.settings_dict["OPTIONS"] = {"charset": "utf8mb3"}
    assert checks.check_database() == [
        warning(
            5,
            'The records\' database "records" is used with the character set utf8mb3, which '
            "can't hold every text that a task may have.",
            'In DATABASES["records"]["OPTIONS"] write "charset": "utf8mb4".',
        )
    ]


def test_a_celery_app_that_is_named_wrongly_is_an_error(settings: Any) -> None:
    settings.CELERY_APP = "nowhere.celery:app"
    assert checks.check_celery_app() == [
        error(
            3,
            "CELERY_APP = 'nowhere.celery:app' is wrong: there is no module nowhere.celery. Set it "
            'to "module:attribute", as in "myproject.celery:app".',
            "Or leave CELERY_APP out: the app is then looked for in the project's packages.",
        )
    ]
    settings.Z4J = {"ENABLED": False}
    assert checks.check_celery_app() == []


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("nowhere.version:name", "ModuleNotFoundError: No module named 'nowhere'"),
        ("sys:version", "it can't be called"),
    ],
)
def test_a_release_that_nothing_tells_is_an_error(settings: Any, path: str, problem: str) -> None:
    settings.Z4J = {"RELEASE": path}
    assert checks.check_release() == [
        error(
            7,
            f'Z4J["RELEASE"] is "{path}", which is no function: {problem}.',
            "A text of the form module:function is taken for one. Tasks run on, of no known "
            "release, until this is mended.",
        )
    ]


@pytest.mark.parametrize("given", [{}, {"RELEASE": "shop 7"}, {"RELEASE": "platform:node"}])
def test_a_release_that_is_told_passes(settings: Any, given: dict[str, str]) -> None:
    settings.Z4J = given
    assert checks.check_setting() == checks.check_release() == []


@pytest.mark.parametrize(("name", "most"), [("RELEASE", 100), ("ENVIRONMENT", 64)])
def test_a_name_too_long_is_an_error(settings: Any, name: str, most: int) -> None:
    settings.Z4J = {name: "x" * (most + 1)}
    (found,) = checks.check_setting()
    assert found.msg == f"Z4J['{name}'] must have at most {most} characters."


def test_a_celery_app_that_is_not_found_is_a_warning_that_says_where_it_was_looked_for(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shopy").mkdir()
    (tmp_path / "shopy/__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.setattr("celery._state._tls.current_app", None)
    monkeypatch.setattr("celery._state.default_app", None)
    settings.ROOT_URLCONF = "shopy.urls"
    settings.WSGI_APPLICATION = settings.ASGI_APPLICATION = None
    settings.BASE_DIR = tmp_path / "no-name"
    hint = 'Say where it is: CELERY_APP = "myproject.celery:app".'
    assert checks.check_celery_app() == [
        warning(2, "The project's Celery app was not found. Looked in: shopy.", hint)
    ]
    settings.ROOT_URLCONF = ""
    message = (
        "The project's Celery app was not found. Looked in: nowhere: no setting names a package."
    )
    assert checks.check_celery_app() == [warning(2, message, hint)]


def test_a_relative_journal_directory_is_an_error(settings: Any) -> None:
    settings.Z4J = {"JOURNAL_DIR": "journal"}
    assert checks.check_journal() == [
        error(
            4,
            'Z4J["JOURNAL_DIR"] is "journal", which is not absolute.',
            "Processes start in different directories; write it from the root.",
        )
    ]


def test_a_journal_directory_that_can_be_made_passes_and_is_not_made(
    settings: Any, tmp_path: Path
) -> None:
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path / "a/b")}
    assert checks.check_journal() == []
    assert list(tmp_path.iterdir()) == []


def test_a_private_journal_directory_passes(settings: Any, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path)}
    assert checks.check_journal() == []


def test_a_journal_directory_that_is_open_to_others_is_an_error(
    settings: Any, tmp_path: Path
) -> None:
    tmp_path.chmod(0o750)
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path)}
    assert checks.check_journal() == [
        error(
            5,
            f"The journal directory {tmp_path} is open to other users (750); run: chmod 700 "
            f"{tmp_path}",
            MENDED,
        )
    ]


def test_a_journal_directory_that_is_a_link_is_an_error(settings: Any, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    settings.Z4J = {"JOURNAL_DIR": str(link)}
    message = f"The journal directory {link} is not a directory; move it away."
    assert checks.check_journal() == [error(5, message, MENDED)]


def test_a_journal_directory_of_another_user_is_an_error(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path)}
    message = (
        f"The journal directory {tmp_path} belongs to user {owner}, not to {owner + 1}; set "
        "Z4J['JOURNAL_DIR'] to a directory of your own."
    )
    assert checks.check_journal() == [error(5, message, MENDED)]


def test_a_journal_directory_that_can_not_be_written_or_made_is_an_error(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    # The superuser may write anywhere, so the kernel's answer is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    settings.Z4J = {"JOURNAL_DIR": str(tmp_path)}
    message = f"The journal directory {tmp_path} is not writable; run: chmod 700 {tmp_path}"
    assert checks.check_journal() == [error(5, message, MENDED)]
    inner = tmp_path / "inner"
    settings.Z4J = {"JOURNAL_DIR": str(inner)}
    message = f"The journal directory {inner} can't be made: {tmp_path} is not writable."
    assert checks.check_journal() == [error(5, message, MENDED)]


def test_a_journal_directory_below_a_file_is_an_error(settings: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    settings.Z4J = {"JOURNAL_DIR": str(file / "inner")}
    message = f"The journal directory {file / 'inner'} can't be made: {file} is not a directory."
    assert checks.check_journal() == [error(5, message, MENDED)]


def test_a_platform_without_fcntl_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "fcntl" else find_spec(name)
    )
    assert checks.check_journal() == [
        warning(
            4,
            "No task is recorded here: this platform has no fcntl, whose locks the journal needs.",
            'Run workers on Linux or macOS; here set Z4J["ENABLED"] = False.',
        )
    ]


def test_users_who_can_be_in_no_group_are_a_warning(settings: Any) -> None:
    assert checks.check_users() == []
    settings.AUTH_USER_MODEL = "contenttypes.ContentType"  # a model that has no groups
    assert checks.check_users() == [
        warning(
            6,
            'Users of "contenttypes.ContentType" can be in no group of Django, so the roles z4j '
            "viewer, z4j operator, z4j admin give nobody a permission.",
            "Let its has_perm() answer for the permissions in docs/reference/operations.md; then "
            'write SILENCED_SYSTEM_CHECKS = ["z4j_django.W006"].',
        )
    ]


def test_without_users_nobody_is_told_of_them(settings: Any) -> None:
    settings.AUTH_USER_MODEL = "nowhere.User"
    assert checks.check_users() == []
