"""Profiles: which there are, and what each refuses before a job starts."""

from pathlib import Path

import pytest
from projects import Project

from benchmark.commands.jobs import profiles
from benchmark.commands.jobs.gpus import VISIBLE
from benchmark.commands.jobs.profiles import PROFILES, SERVER, Profile
from benchmark.common.errors import CrosstalkError

SHIPPED = {"default": "local", "gpu": "local", "slurm": "slurm", "kubernetes": "kubernetes"}
PAID = ("--default-resources", "slurm_account=a", "slurm_partition=p")


@pytest.fixture(autouse=True)
def _cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the executors installed and a tracking server set."""
    monkeypatch.setattr(profiles, "find_spec", lambda name: name)
    monkeypatch.setenv(SERVER, "http://server:5000")


def test_the_profiles_there_are_run_where_they_say() -> None:
    names = {file.parent.name for file in PROFILES.glob("*/config.yaml")}
    assert {name: Profile.load(name).executor for name in names} == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_every_profile_keeps_to_what_reruns_cells(name: str) -> None:
    default, own = Profile.load("default").settings, Profile.load(name).settings
    for key in ("rerun-triggers", "rerun-incomplete", "keep-going", "retries", "scheduler"):
        assert own[key] == default[key]


def test_a_profile_is_found_by_its_folder_too(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("executor: slurm\n")
    assert Profile.load(str(tmp_path)).executor == "slurm"


def test_an_unknown_profile_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"unknown profile 'slrum'; did you mean 'slurm'\?"):
        Profile.load("slrum")


@pytest.mark.parametrize(
    ("options", "missing"),
    [
        ([], "slurm_account"),
        (["--slurm-no-account"], "slurm_partition"),
        (["--default-resources", "slurm_account=a"], "slurm_partition"),
        (["--default-resources", "slurm_partition=p"], "slurm_account"),
        (["--default-resources", "slurm_account=", "slurm_partition=p"], "slurm_account"),
    ],
)
def test_slurm_without_account_or_partition_is_refused_in_one_line(
    options: list[str], missing: str
) -> None:
    with pytest.raises(CrosstalkError, match=rf"default-resources\.{missing}: none is given"):
        Profile.load("slurm").check_cluster(options)


@pytest.mark.parametrize(
    "options", [PAID, ("--slurm-no-account", "--default-resources", "slurm_partition=p")]
)
def test_slurm_with_account_and_partition_is_taken(options: tuple[str, ...]) -> None:
    Profile.load("slurm").check_cluster(options)


def test_a_copy_of_the_profile_with_both_needs_no_options(tmp_path: Path) -> None:
    text = (PROFILES / "slurm" / "config.yaml").read_text()
    filled = text.replace("# slurm_account: my-account", "slurm_account: lab7")
    (tmp_path / "config.yaml").write_text(filled)
    with pytest.raises(CrosstalkError, match="slurm_partition: none is given"):
        Profile.load(str(tmp_path)).check_cluster()
    (tmp_path / "config.yaml").write_text(filled.replace("# slurm_partition", "slurm_partition"))
    Profile.load(str(tmp_path)).check_cluster()


def test_kubernetes_needs_an_image_and_a_place_for_outputs() -> None:
    profile = Profile.load("kubernetes")
    options = ["--container-image=registry/crosstalk:1"]
    with pytest.raises(CrosstalkError, match="container-image: none is given"):
        profile.check_cluster()
    with pytest.raises(CrosstalkError, match="default-storage-prefix: none is given"):
        profile.check_cluster(options)
    profile.check_cluster([*options, "--default-storage-prefix", "s3://bucket/crosstalk"])


def test_a_cluster_needs_its_executor_and_a_tracking_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(SERVER)
    with pytest.raises(CrosstalkError, match=r"MLFLOW_TRACKING_URI: not set"):
        Profile.load("slurm").check_cluster(PAID)
    monkeypatch.setattr(profiles, "find_spec", lambda name: None)
    with pytest.raises(CrosstalkError, match=r"'slurm', which is not installed: pip install"):
        Profile.load("slurm").check_cluster(PAID)


def test_a_model_that_asks_for_more_gpus_than_there_are_is_refused(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = project.study()
    (project.root / "models.yaml").write_text(
        (project.root / "models.yaml").read_text().rstrip("}\n") + ", resources: {gpus: 2}}\n"
    )
    monkeypatch.setenv(VISIBLE, "0")
    Profile.load("gpu").check(study)
    study = project.study()
    with pytest.raises(
        CrosstalkError, match=r"tiny: resources\.gpus: found 2, but .* here are 1 \(0\)"
    ):
        Profile.load("gpu").check(study)
    monkeypatch.setenv(VISIBLE, "0,1")
    Profile.load("gpu").check(study)


def test_the_workflows_settings_in_a_profile_are_a_mapping(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("config: {container: image.sif}\n")
    assert Profile.load(str(tmp_path)).config == {"container": "image.sif"}
    (tmp_path / "config.yaml").write_text("config: [container=image.sif]\n")
    with pytest.raises(CrosstalkError, match=r"config: found \['container=image.sif'\]"):
        assert Profile.load(str(tmp_path)).config
