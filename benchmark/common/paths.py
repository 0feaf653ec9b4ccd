"""Name the places of files: the project's root, its studies and the files of a cell."""

import os
from dataclasses import dataclass
from pathlib import Path

from benchmark.common.errors import CrosstalkError

PACKAGE = Path(__file__).resolve().parents[1]
# What a project need not bring: in a wheel it lies inside the package, in a checkout around it.
SHIPPED = PACKAGE / "shipped" if (PACKAGE / "shipped").is_dir() else PACKAGE.parent
WORKFLOW = SHIPPED / "workflow"
ACCELERATE = WORKFLOW / "accelerate"  # how several processes share a training
MODELS = "models.yaml"
CALIBRATION = "calibration"  # a folder beside those of a study's models


def project_root() -> Path:
    """Return the project's folder: the current one if ``models.yaml`` is there, else our checkout.

    Raises:
        CrosstalkError: Neither holds a ``models.yaml``.
    """
    for folder in (Path.cwd(), PACKAGE.parent):
        if (folder / MODELS).is_file():
            return folder
    raise CrosstalkError(
        f"{Path.cwd()}: no models.yaml here; `crosstalk init FOLDER` makes a project, whose folder "
        "commands run in"
    )


def lookup_root() -> Path:
    """Return the project's folder, or else that of what we ship: to look up what can be named."""
    return Path.cwd() if (Path.cwd() / MODELS).is_file() else SHIPPED


@dataclass(frozen=True)
class Layout:
    """The files of one study below a project root; every path the workflow names."""

    root: Path
    study: str

    @property
    def runs(self) -> Path:
        """Everything the study's cells write."""
        return self.root / "results" / "runs" / self.study

    @property
    def board(self) -> Path:
        """The study's tables as its runs leave them; not committed."""
        return self.root / "results" / "boards" / self.study

    @property
    def leaderboard(self) -> Path:
        """The study's published tables, which `crosstalk publish` alone writes."""
        return self.root / "results" / "leaderboards" / self.study

    @property
    def tuned(self) -> Path:
        """The studies that tuning derives from others: their trials, and the tuned ones."""
        return self.root / "results" / "tuned"

    @property
    def tracking(self) -> Path:
        """The record that the tracking store is ready for parallel writers."""
        return self.runs / "tracking.json"

    @property
    def journal(self) -> Path:
        """What the jobs of the study's latest run did, as they did it."""
        return self.runs / "journal.jsonl"

    @property
    def workflow_lock(self) -> Path:
        """The lock of whoever runs a study in the project."""
        return self.root / "results" / ".workflow.lock"

    def baseline(self, model: str, objectives: str) -> Path:
        """Folder with the evaluation of a model's initial policy."""
        return self.runs / model / objectives / "baseline"

    def probe(self, model: str, objectives: str) -> Path:
        """Folder with the geometry of a model's initial policy."""
        return self.runs / model / objectives / "probe"

    def calibration(self, objective: str) -> Path:
        """Folder with the scale of an objective that the study has fitted."""
        return self.runs / CALIBRATION / objective

    def cell(self, cell_id: str) -> Path:
        """Folder of a cell; its id spells the path below the study's."""
        return self.runs / cell_id


def model_folder(root: Path, model: str) -> Path:
    """Return the folder of a prepared model; studies share it."""
    return root / "results" / "models" / model


def relative(path: Path) -> str:
    """Return ``path`` as a person in the current folder would write it."""
    try:
        return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
    except FileNotFoundError:  # the current folder is gone
        return str(path)
