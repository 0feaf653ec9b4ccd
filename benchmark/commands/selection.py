"""Choose the settings of a study from its trials, by their tracked runs alone."""

import math
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

import pandas

from benchmark.commands.leaderboard import collect_frames
from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames.all import Frames
from benchmark.study.published_spaces import INCLUDES
from benchmark.study.study import Study
from benchmark.study.tuning import changed, is_reference, settings_of, told_as, trial_id
from benchmark.study.tuning_schema import Spent, Trial, Tuned, TunedAlgorithm

Row = Mapping[Hashable, Any]  # of the trials' leaderboard
NO_GAIN = (None, None, None)
NOTHING = Spent(runs=0, steps=0, tokens=0, backward_passes=0, hours=0)  # no run that counts
DIVERGED = "diverged"  # what the reason of a cell begins with whose policy did


def select(study: Study, trials: Study, uri: str | None = None) -> Tuned:
    """Return the setting of each algorithm with the highest worst gain, and all that were tried.

    The worst gain is that of the trials' leaderboard: the interquartile mean over a trial's runs,
    each measured with the objective set's own weights and references. Of equals the first counts,
    the study's own setting before any other. A trial of which a run diverged is not chosen.

    Args:
        study: The study that is tuned.
        trials: :func:`benchmark.study.tuning.trials_study` of it.
        uri: The tracking store; the usual one if None.

    Raises:
        CrosstalkError: Trials are missing for another reason, a gain has no scale, or every trial
            of an algorithm diverged.
    """
    frames = collect_frames([trials], allow_mixed=False, uri=uri)
    lost = _diverged(trials, frames)
    gains = {str(row["algorithm"]): row for row in frames.overall.table.to_dict("records")}
    spent = _spent(frames.results.costs)
    algorithms = {
        name: _algorithm(study, name, gains, lost, spent)
        for name in study.file.algorithms
        if not is_reference(study, name)
    }
    alone = frames.results.costs.query("reference")
    return Tuned(
        study=study.name,
        file=told_as(study),
        trials=trials.results_hash,
        criterion="worst_gain",
        split="validation",
        problems=trials.file.task.test,
        models=tuple(trials.file.models),
        objective_sets=tuple(trials.file.objective_sets),
        seeds=trials.file.seeds,
        algorithms=algorithms,
        references=_sum(alone),
        notes=tuple(_below_special_cases(study, algorithms)),
    )


def _diverged(trials: Study, frames: Frames) -> set[str]:
    """Return the algorithms of which a run diverged; refuse cells that lack for another reason."""
    missing = {each.cell: each.why for each in frames.results.missing}
    for cell, why in missing.items():
        if not why.startswith(DIVERGED):
            raise CrosstalkError(
                f"{trials.name}: {len(missing)} of {len(trials.cells)} trials are missing, "
                f"for instance {cell}: {why}; `crosstalk tune` runs them"
            )
    return {trials.by_id[cell].algorithm.id for cell in missing}


def _algorithm(
    study: Study,
    name: str,
    gains: Mapping[str, Row],
    lost: set[str],
    spent: Mapping[str, Spent],
) -> TunedAlgorithm:
    tried = []
    for number in range(len(settings_of(study, name))):
        own = trial_id(name, number)
        value, low, high = NO_GAIN if own in lost else _bounds(study, gains[own])
        tried.append(
            Trial(
                parameters=changed(study, name, number),
                worst_gain=value,
                low=low,
                high=high,
                spent=spent.get(own, NOTHING),
            )
        )
    scores = [-math.inf if each.worst_gain is None else each.worst_gain for each in tried]
    if max(scores) == -math.inf:
        raise CrosstalkError(
            f"{study.where}: algorithms.{name}: every setting that was tried diverged; leave it "
            f"out, or give tuning.spaces.{name} another space"
        )
    return TunedAlgorithm(chosen=scores.index(max(scores)), trials=tuple(tried))


def _bounds(study: Study, row: Row) -> tuple[float | None, ...]:
    value, low, high = (float(row[f"worst_gain{end}"]) for end in ("", "_low", "_high"))
    if math.isnan(value):
        raise CrosstalkError(
            f"{study.where}: tuning: no objective was raised by training on it alone, so that "
            "gains have no scale; train longer, or on other models"
        )
    return _rounded(value), *(None if math.isnan(end) else _rounded(end) for end in (low, high))


def _spent(costs: pandas.DataFrame) -> dict[str, Spent]:
    return {str(name): _sum(group) for name, group in costs.groupby("algorithm", sort=False)}


def _sum(costs: pandas.DataFrame) -> Spent:
    """Return what some runs took together."""

    def total(name: str) -> float | None:
        found = float(costs[name].astype(float).sum(min_count=len(costs)))
        return None if math.isnan(found) else found

    steps, seconds = total("steps"), total("seconds")
    return Spent(
        runs=len(costs),
        steps=None if steps is None else round(steps),
        tokens=total("training_tokens"),
        backward_passes=total("backward_passes"),
        hours=None if seconds is None else _rounded(seconds / 3600),
    )


def _rounded(value: float) -> float:
    """Return a number with the digits that published tables have."""
    return float(f"{value:.6g}")


def _below_special_cases(study: Study, algorithms: Mapping[str, TunedAlgorithm]) -> Iterator[str]:
    """Yield a sentence for each tuned rule that is below a rule which it includes, as published."""
    rules = {
        name: str((study.file.algorithms[name] or {}).get("scalarizer", name))
        for name in algorithms
    }
    for name, tuned in algorithms.items():
        for special, rule in rules.items():
            if rule != INCLUDES.get(rules[name]):
                continue
            own, other = tuned.trials[tuned.chosen].worst_gain, algorithms[special].trials[0]
            if own is not None and other.worst_gain is not None and own < other.worst_gain:
                yield (
                    f"{name} as tuned ({own:.3f}) is below {special} as published "
                    f"({other.worst_gain:.3f}), which it is at one end of its parameters: noise, "
                    "or too few trials."
                )
