"""A study: ``models.yaml`` and a study file become a validated, frozen matrix of cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain, product
from pathlib import Path
from typing import Any

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.fingerprint import digest, import_closure, modules, sources_of
from benchmark.common.paths import Layout, model_folder, relative
from benchmark.common.settings import parse, read_yaml
from benchmark.models.entry import ModelSpec, load_models
from benchmark.models.preparing import model_digest
from benchmark.objectives import OBJECTIVE_SETS, Objective
from benchmark.study.cells import Algorithm, Cell, spelled_out
from benchmark.study.checks import check_study, known
from benchmark.study.entries import specification, study_objective
from benchmark.study.schema import CellChoice, Diagnosis, ObjectiveSet, Overrides, StudyFile
from benchmark.tasks import TASKS, Task, make_task

__all__ = ["Algorithm", "Cell", "Study", "diagnosis_plan", "find_study", "study_names"]


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
        check_study(study)
        return study

    @cached_property
    def where(self) -> str:
        """The study file as messages name it."""
        return relative(self.path)

    @property
    def given_path(self) -> str:
        """The study file as commands in the project's root name it, wherever the checkout lies."""
        inside = self.path.is_relative_to(self.layout.root)
        return str(self.path.relative_to(self.layout.root) if inside else self.path)

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
            algorithm
            for name, given in self.file.algorithms.items()
            for algorithm in spelled_out(name, given or {}, self.objective_names(objective_set))
        )

    def objective_set(self, name: str) -> ObjectiveSet:
        """Return an entry of ``objective_sets``."""
        return self.file.objective_sets[name] or ObjectiveSet()

    def objective_names(self, name: str) -> tuple[str, ...]:
        """Return the objectives of a set: those the study gives, else those the package names."""
        return self.objective_set(name).objectives or OBJECTIVE_SETS[name]

    def objective_specification(self, name: str) -> dict[str, Any]:
        """Return the objectives of a set, and what the study says of them, for digests."""
        names = self.objective_names(name)
        return {"names": list(names), **specification(self, names)}

    def objective_models(self, name: str) -> tuple[str, ...]:
        """Return the ids of the models that the objectives of a set read, each once."""
        objectives = (study_objective(self, each) for each in self.objective_names(name))
        return tuple(dict.fromkeys(id_ for each in objectives for id_ in each.models.values()))

    def make_objectives(self, name: str) -> list[Objective]:
        """Return the objectives of a set in their initial state, in the order of the set."""
        folder = partial(model_folder, self.layout.root)
        names = self.objective_names(name)
        return [study_objective(self, each).make(folder) for each in names]

    @cached_property
    def task(self) -> Task:
        """The task, made with the study's parameters."""
        return make_task(self.file.task.name, **self.file.task.parameters)

    @cached_property
    def task_specification(self) -> dict[str, Any]:
        """What the study says of its task, and what the user's files hold, for digests."""
        contents = self.task.contents()
        return self.file.task.model_dump() | ({"contents": contents} if contents else {})

    def overrides(self, model: str) -> Overrides:
        """Return what the study changes for a model."""
        return self.file.models.get(model) or Overrides()

    def memory_mb(self, model: str, objective_set: str | None = None) -> int:
        """Return the memory a job with the model, and a set's, asks the workflow for, in MB."""
        own = self.overrides(model).memory_mb or self.models[model].resources.memory_mb
        read = self.objective_models(objective_set) if objective_set is not None else ()
        return own + sum(self.models[each].resources.memory_mb for each in read)

    def gpus(self, model: str, objective_set: str) -> int:
        """Return the GPUs that training the model asks for; a set's models share them."""
        read = (model, *self.objective_models(objective_set))
        return max(self.models[each].resources.gpus for each in read)

    def preparation_order(self) -> list[str]:
        """Return every model that has to be prepared, each after those it is made from."""
        order: dict[str, None] = {}

        def visit(model: str) -> None:
            for base in self.models[model].bases:
                visit(base)
            order[model] = None

        for cell in self.cells:
            for model in (cell.model, *self.objective_models(cell.objective_set)):
                visit(model)
        return list(order)

    def model_digest(self, model: str) -> str:
        """Digest of what determines a prepared model."""
        return model_digest(self.models, model, self.layout.root)

    def scoring_sources(self, objectives: tuple[str, ...]) -> set[Path]:
        """Return the source files of the study's task and of its objectives of these ids."""
        task = sources_of(TASKS[self.file.task.name], Task)
        classes = (study_objective(self, name).cls for name in objectives)
        scored = (sources_of(cls, Objective) for cls in classes)
        return import_closure(*chain(task, *scored))

    def baseline_hash(self, model: str, objective_set: str) -> str:
        """Digest of all that determines the evaluation of a model's initial policy."""
        names = self.objective_names(objective_set)
        determined = {
            "model": self.model_digest(model),
            "task": self.task_specification,
            "objectives": self.objective_specification(objective_set),
            "sampling": self.file.sampling.model_dump(),
            "evaluation": self.file.evaluation.model_dump(),
        }
        sources = import_closure(*modules("models.policy.answers", "objectives.scoring"))
        return digest(determined, sources | self.scoring_sources(names))

    def _product(self) -> Iterator[Cell]:
        for model, objectives in product(self.file.models, self.file.objective_sets):
            for algorithm, seed in product(self.algorithms(objectives), self.file.seeds):
                yield Cell(self, model, objectives, algorithm, seed)

    def _chosen(self, choice: CellChoice) -> Cell:
        known(self, "model", choice.model, self.models, "include.model")
        sets = self.file.objective_sets
        known(self, "objective set", choice.objectives, sets, "include.objectives")
        axis = {entry.id: entry for entry in self.algorithms(choice.objectives)}
        known(self, "algorithm", choice.algorithm, axis, "include.algorithm")
        return Cell(self, choice.model, choice.objectives, axis[choice.algorithm], choice.seed)


def diagnosis_plan(study: Study) -> Diagnosis:
    """Return what the study says of its diagnosis.

    Raises:
        CrosstalkError: It says nothing.
    """
    plan = study.file.diagnosis
    if plan is None:
        raise CrosstalkError(
            f"{study.where}: diagnosis: there is none; `diagnosis: {{steps: [0]}}`, with further "
            "multiples of training.checkpoint_every, has training keep the checkpoints it needs"
        )
    return plan


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
