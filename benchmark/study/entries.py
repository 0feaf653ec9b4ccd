"""What the ids in a study's objective sets stand for: objectives, their parameters and models."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.objectives import OBJECTIVES, Objective, make_objective

if TYPE_CHECKING:
    from benchmark.study.study import Study


class StudyObjective(NamedTuple):
    """An objective under the id that a study knows it by."""

    id: str
    objective: str
    parameters: dict[str, Any]

    @property
    def cls(self) -> type[Objective]:
        """The objective's class."""
        return OBJECTIVES[self.objective]

    @property
    def models(self) -> dict[str, Any]:
        """The ids of the models it reads, by the parameters that name them."""
        given = self.cls.model_parameters & self.parameters.keys()
        return {key: self.parameters[key] for key in sorted(given)}

    def make(self, folder: Callable[[str], Path]) -> Objective:
        """Return the objective in its initial state.

        Args:
            folder: Gives the folder of a model of that id.
        """
        located = {key: str(folder(model)) for key, model in self.models.items()}
        return make_objective(self.id, self.objective, self.parameters | located)


def study_objective(study: "Study", name: str) -> StudyObjective:
    """Return what an id stands for: an entry of the study, else an objective of the package."""
    given = study.file.objectives.get(name) or {}
    parameters = {key: value for key, value in given.items() if key != "objective"}
    return StudyObjective(name, str(given.get("objective", name)), parameters)


def specification(study: "Study", names: tuple[str, ...]) -> dict[str, Any]:
    """Return what a user says about objectives, models by their digests, as plain JSON values."""
    given: dict[str, Any] = {}
    for name in names:
        if name in study.file.objectives:
            entry = study_objective(study, name)
            digests = {key: study.model_digest(model) for key, model in entry.models.items()}
            own = {"objective": entry.objective, "parameters": entry.parameters | digests}
            given[name] = own
    return {"given": given} if given else {}
