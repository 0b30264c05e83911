"""Lets `lightkube.models` be imported without lightkube's client and its HTTP library.

Importing a module runs the packages it is in first, and lightkube's own imports all there is of it: 70 ms and
8 MB that nothing here uses. So the package stands there unrun, knowing only where its modules are; the first
who asks it for a name of its own (`from lightkube import Client`) has it run then.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

_PACKAGE = "lightkube"


class _Unrun(ModuleType):
    """A package that runs when it is asked for something it does not have."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or spec is None or spec.loader is None:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        object.__setattr__(self, "__class__", ModuleType)
        spec.loader.exec_module(self)
        return getattr(self, name)


def leave_unrun() -> None:
    """Put the package in place, unless it has been imported already."""
    spec: ModuleSpec | None = PathFinder.find_spec(_PACKAGE)
    if _PACKAGE in sys.modules or spec is None or spec.submodule_search_locations is None:
        return
    module = _Unrun(_PACKAGE)
    module.__spec__ = spec
    module.__loader__ = spec.loader
    module.__file__ = spec.origin
    module.__package__ = _PACKAGE
    module.__path__ = spec.submodule_search_locations
    sys.modules[_PACKAGE] = module
