"""All frames of a leaderboard, each made once."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas

from benchmark.leaderboard.frames.against import against_baseline
from benchmark.leaderboard.frames.apart import summarise_apart
from benchmark.leaderboard.frames.dependence import model_dependence
from benchmark.leaderboard.frames.overall import Overall, breakdown, compare, interference_matrices
from benchmark.leaderboard.frames.summary import summarise
from benchmark.leaderboard.frames.tuning import tuning_frame
from benchmark.leaderboard.results.costs import summarise_costs
from benchmark.leaderboard.results.table import Table


@dataclass(frozen=True)
class Frames:
    """The frames of a leaderboard, each made from its results when it is first asked for.

    Attributes:
        results: The results.
        tuned: Of a tuned study: what its file says of the trials, as plain JSON values.
    """

    results: Table
    tuned: Mapping[str, Any] | None = None

    @cached_property
    def summary(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.summary.summarise` of the cells."""
        return summarise(self.results.cells)

    @cached_property
    def overall(self) -> Overall:
        """:func:`benchmark.leaderboard.frames.overall.compare` of the cells."""
        return compare(self.results.cells)

    @cached_property
    def matrices(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.overall.interference_matrices` of the cells."""
        return interference_matrices(self.results.cells)

    @cached_property
    def breakdown(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.overall.breakdown` of the cells."""
        return breakdown(self.results.cells, self.overall)

    @cached_property
    def dependence(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.dependence.model_dependence` of the summary."""
        return model_dependence(self.summary)

    @cached_property
    def against(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.against.against_baseline` of the cells."""
        return against_baseline(self.results.cells)

    @cached_property
    def costs(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.results.costs.summarise_costs` of the runs."""
        return summarise_costs(self.results.costs)

    @cached_property
    def apart(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.apart.summarise_apart` of the rows apart."""
        return summarise_apart(self.results.apart)

    @cached_property
    def tuning(self) -> pandas.DataFrame:
        """:func:`benchmark.leaderboard.frames.tuning.tuning_frame` of the record, where one is."""
        return pandas.DataFrame() if self.tuned is None else tuning_frame(self.tuned)

    @cached_property
    def plane(self) -> pandas.DataFrame:
        """The overall table's gain against loss: what the page's first picture shows."""
        return self.overall.table[self.overall.table["gain"].notna()]

    @cached_property
    def attributed(self) -> bool:
        """Whether any run says why its objectives are interfered with."""
        return bool((self.results.cells["attribution"] != "").any())
