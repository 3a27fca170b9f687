"""What a shipper process leaves out of what its libraries import: it would take 5 MB, unused.

Django's models import its forms, and with them templates and requests; its database backends
import what splits SQL scripts; kombu imports a reader of YAML where there is one.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any, Final

#: Modules that are loaded when somebody asks them for something: nobody in a shipper does.
DEFERRED: Final = ("django.forms", "sqlparse")
#: Modules that those who import them can do without.
ABSENT: Final = ("yaml",)


def leave_out() -> None:
    """Have them left out, in a process that has imported none of them yet."""
    for name in DEFERRED:
        if name not in sys.modules and (spec := importlib.util.find_spec(name)) is not None:
            sys.modules[name] = _Deferred(name, spec.submodule_search_locations or [])
    for name in ABSENT:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]  # so an import fails


class _Deferred(ModuleType):
    """Stands for a package until somebody asks for anything in it."""

    def __init__(self, name: str, path: list[str]) -> None:
        super().__init__(name)
        self.__path__ = path  # its modules can be imported without it

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # whoever imports it asks for such
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
