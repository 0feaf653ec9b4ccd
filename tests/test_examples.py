"""The examples run as they are printed."""

import difflib
import importlib
import runpy
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from benchmark.common.paths import PACKAGE
from benchmark.scalarizers import ScoreScalarizer, make_scalarizer
from benchmark.testing import check_scalarizer

EXAMPLES = PACKAGE.parent / "examples"
PLUGIN = EXAMPLES / "plugin"
NAMES = ["correct", "brief", "boxed"]

# ---- a TRL script, and the same with a scalarizer ------------------------------------------------


@pytest.fixture
def log(
    request: pytest.FixtureRequest, tiny_model: Path, tmp_path: Path, monkeypatch: Any
) -> list[dict[str, float]]:
    """What two steps of the script log."""
    arguments = [str(tiny_model), "--steps", "2", "--output", str(tmp_path / "trained")]
    monkeypatch.setattr(sys, "argv", [request.param, *arguments])
    names = runpy.run_path(str(EXAMPLES / request.param), run_name="__main__")
    assert (tmp_path / "trained" / "model.safetensors").is_file()
    return [row for row in names["trainer"].state.log_history if "reward" in row]


@pytest.mark.parametrize("log", ["grpo.py"], indirect=True)
def test_the_plain_script_trains(log: list[dict[str, float]]) -> None:
    assert len(log) == 2
    assert all(f"rewards/{name}/mean" in row for row in log for name in NAMES)
    assert not [key for key in log[0] if key.startswith("scalarizer/")]


@pytest.mark.parametrize("log", ["ctwa.py"], indirect=True)
def test_multi_objective_script_logs_its_weights(
    log: list[dict[str, float]],
) -> None:
    assert len(log) == 2
    for name in NAMES:
        first, second = (row[f"scalarizer/weight/{name}"] for row in log)
        assert 0.333 < first <= second  # they never fall
    assert any(log[1][f"scalarizer/weight/{name}"] > 0.334 for name in NAMES)


def test_scripts_differ_in_class_and_one_argument() -> None:
    plain, multiple = ((EXAMPLES / f).read_text().splitlines() for f in ("grpo.py", "ctwa.py"))
    lines = list(difflib.unified_diff(plain, multiple, n=0, lineterm=""))[2:]
    assert [line for line in lines if not line.startswith("@@")] == [
        "-from trl import GRPOConfig, GRPOTrainer",
        "+from trl import GRPOConfig",
        "+",
        "+from benchmark.scalarizers import CTWA",
        "+from benchmark.training import MultiObjectiveGRPOTrainer",
        "-    trainer = GRPOTrainer(",
        "+    trainer = MultiObjectiveGRPOTrainer(",
        '+        scalarizer=CTWA(["correct", "brief", "boxed"]),',
    ]


# ---- a distribution with a scalarizer ------------------------------------------------------------


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The plug-in's entry points, with its modules to be found as if it were installed."""
    project = tomllib.loads((PLUGIN / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["crosstalk.scalarizers"]
    information = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(
        f"Name: {project['name']}\nVersion: {project['version']}\n"
    )
    lines = [f"{name} = {target}" for name, target in points.items()]
    text = "\n".join(["[crosstalk.scalarizers]", *lines, ""])
    (information / "entry_points.txt").write_text(text)
    for name in ("worst_first", "test_worst_first"):  # forgotten again with the fixture
        monkeypatch.setitem(sys.modules, name, sys)
        del sys.modules[name]
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(PLUGIN)
    return points


def test_the_plug_in_keeps_the_contract_under_its_name(plugin: dict[str, str]) -> None:
    assert list(plugin) == ["worst_first"]
    for name, target in plugin.items():
        scalarizer = make_scalarizer(name, ["a", "b"], [3, 1])
        assert isinstance(scalarizer, ScoreScalarizer)
        check_scalarizer(name)
        check_scalarizer(target, objectives=[2])


def test_the_plug_ins_own_tests_pass(plugin: dict[str, str]) -> None:
    tests = importlib.import_module("test_worst_first")
    tests.test_it_keeps_the_contract(0.25)
    tests.test_scores_worked_out_by_hand()


# ---- metrics on one's own arrays -----------------------------------------------------------------


def test_own_results(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLES / "own_results.py"), run_name="__main__")
    printed = capsys.readouterr().out.splitlines()
    fallen = [line.split(": ")[0] for line in printed if line.endswith("interfered with")]
    assert fallen == ["run 0"]
    assert "interference rate 25%" in printed  # one of two objectives in one of two runs


# ---- results as data frames ----------------------------------------------------------------------


def test_results_in_python(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["results.py"])
    names = runpy.run_path(str(EXAMPLES / "results.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert (tmp_path / "gain-and-loss.svg").stat().st_size
    assert set(names["ranked"].index) == set(names["runs"]["algorithm"]) > {"linear", "ctwa"}
    assert "ctwa loses less than linear with probability" in printed
    cell = names["runs"]["cell"].iloc[0]
    changes = names["results"].objectives.query("cell == @cell")["delta"].to_numpy()
    mean = sum(changes) / len(changes)
    spread = sum((change - mean) ** 2 for change in changes) / len(changes)
    assert names["uneven"][cell] == pytest.approx(spread**0.5)
