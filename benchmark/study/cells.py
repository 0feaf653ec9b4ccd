"""A cell of a study's matrix: one training run, and the digest of all that determines it."""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.common.fingerprint import digest, import_closure, modules, sources_of
from benchmark.scalarizers import Scalarizer, make_scalarizer, scalarizer_class

if TYPE_CHECKING:
    from benchmark.study.study import Study

EACH = "each"  # an algorithm with `objective: each` stands for one cell per objective


class Algorithm(NamedTuple):
    """An entry of the algorithm axis: a scalarizer with parameters under the entry's name."""

    id: str
    scalarizer: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One training run of the matrix, with everything that determines its result."""

    study: "Study"
    model: str
    objective_set: str
    algorithm: Algorithm
    seed: int

    @property
    def id(self) -> str:
        """The readable path below the study: ``<model>/<objectives>/<algorithm>/seed<k>``."""
        return f"{self.model}/{self.objective_set}/{self.algorithm.id}/seed{self.seed}"

    @property
    def folder(self) -> Path:
        """The folder that holds the cell's files."""
        return self.study.layout.cell(self.id)

    @property
    def objectives(self) -> tuple[str, ...]:
        """The names of the objectives, in the order of every array's objective axis."""
        return self.study.objective_names(self.objective_set)

    @property
    def learning_rate(self) -> float:
        """The study's learning rate, or the model's own where the study gives one."""
        override = self.study.overrides(self.model).learning_rate
        return self.study.file.training.learning_rate if override is None else override

    @property
    def diagnosed_updates(self) -> frozenset[int]:
        """The numbers of updates after which the study diagnoses the next one."""
        study = self.study.file
        steps = study.diagnosis.steps if study.diagnosis is not None else ()
        return frozenset(step * study.training.updates_per_step for step in steps)

    @property
    def processes(self) -> int:
        """The processes that train the cell together, one a GPU of its model."""
        return max(1, self.study.models[self.model].resources.gpus)

    @property
    def parallelism(self) -> str:
        """How they share the training."""
        return self.study.models[self.model].resources.parallelism

    def make_scalarizer(self) -> Scalarizer:
        """Return the cell's scalarizer in its initial state.

        One that takes a ``seed`` gets the cell's, unless the study gives another.
        """
        weights = self.study.objective_set(self.objective_set).weights
        name, parameters = self.algorithm.scalarizer, self.algorithm.parameters
        if "seed" in inspect.signature(scalarizer_class(name)).parameters:
            parameters = {"seed": self.seed} | parameters
        return make_scalarizer(name, self.objectives, weights, **parameters)

    @cached_property
    def specification(self) -> dict[str, Any]:
        """Everything a user sets that determines what is trained, as plain JSON values."""
        study = self.study.file
        # Each process draws its own completions, so their number is part of the experiment.
        several = {"processes": self.processes, "parallelism": self.parallelism}
        own = self.study.models[self.model].training.model_dump(exclude_defaults=True)
        return {
            **(several if self.processes > 1 else {}),
            "model": self.study.model_digest(self.model),
            **({"model_training": own} if own else {}),
            "task": self.study.task_specification,
            "objectives": {
                **self.study.objective_specification(self.objective_set),
                "weights": self.study.objective_set(self.objective_set).weights,
            },
            "algorithm": {
                "scalarizer": self.algorithm.scalarizer,
                "parameters": self.algorithm.parameters,
            },
            "seed": self.seed,
            "training": study.training.model_dump() | {"learning_rate": self.learning_rate},
            "sampling": study.sampling.model_dump(),
        }

    @cached_property
    def training_hash(self) -> str:
        """Digest of all that determines the trained policy and its curves."""
        scalarizer = sources_of(scalarizer_class(self.algorithm.scalarizer), Scalarizer)
        sources = import_closure(*modules("training.trainer", "commands.jobs.trainer"), *scalarizer)
        return digest(self.specification, sources | self.study.scoring_sources(self.objectives))

    @cached_property
    def hash(self) -> str:
        """Digest of all that determines the cell's result: its training and its evaluation."""
        evaluation = self.study.baseline_hash(self.model, self.objective_set)
        return digest({"training": self.training_hash, "evaluation": evaluation})

    @cached_property
    def diagnosis_hash(self) -> str:
        """Digest of all that determines what a diagnosis of the trained cell finds."""
        plan = self.study.file.diagnosis
        determined = {
            "training": self.training_hash,
            "evaluation": self.study.baseline_hash(self.model, self.objective_set),
            "plan": None if plan is None else plan.model_dump(exclude={"automatic", "probe"}),
        }
        sources = modules("commands.jobs.step", "commands.jobs.replay", "diagnosis.attribution")
        return digest(determined, import_closure(*sources))


def spelled_out(
    name: str, given: dict[str, Any], objectives: tuple[str, ...]
) -> Iterator[Algorithm]:
    """Yield what an entry of the algorithm axis stands for, given the objectives of a set."""
    scalarizer = given.get("scalarizer", name)
    parameters = {key: value for key, value in given.items() if key != "scalarizer"}
    if parameters.get("objective") != EACH:
        yield Algorithm(name, scalarizer, parameters)
        return
    for objective in objectives:
        own = parameters | {"objective": objective}
        yield Algorithm(f"{name}-{objective}", scalarizer, own)
