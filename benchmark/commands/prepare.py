"""``crosstalk prepare``: make the store, the data and the models ready for a study's cells."""

import json
import logging
from pathlib import Path

from benchmark.commands.jobs.gpus import kept_on_cpu
from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.files import exclusive, replacing, write_text
from benchmark.common.paths import model_folder
from benchmark.models.entry import ModelSpec, check_pinned, load_models
from benchmark.models.preparing import model_digest, prepare_model
from benchmark.models.warming import check_warm_up
from benchmark.study.checks import check_splits
from benchmark.study.digests import check_unchanged
from benchmark.study.downloads import Prepared
from benchmark.study.study import Study
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.store import prepare_store

logger = logging.getLogger(__name__)


def prepare_study(study: Study) -> None:
    """Make ready all that a study needs, downloads included: it runs without the hub afterwards.

    Raises:
        CrosstalkError: Something cannot be downloaded, or the task's data do not fit the study.
    """
    order = study.preparation_order()
    for name in order:
        check_pinned(name, study.models[name])
    prepare_task(study)
    prepare_tracking(study)
    for name in order:
        prepare(study.layout.root, name)


def prepare_tracking(study: Study) -> None:
    """Create the tracking store and the study's experiment, before any cell writes to it.

    What cells here were trained before and the store does not hold is tracked anew.
    """
    from benchmark.commands.jobs.retracking import restore

    root = study.layout.root
    prepare_store(tracking_uri(root), study.name)
    restore(study)
    write_text(
        study.layout.tracking,
        json.dumps({"experiment": study.name, "file": study.given_path}) + "\n",
    )


def prepare_task(study: Study) -> None:
    """Download what the study's task reads, and check that there is enough of it."""
    study.task.prepare()
    check_splits(study)


def prepare(root: Path, model: str, expected: str | None = None) -> Path:
    """Return a model's folder, made ready; one that is ready for its present entry stays as it is.

    Stages that read a model call this too, so that none works on an outdated one.

    Args:
        root: The project's root.
        model: The model's id.
        expected: The digest that the workflow asks for; None for the present one.

    Raises:
        CrosstalkError: There is no such entry, it cannot be made ready, or its digest is another.
    """
    models = load_models(root)
    if model not in models:
        raise unknown("model", model, models, "models.yaml")
    folder, hash_ = model_folder(root, model), model_digest(models, model, root)
    check_unchanged(expected, hash_, model)
    for base in models[model].bases:
        prepare(root, base)
    with exclusive(folder.with_name(f".{model}.lock"), f"preparing {model}"):
        if Prepared.read(folder, hash_) is None:
            _make(model, models[model], folder, root)
            Prepared(hash_, model).write(folder)
    return folder


def _make(name: str, spec: ModelSpec, folder: Path, root: Path) -> None:
    """Write the model, warmed up if its entry says so, in one step."""
    if spec.warm_up is None:
        prepare_model(name, spec, folder, root)
        return
    _check_warm_up_gpu(name, spec)
    from benchmark.training.warm_up import warm_up

    check_warm_up(name, spec.warm_up)
    spec.warm_up.made_task().prepare()
    with replacing(folder) as scratch:
        cold = scratch.with_name("cold")
        prepare_model(name, spec, cold, root)
        budget = warm_up(cold, scratch, spec.warm_up, spec.training)
    logger.info(
        "%s: warmed up on %s in %.0f s: %d steps, loss %.3f",
        *(name, budget.device, budget.seconds, budget.steps, budget.loss),
    )


def _check_warm_up_gpu(name: str, spec: ModelSpec) -> None:
    """Refuse a warm-up that would take hours: of a model for GPUs, where there is none."""
    from torch.cuda import is_available

    if spec.resources.gpus and not is_available() and not kept_on_cpu():
        raise CrosstalkError(
            f"models.yaml: {name}: warm_up: needs a GPU (resources.gpus: {spec.resources.gpus}), "
            "and there is none here"
        )


def prepare_objectives(study: Study, objective_set: str) -> None:
    """Make ready the models that the objectives of a set read.

    Raises:
        CrosstalkError: A scale of theirs is not fitted.
    """
    for model in study.objective_models(objective_set):
        prepare(study.layout.root, model)
    study.calibrations(objective_set)
