"""The commands that the workflow's rules call: one job each. They work without the workflow too."""

from typing import Annotated

import typer

from benchmark.commands.arguments import (
    QUICK,
    CellId,
    Hash,
    StudyName,
    check_unchanged,
    load,
    load_cell,
    load_for,
)
from benchmark.common.paths import project_root


def prepare(
    study: StudyName = QUICK,
    model: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only this entry of models.yaml, whatever the study."),
    ] = None,
    without_models: Annotated[
        bool, typer.Option("--without-models", help="Only the data and the tracking store.")
    ] = False,
    hash_: Hash = None,
) -> None:
    """Make ready what a study needs: its data, the tracking store and its models.

    What is on the hub is downloaded, once: the study runs offline afterwards.
    """
    from benchmark.commands import prepare as preparing

    if model is not None:
        preparing.prepare(project_root(), model, hash_)
    elif without_models:
        loaded = load(study)
        preparing.prepare_task(loaded)
        preparing.prepare_tracking(loaded)
    else:
        preparing.prepare_study(load(study))


def baseline(study: StudyName, model: str, objectives: str, hash_: Hash = None) -> None:
    """Evaluate a model's initial policy on an objective set."""
    loaded = load_for(study, model, objectives, hash_)
    check_unchanged(hash_, loaded.baseline_hash(model, objectives), f"{model}/{objectives}")
    from benchmark.commands.baseline import evaluate_initial

    evaluate_initial(loaded, model, objectives)


def calibrate(study: StudyName, objective: str, hash_: Hash = None) -> None:
    """Fit the scale of an objective on a model's initial policy."""
    loaded = load(study, hash_)
    if hash_ is not None:
        check_unchanged(hash_, loaded.calibration_hash(objective), objective)
    from benchmark.commands.calibrate import calibrate

    low, high = calibrate(loaded, objective).fit
    typer.echo(f"{objective}: {low:g} to {high:g}")


def probe(study: StudyName, model: str, objectives: str, hash_: Hash = None) -> None:
    """Measure the geometry of a model's initial policy on an objective set."""
    loaded = load_for(study, model, objectives, hash_)
    check_unchanged(hash_, loaded.probe_hash(model, objectives), f"{model}/{objectives}")
    from benchmark.commands.probe import probe_model

    probe_model(loaded, model, objectives)


def train(study: StudyName, cell: CellId, hash_: Hash = None) -> None:
    """Train one cell; a cell that was interrupted resumes from its last checkpoint."""
    chosen = load_cell(study, cell, hash_)
    check_unchanged(hash_, chosen.training_hash, cell)
    from benchmark.commands.train import train

    train(chosen)


def evaluate(study: StudyName, cell: CellId, hash_: Hash = None) -> None:
    """Evaluate one trained cell from its checkpoint."""
    chosen = load_cell(study, cell, hash_)
    check_unchanged(hash_, chosen.hash, cell)
    from benchmark.commands.evaluate import evaluate

    evaluate(chosen)


def diagnose_cell(study: StudyName, cell: CellId, hash_: Hash = None) -> None:
    """Diagnose one trained cell from its checkpoints."""
    chosen = load_cell(study, cell, hash_)
    check_unchanged(hash_, chosen.diagnosis_hash, cell)
    from benchmark.commands.diagnose import diagnose

    diagnose(chosen)
