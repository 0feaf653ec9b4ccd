"""Find classes outside the package: installed entry points and ``module:Class``."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.termination import Terminated

T = TypeVar("T")


@dataclass(frozen=True)
class Plugins:
    """Classes of one kind that others may bring.

    Attributes:
        kind: What messages call one.
        group: The group of entry points under which distributions name theirs.
        bases: What each derives from, one of these.
    """

    kind: str
    group: str
    bases: tuple[type, ...]

    def find(self, name: str, own: Mapping[str, type[T]]) -> type[T]:
        """Return the class of a key of ``own``, of an entry point, or ``module:Class``.

        Raises:
            CrosstalkError: The name is unknown, cannot be imported, or is none of this kind.
        """
        if name in own:
            return own[name]
        plugins = self.names()
        if name in plugins:
            return self.entry_point(name)
        if ":" in name:
            return self.of_module(name)
        raise unknown(self.kind, name, own.keys() | plugins)

    def names(self) -> frozenset[str]:
        """Return the names that installed distributions give to theirs."""
        return frozenset(entry_points(group=self.group).names)

    def entry_point(self, name: str) -> type[Any]:
        """Return the class behind an entry point.

        Raises:
            CrosstalkError: It cannot be imported, or is none of this kind.
        """
        (plugin, *_) = entry_points(group=self.group, name=name)
        try:
            found = plugin.load()
        except Terminated:
            raise
        except (Exception, SystemExit) as error:  # whatever a plug-in does when imported
            raise self._unimportable(name, plugin.value, error) from error
        return self._checked(name, found)

    def of_module(self, name: str) -> type[Any]:
        """Return the class behind ``module:Class``; the module may be in the current folder.

        Raises:
            CrosstalkError: There is no such module or class, or it is none of this kind.
        """
        module, _, attribute = name.partition(":")
        found = vars(self._import_from_here(name, module))
        if attribute not in found:
            classes = [key for key, value in found.items() if self._is_one(value)]
            raise unknown("class", attribute, classes, f"{self.kind} {name!r}")
        return self._checked(name, found[attribute])

    def _import_from_here(self, name: str, module: str) -> ModuleType:
        """Import a module, with the current directory on the path for that import only."""
        here = str(Path.cwd())
        importlib.invalidate_caches()
        sys.path.insert(0, here)
        try:
            return importlib.import_module(module)
        except Terminated:
            raise
        except (Exception, SystemExit) as error:  # whatever a user's module does when imported
            raise self._unimportable(name, module, error) from error
        finally:
            sys.path.remove(here)

    def _unimportable(self, name: str, module: str, error: BaseException) -> CrosstalkError:
        return CrosstalkError(
            f"{self.kind} {name!r}: cannot import {module!r}: {type(error).__name__}: {error}"
        )

    def _is_one(self, value: object) -> bool:
        return isinstance(value, type) and issubclass(value, self.bases) and value not in self.bases

    def _checked(self, name: str, found: object) -> type[Any]:
        if isinstance(found, type) and self._is_one(found):
            return found
        *others, last = (base.__name__ for base in self.bases)
        bases = f"{', '.join(others)} or {last}" if others else last
        raise CrosstalkError(f"{self.kind} {name!r}: expected a subclass of {bases}, got {found!r}")
