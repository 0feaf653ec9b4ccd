"""Derive studies from a study: the trials that tune it, and the study with the chosen settings.

Both are study files like any other, in ``results/tuned``, so trials are ordinary cells that the
ordinary workflow trains and evaluates, on problems of the validation split.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import Layout, relative
from benchmark.common.settings import parse
from benchmark.study.published_spaces import SPACES
from benchmark.study.schema import CellFilter, StudyFile
from benchmark.study.spaces import Space
from benchmark.study.study import Study
from benchmark.study.tuning_schema import Tuned, Tuning

TRIALS, TUNED = "trials", "tuned"  # what the names of derived studies end in
DERIVED = {"description", "tuning", "tuned", "modules"}  # keys that a derived study has of its own


def plan_of(study: Study) -> Tuning:
    """Return what the study says of its tuning; refuse a study that says nothing."""
    plan = study.file.tuning
    if plan is None:
        raise CrosstalkError(
            f"{study.where}: tuning: there is none; `tuning: {{trials: 5, seeds: [100]}}`, with "
            "seeds that are not the study's, has five settings of each algorithm tried"
        )
    return plan


def told_as(study: Study) -> str:
    """Return what commands call a study by on any machine: its file in the project, or its name."""
    inside = study.path.is_relative_to(study.layout.root)
    return study.given_path if inside else study.name


def trial_id(algorithm: str, number: int) -> str:
    """Return the id of a trial; number 0, the study's own setting, has the algorithm's."""
    return f"{algorithm}.trial{number}" if number else algorithm


def is_reference(study: Study, algorithm: str) -> bool:
    """Say whether an entry trains one objective alone, as a reference for the others."""
    given = study.file.algorithms[algorithm] or {}
    return study.scalarizer_class(str(given.get("scalarizer", algorithm))).reference


def space_of(study: Study, algorithm: str) -> Space | None:
    """Return what is tried of an entry, by the study or else as published; None if nothing is."""
    given = study.file.algorithms[algorithm] or {}
    published = SPACES.get(str(given.get("scalarizer", algorithm)))
    own = plan_of(study).spaces.get(algorithm)
    if own is not None:
        instead = published.scalarizer if published is not None else None
        return Space(own, "the study", scalarizer=instead) if own else None
    return None if is_reference(study, algorithm) else published


def settings_of(study: Study, algorithm: str) -> list[dict[str, Any]]:
    """Return the entries of an algorithm's trials, its own first; one if there is nothing to try.

    Raises:
        CrosstalkError: A list of the space would have another length for another objective set.
    """
    plan, given = plan_of(study), study.file.algorithms[algorithm] or {}
    space = space_of(study, algorithm)
    if space is None:
        return [dict(given)]
    scalarizer = space.scalarizer or given.get("scalarizer", algorithm)
    kept = {key: value for key, value in given.items() if key not in space.without}
    points = space.points(plan.trials - 1, _objectives(study, algorithm, space), plan.seed)
    return [dict(given), *({**kept, "scalarizer": scalarizer, **point} for point in points)]


def _objectives(study: Study, algorithm: str, space: Space) -> int:
    """Return how many objectives every set has, where the space has a list with a value of each."""
    sizes = sorted({len(study.objective_names(name)) for name in study.file.objective_sets})
    if len(sizes) > 1 and space.per_objective:
        raise CrosstalkError(
            f"{study.where}: tuning.spaces.{algorithm}: expected objective sets of one size for "
            f"{space.per_objective[0]}, which has a value per objective, got "
            f"{' and '.join(map(str, sizes))}"
        )
    return sizes[0]


def trials_study(study: Study) -> Study:
    """Return the study of all trials: every setting on the tuning's models, sets and seeds.

    References are trained too, since gains are measured against them. What the study excludes is
    excluded of each trial; cells that it includes beside its axes are not tried.
    """
    plan, file = plan_of(study), study.file
    models = file.models if plan.models is None else plan.models
    sets = plan.objective_sets or tuple(file.objective_sets)
    entries = {name: settings_of(study, name) for name in file.algorithms}
    problems = plan.problems or file.task.test
    changes = {
        "description": f"Trials of settings for the study {study.name}.",
        "task": _given(file).get("task", {}) | {"test": problems},
        "models": {name: own.model_dump() if own else None for name, own in models.items()},
        "objective_sets": {name: _given(file)["objective_sets"][name] for name in sets},
        "algorithms": {
            trial_id(name, number): entry or None
            for name, tried in entries.items()
            for number, entry in enumerate(tried)
        },
        "seeds": list(plan.seeds),
        "evaluation": file.evaluation.model_dump() | {"split": "validation"},
        "exclude": [
            each.model_dump(exclude_none=True) for each in _excluded(study, models, sets, entries)
        ],
    }
    return _derived(study, TRIALS, changes, without={"diagnosis", "include"})


def _excluded(
    study: Study, models: Mapping[str, Any], sets: tuple[str, ...], entries: Mapping[str, Any]
) -> Iterator[CellFilter]:
    for picked in study.file.exclude:
        elsewhere = picked.model is not None and picked.model not in models
        elsewhere |= picked.objectives is not None and picked.objectives not in sets
        if elsewhere or picked.seed is not None:
            continue
        if picked.algorithm is None:
            yield picked
            continue
        for number, _ in enumerate(entries.get(picked.algorithm, [{}])):  # `single-clarity` once
            yield picked.model_copy(update={"algorithm": trial_id(picked.algorithm, number)})


def tuned_study(study: Study, tuned: Tuned) -> Study:
    """Return the study with each algorithm at its chosen setting, and how it was chosen."""
    algorithms = {}
    for name in study.file.algorithms:
        found = tuned.algorithms.get(name)
        entry = settings_of(study, name)[found.chosen if found is not None else 0]
        plain = {key: value for key, value in entry.items() if (key, value) != ("scalarizer", name)}
        algorithms[name] = plain or None
    changes = {
        "description": f"{study.file.description} Settings tuned.".strip(),
        "algorithms": algorithms,
        "tuned": tuned.model_dump(mode="json"),
    }
    return _derived(study, TUNED, changes)


def changed(study: Study, algorithm: str, number: int) -> dict[str, Any]:
    """Return what a trial changed of the algorithm's entry."""
    own, tried = study.file.algorithms[algorithm] or {}, settings_of(study, algorithm)[number]
    return {
        key: value
        for key, value in tried.items()
        if key != "scalarizer" and own.get(key, ...) != value
    }


def _given(file: StudyFile) -> dict[str, Any]:
    """Return what a study file says that is not a default, as plain values."""
    return file.model_dump(mode="json", exclude_defaults=True, exclude=DERIVED)


def _derived(
    study: Study, kind: str, changes: Mapping[str, Any], without: set[str] | None = None
) -> Study:
    name = f"{study.name}-{kind}"
    path = study.layout.tuned / f"{name}.yaml"
    given = {key: value for key, value in _given(study.file).items() if key not in (without or ())}
    data = given | dict(changes)
    data = {key: value for key, value in data.items() if key != "exclude" or value}
    if _has_modules(study.modules):
        data["modules"] = os.path.relpath(study.modules, path.parent)
    file = parse(StudyFile, data, relative(path))
    return Study(name, path, file, study.models, Layout(study.layout.root, name))


def _has_modules(folder: Path) -> bool:
    return any(True for pattern in ("*.py", "*/__init__.py") for _ in folder.glob(pattern))


def derived_settings(study: Study) -> dict[str, Any]:
    """Return the mapping that a derived study's file holds, its description first."""
    file = study.file
    own = file.model_dump(mode="json", exclude_defaults=True, exclude={"tuned"})
    record = {} if file.tuned is None else {"tuned": file.tuned.model_dump(mode="json")}
    return own | record
