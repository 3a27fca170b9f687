"""Finds the project's Celery app, as ``celery -A`` would, or from the project's packages."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

import celery
from celery import local

from z4j_django import exceptions, logs

logger = logs.logger("z4j.celery.discovery")

_USUAL_NAMES: Final = ("app", "celery", "celery_app")
#: Modules of a package that hold its app, as Celery's and other guides have it.
_USUAL_MODULES: Final = ("celery", "celery_app")
_FORM: Final = 'Set it to "module:attribute", as in "myproject.celery:app".'


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """A Celery app, and how it was found.

    Attributes:
        app: The app itself, never a proxy.
        path: ``module:attribute``, for people; of Celery's current app its own name.
        looked_in: The modules that were looked into, in order.
        is_default: Whether nothing was found, so that this is the app that Celery makes up.
    """

    app: celery.Celery
    path: str
    looked_in: tuple[str, ...] = ()
    is_default: bool = False


def find_app(dotted: str | None, packages: Iterable[str]) -> Found:
    """Finds the project's Celery app.

    Args:
        dotted: What the project says (``CELERY_APP``): ``"myproject.celery:app"``,
            ``"myproject.celery.app"``, ``"myproject.celery"`` or ``"myproject"``.
        packages: Without it, dotted names of things in the project, the likeliest first, such as
            ``"config.urls"`` or ``"config.wsgi.application"``. Only packages among them and around
            them, and their ``celery`` and ``celery_app`` modules, are imported.

    Returns:
        The app that ``dotted`` names; or else the first in the packages; or else Celery's current
        app. A module that raises when it is imported is logged as a warning and skipped.

    Raises:
        DiscoveryError: If ``dotted`` is given and names no Celery app.
    """
    if dotted is not None:
        return _named(dotted)
    looked_in: list[str] = []
    for module in _modules(packages):
        looked_in.append(module.__name__)
        if found := _app_in(module):
            return dataclasses.replace(found, looked_in=tuple(looked_in))
    app = celery.current_app._get_current_object()
    name = app.main or "default"
    return Found(app, name, tuple(looked_in), is_default=name == "default")


def _named(dotted: str) -> Found:
    if not isinstance(dotted, str) or not dotted:
        raise exceptions.DiscoveryError(f"CELERY_APP is {dotted!r}, which is no name. {_FORM}")
    name, colon, attribute = dotted.partition(":")
    module = _load_named(dotted, name)
    if module is None and not colon:
        name, _, attribute = name.rpartition(".")
        module = _load_named(dotted, name) if name else None
    if module is None:
        raise _wrong(dotted, f"there is no module {name or dotted}")
    if attribute:
        app = _unproxied(getattr(module, attribute, None))
        if app is None:
            raise _wrong(dotted, f"{name} has no Celery app under the name {attribute}")
        return Found(app, f"{name}:{attribute}", (name,))
    found = _app_in(module)
    if found is None and hasattr(module, "__path__"):
        inner = (_load_named(dotted, f"{name}.{usual}") for usual in _USUAL_MODULES)
        found = next((app for module in inner if module and (app := _app_in(module))), None)
    if found is None:
        raise _wrong(dotted, f"{name} holds no Celery app")
    return found


def _load_named(dotted: str, name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name) if _spec(name) else None
    except Exception as error:
        problem = f"importing {name} raised {type(error).__name__}: {error}"
        raise _wrong(dotted, problem) from error


def _wrong(dotted: str, problem: str) -> exceptions.DiscoveryError:
    return exceptions.DiscoveryError(f"CELERY_APP = {dotted!r} is wrong: {problem}. {_FORM}")


def _modules(names: Iterable[str]) -> Iterator[ModuleType]:
    """The modules that may hold the app, each imported only when it is its turn."""
    seen = {"celery"}
    for name in names:
        packages = _packages_around(name)
        for package in reversed(packages):
            if package not in seen:
                seen.add(package)
                if outer := _load(package):
                    for usual in _USUAL_MODULES:
                        if inner := _load(f"{package}.{usual}"):
                            yield inner
                    yield outer
        if not packages and name in sys.modules:
            yield sys.modules[name]  # a project that is one module


def _packages_around(name: str) -> list[str]:
    """The packages in ``"a.b.c"``, outermost first, so that no plain module is imported."""
    parts = name.split(".")
    packages: list[str] = []
    if not all(part.isidentifier() for part in parts):
        return packages
    for length in range(1, len(parts) + 1):
        package = ".".join(parts[:length])
        try:
            spec = _spec(package)
        except Exception:  # of the package around it; reported when that one has its turn
            break
        if spec is None or spec.submodule_search_locations is None:
            break
        packages.append(package)
    return packages


def _load(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name) if _spec(name) else None
    except Exception as error:
        logger.warning(
            "z4j: looking for the Celery app, importing %s raised %s: %s",
            name,
            type(error).__name__,
            error,
            exc_info=error,
        )
        return None


def _spec(name: str) -> ModuleSpec | None:
    """The module's spec, or ``None`` if there is no such module; imports what is around it."""
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded, "__spec__", None) is None:
        return None  # such as __main__
    try:
        return importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            return None
        raise


def _app_in(module: ModuleType) -> Found | None:
    for name in _USUAL_NAMES:
        if app := _unproxied(getattr(module, name, None)):
            return Found(app, f"{module.__name__}:{name}")
    for name, value in vars(module).items():
        # By the type alone: isinstance() would wake whatever lazy object lies in the module.
        if issubclass(type(value), celery.Celery):
            return Found(value, f"{module.__name__}:{name}")
    return None


def _unproxied(value: Any) -> celery.Celery | None:
    if type(value) is local.Proxy:
        value = value._get_current_object()
    return value if issubclass(type(value), celery.Celery) else None
