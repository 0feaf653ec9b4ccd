"""``make test-slurm``: the smoke study through a real SLURM gives the tables of a local run.

The jobs are SLURM's, submitted by the profile that the project ships, and tracked to an MLflow
server, as on a cluster. What it starts it ends, and the machine is left without a SLURM again.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from single_node import PARTITION, NoSlurm, single_node

from benchmark.common.termination import terminable

ROOT = Path(__file__).parents[2]
STUDY = "smoke"
TABLES = ("leaderboard.csv", "tables.csv", "cells.csv", "leaderboard.md")
STAGES = {"prepare", "baseline", "train", "evaluate"}
# This SLURM keeps no accounts, and its jobs take seconds.
OPTIONS = (
    *("--profile", "slurm", "--default-resources", f"slurm_partition={PARTITION}"),
    *("--slurm-no-account", "--slurm-status-command", "squeue", "--latency-wait", "5"),
    *("--slurm-init-seconds-before-status-checks", "2", "--slurm-keep-successful-logs"),
    *("--seconds-between-status-checks", "3", "--forcerun", "prepare"),
)


def main() -> int:
    """Run the study both ways and compare; return the exit status."""
    scratch = Path(tempfile.mkdtemp(prefix="crosstalk-slurm-"))
    try:
        with terminable(), single_node(scratch / "slurm"):
            return _compare(scratch)
    except NoSlurm as reason:
        print(f"skipped: {reason}")
        return 0
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _compare(scratch: Path) -> int:
    local = _project(scratch / "local")
    _take_models(ROOT, local)  # those of an earlier `make study`; outdated ones are made anew
    start = time.monotonic()
    _crosstalk(local, "run", STUDY)
    print(f"local run: {time.monotonic() - start:.0f} s", flush=True)
    cluster = _project(scratch / "cluster")
    _take_models(local, cluster)
    start = time.monotonic()
    with _mlflow_server(scratch) as server:
        checked = _crosstalk(cluster, "check", STUDY, "--profile", "slurm", server=server)
        assert "default-resources.slurm_account: not set" in checked, checked
        _crosstalk(cluster, "run", STUDY, *OPTIONS, server=server)
    print(f"through SLURM: {time.monotonic() - start:.0f} s", flush=True)
    assert not (cluster / "results" / "mlflow.db").exists(), "tracked beside the server"
    logs = cluster / ".snakemake" / "slurm_logs"
    ran = {path.name.removeprefix("rule_") for path in logs.glob("rule_*")}
    assert ran == STAGES, f"jobs of SLURM were {sorted(ran)}"
    for name in TABLES:
        one, other = (root / "results" / "boards" / STUDY / name for root in (local, cluster))
        assert one.read_bytes() == other.read_bytes(), f"{name} differs from the local run's"
    print(f"the same {', '.join(TABLES)}")
    return 0


def _project(folder: Path) -> Path:
    studies = folder / "workflow" / "studies"
    studies.mkdir(parents=True)
    shutil.copy(ROOT / "models.yaml", folder)
    shutil.copy(ROOT / "workflow" / "studies" / f"{STUDY}.yaml", studies)
    return folder


def _take_models(source: Path, target: Path) -> None:
    if (source / "results" / "models").is_dir():
        shutil.copytree(source / "results" / "models", target / "results" / "models")


def _crosstalk(root: Path, *words: str, server: str = "") -> str:
    """Run a command in a project, and return what it printed."""
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *words],
        cwd=root,
        env=environment | ({"MLFLOW_TRACKING_URI": server} if server else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=1800)
    finally:  # it ends its jobs, where it is asked to end
        process.terminate()
        process.wait()
    assert process.returncode == 0, output
    return output


@contextmanager
def _mlflow_server(scratch: Path) -> Iterator[str]:
    """Run an MLflow server on loopback inside the block; yield its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{scratch}/server.db"]
    command += ["--artifacts-destination", str(scratch / "artifacts")]
    with (scratch / "server.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env=os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true"},
            stdout=log,
            stderr=log,
        )
    try:
        _await_server(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _await_server(address: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        assert process.poll() is None, "the MLflow server ended"
        try:
            with urlopen(f"{address}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    raise TimeoutError("waited 90 s for the MLflow server")


if __name__ == "__main__":
    sys.exit(main())
