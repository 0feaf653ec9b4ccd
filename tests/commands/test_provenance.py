"""A run's origin, recorded so that results of different origins can be told apart."""

import subprocess
from pathlib import Path

import pytest

from benchmark.commands.jobs import provenance
from benchmark.commands.jobs.provenance import (
    environment,
    git_commit,
    hardware,
    provenance_params,
    provenance_tags,
)


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "benchmark").mkdir(parents=True)
    (root / "benchmark" / "__init__.py").write_text("")
    (root / "models.yaml").write_text("")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-qm", "first")
    return root


def test_clean_checkout_gives_its_commit(checkout: Path) -> None:
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD")


@pytest.mark.parametrize("change", ["benchmark/__init__.py", "benchmark/new.py", "models.yaml"])
def test_changed_code_makes_the_commit_dirty(checkout: Path, change: str) -> None:
    (checkout / change).write_text("changed = True\n")
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD") + "-dirty"


def test_documents_do_not_make_it_dirty(checkout: Path) -> None:
    (checkout / "README.md").write_text("new\n")
    (checkout / "results").mkdir()
    (checkout / "results" / "leaderboard.md").write_text("new\n")
    assert git_commit(checkout) == git(checkout, "rev-parse", "HEAD")


def test_project_in_a_foreign_repository(checkout: Path) -> None:
    inside = checkout / "vendored"
    inside.mkdir()
    (inside / "models.yaml").write_text("")
    assert git_commit(inside) == "unknown"


def test_project_outside_any_repository(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("")
    assert git_commit(tmp_path) == "unknown"


def test_repository_without_commits_has_none(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    assert git_commit(tmp_path) == "unknown"


def test_variables_of_a_git_hook_do_not_mislead(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = git(checkout, "rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    assert git_commit(checkout) == expected


def test_missing_tools_are_no_error(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert git_commit(checkout) == "unknown"
    assert (hardware()["gpus"], hardware()["gpu_driver"]) == ("none", "none")


def test_gpus_are_counted_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nfor i in 1 2; do echo 'NVIDIA H200, 570.1'; done\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert hardware()["gpus"] == "2 x NVIDIA H200"
    assert hardware()["gpu_driver"] == "570.1"


def test_environment_names_only_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "PACKAGES", ("numpy", "no-such-package-anywhere"))
    assert set(environment()) == {"python", "numpy"}


def test_environment_hash_follows_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = provenance_tags(tmp_path)["environment_hash"]
    monkeypatch.setattr(provenance, "hardware", lambda: {"cpu": "another"})
    assert provenance_tags(tmp_path)["environment_hash"] == first
    monkeypatch.setattr(provenance, "environment", lambda: {"python": "another"})
    assert provenance_tags(tmp_path)["environment_hash"] != first


def test_parameters_have_their_prefixes() -> None:
    params = provenance_params()
    assert params["environment.torch"] == environment()["torch"]
    assert int(params["hardware.cores"]) >= 1
    assert int(params["hardware.memory_gib"]) >= 1
    assert params["hardware.cpu"]
    assert {name.partition(".")[0] for name in params} == {"environment", "hardware"}
