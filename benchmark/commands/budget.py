"""Count what tuning a study takes before it is tuned, and say where a tuned study is stale."""

from collections.abc import Iterator, Sequence
from statistics import fmean

from benchmark.commands.foretelling import gpu_hours
from benchmark.commands.jobs.journal import STAGES
from benchmark.common.errors import CrosstalkError
from benchmark.study.costs import Assumptions, estimates
from benchmark.study.loading import load_study
from benchmark.study.rates import HOUR, told_seconds
from benchmark.study.study import Cell, Study
from benchmark.study.tuning import plan_of, settings_of, trial_id, trials_study

TRAINED, EVALUATED = STAGES[:2]


def budget_lines(study: Study, assumed: Assumptions) -> Iterator[str]:
    """Yield how many trials tuning takes, of what, and how many hours; nothing without a plan."""
    if study.file.tuning is None:
        return
    trials = trials_study(study)
    tuned = [name for name in study.file.algorithms if len(settings_of(study, name)) > 1]
    references = sum(cell.scalarizer_class.reference for cell in trials.cells)
    steps = len(trials.cells) * trials.file.training.steps
    yield (
        f"tuning: {plan_of(study).trials} settings of each of {len(tuned)} algorithms, one of the "
        f"{len(study.file.algorithms) - len(tuned)} others; {len(trials.cells)} cells, "
        f"{references} of them references, {steps:,} steps"
    )
    yield f"tuning: {_hours(study, trials, assumed)}"


def _hours(study: Study, trials: Study, assumed: Assumptions) -> str:
    """Return how long the trials take: as the study's own cells took here, or else by tokens."""
    found = list(estimates(trials, assumed))
    if all(study.models[each.model].resources.gpus and each.hours is not None for each in found):
        hours = sum(gpu_hours(trials, each) for each in found)
        return f"about {told_seconds(hours * HOUR, 'GPU-')}, by the same assumptions"
    took = _seconds_taken(study)
    if not took:
        return f"its hours are not known before a cell of {study.name} is done here"
    of_all = fmean(seconds for each in took.values() for seconds in each)
    entries = {
        trial_id(name, number): name
        for name in study.file.algorithms
        for number, _ in enumerate(settings_of(study, name))
    }
    hours = sum(_mean(took, cell, entries, of_all) for cell in trials.cells) / HOUR
    return (
        f"about {hours:,.1f} hours of jobs, one after another, from {sum(map(len, took.values()))} "
        f"cells of {study.name} that are done here; models to be made not counted"
    )


def _mean(
    took: dict[str, list[float]], cell: Cell, entries: dict[str, str], of_all: float
) -> float:
    own: Sequence[float] = took.get(entries.get(cell.algorithm.id, cell.algorithm.id), [])
    return fmean(own) if own else of_all


def _seconds_taken(study: Study) -> dict[str, list[float]]:
    """Return how long training and evaluating a cell took, by algorithm."""
    from benchmark.commands.status import benchmarked  # reads runs, by libraries that load slowly

    took: dict[str, list[float]] = {}
    for cell in study.cells:
        parts = [
            benchmarked(cell.folder / f"{stage}.benchmark.tsv") for stage in (TRAINED, EVALUATED)
        ]
        if all(parts):
            took.setdefault(cell.algorithm.id, []).append(sum(part[-1] for part in parts))
    return took


def stale_lines(study: Study) -> Iterator[str]:
    """Yield a warning where a tuned study's trials were of other code or settings than now."""
    record = study.file.tuned
    if record is None:
        return
    try:
        own = study.layout.root / record.file
        named = str(own) if own.is_file() else record.file
        present = trials_study(load_study(named, study.layout.root)).results_hash
    except CrosstalkError as error:
        yield f"warning: {study.where}: tuned: the study that was tuned cannot be read: {error}"
        return
    if present != record.trials:
        yield (
            f"warning: {study.where}: tuned: its trials were of other code or settings than the "
            f"present ones; `crosstalk tune {record.file}` runs them again"
        )
