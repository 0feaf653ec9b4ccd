"""Read what an id in a study's objective sets stands for: an objective, parameters and models."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.objectives import Objective, make_objective, objective_class
from benchmark.study.schema import StudyFile


class StudyObjective(NamedTuple):
    """An objective under the id that a study knows it by."""

    id: str
    objective: str
    cls: type[Objective]
    parameters: dict[str, Any]
    time_limit: float | None = None  # seconds that scoring a batch may take

    @property
    def models(self) -> dict[str, Any]:
        """The ids of the models it reads, by the parameters that name them."""
        given = self.cls.model_parameters & self.parameters.keys()
        return {key: self.parameters[key] for key in sorted(given)}

    def make(self, folder: Callable[[str], Path]) -> Objective:
        """Return the objective in its initial state; ``folder`` gives that of a model's id."""
        located = {key: str(folder(model)) for key, model in self.models.items()}
        made = make_objective(self.id, self.objective, self.parameters | located)
        made.time_limit = self.time_limit
        return made


def study_objective(file: StudyFile, name: str) -> StudyObjective:
    """Return what an id stands for: an entry of the study, else an objective of that name.

    Raises:
        CrosstalkError: There is no such objective, or it cannot be imported.
    """
    given = file.objectives.get(name) or {}
    parameters = {key: value for key, value in given.items() if key != "objective"}
    kind = str(given.get("objective", name))
    return StudyObjective(name, kind, objective_class(kind), parameters, file.objective_seconds)


def specification(
    names: Iterable[str], entries: Iterable[StudyObjective], digest_of: Callable[[str], str]
) -> dict[str, Any]:
    """Return objectives and what the study says of them, models by their digests, as plain JSON.

    Args:
        names: All ids of a set.
        entries: Those of them that the study says something of.
        digest_of: Returns the digest of a model's id.
    """
    given: dict[str, Any] = {}
    for entry in entries:
        digests = {key: digest_of(model) for key, model in entry.models.items()}
        own = {"objective": entry.objective, "parameters": entry.parameters | digests}
        given[entry.id] = own
    return {"names": list(names), **({"given": given} if given else {})}
