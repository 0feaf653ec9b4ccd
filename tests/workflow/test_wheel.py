"""The package as it is installed: a wheel in an environment of its own, away from the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
import yaml
from projects import SETTINGS, merged

from benchmark.common.paths import PACKAGE

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wheel")]

ROOT = PACKAGE.parent
PARTS = ("benchmark", "workflow", "models.yaml", "pyproject.toml", "setup.py", "MANIFEST.in")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy: what earlier builds left in a checkout would get into it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in (*PARTS, "README.md", "LICENSE"):
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, source)
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--quiet")
    pip(sys.executable, "wheel", *options, "--wheel-dir", target, source)
    (built,) = target.glob("crosstalk_bench-*.whl")
    return built


@pytest.fixture(scope="module")
def crosstalk(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command of an environment with the wheel in it, and all else from this one."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    places = {"base": str(folder), "platbase": str(folder)}
    own = Path(sysconfig.get_path("purelib", "venv", places))
    (own / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    options = ("--no-deps", "--no-index", "--ignore-installed", "--quiet")
    pip(sys.executable, "--python", python, "install", *options, wheel)
    return python.with_name("crosstalk")


def pip(python: object, *words: object) -> None:
    command = [str(python), "-m", "pip", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def called(command: Path, folder: Path, *words: str) -> tuple[int, str]:
    unset = ("PYTHONPATH", "MLFLOW_TRACKING_URI")
    done = subprocess.run(
        [str(command), *words],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in unset},
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_the_wheel_holds_the_workflow_and_nothing_else_beside_the_code(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    files = [ROOT / "models.yaml", *(f for f in (ROOT / "workflow").rglob("*") if f.is_file())]
    shipped = {f"benchmark/shipped/{file.relative_to(ROOT).as_posix()}" for file in files}
    assert shipped <= set(names)
    assert {name.partition("/")[0] for name in names} == {
        "benchmark",
        wheel.name.replace("-py3-none-any.whl", ".dist-info"),
    }
    assert {name for name in names if "shipped" in name} == shipped


def test_a_wheel_is_told_to_begin_a_project_outside_of_one(crosstalk: Path, tmp_path: Path) -> None:
    status, output = called(crosstalk, tmp_path, "check", "smoke")
    assert status == 2
    assert "no models.yaml here; `crosstalk init FOLDER` makes a project" in output
    status, output = called(crosstalk, tmp_path, "list", "studies")
    assert status == 0
    assert "\nsmoke " in output


def test_a_new_project_runs_from_the_wheel(
    crosstalk: Path, tiny_model: Path, tmp_path: Path
) -> None:
    status, output = called(crosstalk, tmp_path, "init", "my-study")
    assert status == 0, output
    root = tmp_path / "my-study"
    shutil.copytree(tiny_model, root / "model")
    (root / "models.yaml").write_text("tiny: {path: model}\n")
    study = merged(SETTINGS, {"training": {"steps": 2, "validate_every": 2}})
    (root / "studies" / "my-study.yaml").write_text(yaml.safe_dump(study))
    status, output = called(crosstalk, root, "run", "my-study")
    assert status == 0, output
    assert (root / "results" / "boards" / "my-study" / "index.html").is_file()
    assert not (root / "results" / "leaderboards").exists()
    assert str(ROOT) not in (root / "results/runs/my-study/leaderboard.log").read_text()
    status, output = called(crosstalk, root, "run", "smoke", "--dry-run")
    assert status == 0, output
    assert "Train tiny-qwen2-base/accuracy-clarity/linear/seed0" in output
