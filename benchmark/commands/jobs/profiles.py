"""Read the profile that says where a study's jobs run, and check it before the first one does."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.commands.jobs.gpus import check_count, machine_gpus
from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.paths import WORKFLOW, relative
from benchmark.common.settings import read_yaml
from benchmark.study.resources import training_gpus
from benchmark.study.study import Study

PROFILES = WORKFLOW / "profiles"
DEFAULT = "default"
LOCAL = "local"
SERVER = "MLFLOW_TRACKING_URI"
RESOURCES = "default-resources"
NEEDED = {  # what an executor needs and no profile of ours can know
    "slurm": (f"{RESOURCES}.slurm_account", f"{RESOURCES}.slurm_partition"),
    "kubernetes": ("container-image", "default-storage-provider", "default-storage-prefix"),
}


@dataclass(frozen=True)
class Profile:
    """A folder with a ``config.yaml`` of Snakemake's options; :meth:`load` reads one."""

    file: Path
    settings: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> "Profile":
        """Read a profile that we ship by its name, or any by its folder's path."""
        shipped = sorted(path.parent.name for path in PROFILES.glob("*/config.yaml"))
        folder = PROFILES / name if name in shipped else Path(name)
        file = folder / "config.yaml"
        if not file.is_file():
            raise unknown("profile", name, [*shipped, "a folder with a config.yaml"])
        return cls(file, read_yaml(file))

    @property
    def executor(self) -> str:
        """The name of Snakemake's executor; ``local`` is this machine."""
        return str(self.settings.get("executor", LOCAL))

    @property
    def config(self) -> dict[str, str]:
        """The workflow's settings, which Snakemake would drop in favour of the command's."""
        given = self.settings.get("config") or {}
        if not isinstance(given, Mapping):
            where = f"{relative(self.file)}: config"
            raise CrosstalkError(f"{where}: expected a mapping (key: value), got {given!r}")
        return {str(key): str(value) for key, value in given.items()}

    def check(self, study: Study) -> None:
        """Raise if the study cannot run under this profile.

        Raises:
            CrosstalkError: This machine has too few GPUs, or the cluster lacks what it needs.
        """
        if self.executor == LOCAL:
            _check_gpus(study)
        else:
            self.check_cluster()

    def check_cluster(self) -> None:
        """Raise if the executor is not installed or no tracking server is set."""
        plugin = f"snakemake_executor_plugin_{self.executor.replace('-', '_')}"
        if find_spec(plugin) is None:
            raise CrosstalkError(
                f"{relative(self.file)}: executor: {self.executor!r} is not installed:"
                " pip install --no-deps --requirement requirements/cluster.txt, without a checkout"
                " pip install 'crosstalk-bench[cluster]'"
            )
        if not os.environ.get(SERVER):
            raise CrosstalkError(
                f"{SERVER}: not set; cells on a cluster are tracked to a server, for instance "
                "http://login-node:5000 (started by `mlflow server`)"
            )

    def gaps(self) -> list[str]:
        """Return what the executor needs and the file leaves to the command line, a line each."""
        resources = self.settings.get(RESOURCES) or {}
        if not isinstance(resources, Mapping):  # words name=value
            resources = dict(str(word).partition("=")[::2] for word in resources)
        given = self.settings | {f"{RESOURCES}.{name}": v for name, v in resources.items()}
        missing = [key for key in NEEDED.get(self.executor, ()) if given.get(key) in (None, "")]
        return [f"{relative(self.file)}: {key}: not set" for key in missing]


def _check_gpus(study: Study) -> None:
    """Raise if models ask for more GPUs than this machine has; Snakemake would say nothing."""
    pairs = dict.fromkeys((cell.model, cell.objective_set) for cell in study.cells)
    for model, objectives in pairs:
        wanted = training_gpus(study, model, objectives)
        if wanted:
            check_count(wanted, machine_gpus(), f"models.yaml: {model}: resources.gpus")
