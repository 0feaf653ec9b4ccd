"""Word the notes that stand with the published tables."""

from collections.abc import Iterator, Mapping, Sequence

import pandas

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.frames.overall import Overall
from benchmark.leaderboard.frames.verdicts import WITHOUT_LOSS
from benchmark.leaderboard.pages.markdown import NOTHING
from benchmark.leaderboard.pages.sheet import Row

FEW_SEEDS = 5  # Student's intervals over fewer are wide, and hide much
NAMED = 4  # objectives without a scale that a note names
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
        yield (
            "Intervals of rows with several seeds are over the seeds (Student's), with the error "
            "of the test prompts and the initial policy that all seeds share."
        )
    if several.empty or several.min() < FEW_SEEDS:
        yield f"Take {FEW_SEEDS} seeds or more for conclusions about an algorithm."


def verdict_words(row: Row) -> str:
    """Return what an algorithm did, in words: its verdict, and what else has to be known."""
    some = row["collapsed_runs"]
    told = [row["verdict"]] if row["verdict"] else []
    told += [f"{some} of {row['runs']} runs collapsed"] if some else []
    told += [f"same as {row['same_as']}"] if row["same_as"] else []
    return "; ".join(told) or NOTHING


def lead_note(overall: Overall) -> str:
    """Say who leads, what a rank means, and which objectives have no scale."""
    competing = overall.table[~overall.table["reference"]]
    said = []
    if competing.empty:
        return ""
    if not overall.scaled:
        said.append(
            "Not every objective has a reference that trains it alone, so there is no worst gain: "
            "the order is that of the verdicts, and of the worst change."
        )
    elif not (competing["verdict"] == WITHOUT_LOSS).any():
        said.append(
            "No algorithm gained on every objective without a loss, so none leads: "
            "ranks begin at 2."
        )
    if overall.scaled and overall.unscaled:
        some = ", ".join(overall.unscaled[:NAMED])
        more = len(overall.unscaled) - NAMED
        said.append(
            f"Training on it alone did not raise {some}{f' and {more} more' if more > 0 else ''}: "
            "there an objective counts only where it fell, by its relative loss."
        )
    return " ".join(said)


def rank_note(overall: Overall) -> str:
    """Say which objectives the ranks are over, if not all."""
    if overall.ranked == overall.columns:
        return ""
    return (
        f"Mean ranks are over the {overall.ranked} of {overall.columns} objectives of models that "
        "every algorithm has a result for."
    )


def geometry_line(group: pandas.DataFrame) -> str:
    """Return what was measured of the initial policy's gradients, in words; empty if nothing."""
    kinds = {"conflict_rate": "conflict rate", "magnitude_similarity": "magnitude similarity"}
    means = {words: group[column].mean() for column, words in kinds.items()}
    known = [f"{words} {value:.2f}" for words, value in means.items() if pandas.notna(value)]
    return f"Gradients of the initial policy: {', '.join(known)}." if known else ""


def apart_line(names: Sequence[str]) -> str:
    """Say which objectives nothing is trained on; empty if there are none."""
    told = ", ".join(names)
    return f"For evaluation only, in no score, verdict, rank or rate: {told}." if names else ""


def weights_line(weights: Mapping[str, float]) -> str:
    """Return the objectives' preference weights in words; empty if there are none."""
    told = ", ".join(f"{name} {weight:.3g}" for name, weight in weights.items())
    return f"Weights: {told}." if told else ""
