"""What a study reads that has to be downloaded, and what of it is there already."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmark.common.errors import CrosstalkError
from benchmark.common.hub import cached_files
from benchmark.common.paths import model_folder
from benchmark.common.records import Record
from benchmark.common.settings import read_json
from benchmark.models.entry import ModelSpec, check_pinned
from benchmark.models.policy.loading import parameters
from benchmark.models.preparing import cached_snapshot
from benchmark.models.shape import Shape, shape_of
from benchmark.study.study import Study


@dataclass(frozen=True)
class Prepared(Record):
    """The entry of ``models.yaml`` that a model's folder was made from."""

    FILE: ClassVar[str] = "prepared.json"
    MISSING: ClassVar[str] = "not prepared"
    COMMAND: ClassVar[str] = "prepare --model"

    model: str


@dataclass(frozen=True)
class Need:
    """Something of the hub that a study reads.

    Attributes:
        what: What it is, with its revision.
        gigabytes: About how much is downloaded; None if that is not known beforehand.
        there: Whether it is in the user's cache, or the model made from it is ready.
    """

    what: str
    gigabytes: float | None
    there: bool


def study_needs(study: Study) -> list[Need]:
    """Return everything a study reads from the hub: its task's data, its models, its objectives'.

    Raises:
        CrosstalkError: A model has no revision yet.
    """
    data = [Need(str(n), n.gigabytes, cached_files(n) is not None) for n in study.task.needs()]
    return [*data, *_models(study)]


def _models(study: Study) -> Iterator[Need]:
    for name in study.preparation_order():
        spec = study.models[name]
        if spec.hub is not None:
            check_pinned(name, spec)
            size = None if spec.shape is None else spec.shape.download_gb
            there = is_prepared(study, name) or cached_snapshot(spec) is not None
            yield Need(f"model {spec.hub} at revision {spec.revision}", size, there)


def is_prepared(study: Study, model: str) -> bool:
    """Return whether a model is ready as its present entry says."""
    folder = model_folder(study.layout.root, model)
    return Prepared.read(folder, study.model_digest(model)) is not None


def check_downloaded(study: Study) -> None:
    """Check that a study can do without the hub.

    Raises:
        CrosstalkError: Something has to be downloaded first; says what.
    """
    missing = [need for need in study_needs(study) if not need.there]
    if missing:
        raise CrosstalkError(
            f"{study.where}: not downloaded yet: {'; '.join(need.what for need in missing)}: "
            f"run `crosstalk prepare {study.path.stem}` first, where the hub can be reached"
        )


def model_shape(study: Study, model: str) -> Shape | None:
    """Return how large a model is: by its weights if they are here, else as its entry says."""
    spec = study.models[model]
    places = [model_folder(study.layout.root, model), _source(study, spec)]
    for folder in (place for place in places if place is not None and place.is_dir()):
        found = shape_of(read_json(folder / "config.json"), parameters(folder))
        if found is not None:
            return found
    return spec.shape


def _source(study: Study, spec: ModelSpec) -> Path | None:
    if spec.path is not None:
        return study.layout.root / spec.path
    return cached_snapshot(spec) if spec.hub is not None else None
