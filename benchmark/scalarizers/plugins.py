"""Find scalarizers outside the package: installed entry points and ``module:Class``."""

import importlib
import sys
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.termination import Terminated
from benchmark.scalarizers.base import (
    AdvantageScalarizer,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
)

ENTRY_POINT_GROUP = "crosstalk.scalarizers"
KINDS = (ScoreScalarizer, AdvantageScalarizer, GradientScalarizer)


def entry_point_names() -> frozenset[str]:
    """Return the names that installed distributions give to scalarizers."""
    return frozenset(entry_points(group=ENTRY_POINT_GROUP).names)


def entry_point_class(name: str) -> type[Scalarizer]:
    """Return the scalarizer behind an entry point."""
    (plugin, *_) = entry_points(group=ENTRY_POINT_GROUP, name=name)
    try:
        found = plugin.load()
    except Terminated:
        raise
    except (Exception, SystemExit) as error:  # whatever a plug-in does when imported
        raise _unimportable(name, plugin.value, error) from error
    return _checked(name, found)


def module_class(name: str) -> type[Scalarizer]:
    """Return the scalarizer behind ``module:Class``."""
    module, _, attribute = name.partition(":")
    found = vars(_import_from_here(name, module))
    if attribute not in found:
        classes = [key for key, value in found.items() if _is_scalarizer(value)]
        raise unknown("class", attribute, classes, f"algorithm {name!r}")
    return _checked(name, found[attribute])


def _import_from_here(name: str, module: str) -> ModuleType:
    """Import a module, with the current directory on the path for that import only."""
    here = str(Path.cwd())
    importlib.invalidate_caches()
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except Terminated:
        raise
    except (Exception, SystemExit) as error:  # whatever a user's module does when imported
        raise _unimportable(name, module, error) from error
    finally:
        sys.path.remove(here)


def _unimportable(name: str, module: str, error: BaseException) -> CrosstalkError:
    return CrosstalkError(
        f"algorithm {name!r}: cannot import {module!r}: {type(error).__name__}: {error}"
    )


def _is_scalarizer(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, KINDS) and value not in KINDS


def _checked(name: str, found: object) -> type[Scalarizer]:
    if isinstance(found, type) and issubclass(found, Scalarizer) and _is_scalarizer(found):
        return found
    raise CrosstalkError(
        f"algorithm {name!r}: expected a subclass of ScoreScalarizer, AdvantageScalarizer or "
        f"GradientScalarizer, got {found!r}"
    )
