"""Word the notes that stand with the published tables."""

from collections.abc import Iterator, Mapping

import pandas

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.frames.overall import Overall

FEW_SEEDS = 5  # Student's intervals over fewer are wide, and hide much
AGAINST = (
    "Differences of the worst objective's change on the same seeds, each model and objective set "
    "counting the same. *: p below 0.05 after Holm's correction for the number of algorithms. "
    "Detectable: the smallest true difference that 80% of studies with as many seeds would show."
)


def table_notes(frames: Frames) -> list[str]:
    """Return what holds for every table of a leaderboard, a sentence or two each."""
    results = frames.results
    mixed = f"Mixed runs: {results.mixture}." if results.mixture else ""
    chosen = f"A selection: {results.selection}." if results.selection else ""
    missing = f"{len(results.missing)} of {len(results.expected)} cells are missing."
    notes = [mixed, chosen, *results.notes, missing if results.missing else ""]
    return [note for note in [*notes, *interval_notes(frames.summary)] if note]


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


def rank_note(overall: Overall) -> str:
    """Say which objectives the ranks are over, if not all."""
    if overall.ranked == overall.columns:
        return ""
    return (
        f"Ranks are over the {overall.ranked} of {overall.columns} objectives of models that every "
        "algorithm has a result for."
    )


def weights_line(weights: Mapping[str, float]) -> str:
    """Return the objectives' preference weights in words; empty if there are none."""
    told = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
    return f"Weights: {told}." if told else ""
