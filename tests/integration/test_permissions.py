"""The roles that ``migrate`` makes, and the one predicate."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command

from z4j_django import permissions, verbs

pytestmark = pytest.mark.django_db

#: Which role may do which verb.
TABLE = {
    None: "",
    "z4j viewer": "",
    "z4j operator": "bulk cancel ignore_errors reopen_errors resolve_errors retry retry_group "
    "terminate",
    "z4j admin": "bulk cancel dismiss_journal ignore_errors purge_queue reopen_errors "
    "resolve_errors restore retry retry_group terminate",
}


def user_of(role: str | None) -> User:
    user = User.objects.create_user(f"a {role}")
    if role:
        user.groups.add(Group.objects.get(name=role))
    return user


@pytest.mark.parametrize("role", TABLE)
def test_each_role_may_do_what_the_table_says(role: str | None) -> None:
    user = user_of(role)
    assert " ".join(sorted(permissions.verbs_of(user))) == TABLE[role]
    assert user.has_perm("z4j_django.view_taskrecord") is (role is not None)
    assert not user.has_perm("z4j_django.view_taskpayload")


def test_nobody_may_do_anything_and_a_superuser_everything() -> None:
    assert not permissions.verbs_of(AnonymousUser())
    boss = User.objects.create_superuser("boss")
    assert permissions.verbs_of(boss) == {*verbs.VERBS, "bulk"}
    boss.is_active = False
    assert not permissions.verbs_of(boss)


def test_a_program_may_do_everything_if_it_says_who_it_is() -> None:
    assert permissions.verbs_of("nightly clean-up") == {*verbs.VERBS, "bulk"}
    assert not permissions.verbs_of("")


def test_a_refusal_names_the_user_and_the_permission() -> None:
    with pytest.raises(PermissionDenied) as refusal:
        permissions.require(user_of("z4j viewer"), "terminate")
    assert str(refusal.value) == (
        "a z4j viewer may not do this: the permission z4j_django.terminate_task is missing."
    )


def test_a_group_that_an_administrator_changed_stays_as_it_is() -> None:
    group = Group.objects.get(name="z4j operator")
    group.permissions.set(Permission.objects.filter(codename="cancel_task"))
    Group.objects.get(name="z4j viewer").delete()
    call_command("migrate", "z4j_django", verbosity=0)
    assert [permission.codename for permission in group.permissions.all()] == ["cancel_task"]
    anew = Group.objects.get(name="z4j viewer").permissions
    assert set(anew.values_list("codename", flat=True)) == set(permissions.ROLES["z4j viewer"])
