"""Refuse a plan of tuning whose trials could not run, or could not be told from results."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.study.study import Study
from benchmark.study.tuning import is_reference, plan_of, space_of, trial_id


def check_plan(study: Study) -> None:
    """Refuse a plan whose trials could not run, or could not be told from the study's results.

    Raises:
        CrosstalkError: One line: the file, the key, what was expected, what was found.
    """
    plan, file, where = plan_of(study), study.file, f"{study.where}: tuning"
    both = sorted(set(plan.seeds) & set(file.seeds))
    if both:
        raise CrosstalkError(
            f"{where}.seeds: expected none of the study's seeds, on which nothing may be chosen, "
            f"got {', '.join(map(str, both))}"
        )
    for model in plan.models or ():
        if model not in study.models:
            raise unknown("model", model, study.models, f"{where}.models")
    for name in plan.objective_sets or ():
        if name not in file.objective_sets:
            raise unknown("objective set", name, file.objective_sets, f"{where}.objective_sets")
    for name in plan.spaces:
        if name not in file.algorithms:
            raise unknown("algorithm", name, file.algorithms, f"{where}.spaces")
        _check_space(study, name)
    _check_references(study, plan.objective_sets or tuple(file.objective_sets))
    for name in file.algorithms:
        for number in range(1, plan.trials):
            if trial_id(name, number) in file.algorithms:
                raise CrosstalkError(
                    f"{study.where}: algorithms.{trial_id(name, number)}: expected another id: "
                    f"it is that of a trial of {name!r}"
                )


def _check_space(study: Study, algorithm: str) -> None:
    where = f"{study.where}: tuning.spaces.{algorithm}"
    if is_reference(study, algorithm):
        raise CrosstalkError(f"{where}: expected no space of a reference")
    space = space_of(study, algorithm)
    if space is None:
        return
    given = study.file.algorithms[algorithm] or {}
    cls = study.scalarizer_class(space.scalarizer or str(given.get("scalarizer", algorithm)))
    known = list(inspect.signature(cls).parameters)[2:]  # after objectives and weights
    for name in space.dimensions:
        if name not in known:
            raise unknown("parameter", name, known, where)


def _check_references(study: Study, sets: tuple[str, ...]) -> None:
    """Refuse a study without a reference for an objective: gains would have no scale."""
    for name in sets:
        alone = {
            entry.parameters.get("objective")
            for entry in study.algorithms(name)
            if study.scalarizer_class(entry.scalarizer).reference
        }
        for objective in study.objective_names(name):
            if objective not in alone:
                raise CrosstalkError(
                    f"{study.where}: tuning: expected a reference for {objective!r} among the "
                    "algorithms (`single: {objective: each}`): settings are chosen by gains over "
                    "what training on each objective alone gains"
                )


@contextmanager
def told_of(study: Study, derived: Study) -> Iterator[None]:
    """Say an error of a derived study as one of the study's own tuning."""
    try:
        yield
    except CrosstalkError as error:
        told = str(error).removeprefix(f"{derived.where}: ")
        raise CrosstalkError(f"{study.where}: tuning: {told}") from error
