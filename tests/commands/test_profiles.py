"""Profiles: which there are, and what each refuses before a job starts."""

from pathlib import Path

import pytest
from projects import Project

from benchmark.commands.jobs import profiles
from benchmark.commands.jobs.gpus import VISIBLE
from benchmark.commands.jobs.profiles import PROFILES, SERVER, Profile
from benchmark.common.errors import CrosstalkError

SHIPPED = {"default": "local", "gpu": "local", "slurm": "slurm", "kubernetes": "kubernetes"}


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the executors installed and a tracking server set."""
    monkeypatch.setattr(profiles, "find_spec", lambda name: name)
    monkeypatch.setenv(SERVER, "http://server:5000")


def test_shipped_profiles_and_their_executors() -> None:
    names = {file.parent.name for file in PROFILES.glob("*/config.yaml")}
    assert {name: Profile.load(name).executor for name in names} == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_profiles_share_what_reruns_cells(name: str) -> None:
    default, own = Profile.load("default").settings, Profile.load(name).settings
    for key in ("rerun-triggers", "rerun-incomplete", "keep-going", "retries", "scheduler"):
        assert own[key] == default[key]


def test_profile_by_its_folder(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("executor: slurm\n")
    assert Profile.load(str(tmp_path)).executor == "slurm"


def test_unknown_profile(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"unknown profile 'slrum'; did you mean 'slurm'\?"):
        Profile.load("slrum")


@pytest.mark.parametrize(
    ("name", "missing"),
    [
        ("default", []),
        ("slurm", ["default-resources.slurm_account", "default-resources.slurm_partition"]),
        ("kubernetes", ["container-image", "default-storage-prefix"]),
    ],
)
def test_gaps_name_what_a_profile_leaves_open(name: str, missing: list[str]) -> None:
    file = f"workflow/profiles/{name}/config.yaml"
    lines = [f"{key}: not set" for key in missing]
    gaps = Profile.load(name).gaps()
    assert [gap.partition("config.yaml: ")[2] for gap in gaps] == lines
    assert all(file in gap for gap in gaps)


@pytest.mark.parametrize(
    "resources", ["{slurm_account: a, slurm_partition: }", "[slurm_account=a, slurm_partition=]"]
)
def test_gaps_follow_the_file(tmp_path: Path, resources: str) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(f"executor: slurm\ndefault-resources: {resources}\n")
    (gap,) = Profile.load(str(tmp_path)).gaps()
    assert gap.endswith("slurm_partition: not set")


def test_cluster_needs_executor_and_server(monkeypatch: pytest.MonkeyPatch) -> None:
    Profile.load("slurm").check_cluster()
    monkeypatch.delenv(SERVER)
    with pytest.raises(CrosstalkError, match=r"MLFLOW_TRACKING_URI: not set"):
        Profile.load("slurm").check_cluster()
    monkeypatch.setattr(profiles, "find_spec", lambda name: None)
    with pytest.raises(CrosstalkError, match=r"'slurm' is not installed: pip install"):
        Profile.load("slurm").check_cluster()


def test_too_few_gpus_for_a_model(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    study = project.study()
    (project.root / "models.yaml").write_text(
        (project.root / "models.yaml").read_text().rstrip("}\n") + ", resources: {gpus: 2}}\n"
    )
    monkeypatch.setenv(VISIBLE, "0")
    Profile.load("gpu").check(study)
    study = project.study()
    with pytest.raises(CrosstalkError, match=r"tiny: resources\.gpus: needs 2 GPUs.* has 1 \(0\)"):
        Profile.load("gpu").check(study)
    monkeypatch.setenv(VISIBLE, "0,1")
    Profile.load("gpu").check(study)


def test_config_is_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("config: {container: image.sif}\n")
    assert Profile.load(str(tmp_path)).config == {"container": "image.sif"}
    (tmp_path / "config.yaml").write_text("config: [container=image.sif]\n")
    with pytest.raises(CrosstalkError, match=r"config: expected a mapping .*image\.sif"):
        assert Profile.load(str(tmp_path)).config
