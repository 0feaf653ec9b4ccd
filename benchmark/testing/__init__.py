"""Check in one call that a scalarizer, objective or task keeps its contract, in its author's tests.

    >>> from benchmark.testing import check_scalarizer
    >>> check_scalarizer("linear")
    >>> check_scalarizer("single", parameters={"objective": "objective0"}, objectives=[1, 2])
    >>> check_objective("length_penalty", parameters={"target": 2, "limit": 6})
    >>> check_task("arithmetic")

Each returns nothing, or raises an ``AssertionError`` that says which property does not hold (of
:data:`PROPERTIES` with how many objectives, and on which batches). Nothing but the package is
needed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.termination import Terminated
from benchmark.scalarizers import Scalarizer, scalarizer_class
from benchmark.testing.batches import History, every_history, make_batch, ordinary_history
from benchmark.testing.objectives import OBJECTIVE_PROPERTIES, check_objective
from benchmark.testing.properties import (
    DECLARED,
    FLOATING,
    KIND,
    PROPERTIES,
    Make,
    Property,
    check_kind,
    given_signals,
)
from benchmark.testing.tasks import TASK_PROPERTIES, check_task

__all__ = [
    "OBJECTIVE_PROPERTIES",
    "PROPERTIES",
    "TASK_PROPERTIES",
    "Make",
    "Property",
    "check_objective",
    "check_quickly",
    "check_scalarizer",
    "check_task",
    "make_batch",
    "maker",
]

MOST = 8  # objectives; the default checks every number up to it

Factory = Callable[..., Scalarizer]  # (objectives, weights, **parameters)
Parameters = Mapping[str, Any] | Callable[[list[str]], Mapping[str, Any]]


def check_scalarizer(
    scalarizer: str | Factory,
    *,
    parameters: Parameters | None = None,
    objectives: Iterable[int] = range(1, MOST + 1),
) -> None:
    """Check that a scalarizer keeps every property of :data:`PROPERTIES`.

    Args:
        scalarizer: A name as studies use it (``"module:Class"`` too), a class, or a function of
            (objectives, weights) and the parameters that returns one.
        parameters: The method's own parameters, or a function that returns them from the names of
            the objectives, which are ``objective0``, ``objective1`` and so on.
        objectives: The numbers of objectives to check it with, if it does not take any number.

    Raises:
        AssertionError: A property does not hold.
        CrosstalkError: There is no scalarizer of that name.
    """
    label = scalarizer if isinstance(scalarizer, str) else getattr(scalarizer, "__name__", "it")
    for count in objectives:
        make = maker(scalarizer, count, parameters)
        ordinary = ordinary_history(count)
        for name, prop in PROPERTIES.items():
            histories = every_history(count, given_signals(make())) if prop.everywhere else ordinary
            for batches, history in histories.items():
                where = f"objectives: {count}, batches: {batches}"
                _check(name, prop, make, history, label, where)


def check_quickly(make: Make, objectives: Sequence[str], label: str = "it") -> None:
    """Check what results depend on, on ordinary batches with these objectives: half a second.

    Args:
        make: Returns a fresh scalarizer of them, with preference weights or its own.
        objectives: Their names.
        label: What messages call the scalarizer.

    Raises:
        AssertionError: A property does not hold.
        CrosstalkError: The scalarizer raised one, which is for its user.
    """
    (history,) = ordinary_history(len(objectives)).values()
    properties = PROPERTIES | {KIND: Property(lambda make, history: check_kind(make(), objectives))}
    for name in (DECLARED, FLOATING):  # the second: trainings have one floating type
        del properties[name]
    for name, prop in properties.items():
        try:
            _check(name, prop, make, history, label, "ordinary batches")
        except AssertionError as error:
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, CrosstalkError):
                cause = cause.__cause__
            raise cause or error from None


def _check(name: str, prop: Property, make: Make, history: History, who: str, where: str) -> None:
    try:
        prop.check(make, history)
    except Terminated:
        raise
    except (Exception, SystemExit) as error:
        told = isinstance(error, AssertionError)
        what = str(error) if told else f"{type(error).__name__}: {error}"
        raise AssertionError(f"{who}: property {name!r} does not hold ({where}): {what}") from error


def maker(scalarizer: str | Factory, count: int, parameters: Parameters | None = None) -> Make:
    """Return a factory of it with ``count`` objectives and, by default, unequal weights."""
    names = [f"objective{index}" for index in range(count)]
    given = parameters(names) if callable(parameters) else parameters
    factory = scalarizer_class(scalarizer) if isinstance(scalarizer, str) else scalarizer
    uneven = [1.0 + index for index in range(count)]
    return lambda weights=None: factory(
        names, uneven if weights is None else weights, **(given or {})
    )
