"""Read what an id in a study's objective sets stands for: an objective, parameters and models."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import Objective, make_objective, objective_class, part_names
from benchmark.objectives.calibrated import Calibrated
from benchmark.study.schema import StudyFile


class StudyObjective(NamedTuple):
    """An objective under the id that a study knows it by.

    Attributes:
        id: Its id.
        objective: The objective of the package that the id stands for.
        parameters: What the study gives it.
        parts: The objectives among its parameters, by name.
        time_limit: Seconds that scoring a batch may take.
    """

    id: str
    objective: str
    cls: type[Objective]
    parameters: dict[str, Any]
    parts: dict[str, Any]
    time_limit: float | None = None

    @property
    def classes(self) -> tuple[type[Objective], ...]:
        """The classes at work: its own, and those of its parts."""
        return (self.cls, *(cls for part in self.parts.values() for cls in part.classes))

    @property
    def models(self) -> dict[str, Any]:
        """The ids of the models it reads itself, by the parameters that name them."""
        given = self.cls.model_parameters & self.parameters.keys()
        return {key: self.parameters[key] for key in sorted(given)}

    @property
    def all_models(self) -> tuple[str, ...]:
        """The ids of the models that it and its parts read."""
        read = (id_ for part in self.parts.values() for id_ in part.all_models)
        return (*self.models.values(), *read)

    @property
    def is_fitted(self) -> bool:
        """Whether its scale is fitted by the workflow, and not given."""
        return issubclass(self.cls, Calibrated) and self.parameters.get("fit") is None

    @property
    def all_fitted(self) -> tuple["StudyObjective", ...]:
        """Those of it and its parts whose scale the workflow fits."""
        own = (self,) if self.is_fitted else ()
        return (*own, *(each for part in self.parts.values() for each in part.all_fitted))

    def make(
        self,
        folder: Callable[[str], Path],
        fit: Callable[[str], Sequence[float] | None] = lambda _: None,
    ) -> Objective:
        """Return the objective in its initial state.

        Args:
            folder: Gives the folder of a model's id.
            fit: Gives the scale of an id whose scale is fitted, None where there is none yet.
        """
        located: dict[str, Any] = {key: str(folder(model)) for key, model in self.models.items()}
        located |= {key: part.make(folder, fit) for key, part in self.parts.items()}
        if self.is_fitted:
            located["fit"] = fit(self.id)
        made = make_objective(self.id, self.objective, self.parameters | located)
        made.time_limit = self.time_limit
        return made

    def told(self, digest_of: Callable[[str], str]) -> dict[str, Any]:
        """Return what it is as plain JSON values, models by their digests."""
        own: dict[str, Any] = {key: digest_of(model) for key, model in self.models.items()}
        own |= {key: part.told(digest_of) for key, part in self.parts.items()}
        return {"objective": self.objective, "parameters": self.parameters | own}


def study_objective(file: StudyFile, name: str) -> StudyObjective:
    """Return what an id stands for: an entry of the study, else an objective of that name.

    Raises:
        CrosstalkError: No such objective, it cannot be imported, or it is made from itself.
    """
    made = _entry(file, name, file.objectives.get(name) or {}, (name,))
    return made._replace(time_limit=file.objective_seconds)


def _entry(
    file: StudyFile, name: str, given: Mapping[str, Any], inside: tuple[str, ...]
) -> StudyObjective:
    """Return an entry with its parts, which are ``inside`` of entries of these ids."""
    kind = str(given.get("objective", name))
    cls = objective_class(kind)
    parameters = {key: value for key, value in given.items() if key != "objective"}
    parts = {}
    for key in sorted(part_names(kind) & parameters.keys()):
        value = parameters[key]
        if isinstance(value, str) and value in inside:
            raise CrosstalkError(f"{key}: expected no part of itself, got {value!r}")
        try:
            if isinstance(value, str):
                own = file.objectives.get(value) or {}
                parts[key] = _entry(file, value, own, (*inside, value))
            elif isinstance(value, Mapping) and isinstance(value.get("objective"), str):
                parts[key] = _entry(file, value["objective"], value, inside)
        except CrosstalkError as error:
            raise CrosstalkError(f"{key}: {error}") from error
    entry = StudyObjective(name, kind, cls, parameters, parts)
    if entry.is_fitted and file.objectives.get(name) is not given:  # it is kept under its id
        raise CrosstalkError(
            "expected an entry of objectives, named by its id, where a scale is fitted, got one "
            "without an id"
        )
    if entry.is_fitted and len(entry.all_fitted) > 1:
        raise CrosstalkError(
            f"expected parts with scales of their own given, got {entry.all_fitted[1].id!r}"
        )
    return entry


def specification(
    names: Iterable[str], entries: Iterable[StudyObjective], digest_of: Callable[[str], str]
) -> dict[str, Any]:
    """Return objectives and what the study says of them, models by their digests, as plain JSON.

    Args:
        names: All ids of a set.
        entries: Those of them that the study says something of.
        digest_of: Returns the digest of a model's id.
    """
    given = {entry.id: entry.told(digest_of) for entry in entries}
    return {"names": list(names), **({"given": given} if given else {})}
