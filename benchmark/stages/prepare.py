"""``crosstalk prepare``: what cells need before the first one starts, the store and the models."""

import json
from pathlib import Path

from benchmark.files import exclusive, write_text
from benchmark.models import prepare_model
from benchmark.project import model_folder
from benchmark.study import Study
from benchmark.tracking import prepare_store, tracking_uri

PREPARED = "prepared.json"


def prepare_tracking(study: Study) -> None:
    """Create the tracking store and the study's experiment, before any cell writes to it."""
    root = study.layout.root
    prepare_store(tracking_uri(root), study.name)
    write_text(study.layout.tracking, json.dumps({"experiment": study.name}) + "\n")


def prepare(study: Study, model: str) -> Path:
    """Make a model's folder ready; one that is ready for the present entry stays as it is."""
    root, spec = study.layout.root, study.models[model]
    folder, hash_ = model_folder(root, model), study.model_digest(model)
    with exclusive(folder.with_name(f".{model}.lock"), f"preparing {model}"):
        if _prepared_hash(folder) != hash_:
            prepare_model(model, spec, folder, root)
            write_text(folder / PREPARED, json.dumps({"model": model, "hash": hash_}) + "\n")
    return folder


def _prepared_hash(folder: Path) -> str | None:
    file = folder / PREPARED
    return json.loads(file.read_text())["hash"] if file.is_file() else None
