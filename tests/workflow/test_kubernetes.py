"""The job objects that Snakemake's executor makes of our profile, and no cluster to send them to.

They are built by the executor's own code, and have to survive the client's models both ways.
"""

import json
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.profiles import ProfileConfigFileParser
from snakemake.resources import Resources

from benchmark.commands.jobs.profiles import PROFILES

kubernetes = pytest.importorskip("kubernetes", reason="the executors of clusters are not installed")
plugin = pytest.importorskip("snakemake_executor_plugin_kubernetes")

IMAGE = "registry.example.org/crosstalk:1"
COMMAND = "cd /opt/crosstalk && python -m snakemake --snakefile workflow/Snakefile"


def profile() -> dict[str, Any]:
    """Return the profile as Snakemake reads it."""
    with (PROFILES / "kubernetes" / "config.yaml").open() as stream:
        return dict(ProfileConfigFileParser().parse(stream))


def default_resources() -> dict[str, Any]:
    given = profile()["default-resources"]
    resources = Resources.parse(given, allow_expressions=True)
    known = {"wildcards": None, "input": None, "attempt": 1, "threads": 1}
    known |= {"rulename": "train", "async_run": None}
    return {name: resource.evaluate(**known).value for name, resource in resources.items()}


class Logger:
    """Keeps quiet."""

    def debug(self, *args: Any) -> None: ...
    def info(self, *args: Any) -> None: ...
    def error(self, *args: Any) -> None: ...


def submitted(**resources: Any) -> dict[str, Any]:
    """Return the job that the executor would create for these resources of ours, as JSON."""
    executor = plugin.Executor.__new__(plugin.Executor)
    executor.logger, executor.lock = Logger(), threading.Lock()
    executor.container_image = IMAGE
    executor.namespace = executor.run_namespace = "lab"
    executor.k8s_cpu_scalar, executor.k8s_service_account_name = 0.95, None
    executor.persistent_volumes, executor.privileged = [], False
    executor.secret_envvars = {name.lower(): name for name in profile()["envvars"]}
    executor.workflow = SimpleNamespace(
        deployment_settings=SimpleNamespace(deployment_method=set())
    )
    executor.format_job_exec = lambda job: COMMAND
    executor.report_job_submission = lambda info: None
    created: list[Any] = []
    executor.batchapi = SimpleNamespace(create_namespaced_job=lambda _, body: created.append(body))
    job = SimpleNamespace(
        resources=default_resources() | resources, jobid=1, attempt=1, is_containerized=False
    )
    executor.run_job(job)
    (body,) = created
    client = kubernetes.client.ApiClient()
    sent = client.sanitize_for_serialization(body)
    read = client.deserialize(SimpleNamespace(data=json.dumps(sent)), "V1Job")
    assert client.sanitize_for_serialization(read) == sent
    return sent


def container(sent: dict[str, Any]) -> dict[str, Any]:
    (only,) = sent["spec"]["template"]["spec"]["containers"]
    return only


def test_job_asks_for_gpus_memory_and_cores() -> None:
    sent = submitted(_cores=8, gpu=2, mem_mb=64000, runtime=480)
    asked = container(sent)["resources"]
    assert asked["requests"]["nvidia.com/gpu"] == asked["limits"]["nvidia.com/gpu"] == "2"
    assert asked["requests"]["memory"] == asked["limits"]["memory"] == "64000M"
    assert asked["limits"]["cpu"] == "8000m"
    (toleration,) = sent["spec"]["template"]["spec"]["tolerations"]
    assert toleration["key"] == "nvidia.com/gpu"


def test_a_job_without_gpus_takes_none() -> None:
    asked = container(submitted(_cores=1, gpu=0, mem_mb=2000))["resources"]
    assert asked["limits"]["nvidia.com/gpu"] == "0"
    assert asked["limits"]["memory"] == "2000M"


def test_job_has_image_and_tracking_server() -> None:
    sent = submitted(_cores=1, gpu=1, mem_mb=2000)
    assert container(sent)["image"] == IMAGE
    assert container(sent)["args"] == ["-c", COMMAND]
    (variable,) = container(sent)["env"]
    assert variable["name"] == "MLFLOW_TRACKING_URI"
    assert variable["valueFrom"]["secretKeyRef"] == {
        "key": "mlflow_tracking_uri",
        "name": "lab",
    }
    assert sent["spec"]["backoffLimit"] == 0  # Snakemake tries again, and counts


def test_profile_and_image_share_the_folder() -> None:
    image = (Path(__file__).parents[2] / "Containerfile").read_text()
    folder = profile()["precommand"].removeprefix("cd ")
    assert f"WORKDIR {folder}\n" in image
