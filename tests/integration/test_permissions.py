"""The roles that ``migrate`` makes, and the one predicate."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.core.exceptions import PermissionDenied
from django.core.management import call_command
from django.core.management.sql import emit_post_migrate_signal

from z4j_django import permissions, verbs

pytestmark = pytest.mark.django_db

#: Which role may do which verb.
TABLE = {
    None: "",
    "z4j viewer": "",
    "z4j operator": "bulk cancel end_silence ignore_errors pause_queue reopen_errors "
    "resolve_errors resume_queue retry retry_group run_schedule silence_alerts skip_next_run "
    "stack terminate",
    "z4j admin": "add_consumer alerts autoscale bulk cancel cancel_consumer disable_events "
    "disable_schedule dismiss_journal enable_events enable_schedule end_silence ignore_errors "
    "move_queue pause_queue ping pool_grow pool_restart pool_shrink purge_queue rate_limit "
    "reopen_errors resolve_errors restore resume_queue retry retry_group run_schedule shutdown "
    "silence_alerts skip_next_run stack terminate test_channel time_limit",
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
    assert permissions.verbs_of(boss) == {*verbs.VERBS, *verbs.BESIDES}
    boss.is_active = False
    assert not permissions.verbs_of(boss)


def test_a_program_may_do_everything_if_it_says_who_it_is() -> None:
    assert permissions.verbs_of("nightly clean-up") == {*verbs.VERBS, *verbs.BESIDES}
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


#: What the first release of this app had no permissions for.
CAME_SINCE = ("view_errorgroup", "view_conditionrecord", "resolve_error", "control_worker")


def test_an_upgrade_gives_the_roles_what_came_since_and_not_what_was_taken_from_them() -> None:
    operator = Group.objects.get(name="z4j operator")
    operator.permissions.remove(Permission.objects.get(codename="cancel_task"))
    switched_off = Group.objects.get(name="z4j viewer")
    switched_off.permissions.clear()
    own = Group.objects.create(name="on call")
    Permission.objects.filter(codename__in=CAME_SINCE).delete()  # as before the upgrade
    call_command("migrate", verbosity=0)
    for name, taken in (("z4j operator", {"cancel_task"}), ("z4j admin", set())):
        held = set(Group.objects.get(name=name).permissions.values_list("codename", flat=True))
        assert held == {*permissions.ROLES[name]} - taken
    assert not switched_off.permissions.exists()
    assert not own.permissions.exists()


def test_a_permission_that_only_the_admin_has_goes_to_no_other_role() -> None:
    Permission.objects.filter(codename="control_worker").delete()
    call_command("migrate", verbosity=0)
    holders = Group.objects.filter(permissions__codename="control_worker")
    assert list(holders.values_list("name", flat=True)) == ["z4j admin"]


def test_an_emptied_database_is_no_upgrade() -> None:
    operator = Group.objects.get(name="z4j operator")
    operator.permissions.remove(Permission.objects.get(codename="cancel_task"))
    emit_post_migrate_signal(verbosity=0, interactive=False, db="default")  # as flush does
    assert not operator.permissions.filter(codename="cancel_task").exists()
