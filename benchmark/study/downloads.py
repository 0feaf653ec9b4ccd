"""List what a study downloads, and what of it is here already."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from benchmark.common.errors import CrosstalkError
from benchmark.common.hub import cached_files
from benchmark.common.paths import model_folder
from benchmark.common.records import Record
from benchmark.models.entry import check_pinned
from benchmark.models.gguf_source import NotInstalled, gguf_file
from benchmark.models.preparing import cached_model, hub_need
from benchmark.objectives.rouge import Rouge
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
        taught = spec.warm_up.made_task().needs() if spec.warm_up is not None else []
        for data in taught:
            yield Need(str(data), data.gigabytes, cached_files(data) is not None)
        if spec.hub is not None:
            check_pinned(name, spec)
            need = hub_need(spec)
            there = is_prepared(study, name) or cached_model(spec) is not None
            yield Need(str(need), need.gigabytes, there)


def is_prepared(study: Study, model: str) -> bool:
    """Return whether a model is ready as its present entry says."""
    folder = model_folder(study.layout.root, model)
    return Prepared.read(folder, study.model_digest(model)) is not None


def not_installed(study: Study) -> Iterator[CrosstalkError]:
    """Yield what says which package a study's model or objective needs, and is not installed."""
    for name in study.preparation_order():
        source = study.models[name].gguf
        if source is not None and not is_prepared(study, name):
            try:
                gguf_file(name, source, study.layout.root)
            except NotInstalled as error:
                yield error
    if any(Rouge in study.objective(each).classes for each in _objectives(study)):
        try:
            Rouge.check_installed()
        except CrosstalkError as error:
            yield error


def _objectives(study: Study) -> Iterator[str]:
    """Yield the ids of the objectives of all sets."""
    for name in study.file.objective_sets:
        yield from study.evaluated_names(name)


def check_downloaded(study: Study) -> None:
    """Refuse a study of which something has to be installed or downloaded first; say what."""
    for error in not_installed(study):
        raise error
    missing = [need for need in study_needs(study) if not need.there]
    if missing:
        raise CrosstalkError(
            f"{study.where}: not downloaded yet: {'; '.join(need.what for need in missing)}: "
            f"run `crosstalk prepare {study.path.stem}` first, where the hub can be reached"
        )
