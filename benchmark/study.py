"""A study: ``models.yaml`` and a study file become a validated, frozen matrix of cells."""

import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, product
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.advantages import ESTIMATORS
from benchmark.errors import CrosstalkError, unknown
from benchmark.fingerprint import digest, import_closure, modules, sources_of
from benchmark.models import ModelSpec, load_models, model_digest
from benchmark.objectives import OBJECTIVE_SETS, OBJECTIVES, Objective
from benchmark.project import Layout, relative
from benchmark.scalarizers import Linear, Scalarizer, make_scalarizer, scalarizer_class
from benchmark.schema import CellChoice, CellFilter, ObjectiveSet, Overrides, StudyFile
from benchmark.tasks import TASKS, Task, make_task
from benchmark.validation import parse, read_yaml

RESERVED = {"name", "objectives", "weights"}  # set by other keys of the study file
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

    def make_scalarizer(self) -> Scalarizer:
        """Return the cell's scalarizer in its initial state."""
        weights = self.study.objective_set(self.objective_set).weights
        name, parameters = self.algorithm.scalarizer, self.algorithm.parameters
        return make_scalarizer(name, self.objectives, weights, **parameters)

    @cached_property
    def specification(self) -> dict[str, Any]:
        """Everything a user sets that determines what is trained, as plain JSON values."""
        study = self.study.file
        return {
            "model": self.study.model_digest(self.model),
            "task": study.task.model_dump(),
            "objectives": {
                "names": list(self.objectives),
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
        sources = import_closure(*modules("training.py", "stages/policy.py"), *scalarizer)
        return digest(self.specification, sources | self.study.scoring_sources(self.objectives))

    @cached_property
    def hash(self) -> str:
        """Digest of all that determines the cell's result: its training and its evaluation."""
        evaluation = self.study.baseline_hash(self.model, self.objective_set)
        return digest({"training": self.training_hash, "evaluation": evaluation})


@dataclass(frozen=True)
class Study:
    """A validated study. Build one with :meth:`load`."""

    name: str
    path: Path
    file: StudyFile
    models: dict[str, ModelSpec]
    layout: Layout

    @classmethod
    def load(cls, name: str, root: Path) -> "Study":
        """Read a study by its name in ``workflow/studies`` or by the path of a YAML file.

        Raises:
            CrosstalkError: A file is missing, or anything in it is wrong.
        """
        path = find_study(name, root)
        file = parse(StudyFile, read_yaml(path), relative(path))
        study = cls(path.stem, path, file, load_models(root), Layout(root, path.stem))
        study.check()
        return study

    @cached_property
    def where(self) -> str:
        """The study file as messages name it."""
        return relative(self.path)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell, in the order of the file: the product, less ``exclude``, plus ``include``."""
        chosen = {
            cell.id: cell
            for cell in self._product()
            if not any(
                f.matches(cell.model, cell.objective_set, cell.algorithm.id, cell.seed)
                for f in self.file.exclude
            )
        }
        for choice in self.file.include:
            cell = self._chosen(choice)
            chosen[cell.id] = cell
        if not chosen:
            raise CrosstalkError(f"{self.where}: exclude: no cell is left")
        return tuple(chosen.values())

    def cell(self, cell_id: str) -> Cell:
        """Return the cell of the given id."""
        by_id = {cell.id: cell for cell in self.cells}
        if cell_id not in by_id:
            raise unknown("cell", cell_id, by_id, self.where)
        return by_id[cell_id]

    def algorithms(self, objective_set: str) -> tuple[Algorithm, ...]:
        """Return the algorithm axis for one objective set, ``objective: each`` spelled out."""
        return tuple(
            Algorithm(*entry)
            for name, given in self.file.algorithms.items()
            for entry in _expand(name, given or {}, self.objective_names(objective_set))
        )

    def objective_set(self, name: str) -> ObjectiveSet:
        """Return an entry of ``objective_sets``."""
        return self.file.objective_sets[name] or ObjectiveSet()

    def objective_names(self, name: str) -> tuple[str, ...]:
        """Return the objectives of a set: those the study gives, else those the package names."""
        return self.objective_set(name).objectives or OBJECTIVE_SETS[name]

    def overrides(self, model: str) -> Overrides:
        """Return what the study changes for a model."""
        return self.file.models.get(model) or Overrides()

    def memory_mb(self, model: str) -> int:
        """Return the memory a cell of the model asks the workflow for, in MB."""
        return self.overrides(model).memory_mb or self.models[model].resources.memory_mb

    def preparation_order(self) -> list[str]:
        """Return every model that has to be prepared, each after those it is made from."""
        order: dict[str, None] = {}

        def visit(model: str) -> None:
            for base in self.models[model].bases:
                visit(base)
            order[model] = None

        for cell in self.cells:
            visit(cell.model)
        return list(order)

    def model_digest(self, model: str) -> str:
        """Digest of what determines a prepared model."""
        return model_digest(self.models, model)

    def scoring_sources(self, objectives: tuple[str, ...]) -> set[Path]:
        """Return the source files of the study's task and of objectives."""
        task = sources_of(TASKS[self.file.task.name], Task)
        scored = (sources_of(OBJECTIVES[name], Objective) for name in objectives)
        return import_closure(*chain(task, *scored))

    def baseline_hash(self, model: str, objective_set: str) -> str:
        """Digest of all that determines the evaluation of a model's initial policy."""
        names = self.objective_names(objective_set)
        specification = {
            "model": self.model_digest(model),
            "task": self.file.task.model_dump(),
            "objectives": list(names),
            "sampling": self.file.sampling.model_dump(),
            "evaluation": self.file.evaluation.model_dump(),
        }
        sources = import_closure(*modules("evaluation.py"))
        return digest(specification, sources | self.scoring_sources(names))

    def check(self) -> None:
        """Give every name its meaning, before anything is trained.

        Raises:
            CrosstalkError: An unknown name, or parameters or weights that do not fit.
        """
        for model in self.file.models:
            self._known("model", model, self.models, "models")
        self._known("estimator", self.file.training.estimator, ESTIMATORS, "training.estimator")
        self._known("task", self.file.task.name, TASKS, "task.name")
        self._check_splits()
        for name, given in self.file.algorithms.items():
            self._check_algorithm(name, given or {})
        for name in self.file.objective_sets:
            self._check_objectives(name)
        for number, picked in enumerate(self.file.exclude):
            self._check_filter(f"exclude.{number}", picked)
        kinds = {(cell.objective_set, cell.algorithm.id): cell for cell in self.cells}
        for cell in kinds.values():
            with self._at(f"algorithms.{cell.algorithm.id}"):
                cell.make_scalarizer()

    def _check_splits(self) -> None:
        with self._at("task.parameters"):
            task = make_task(self.file.task.name, **self.file.task.parameters)
        for split in ("train", "validation", "test"):
            with self._at(f"task.{split}"):
                task.split(split, getattr(self.file.task, split))

    def _check_algorithm(self, name: str, given: dict[str, Any]) -> None:
        where, scalarizer = f"{self.where}: algorithms.{name}", given.get("scalarizer", name)
        if not isinstance(scalarizer, str):
            raise CrosstalkError(f"{where}.scalarizer: found {scalarizer!r}: not a name")
        for key in sorted(RESERVED & given.keys()):
            raise CrosstalkError(f"{where}.{key}: not a parameter; weights go with objective_sets")
        with self._at(f"algorithms.{name}"), _importing_from(self.path.parent):
            scalarizer_class(scalarizer)

    def _check_objectives(self, name: str) -> None:
        if self.objective_set(name).objectives is None:
            self._known("objective set", name, OBJECTIVE_SETS, "objective_sets")
        for objective in self.objective_names(name):
            self._known("objective", objective, OBJECTIVES, f"objective_sets.{name}")
        with self._at(f"objective_sets.{name}"):
            Linear(self.objective_names(name), self.objective_set(name).weights)
        ids = [algorithm.id for algorithm in self.algorithms(name)]
        for twice in sorted({id_ for id_ in ids if ids.count(id_) > 1}):
            raise CrosstalkError(f"{self.where}: algorithms: {twice!r} is made twice; rename one")

    def _check_filter(self, key: str, picked: CellFilter) -> None:
        axis = {entry.id for name in self.file.objective_sets for entry in self.algorithms(name)}
        for kind, value, allowed in (
            ("model", picked.model, self.file.models),
            ("objective set", picked.objectives, self.file.objective_sets),
            ("algorithm", picked.algorithm, axis),
            ("seed", picked.seed, self.file.seeds),
        ):
            if value is not None:
                self._known(kind, value, allowed, key)

    @contextmanager
    def _at(self, key: str) -> Iterator[None]:
        """Say in an error of the block which key of the study file it is about."""
        try:
            yield
        except CrosstalkError as error:
            raise CrosstalkError(f"{self.where}: {key}: {error}") from error

    def _known(self, kind: str, value: object, allowed: Collection[Any], key: str) -> None:
        if value not in allowed:
            raise unknown(kind, value, map(str, allowed), f"{self.where}: {key}")

    def _product(self) -> Iterator[Cell]:
        for model, objectives in product(self.file.models, self.file.objective_sets):
            for algorithm, seed in product(self.algorithms(objectives), self.file.seeds):
                yield Cell(self, model, objectives, algorithm, seed)

    def _chosen(self, choice: CellChoice) -> Cell:
        self._known("model", choice.model, self.models, "include.model")
        sets = self.file.objective_sets
        self._known("objective set", choice.objectives, sets, "include.objectives")
        axis = {entry.id: entry for entry in self.algorithms(choice.objectives)}
        self._known("algorithm", choice.algorithm, axis, "include.algorithm")
        return Cell(self, choice.model, choice.objectives, axis[choice.algorithm], choice.seed)


def find_study(name: str, root: Path) -> Path:
    """Return the file of a study given by name or by path."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise CrosstalkError(f"{name}: no such study file")
        return Path(name).resolve()
    known = study_names(root)
    if name not in known:
        raise unknown("study", name, known)
    return root / "workflow" / "studies" / f"{name}.yaml"


def study_names(root: Path) -> list[str]:
    """Return the names of the studies in ``workflow/studies``."""
    return sorted(path.stem for path in (root / "workflow" / "studies").glob("*.yaml"))


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    """Let modules be imported from a folder, after all other places, inside the block."""
    before = list(sys.path)
    sys.path.append(str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def _expand(
    name: str, given: dict[str, Any], objectives: tuple[str, ...]
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    scalarizer = given.get("scalarizer", name)
    parameters = {key: value for key, value in given.items() if key != "scalarizer"}
    if parameters.get("objective") != EACH:
        yield name, scalarizer, parameters
        return
    for objective in objectives:
        yield f"{name}-{objective}", scalarizer, parameters | {"objective": objective}
