"""What a shipper process leaves out of what its libraries import: it would take 9 MB, unused.

Django's models import its forms, and with them templates and requests; its database backends
import what splits SQL scripts. redis-py imports itself once more for asyncio, and OpenTelemetry
where that is installed; kombu, a reader of YAML and the interface to a C compiler.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Final

#: Modules that are loaded when somebody asks them for something: nobody in a shipper does.
DEFERRED: Final = ("django.forms", "redis.asyncio", "sqlparse")
#: Modules that those who import them can do without.
ABSENT: Final = ("cffi", "opentelemetry", "yaml")


def leave_out() -> None:
    """Have them left out, in a process that has imported none of them yet."""
    for name in ABSENT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # so an import fails
    sys.meta_path.insert(0, _Finder())


class _Finder(MetaPathFinder):
    """Finds for each of the deferred modules, once, what stands for it."""

    def __init__(self) -> None:
        self._names = set(DEFERRED)

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """As the import system asks."""
        if name not in self._names:
            return None
        self._names.remove(name)
        spec = PathFinder.find_spec(name, path)
        if spec is not None:
            spec.loader = _Loader()
        return spec


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: that comes when somebody asks for something."""


class _Deferred(ModuleType):
    """Stands for a module until somebody asks for anything in it."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # whoever imports it asks for such
            raise AttributeError(name)
        with _lock:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
        module = importlib.import_module(self.__name__)
        for key, value in vars(self).items():  # such as modules in it, imported without it
            vars(module).setdefault(key, value)
        return getattr(module, name)


_lock = threading.Lock()
