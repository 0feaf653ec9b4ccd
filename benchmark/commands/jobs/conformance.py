"""Check a scalarizer from outside the package before a cell is trained with it."""

from collections.abc import Sequence

from benchmark.common.errors import Faulty
from benchmark.scalarizers import Scalarizer, make_scalarizer
from benchmark.study.study import Cell
from benchmark.testing import check_quickly


def check_plugin(cell: Cell) -> None:
    """Refuse a scalarizer of somebody's that breaks the contract; the package's own are tested.

    Raises:
        CrosstalkError: With the cell, the scalarizer and the property that does not hold.
    """
    if cell.scalarizer_class.__module__.startswith("benchmark."):
        return
    name, given = cell.algorithm.scalarizer, cell.study.objective_set(cell.objective_set).weights

    def make(weights: Sequence[float] | None = None) -> Scalarizer:
        own = given if weights is None else weights
        return make_scalarizer(name, cell.objectives, own, **cell.parameters)

    try:
        check_quickly(make, cell.objectives, f"scalarizer {name}")
    except AssertionError as error:
        raise Faulty(str(error)) from error
