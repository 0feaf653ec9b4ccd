import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import (
    CTWA,
    SCALARIZERS,
    AdvantageScalarizer,
    GradientScalarizer,
    ScoreScalarizer,
    Signal,
    Tchebycheff,
    make_scalarizer,
    scalarizer_class,
)
from benchmark.scalarizers.torchjd import TORCHJD

NORMALISING = {"gd2po", "sa_mrpo", "corr_grpo", "nsga_rank"}  # within prompts, newer ones
GRADIENTS = {"mgda", "nash_mtl", "gradnorm", "dynamic", "cagrad_clip", "raco", "smoothed"}
PLUGIN = """
from benchmark.scalarizers import ScoreScalarizer

class Worst(ScoreScalarizer):
    def __init__(self, objectives, weights=None, *, temperature, k=1):
        super().__init__(objectives, weights)
        if temperature <= 0:
            raise ValueError(f"temperature is {temperature}")

    def score(self, rewards):
        return rewards.amin(dim=1)

class Open(Worst):
    def __init__(self, objectives, weights=None, **anything):
        super().__init__(objectives, weights, temperature=1)

class Unfinished(ScoreScalarizer):
    pass

number = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current directory with a user's module, forgotten again afterwards."""
    (tmp_path / "my_scalarizers.py").write_text(PLUGIN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    # Registers the name, so that the import made by the test is undone with the fixture.
    monkeypatch.setitem(sys.modules, "my_scalarizers", sys)
    del sys.modules["my_scalarizers"]
    return tmp_path


def install_entry_point(folder: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an installed distribution with one entry point, found through the path."""
    information = folder / "others_scalarizers-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Name: others-scalarizers\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[crosstalk.scalarizers]\n{line}\n")
    monkeypatch.syspath_prepend(folder)


def test_registry_holds_the_methods_by_name() -> None:
    scores = {"linear", "single", "tchebycheff", "smooth_tchebycheff", "maxmin", "random"}
    scores |= {"max_min_covariance", "ctwa", "cover", "stch", "tchebycheff_mean", "weighted"}
    advantages = {"lagrangian", "hypervolume", "pama", "gdpo", "mo_grpo", "rvpo", "dvao"}
    advantages |= {"famo", "foresight", "geometric_mean", "dwa", "pbi", "cosmos", *NORMALISING}
    gradients = {*GRADIENTS, *TORCHJD}
    expected = dict.fromkeys(scores, ScoreScalarizer)
    expected |= dict.fromkeys(advantages, AdvantageScalarizer)
    expected |= dict.fromkeys(gradients, GradientScalarizer)
    assert SCALARIZERS.keys() == expected.keys()
    assert all(issubclass(SCALARIZERS[name], kind) for name, kind in expected.items())
    assert SCALARIZERS["cover"] is SCALARIZERS["ctwa"] is CTWA
    assert SCALARIZERS["raco"] is SCALARIZERS["cagrad_clip"]


def test_methods_with_their_own_zscores_want_grpo() -> None:
    declared = {name: cls.estimators for name, cls in SCALARIZERS.items() if cls.estimators}
    own = {"gdpo", "mo_grpo", "rvpo", "dvao", "foresight", *NORMALISING}
    assert declared == {name: {"grpo"} for name in own}


def test_signals_are_required_where_they_are_used() -> None:
    def asking(signal: Signal) -> set[str]:
        return {name for name, cls in SCALARIZERS.items() if signal in cls.requires}

    assert asking(Signal.GRAMIAN) == {*GRADIENTS, *TORCHJD}
    assert asking(Signal.LOSSES) == {"famo", "foresight"}


def test_parameters_reach_the_constructor() -> None:
    scalarizer = make_scalarizer("tchebycheff", ["a", "b"], [1, 3], rho=0.5)
    assert isinstance(scalarizer, Tchebycheff)
    assert scalarizer.rho == 0.5
    assert scalarizer.weights.tolist() == [0.25, 0.75]


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("liner", {}, "unknown algorithm 'liner'; did you mean 'linear'.*cover, ctwa"),
        (
            "tchebycheff",
            {"roh": 1},
            r"algorithm 'tchebycheff': unknown parameter 'roh'; did you mean 'rho'\? "
            r"\(known: reference_point, rho\)",
        ),
        ("linear", {"rho": 1}, r"algorithm 'linear': unknown parameter 'rho' \(it has no param"),
        ("single", {}, r"algorithm 'single': parameter 'objective' is missing \(allowed: objecti"),
        ("ctwa", {"step_size": "fast"}, "algorithm 'ctwa': step_size: expected a number"),
        ("lagrangian", {"thresholds": [1, 2]}, r"algorithm 'lagrangian': thresholds: expected"),
    ],
)
def test_bad_names_and_parameters_are_named(name: str, params: dict, message: str) -> None:
    with pytest.raises(CrosstalkError, match=message):
        make_scalarizer(name, ["a", "b"], **params)


def test_class_of_a_module_in_the_current_directory(here: Path) -> None:
    before = list(sys.path)
    scalarizer = make_scalarizer("my_scalarizers:Worst", ["a", "b"], temperature=2)
    assert type(scalarizer).__name__ == "Worst"
    assert sys.path == before


def test_constructor_that_takes_anything_is_given_anything(here: Path) -> None:
    scalarizer = make_scalarizer("my_scalarizers:Open", ["a"], colour="red")
    assert scalarizer.objectives == ("a",)


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("my_scalarizers:Wurst", {}, "unknown class 'Wurst'; did you mean 'Worst'"),
        ("my_scalarizers:number", {}, "expected a subclass of ScoreScalarizer.*got 3"),
        ("my_scalarizers:ScoreScalarizer", {}, "expected a subclass of ScoreScalarizer, Adv"),
        ("no_such_module:Worst", {}, "cannot import 'no_such_module': ModuleNotFoundError"),
        ("broken:Worst", {}, "cannot import 'broken': ZeroDivisionError: division by zero"),
        (":Worst", {}, "cannot import ''"),
        ("my_scalarizers:Worst", {}, r"'temperature' is missing \(allowed: temperature, k\)"),
        ("my_scalarizers:Worst", {"temperature": 0}, "refused its parameters.*temperature is 0"),
        ("my_scalarizers:Worst", {"temperature": "a"}, "refused its parameters.*not supported"),
        ("my_scalarizers:Unfinished", {}, "refused its parameters.*abstract"),
    ],
)
def test_errors_of_a_users_module_are_one_line(
    here: Path, name: str, params: dict, message: str
) -> None:
    (here / "broken.py").write_text("1 / 0\n")
    with pytest.raises(CrosstalkError, match=message) as caught:
        make_scalarizer(name, ["a", "b"], **params)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_entry_point_of_another_distribution(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_point(here, "worst = my_scalarizers:Worst", monkeypatch)
    assert make_scalarizer("worst", ["a"], temperature=1).objectives == ("a",)
    with pytest.raises(CrosstalkError, match=r"did you mean 'worst'.*tchebycheff, .*, worst"):
        scalarizer_class("worsd")


def test_broken_entry_point_is_named(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_point(here, "worst = my_scalarizers:Best", monkeypatch)
    with pytest.raises(CrosstalkError, match="algorithm 'worst': cannot import 'my_scalarizers:B"):
        scalarizer_class("worst")


@pytest.mark.slow
def test_scalarizers_import_nothing_heavy_beside_torch() -> None:
    code = (
        "import sys, benchmark.scalarizers, benchmark.advantages;"
        "heavy = ('trl', 'transformers', 'mlflow', 'pandas', 'scipy', 'cvxpy', 'torchjd');"
        "print([m for m in heavy if m in sys.modules])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "[]"
