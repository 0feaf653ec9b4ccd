"""``crosstalk baseline``: evaluate a model's initial policy on an objective set."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from benchmark.commands.jobs.comparison import applicable_mean
from benchmark.commands.prepare import prepare, prepare_objectives
from benchmark.common.errors import Faulty
from benchmark.common.files import exclusive, replacing
from benchmark.common.records import Record
from benchmark.models.policy.answers import generate
from benchmark.models.policy.engines import evaluation_backend
from benchmark.objectives.scoring import score, to_frame
from benchmark.study.study import Study
from benchmark.tasks.base import Problem
from benchmark.tracking.names import COMPLETIONS


@dataclass(frozen=True)
class BaselineRecord(Record):
    """How the initial policy was evaluated, and its mean rewards by objective."""

    FILE: ClassVar[str] = "baseline.json"
    MISSING: ClassVar[str] = "the initial policy is not evaluated"
    COMMAND: ClassVar[str] = "baseline"

    backend: str
    tokens: float
    samples: int
    means: dict[str, float]


@dataclass(frozen=True)
class Baseline:
    """The initial policy on the test problems."""

    backend: str  # that drew its completions, and draws those of the cells compared with it
    tokens: float  # mean completion length
    rewards: np.ndarray  # (P, n, M)
    evaluation_only: np.ndarray  # (P, n, M'), of the objectives that nothing is trained on


def evaluate_initial(study: Study, model: str, objective_set: str) -> None:
    """Evaluate the initial policy on the test problems and write its record."""
    folder = study.layout.baseline(model, objective_set)
    names = study.evaluated_names(objective_set)
    with exclusive(folder / ".lock", f"evaluating the initial policy of {model}"):
        file, backend = study.file, evaluation_backend(study.file.evaluation.backend)
        plan = file.evaluation.model_copy(update={"backend": backend})
        source = prepare(study.layout.root, model)
        prepare_objectives(study, objective_set)
        completions = generate(source, evaluation_problems(study), file.sampling, plan)
        tokens = float(completions.tokens.mean())
        objectives = [o.for_evaluation(tokens) for o in study.make_evaluated(objective_set)]
        try:
            rewards = score(completions, objectives)
        except Faulty as error:
            raise Faulty(f"{model}/{objective_set}/baseline: {error}") from error
        with replacing(folder / COMPLETIONS) as path:
            to_frame(completions, rewards, names).to_parquet(path, index=False)
        means = dict(zip(names, applicable_mean(rewards, axis=(0, 1)).tolist(), strict=True))
        hash_ = study.baseline_hash(model, objective_set)
        BaselineRecord(hash_, backend, tokens, plan.samples, means).write(folder)


def read_baseline(study: Study, model: str, objective_set: str) -> Baseline:
    """Read what :func:`evaluate_initial` wrote for the present study."""
    folder = study.layout.baseline(model, objective_set)
    names, trained = study.evaluated_names(objective_set), study.objective_names(objective_set)
    hash_ = study.baseline_hash(model, objective_set)
    record = BaselineRecord.require(folder, hash_, f"{study.name} {model} {objective_set}")
    frame = pd.read_parquet(folder / COMPLETIONS)
    rows = frame[[f"reward/{name}" for name in names]].to_numpy()
    rewards = rows.reshape(-1, record.samples, len(names))
    parts = np.split(rewards, [len(trained)], axis=2)
    return Baseline(record.backend, record.tokens, *parts)


def evaluation_problems(study: Study) -> list[Problem]:
    """Return the problems on which every policy of the study is evaluated.

    They are of the test split, unless the study is evaluated on another; as many either way.
    """
    return study.task.split(study.file.evaluation.split, study.file.task.test)
