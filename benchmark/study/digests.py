"""Digest all that determines a result: one function for each kind of record.

A record that carries another digest than the present one is of other settings or other code, and is
made again. Each function takes what the user sets as plain JSON values, and adds the code at work.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import digest, import_closure, modules, sources_of
from benchmark.objectives import Objective
from benchmark.scalarizers import Scalarizer
from benchmark.tasks import Task

# What each stage runs. Of evaluation, training reaches nothing, so that an edit does not retrain.
TRAINING = modules("training.trainer", "commands.jobs.trainer")
EVALUATION = modules("models.policy.answers", "objectives.scoring")
RESULT = modules("commands.jobs.comparison")
DIAGNOSIS = modules("commands.jobs.step", "commands.jobs.replay", "diagnosis.attribution")
PROBE = modules("commands.probe")
CALIBRATION = modules("commands.calibrate")

Settings = Mapping[str, Any]


def training(
    settings: Settings, scalarizer: type[Scalarizer], scoring_code: frozenset[Path]
) -> str:
    """Return the digest of a trained policy and its curves."""
    code = _closure(*TRAINING, *sources_of(scalarizer, Scalarizer))
    return digest(settings, code | scoring_code)


def evaluation(settings: Settings, scoring_code: frozenset[Path]) -> str:
    """Return the digest of the evaluation of a model's initial policy."""
    return digest(settings, _closure(*EVALUATION) | scoring_code)


def result(training: str, evaluation: str) -> str:
    """Return the digest of a cell's result: its training and its evaluation."""
    return digest({"training": training, "evaluation": evaluation}, _closure(*RESULT))


def diagnosis(training: str, evaluation: str, plan: Settings | None) -> str:
    """Return the digest of what a diagnosis of a trained cell finds."""
    settings = {"training": training, "evaluation": evaluation, "plan": plan}
    return digest(settings, _closure(*DIAGNOSIS))


def probe(evaluation: str, weights: Iterable[float] | None) -> str:
    """Return the digest of the geometry of a model's initial policy."""
    return digest({"evaluation": evaluation, "weights": weights}, _closure(*PROBE))


def calibration(settings: Settings, scoring_code: frozenset[Path]) -> str:
    """Return the digest of a scale that is fitted on a model's initial policy."""
    return digest(settings, _closure(*EVALUATION, *CALIBRATION) | scoring_code)


def scoring_code(task: type[Task], objectives: Iterable[type[Objective]]) -> frozenset[Path]:
    """Return the source files of a task and of objectives, with all they import."""
    scored = (file for cls in objectives for file in sources_of(cls, Objective))
    return _closure(*sources_of(task, Task), *scored)


def preload() -> None:
    """Read the code of all stages, which takes half a second, before processes are forked.

    They digest what was read here, so whoever forks them has to see that the code stays as it is.
    """
    stages = (TRAINING, EVALUATION, RESULT, DIAGNOSIS, PROBE, CALIBRATION)
    digest({}, _closure(*(file for files in stages for file in files)))


def check_unchanged(expected: str | None, present: str, what: str) -> None:
    """Refuse to make a record under another digest than the workflow asked for; None asks for any.

    Else results of code that was edited in between would carry the digest of the code before.
    """
    if expected is not None and expected != present:
        raise CrosstalkError(
            f"{what}: expected hash {expected}, got {present}: the code or the settings changed "
            "since the workflow started; run `crosstalk run` again"
        )


@cache
def _closure(*files: Path) -> frozenset[Path]:
    return frozenset(import_closure(*files))
