"""What `crosstalk check` refuses about algorithms, and the scalarizers that cells make."""

from pathlib import Path
from typing import Any

import pytest
from studies import WHERE, load_study, make_root

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import Random

MINE = """\
from benchmark.scalarizers import ScoreScalarizer


class Seeded(ScoreScalarizer):
    estimators = frozenset({"rloo", "dr_grpo"})

    def __init__(self, objectives, weights=None, *, seed=7):
        super().__init__(objectives, weights)
        self.seed = seed

    def score(self, rewards):
        return rewards.sum(dim=1)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "seeded.py").write_text(MINE)
    return make_root(tmp_path)


def refusal(root: Path, **changes: Any) -> str:
    """Return the one line that a study is refused with, after the name of its file."""
    with pytest.raises(CrosstalkError) as caught:
        load_study(root, **changes)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{WHERE}: ")
    return message.removeprefix(f"{WHERE}: ")


# --- an estimator that makes no sense --------------------------------------------------------


@pytest.mark.parametrize("name", ["gdpo", "mo_grpo", "rvpo", "dvao"])
def test_methods_with_their_own_advantages_want_grpo(root: Path, name: str) -> None:
    message = refusal(root, algorithms={name: None}, training={"estimator": "rloo"})
    assert message == (
        f"algorithms.{name}: {name!r} makes no sense with training.estimator: "
        "found 'rloo', allowed: grpo"
    )
    assert load_study(root, algorithms={name: None}, training={"estimator": "grpo"}).cells


def test_an_entry_under_another_name_is_named_by_its_id(root: Path) -> None:
    message = refusal(
        root,
        algorithms={"linear": None, "mine": {"scalarizer": "gdpo"}},
        training={"estimator": "reinforce_plus_plus"},
    )
    assert message.startswith("algorithms.mine: 'gdpo' makes no sense")


def test_a_users_class_declares_its_estimators_too(root: Path) -> None:
    algorithms = {"mine": {"scalarizer": "seeded:Seeded"}}
    assert "found 'grpo', allowed: dr_grpo, rloo" in refusal(root, algorithms=algorithms)
    assert load_study(root, algorithms=algorithms, training={"estimator": "rloo"}).cells


@pytest.mark.parametrize("name", ["linear", "famo", "mgda", "torchjd:UPGrad"])
def test_others_go_with_any_estimator(root: Path, name: str) -> None:
    algorithms = {"one": {"scalarizer": name}}
    assert load_study(root, algorithms=algorithms, training={"estimator": "rloo"}).cells


# --- names and parameters --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scalarizer": "torchjd:UPGard"}, "unknown algorithm 'torchjd:UPGard'; did you mean"),
        ({"scalarizer": "torchjd:CAGrad"}, "parameter 'c' is missing"),
        ({"scalarizer": "torchjd:Krum", "n_byzantine": 1}, "TorchJD refuses {'n_byzantine': 1}"),
        ({"scalarizer": "mgda", "normalise": True}, "unknown parameter 'normalise'; did you mean"),
        ({"scalarizer": "famo", "upper_bounds": [1]}, "upper_bounds: expected a list of 3"),
        ({"scalarizer": "lagrangian", "thresholds": [1]}, "thresholds: expected a list of 2"),
        ({"scalarizer": "ctwa", "targets": [1]}, "targets: expected a list of 3"),
        (
            {"scalarizer": "tchebycheff", "reference_point": [1, 1]},
            "reference_point: expected a list of 3",
        ),
    ],
)
def test_wrong_parameters_are_named(root: Path, given: dict, message: str) -> None:
    found = refusal(root, algorithms={"one": given}, objective_sets={"math3": None})
    assert found.startswith("algorithms.one: ")
    assert message in found


# --- the seed of a scalarizer that draws -----------------------------------------------------


def test_a_scalarizer_that_takes_a_seed_gets_the_cells(root: Path) -> None:
    study = load_study(root, algorithms={"random": None}, seeds=[3, 5])
    scalarizers = [cell.make_scalarizer() for cell in study.cells]
    assert all(isinstance(scalarizer, Random) for scalarizer in scalarizers)
    assert {scalarizer.seed for scalarizer in scalarizers} == {3, 5}  # type: ignore[attr-defined]


def test_a_seed_in_the_study_wins(root: Path) -> None:
    study = load_study(root, algorithms={"random": {"seed": 11}}, seeds=[3, 5])
    seeds = {cell.make_scalarizer().seed for cell in study.cells}  # type: ignore[attr-defined]
    assert seeds == {11}


def test_a_users_class_gets_the_seed_by_its_signature(root: Path) -> None:
    study = load_study(
        root,
        algorithms={"mine": {"scalarizer": "seeded:Seeded"}, "linear": None},
        training={"estimator": "rloo"},
        seeds=[3],
    )
    mine, linear = study.cells[:2]
    assert mine.make_scalarizer().seed == 3  # type: ignore[attr-defined]
    assert linear.make_scalarizer().weights.sum().item() == pytest.approx(1)
