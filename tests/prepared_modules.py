"""Modules that were loaded beforehand and come to light only when they are imported.

Until then none of them is in ``sys.modules`` or an attribute of its package; an import brings it to light together with
those that it imports itself, as if it had been executed then. What was changed in them is put back before a fork
begins anew.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType
from typing import Any

_CHANGING = "synthprobe"
"""Beginning of the names of modules that run before a fork begins anew."""
_SHARED = (vars(builtins), sys.modules, sys.path)


class Finders(list[Any]):
    """``sys.meta_path`` whose first stays first: pytest would put a finder of its own before it."""

    def insert(self, place: Any, finder: Any) -> None:
        super().insert(max(1, place), finder)


class HiddenModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds and reveals what was loaded beforehand."""

    def __init__(self) -> None:
        self._modules: dict[str, ModuleType] = {}
        self._imports: dict[str, set[str]] = {}
        self._beginnings: dict[str, dict[str, Any]] = {}
        self._contents: dict[str, list[tuple[Any, Any]]] = {}
        self._caches: dict[str, list[Any]] = {}
        self._revealed: set[str] = set()

    def load(self, roots: Iterable[str], packages: Iterable[str]) -> None:
        """Load these and what they import, and hide those of the packages."""
        self._load(roots)
        packages = set(packages)
        hidden = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in packages}
        for name in hidden:
            del sys.modules[name]
            package, _, last = name.rpartition(".")
            if package in hidden and vars(hidden[package]).get(last) is hidden[name]:
                delattr(hidden[package], last)
        self._modules = hidden
        for name, module in hidden.items():
            self._beginnings[name] = dict(vars(module))
            if name.startswith(_CHANGING):
                for value in vars(module).values():
                    self._note(value, name)
        sys.meta_path = Finders([self, *sys.meta_path])

    def _load(self, roots: Iterable[str]) -> None:
        usual = builtins.__import__

        def noted(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> ModuleType:
            module = usual(name, globals, locals, fromlist, level)
            if getattr((globals or {}).get("__spec__"), "_initializing", False):
                base = importlib.util.resolve_name("." * level + name, globals["__package__"]) if level else name
                imports = self._imports.setdefault(globals["__name__"], set())
                imports |= {base, *(f"{base}.{part}" for part in fromlist or ())}
            return module

        builtins.__import__ = noted  # type: ignore[assignment]
        try:
            for name in roots:
                with contextlib.suppress(ImportError):  # older versions have other modules
                    importlib.import_module(name)
        finally:
            builtins.__import__ = usual

    def _note(self, value: Any, name: str) -> None:
        """Note what may be changed without a name being bound anew."""
        if type(value) in (dict, list, set) and not any(value is shared for shared in _SHARED):
            self._contents.setdefault(name, []).append((value, value.copy()))
        elif isinstance(value, type) and value.__module__ == name:
            for inner in vars(value).values():
                self._note(inner, name)
        elif hasattr(value, "cache_clear") and hasattr(value, "__wrapped__"):
            self._caches.setdefault(name, []).append(value)

    def restore(self) -> None:
        """As they were before anybody imported them: those that came to light since."""
        for name in self._revealed:
            module = vars(self._modules[name])
            module.clear()
            module.update(self._beginnings[name])
            for value, content in self._contents.get(name, ()):
                value.clear()
                value.extend(content) if isinstance(value, list) else value.update(content)
            for cache in self._caches.get(name, ()):
                cache.cache_clear()
        self._revealed.clear()

    def __contains__(self, name: str) -> bool:
        return name in self._modules

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name not in self._modules:
            return None
        usual = self._beginnings[name]["__spec__"]
        spec = importlib.machinery.ModuleSpec(name, self, origin=usual.origin)
        spec.submodule_search_locations, spec.cached = usual.submodule_search_locations, usual.cached
        spec.has_location = usual.has_location
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        self._reveal(module.__name__, self._modules)

    def _reveal(self, name: str, hidden: Mapping[str, ModuleType]) -> None:
        hidden[name].__spec__ = self._beginnings[name]["__spec__"]
        self._revealed.add(name)
        for need in self._imports.get(name, ()):
            parts = need.split(".")
            for depth in range(1, len(parts) + 1):
                whole = ".".join(parts[:depth])
                if whole in hidden and whole not in sys.modules:
                    sys.modules[whole] = hidden[whole]
                    package, _, last = whole.rpartition(".")
                    if package:
                        vars(hidden[package]).setdefault(last, hidden[whole])
                    self._reveal(whole, hidden)
