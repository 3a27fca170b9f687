"""Everyone tries every operation by command: the table that came of it is the one in the docs."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from tests.integration.operators import grant
from z4j_django import permissions
from z4j_django.models import Operation

pytestmark = pytest.mark.django_db

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "commands.md"
#: Who acts, from the one who may least on; the last gives no ``--actor``.
WHO = ("no role", *permissions.ROLES, "superuser", "no `--actor`")
#: What is tried. Nothing of all this exists: whoever may is told so.
TRIES: dict[str, tuple[str, dict[str, Any]]] = {
    "z4j_retry": ("none", {}),
    "z4j_retry --state": ("", {"state": "FAILURE"}),
    "z4j_cancel": ("none", {}),
    "z4j_cancel --terminate": ("none", {"terminate": True}),
    "z4j_retry_group": ("none", {}),
    "z4j_errors --resolve": ("1111111111111111 --resolve", {}),
    "z4j_errors --ignore": ("1111111111111111 --ignore", {}),
    "z4j_schedule --run": ("none --run", {}),
    "z4j_schedule --skip": ("none --skip", {}),
    "z4j_schedule --enable": ("none --enable", {}),
    "z4j_schedule --disable": ("none --disable", {}),
    "z4j_worker": ("ping there@is-none", {}),
    "z4j_dismiss_journal": ("nowhere /journal", {}),
    "z4j_purge_queue": ("z4j-there-is-none", {"confirm": "z4j-there-is-none"}),
    "z4j_purge_queue --restore": ("", {"restore": 4711}),
    "z4j_queue pause": ("pause z4j-there-is-none", {}),
    "z4j_queue resume": ("resume z4j-there-is-none", {}),
    "z4j_queue move": ("move z4j-there-is-none --to other", {}),
    "z4j_queue peek": ("peek z4j-there-is-none", {}),
    "z4j_alerts test": ("test nobody", {}),
    "z4j_alerts silence": ("silence made_up --until 60", {}),
    "z4j_alerts unsilence": ("unsilence 4711", {}),
}


def may(command: str, actor: str | None) -> str:
    """Whether ``actor`` came further than the question who it is."""
    words, options = TRIES[command]
    try:
        call_command(
            command.split()[0], *words.split(), **options, actor=actor, yes=True, stdout=StringIO()
        )
    except CommandError as refusal:
        if "may not do this: the permission" in str(refusal):
            assert not Operation.objects.exists()
            return "no"
    except SystemExit:  # the targets were refused one by one
        assert Operation.objects.exists()
    Operation.objects.all().delete()
    return "yes"


def actors() -> dict[str, str | None]:
    """The username of each of :data:`WHO`."""
    for who in WHO[:-1]:
        user = User.objects.create_user(who, is_superuser=who == "superuser")
        grant(user, *permissions.ROLES.get(who, ()))
    return {who: who for who in WHO[:-1]} | {WHO[-1]: None}


def test_the_docs_have_the_table_of_who_may_do_what() -> None:
    names = actors()
    head = ["Command", *(f"`{who}`" if who in permissions.ROLES else who for who in WHO)]
    rows = [[f"`{command}`", *(may(command, names[who]) for who in WHO)] for command in TRIES]
    lines = [f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rows]]
    whole = DOCS.read_text()
    assert "\n".join(lines) in whole, "\n" + "\n".join(lines)


def test_a_user_who_is_not_there_is_told() -> None:
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("z4j_cancel", "none", actor="nobody", yes=True)
