"""Profiles: where a study's jobs run, and what can be wrong with that before the first one does."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from benchmark.commands.jobs.gpus import check_count, machine_gpus
from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.paths import PACKAGE, relative
from benchmark.common.settings import read_yaml
from benchmark.study.resources import training_gpus
from benchmark.study.study import Study

PROFILES = PACKAGE.parent / "workflow" / "profiles"
DEFAULT = "default"
LOCAL = "local"
SERVER = "MLFLOW_TRACKING_URI"
ACCOUNT, PARTITION = "slurm_account", "slurm_partition"
WITHOUT_ACCOUNT = "slurm-no-account"
NEEDED = {  # what each executor cannot do without: a resource of every job, or an option
    "slurm": (ACCOUNT, PARTITION),
    "kubernetes": ("container-image", "default-storage-provider", "default-storage-prefix"),
}


@dataclass(frozen=True)
class Profile:
    """A folder with a ``config.yaml`` of Snakemake's options. Get one with :meth:`load`."""

    file: Path
    settings: dict[str, Any]

    @classmethod
    def load(cls, name: str) -> "Profile":
        """Read a profile of ``workflow/profiles`` by its name, or any by its folder's path.

        Raises:
            CrosstalkError: There is none, or its file is not YAML.
        """
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
        """The workflow's settings in it, which Snakemake would drop for those of the command."""
        given = self.settings.get("config") or {}
        if not isinstance(given, Mapping):
            where = f"{relative(self.file)}: config"
            raise CrosstalkError(f"{where}: found {given!r}, allowed is a mapping (key: value)")
        return {str(key): str(value) for key, value in given.items()}

    def check(self, study: Study, options: Sequence[str] = ()) -> None:
        """Refuse a study that cannot run under this profile, or a profile that lacks something.

        Args:
            study: What is to run.
            options: Snakemake's options beside the profile's, which they take precedence over.

        Raises:
            CrosstalkError: GPUs that there are not, or a cluster without what it needs.
        """
        if self.executor == LOCAL:
            _check_gpus(study)
        else:
            self.check_cluster(options)

    def check_cluster(self, options: Sequence[str] = ()) -> None:
        """Refuse a profile of a cluster that lacks something, whatever the study.

        Raises:
            CrosstalkError: The executor is not installed, or an option or variable is missing.
        """
        plugin = f"snakemake_executor_plugin_{self.executor.replace('-', '_')}"
        if find_spec(plugin) is None:
            raise CrosstalkError(
                f"{relative(self.file)}: executor: found {self.executor!r}, which is not installed:"
                " pip install --no-deps --requirement requirements/cluster.txt"
            )
        given = self._given(options)
        for key in NEEDED.get(self.executor, ()):
            if key not in given and not (key == ACCOUNT and WITHOUT_ACCOUNT in given):
                raise self._missing(key)
        if not os.environ.get(SERVER):
            raise CrosstalkError(
                f"{SERVER}: not set; cells on a cluster are tracked to a server, for instance "
                "http://login-node:5000 (started by `mlflow server`)"
            )

    def _given(self, options: Sequence[str]) -> set[str]:
        """Return the names of the options and of the default resources that have a value."""
        own = {name for name, value in self.settings.items() if value not in (None, "", False)}
        named = {word[2:].partition("=")[0] for word in options if word.startswith("--")}
        given = options if "default-resources" in named else self.settings.get("default-resources")
        return own | named | _resources(given)

    def _missing(self, key: str) -> CrosstalkError:
        where = key if key not in (ACCOUNT, PARTITION) else f"default-resources.{key}"
        add = f"--{key} …" if where == key else f"--default-resources {key}=…"
        without = f" (or --{WITHOUT_ACCOUNT})" if key == ACCOUNT else ""
        return CrosstalkError(
            f"{relative(self.file)}: {where}: none is given; set it there, or add `{add}` to the "
            f"command{without}"
        )


def _check_gpus(study: Study) -> None:
    """Refuse models that ask for more GPUs than this machine has; Snakemake would say nothing."""
    pairs = dict.fromkeys((cell.model, cell.objective_set) for cell in study.cells)
    for model, objectives in pairs:
        wanted = training_gpus(study, model, objectives)
        if wanted:
            check_count(wanted, machine_gpus(), f"models.yaml: {model}: resources.gpus")


def _resources(given: object) -> set[str]:
    """Return the names that have values, in a mapping or among words ``name=value``."""
    if isinstance(given, Mapping):
        return {str(name) for name, value in given.items() if value not in (None, "")}
    words = given if isinstance(given, Sequence) else ()
    return {name for name, _, value in (str(word).partition("=") for word in words) if value}
