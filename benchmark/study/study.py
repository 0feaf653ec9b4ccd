"""A study and its cells: the frozen matrix that ``models.yaml`` and a study file span."""

import inspect
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, cached_property, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.fingerprint import digest
from benchmark.common.paths import ACCELERATE, Layout, model_folder, relative
from benchmark.common.settings import read_yaml
from benchmark.models.entry import ModelSpec
from benchmark.models.preparing import model_digest
from benchmark.objectives import OBJECTIVE_SETS, Objective
from benchmark.scalarizers import Scalarizer, make_scalarizer, scalarizer_class
from benchmark.study import digests
from benchmark.study.calibrations import Calibration
from benchmark.study.entries import StudyObjective, specification, study_objective
from benchmark.study.schema import CellChoice, Diagnosis, ObjectiveSet, StudyFile
from benchmark.study.tuning_schema import Overrides
from benchmark.tasks import Task, make_task

UNTRAINED = {"description", "tuning", "tuned", "modules"}  # no result depends on them
EACH = "each"  # an algorithm with `objective: each` stands for one cell per objective


class Algorithm(NamedTuple):
    """An entry of the algorithm axis: a scalarizer with parameters under the entry's name."""

    id: str
    scalarizer: str
    parameters: dict[str, Any]


@dataclass(frozen=True)
class Study:
    """A study file with the models it names. ``load_study`` reads one."""

    name: str
    path: Path
    file: StudyFile
    models: dict[str, ModelSpec]
    layout: Layout

    @cached_property
    def where(self) -> str:
        """The study file as messages name it."""
        return relative(self.path)

    @cached_property
    def given_path(self) -> str:
        """The study file as commands in the project's root name it, wherever the checkout lies."""
        inside = self.path.is_relative_to(self.layout.root)
        return str(self.path.relative_to(self.layout.root) if inside else self.path)

    @property
    def modules(self) -> Path:
        """The folder in which classes of the study's own are looked for, among other places."""
        return self.path.parent / (self.file.modules or "")

    # --- the matrix ----------------------------------------------------------------------------

    @cached_property
    def by_id(self) -> dict[str, "Cell"]:
        """Every cell by its id, in the order of the file."""
        chosen = {
            cell.id: cell
            for cell in self._product()
            if not any(
                f.matches(cell.model, cell.objective_set, cell.algorithm.id, cell.seed)
                for f in self.file.exclude
            )
        }
        chosen |= {cell.id: cell for cell in map(self._chosen, self.file.include)}
        if not chosen:
            raise CrosstalkError(f"{self.where}: exclude: no cell is left")
        return chosen

    @cached_property
    def cells(self) -> tuple["Cell", ...]:
        """Every cell, in the order of the file: the product, less ``exclude``, plus ``include``."""
        return tuple(self.by_id.values())

    def cell(self, cell_id: str) -> "Cell":
        """Return the cell of the given id."""
        if cell_id not in self.by_id:
            raise unknown("cell", cell_id, self.by_id, self.where)
        return self.by_id[cell_id]

    def _product(self) -> Iterator["Cell"]:
        for model, objectives in product(self.file.models, self.file.objective_sets):
            for algorithm, seed in product(self.algorithms(objectives), self.file.seeds):
                yield Cell(self, model, objectives, algorithm, seed)

    def _chosen(self, choice: CellChoice) -> "Cell":
        self._check_choice("model", choice.model, self.models, "model")
        sets = self.file.objective_sets
        self._check_choice("objective set", choice.objectives, sets, "objectives")
        axis = {entry.id: entry for entry in self.algorithms(choice.objectives)}
        self._check_choice("algorithm", choice.algorithm, axis, "algorithm")
        return Cell(self, choice.model, choice.objectives, axis[choice.algorithm], choice.seed)

    def _check_choice(self, kind: str, name: str, known: dict[str, Any], key: str) -> None:
        if name not in known:
            raise unknown(kind, name, known, f"{self.where}: include.{key}")

    # --- what names stand for ------------------------------------------------------------------

    def algorithms(self, objective_set: str) -> tuple[Algorithm, ...]:
        """Return the algorithm axis for one objective set, ``objective: each`` spelled out."""
        return tuple(
            algorithm
            for name, given in self.file.algorithms.items()
            for algorithm in _spelled_out(name, given or {}, self.objective_names(objective_set))
        )

    def scalarizer_class(self, name: str) -> type[Scalarizer]:
        """Return the class of a scalarizer, which may be in a file beside the study's."""
        if name not in self._scalarizers:
            with _importing_from(self.modules):
                self._scalarizers[name] = scalarizer_class(name)
        return self._scalarizers[name]

    def objective_set(self, name: str) -> ObjectiveSet:
        """Return an entry of ``objective_sets``."""
        return self.file.objective_sets[name] or ObjectiveSet()

    def objective_names(self, name: str) -> tuple[str, ...]:
        """Return the objectives of a set: those the study gives, else those the package names."""
        own = self.objective_set(name).objectives
        if own is None and name not in OBJECTIVE_SETS:
            where = f"{self.where}: objective_sets"
            raise unknown("objective set", name, OBJECTIVE_SETS, where)
        return OBJECTIVE_SETS[name] if own is None else own

    def evaluated_names(self, name: str) -> tuple[str, ...]:
        """Return the objectives of a set, and behind them those that it is evaluated by alone."""
        return self.objective_names(name) + self.objective_set(name).evaluation_only

    def objective_models(self, name: str, *, trained: bool = False) -> tuple[str, ...]:
        """Return the ids of the models that the objectives of a set read, each once.

        Args:
            name: The set's name.
            trained: Whether those of objectives for evaluation alone are left out.
        """
        names = self.objective_names(name) if trained else self.evaluated_names(name)
        read = (self.objective(each).all_models for each in names)
        return tuple(dict.fromkeys(id_ for models in read for id_ in models))

    def make_objectives(self, name: str) -> list[Objective]:
        """Return the objectives of a set in their initial state, in the order of the set."""
        return self.make_named(self.objective_names(name))

    def make_evaluated(self, name: str) -> list[Objective]:
        """Return the objectives of :meth:`evaluated_names` in their initial state."""
        return self.make_named(self.evaluated_names(name))

    def make_named(self, names: Iterable[str]) -> list[Objective]:
        """Return the objectives of these ids in their initial state."""
        folder = partial(model_folder, self.layout.root)
        return [self.objective(each).make(folder, self._fit) for each in names]

    def _fit(self, name: str) -> list[float] | None:
        found = Calibration.read(self.layout.calibration(name), self.calibration_hash(name))
        return None if found is None else found.fit

    def fitted(self, name: str) -> tuple[str, ...]:
        """Return the ids of a set's objectives, and of their parts, whose scales are fitted."""
        entries = (self.objective(each) for each in self.evaluated_names(name))
        return tuple(dict.fromkeys(own.id for entry in entries for own in entry.all_fitted))

    def calibrations(self, name: str) -> dict[str, Calibration]:
        """Return the scales of :meth:`fitted`.

        Raises:
            CrosstalkError: One is not fitted yet, or under other settings or code.
        """
        return {
            each: Calibration.require(
                self.layout.calibration(each),
                self.calibration_hash(each),
                f"{self.name} {each}",
            )
            for each in self.fitted(name)
        }

    def policy_of(self, fitted: str) -> str:
        """Return the model on whose completions an objective's scale is fitted."""
        return str(self.objective(fitted).parameters["policy"])

    def calibration_models(self, fitted: str) -> tuple[str, ...]:
        """Return the models that the fit of an objective's scale reads, each once."""
        return tuple(dict.fromkeys((self.policy_of(fitted), *self.objective(fitted).all_models)))

    def objective(self, name: str) -> StudyObjective:
        """Return what an id stands for; its class may be in a file beside the study's."""
        if name not in self._objectives:
            with _importing_from(self.modules):
                self._objectives[name] = study_objective(self.file, name)
        return self._objectives[name]

    @cached_property
    def task(self) -> Task:
        """The task, made with the study's parameters."""
        with _importing_from(self.modules):  # where it may be, too
            return make_task(self.file.task.name, **self.file.task.parameters)

    def overrides(self, model: str) -> Overrides:
        """Return what the study changes for a model."""
        return self.file.models.get(model) or Overrides()

    def preparation_order(self) -> list[str]:
        """Return every model that has to be prepared, each after those it is made from."""
        order: dict[str, None] = {}

        def visit(model: str) -> None:
            for base in self.models[model].bases:
                visit(base)
            order[model] = None

        for cell in self.cells:
            fitted_on = (self.policy_of(each) for each in self.fitted(cell.objective_set))
            for model in (cell.model, *self.objective_models(cell.objective_set), *fitted_on):
                visit(model)
        return list(order)

    # --- what a workflow started with ----------------------------------------------------------

    @property
    def snapshot(self) -> str:
        """Digest of the study as it is read now, and of the code of every kind of its cells.

        It is a word, not a number: Snakemake would read digits as one.
        """
        kinds = {(cell.model, cell.objective_set, cell.algorithm.id): cell for cell in self.cells}
        settings = {
            "file": self.file.model_dump(mode="json", exclude=UNTRAINED),
            "kinds": [[cell.hash, cell.diagnosis_hash] for cell in kinds.values()],
        }
        return f"snapshot-{digest(settings)}"

    @property
    def results_hash(self) -> str:
        """Digest of the hashes of all cells: what a leaderboard is built of."""
        return digest({"cells": [cell.hash for cell in self.cells]})

    @property
    def diagnoses_hash(self) -> str:
        """Digest of the diagnosis hashes of all cells: what a report is built of."""
        return digest({"diagnoses": [cell.diagnosis_hash for cell in self.cells]})

    # --- digests, each made once ---------------------------------------------------------------

    def model_digest(self, model: str) -> str:
        """Digest of what determines a prepared model."""
        if model not in self._digests:
            self._digests[model] = model_digest(self.models, model, self.layout.root)
        return self._digests[model]

    def baseline_hash(self, model: str, objective_set: str, *, trained: bool = False) -> str:
        """Digest of all that determines the evaluation of a model's initial policy.

        Args:
            model: The model's id.
            objective_set: The set's name.
            trained: Whether objectives for evaluation alone are left out: no step is diagnosed and
                no geometry probed by them.
        """
        apart = () if trained else self.objective_set(objective_set).evaluation_only
        key = f"{model}/{objective_set}" + ("/trained" if trained else "")
        if key not in self._digests:
            settings = {
                "model": self.model_digest(model),
                "task": self.task_specification,
                "objectives": self.objective_specification(objective_set),
                "sampling": self.file.sampling.model_dump(),
                "evaluation": self.file.evaluation.model_dump(),
            }
            if apart:
                settings["evaluation_only"] = self._specified(apart)
            code = self._scoring_code_of(self.objective_names(objective_set) + apart)
            self._digests[key] = digests.evaluation(settings, code)
        return self._digests[key]

    def calibration_hash(self, name: str) -> str:
        """Digest of all that determines the scale of an objective that the study has fitted."""
        key = f"calibration/{name}"
        if key not in self._digests:
            entry = self.objective(name)
            settings = {
                "policy": self.model_digest(self.policy_of(name)),
                "objective": entry.told(self.model_digest),
                "task": self.task_specification,
                "sampling": self.file.sampling.model_dump(),
                "evaluation": self.file.evaluation.model_dump(),
            }
            code = digests.scoring_code(type(self.task), entry.classes)
            self._digests[key] = digests.calibration(settings, code)
        return self._digests[key]

    def probe_hash(self, model: str, objective_set: str) -> str:
        """Digest of all that determines the geometry of a model's initial policy."""
        weights = self.objective_set(objective_set).weights
        return digests.probe(self.baseline_hash(model, objective_set, trained=True), weights)

    @cached_property
    def task_specification(self) -> dict[str, Any]:
        """What the study says of its task, and what the user's files hold, as plain JSON values."""
        contents = self.task.contents()
        return self.file.task.model_dump() | ({"contents": contents} if contents else {})

    def objective_specification(self, name: str) -> dict[str, Any]:
        """Return the objectives of a set and their parameters, as plain JSON values."""
        return self._specified(self.objective_names(name))

    def _specified(self, names: tuple[str, ...]) -> dict[str, Any]:
        entries = [self.objective(each) for each in names if each in self.file.objectives]
        told = specification(names, entries, self.model_digest)
        fitted = {own.id for entry in entries for own in entry.all_fitted}
        scales = {each: self.calibration_hash(each) for each in sorted(fitted)}
        return told | ({"calibrations": scales} if scales else {})

    def scoring_code(self, objective_set: str) -> frozenset[Path]:
        """Return the source files of the study's task and of what a set is trained on."""
        return self._scoring_code_of(self.objective_names(objective_set))

    def _scoring_code_of(self, names: tuple[str, ...]) -> frozenset[Path]:
        if names not in self._scoring_code:
            classes = [cls for name in names for cls in self.objective(name).classes]
            code = digests.scoring_code(type(self.task), classes)
            self._scoring_code[names] = code
        return self._scoring_code[names]

    @cached_property
    def _digests(self) -> dict[str, str]:
        return {}

    @cached_property
    def _scoring_code(self) -> dict[tuple[str, ...], frozenset[Path]]:
        return {}

    @cached_property
    def _objectives(self) -> dict[str, StudyObjective]:
        return {}

    @cached_property
    def _scalarizers(self) -> dict[str, type[Scalarizer]]:
        return {}


@dataclass(frozen=True)
class Cell:
    """One training run of the matrix, with everything that determines its result."""

    study: Study
    model: str
    objective_set: str
    algorithm: Algorithm
    seed: int

    @cached_property
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
    def evaluation_only(self) -> tuple[str, ...]:
        """The names of the objectives that the policy is tested by and not trained on."""
        return self.study.objective_set(self.objective_set).evaluation_only

    @property
    def learning_rate(self) -> float:
        """The study's learning rate, or the model's own where the study gives one."""
        override = self.study.overrides(self.model).learning_rate
        return self.study.file.training.learning_rate if override is None else override

    @property
    def diagnosed_updates(self) -> frozenset[int]:
        """The numbers of updates after which the study diagnoses the next one."""
        study = self.study.file
        updates = study.training.updates_per_step
        return frozenset(step * updates for step in study.diagnosed_steps)

    @property
    def processes(self) -> int:
        """The processes that train the cell together, one a GPU of its model, or a share of one."""
        return max(1, int(self.study.models[self.model].resources.gpus))

    @property
    def parallelism(self) -> str:
        """How they share the training."""
        return self.study.models[self.model].resources.parallelism

    @property
    def leaves_thin_checkpoint(self) -> bool:
        """Whether its last checkpoint holds the policy alone; shards are resumed as a whole."""
        return self.processes == 1 or self.parallelism != "fsdp2"

    @property
    def scalarizer_class(self) -> type[Scalarizer]:
        """The class of the cell's scalarizer."""
        return self.study.scalarizer_class(self.algorithm.scalarizer)

    @property
    def parameters(self) -> dict[str, Any]:
        """The scalarizer's parameters: ``seed`` and ``total_steps`` are the cell's, if no other."""
        cells = {"seed": self.seed, "total_steps": self.study.file.training.steps}
        taken = cells.keys() & inspect.signature(self.scalarizer_class).parameters
        return {name: cells[name] for name in sorted(taken)} | self.algorithm.parameters

    def make_scalarizer(self) -> Scalarizer:
        """Return the cell's scalarizer in its initial state."""
        weights = self.study.objective_set(self.objective_set).weights
        name = self.algorithm.scalarizer
        return make_scalarizer(name, self.objectives, weights, **self.parameters)

    @property
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
                "parameters": self.parameters,
            },
            "seed": self.seed,
            "training": study.training.model_dump() | {"learning_rate": self.learning_rate},
            "sampling": study.sampling.model_dump(),
        }

    @cached_property
    def training_hash(self) -> str:
        """Digest of all that determines the trained policy and its curves."""
        code = self.study.scoring_code(self.objective_set)
        updates = self.study.file.training.updates_per_step  # reckoned where no code is hashed
        settings = self.specification | {"updates_per_step": updates}
        if self.processes > 1:
            settings["launch"] = _launch_settings(self.parallelism)
        return digests.training(settings, self.scalarizer_class, code)

    @cached_property
    def hash(self) -> str:
        """Digest of all that determines the cell's result: its training and its evaluation."""
        return digests.result(self.training_hash, self._baseline_hash)

    @cached_property
    def diagnosis_hash(self) -> str:
        """Digest of all that determines what a diagnosis of the trained cell finds."""
        plan = self.study.file.diagnosis
        steps = {"steps": self.study.file.diagnosed_steps}  # as they were drawn
        settings = None if plan is None else plan.model_dump(exclude={"automatic", "probe"}) | steps
        before = self.study.baseline_hash(self.model, self.objective_set, trained=True)
        return digests.diagnosis(self.training_hash, before, settings)

    @property
    def _baseline_hash(self) -> str:
        return self.study.baseline_hash(self.model, self.objective_set)


def _spelled_out(
    name: str, given: dict[str, Any], objectives: tuple[str, ...]
) -> Iterator[Algorithm]:
    """Yield what an entry of the algorithm axis stands for, given the objectives of a set."""
    scalarizer = given.get("scalarizer", name)
    parameters = {key: value for key, value in given.items() if key != "scalarizer"}
    if parameters.get("objective") != EACH:
        yield Algorithm(name, scalarizer, parameters)
        return
    for objective in objectives:
        yield Algorithm(f"{name}-{objective}", scalarizer, parameters | {"objective": objective})


@cache
def _launch_settings(parallelism: str) -> dict[str, Any]:
    return read_yaml(ACCELERATE / f"{parallelism}.yaml")


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let modules be imported from a folder, after all other places, inside the block."""
    before = list(sys.path)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def diagnosis_plan(study: Study) -> Diagnosis:
    """Return what the study says of its diagnosis; refuse a study that says nothing."""
    plan = study.file.diagnosis
    if plan is None:
        raise CrosstalkError(
            f"{study.where}: diagnosis: there is none; `diagnosis: {{steps: 8}}`, so many at "
            "random, or a list of multiples of training.checkpoint_every, has training keep "
            "checkpoints for it"
        )
    return plan
