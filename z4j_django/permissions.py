"""Who may do what: one predicate, for the button and for the handler.

An actor is a user of the project, or the name of a program: a management command run by
whoever may log in to the host, or the project's own code. Programs may do everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from django.apps import AppConfig, apps
from django.core.exceptions import PermissionDenied
from django.db import connections, router

from z4j_django import verbs
from z4j_django.values import clean

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

APP_LABEL: Final = "z4j_django"

#: Models that every role may look at; ``taskpayload`` and ``savedmessage`` nobody sees.
_VISIBLE: Final = (
    "taskrecord",
    "taskevent",
    "grouprecord",
    "workerrecord",
    "journalrecord",
    "journalloss",
    "conditionrecord",
    "queuesample",
    "operation",
    "operationtarget",
    "errorgroup",
    "release",
    "alertrule",
    "alertsilence",
    "alertnotice",
    "alertdelivery",
    "alertact",
    "alertheartbeat",
)
_VIEWER: Final = tuple(f"view_{model}" for model in _VISIBLE)
#: What no verb wants: to show everybody the filters that one has saved.
SHARE_VIEWS: Final = "share_savedview"
_OPERATOR: Final = (
    *(one.codename for one in verbs.PERMISSIONS if one.role == "operator"),
    SHARE_VIEWS,
)
#: Where an alert goes is for those who say so.
_ADMIN: Final = (
    *(one.codename for one in verbs.PERMISSIONS if one.role == "admin"),
    "view_alertchannel",
)

#: The groups that ``migrate`` makes, and the codenames of their permissions.
ROLES: Final = {
    "z4j viewer": _VIEWER,
    "z4j operator": (*_VIEWER, *_OPERATOR),
    "z4j admin": (*_VIEWER, *_OPERATOR, *_ADMIN),
}

Actor: TypeAlias = "AbstractBaseUser | AnonymousUser | str"


def can(actor: Actor, verb: str) -> bool:
    """Whether ``actor`` may do ``verb``.

    Args:
        actor: A user, or a program's name.
        verb: One of ``verbs.VERBS``, or of ``verbs.BESIDES``.
    """
    if isinstance(actor, str):
        return bool(actor)
    user: Any = actor
    return bool(user.is_active and user.has_perm(f"{APP_LABEL}.{verbs.codename(verb)}"))


def view_permission(model: str) -> str:
    """The permission to look at ``model``.

    Args:
        model: Its name in lower case, with its app's label and a dot before it where it is none
            of ours.
    """
    label, _, name = f"{APP_LABEL}.{model}".rpartition(".")
    return f"{label.rpartition('.')[2]}.view_{name}"


def can_view(actor: Actor, model: str) -> bool:
    """Whether ``actor`` may look at ``model``.

    Args:
        actor: A user, or a program's name.
        model: As :func:`view_permission` takes it.
    """
    if isinstance(actor, str):
        return bool(actor)
    user: Any = actor
    return bool(user.is_active and user.has_perm(view_permission(model)))


def require(actor: Actor, verb: str) -> None:
    """See that ``actor`` may do ``verb``.

    Raises:
        PermissionDenied: If not; the message names the permission.
    """
    if not can(actor, verb):
        raise PermissionDenied(
            f"{name_of(actor)} may not do this: "
            f"the permission {APP_LABEL}.{verbs.codename(verb)} is missing."
        )


def name_of(actor: Actor) -> str:
    """What the audit trail calls ``actor``; a user of a token may have no name, and no row."""
    if isinstance(actor, str):
        return clean(actor)
    key = key_of(actor)
    unnamed = f"user {key}" if key else "An anonymous user"
    user: Any = actor
    return clean(str(getattr(user, "get_username", str)() or "")) or clean(unnamed)


def key_of(actor: Actor) -> str:
    """The primary key of a user, as text; empty for a program and for nobody."""
    key = None if isinstance(actor, str) else getattr(actor, "pk", None)
    return "" if key is None else clean(str(key))


def verbs_of(actor: Actor) -> frozenset[str]:
    """The verbs that ``actor`` may do, and what is done besides."""
    return frozenset(verb for verb in (*verbs.VERBS, *verbs.BESIDES) if can(actor, verb))


#: Our permissions that were there before a ``migrate``, by the database.
_known: Final[dict[str, frozenset[str]]] = {}


def note_known(using: str, **kwargs: Any) -> None:
    """Note which permissions there are. Django's ``pre_migrate`` calls it."""
    if (auth := _auth(using)) is not None:
        tables = connections[using].introspection.table_names()
        is_new = auth.Permission._meta.db_table not in tables
        _known[using] = frozenset() if is_new else frozenset(_ours(auth, using))


def make_roles(sender: AppConfig, using: str, **kwargs: Any) -> None:
    """Make the groups of :data:`ROLES` that are not there. Django's ``post_migrate`` calls it.

    One that is there gets the permissions that this very ``migrate`` has made, and none that an
    administrator took from it. One that has none of ours left was switched off, and stays so.
    """
    known = _known.pop(using, None)
    if (auth := _auth(using)) is None:
        return
    from django.contrib.auth.management import create_permissions

    # This app may stand before the one that makes the permissions.
    create_permissions(sender, using=using, verbosity=0)
    ours = _ours(auth, using)
    came = set() if known is None else ours.keys() - known
    for name, codenames in ROLES.items():
        group, is_new = auth.Group.objects.using(using).get_or_create(name=name)
        wanted = {ours[codename] for codename in codenames if codename in ours}
        if is_new:
            group.permissions.set(wanted)
        elif came and group.permissions.filter(content_type__app_label=APP_LABEL).exists():
            group.permissions.add(*wanted & {ours[codename] for codename in came})


def _auth(using: str) -> Any:
    """The models of ``django.contrib.auth``, where a database has its groups."""
    if not apps.is_installed("django.contrib.auth"):
        return None
    from django.contrib.auth import models

    return models if router.allow_migrate_model(using, models.Group) else None


def _ours(auth: Any, using: str) -> dict[str, int]:
    """The keys of our permissions, by their codenames."""
    mine = auth.Permission.objects.using(using).filter(content_type__app_label=APP_LABEL)
    return dict(mine.values_list("codename", "pk"))
