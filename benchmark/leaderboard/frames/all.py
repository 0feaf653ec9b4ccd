"""All frames of a leaderboard, each made once, and the tables that people read."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import pandas

from benchmark.leaderboard.frames.against import against_baseline
from benchmark.leaderboard.frames.dependence import model_dependence
from benchmark.leaderboard.frames.overall import Overall, breakdown, compare, interference_matrices
from benchmark.leaderboard.frames.summary import PLACE, summarise
from benchmark.leaderboard.pages.sheet import Sheet
from benchmark.leaderboard.pages.sheets import (
    against_sheet,
    breakdown_sheets,
    dependence_sheet,
    group_sheet,
    matrix_sheet,
    overall_sheet,
)
from benchmark.leaderboard.results.costs import summarise_costs
from benchmark.leaderboard.results.table import Table

FEW_SEEDS = 5  # Student's intervals over fewer are wide, and hide much


@dataclass(frozen=True)
class Frames:
    """All tables of a leaderboard, each made once.

    Attributes:
        results: What they are made of.
    """

    results: Table

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
    def attributed(self) -> bool:
        """Whether any run says why its objectives are interfered with."""
        return bool((self.results.cells["attribution"] != "").any())

    @cached_property
    def tested(self) -> Sheet | None:
        """The table of algorithms against the baseline, if seeds are enough to test any."""
        return against_sheet(self.against) if self.against["p"].notna().any() else None

    def sheets(self) -> list[Sheet]:
        """Return every table that people read, but costs."""
        found = [overall_sheet(self.overall.table, "overall", "Overall")]
        if self.tested:
            found.append(self.tested)
        found += breakdown_sheets(self.breakdown)
        if self.summary["model"].nunique() > 1:
            found.append(dependence_sheet(self.dependence))
        found += [
            group_sheet(group, self.attributed)
            for _, group in self.summary.groupby(PLACE, sort=False)
        ]
        return found + [matrix_sheet(m) for _, m in self.matrices.groupby(PLACE, sort=False)]

    def notes(self) -> list[str]:
        """Return what stands beneath every table, a sentence or two each."""
        results = self.results
        mixed = f"Mixed runs: {results.mixture}." if results.mixture else ""
        chosen = f"A selection: {results.selection}." if results.selection else ""
        missing = f"{len(results.missing)} of {len(results.expected)} cells are missing."
        notes = [mixed, chosen, *results.notes, missing if results.missing else ""]
        return [note for note in [*notes, *interval_notes(self.summary)] if note]


def interval_notes(summary: pandas.DataFrame) -> Iterator[str]:
    """Say what intervals are over, a sentence or two each."""
    if "prompts" in set(summary["interval"]):
        yield (
            "Intervals of rows with one seed are over test prompts, paired with the initial "
            "policy; they say nothing about how much trainings vary."
        )
    several = summary.loc[summary["interval"] == "seeds", "seeds"]
    if not several.empty:
        yield "Intervals of rows with several seeds are Student's over the seeds."
    if several.empty or several.min() < FEW_SEEDS:
        yield f"Take {FEW_SEEDS} seeds or more for conclusions about an algorithm."
