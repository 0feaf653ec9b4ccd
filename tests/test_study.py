import sys
from pathlib import Path
from typing import Any

import pytest
from studies import STUDY, WHERE, load_study, make_root, tree, write_study

from benchmark.errors import CrosstalkError
from benchmark.scalarizers import CTWA, Single
from benchmark.study import Study, study_names

MINE = """\
from benchmark.scalarizers import ScoreScalarizer


class Mine(ScoreScalarizer):
    def __init__(self, objectives, weights=None, *, power=1.0):
        super().__init__(objectives, weights)
        self.power = power

    def score(self, rewards):
        return rewards.sum(dim=1) ** self.power
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def refusal(root: Path, **changes: Any) -> str:
    """Return the one line that a wrong study is refused with; nothing may be written."""
    write_study(root, **changes)
    before = tree(root)
    with pytest.raises(CrosstalkError) as caught:
        Study.load(STUDY, root)
    assert tree(root) == before
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{WHERE}: ")
    return message.removeprefix(f"{WHERE}: ")


def ids(study: Study) -> list[str]:
    return [cell.id for cell in study.cells]


# --- the matrix ------------------------------------------------------------------------------


def test_the_cells_are_the_product_of_the_axes(root: Path) -> None:
    found = ids(load_study(root))
    assert len(found) == len(set(found)) == 2 * 2 * (2 + 3) + 2 * 2 * (2 + 2)
    assert found[:3] == [
        "tiny-qwen2-base/math3/linear/seed0",
        "tiny-qwen2-base/math3/linear/seed1",
        "tiny-qwen2-base/math3/ctwa/seed0",
    ]


def test_each_stands_for_one_cell_per_objective_of_the_set(root: Path) -> None:
    study = load_study(root, seeds=[0], algorithms={"single": {"objective": "each"}})
    assert ids(study)[:5] == [
        "tiny-qwen2-base/math3/single-accuracy/seed0",
        "tiny-qwen2-base/math3/single-conciseness/seed0",
        "tiny-qwen2-base/math3/single-clarity/seed0",
        "tiny-qwen2-base/accuracy-conciseness/single-accuracy/seed0",
        "tiny-qwen2-base/accuracy-conciseness/single-conciseness/seed0",
    ]
    scalarizer = study.cells[2].make_scalarizer()
    assert isinstance(scalarizer, Single)
    assert scalarizer.objective == "clarity"


def test_an_algorithm_may_stand_twice_with_other_parameters(root: Path) -> None:
    study = load_study(
        root, algorithms={"slow": {"scalarizer": "ctwa", "step_size": 0.01}, "ctwa": None}
    )
    slow = study.cell("tiny-qwen3-base/math3/slow/seed1").make_scalarizer()
    assert isinstance(slow, CTWA)
    assert slow.step_size == 0.01


def test_exclude_drops_the_cells_that_agree_with_every_axis_given(root: Path) -> None:
    everything = set(ids(load_study(root)))
    left = set(ids(load_study(root, exclude=[{"model": "tiny-qwen3-base", "seed": 1}])))
    dropped = everything - left
    assert left < everything
    assert dropped == {i for i in everything if i.startswith("tiny-qwen3") and i.endswith("seed1")}


def test_include_adds_exactly_one_cell(root: Path) -> None:
    before = ids(load_study(root))
    extra = {
        "model": "tiny-qwen2-ift",  # not on the axis, but in models.yaml
        "objectives": "math3",
        "algorithm": "single-clarity",
        "seed": 7,
    }
    after = ids(load_study(root, include=[extra]))
    assert after == [*before, "tiny-qwen2-ift/math3/single-clarity/seed7"]


def test_include_brings_back_one_excluded_cell(root: Path) -> None:
    chosen = {
        "model": "tiny-qwen3-base",
        "objectives": "math3",
        "algorithm": "linear",
        "seed": 0,
    }
    found = ids(load_study(root, exclude=[{"model": "tiny-qwen3-base"}], include=[chosen]))
    assert [i for i in found if "qwen3" in i] == ["tiny-qwen3-base/math3/linear/seed0"]


def test_a_cell_is_found_by_its_id_and_an_unknown_one_named(root: Path) -> None:
    study = load_study(root)
    cell = study.cell("tiny-qwen2-base/math3/linear/seed1")
    assert (cell.seed, cell.objectives) == (1, ("accuracy", "conciseness", "clarity"))
    assert cell.folder == root / "results/runs/lab/tiny-qwen2-base/math3/linear/seed1"
    with pytest.raises(CrosstalkError, match=r"unknown cell 'tiny-qwen2-base/math3/linaer/seed1'"):
        study.cell("tiny-qwen2-base/math3/linaer/seed1")


def test_a_models_own_learning_rate_and_memory_win(root: Path) -> None:
    study = load_study(
        root,
        models={"tiny-qwen2-base": {"learning_rate": 1e-5, "memory_mb": 500}, "hub-model": None},
        training={"learning_rate": 2e-5},
    )
    rates = {cell.model: cell.learning_rate for cell in study.cells}
    assert rates == {"tiny-qwen2-base": 1e-5, "hub-model": 2e-5}
    assert study.memory_mb("tiny-qwen2-base") == 500
    assert study.memory_mb("hub-model") == 2000


def test_models_are_prepared_after_those_they_are_made_from(root: Path) -> None:
    study = load_study(root, models={"tiny-qwen2-ift": None, "tiny-qwen3-base": None})
    assert study.preparation_order() == ["tiny-qwen2-base", "tiny-qwen2-ift", "tiny-qwen3-base"]


def test_a_set_of_ones_own_has_its_own_objectives_and_weights(root: Path) -> None:
    sets = {"mine": {"objectives": ["clarity", "accuracy"], "weights": [1, 3]}}
    cell = load_study(root, objective_sets=sets).cells[0]
    assert cell.objectives == ("clarity", "accuracy")
    assert cell.make_scalarizer().weights.tolist() == [0.25, 0.75]
    assert cell.specification["objectives"] == {
        "names": ["clarity", "accuracy"],
        "weights": (1.0, 3.0),
    }


# --- where a study comes from ----------------------------------------------------------------


def test_a_study_is_found_by_its_path_anywhere(root: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "own.yaml"
    write_study(root).rename(elsewhere)
    study = Study.load(str(elsewhere), root)
    assert (study.name, study.where) == ("own", str(elsewhere))
    assert study.cells[0].folder.is_relative_to(root / "results" / "runs" / "own")


@pytest.mark.parametrize("name", ["none.yaml", "workflow/studies"])
def test_a_study_that_is_not_there_is_named(root: Path, name: str) -> None:
    with pytest.raises(CrosstalkError, match=name):
        Study.load(name, root)


def test_an_unknown_study_brings_the_closest_name(root: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"unknown study 'lap'; did you mean 'lab'\?"):
        Study.load("lap", root)


@pytest.mark.parametrize("name", study_names(Path(__file__).parents[1]))
def test_every_study_of_the_project_is_valid(name: str) -> None:
    assert Study.load(name, Path(__file__).parents[1]).cells


@pytest.mark.parametrize("beside", ["the study", "the current folder"])
def test_a_scalarizer_from_a_users_own_file(
    root: Path, tmp_path_factory: Any, monkeypatch: pytest.MonkeyPatch, beside: str
) -> None:
    module = f"mine_beside_{beside.replace(' ', '_')}"
    folder, here = tmp_path_factory.mktemp("user"), tmp_path_factory.mktemp("here")
    ((folder if beside == "the study" else here) / f"{module}.py").write_text(MINE)
    algorithms = {"mine": {"scalarizer": f"{module}:Mine", "power": 2.0}}
    study_file = folder / "own.yaml"
    write_study(root, algorithms=algorithms).rename(study_file)
    monkeypatch.chdir(here)
    scalarizer = Study.load(str(study_file), root).cells[0].make_scalarizer()
    assert type(scalarizer).__name__ == "Mine"
    assert scalarizer.power == 2.0  # type: ignore[attr-defined]


def test_loading_a_study_leaves_the_places_of_modules_as_they_were(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ["", str(root / "workflow" / "studies"), *sys.path]  # the study's own folder early
    monkeypatch.setattr(sys, "path", list(before))
    load_study(root)
    assert sys.path == before


def test_a_parameter_that_a_users_scalarizer_lacks_is_named(root: Path) -> None:
    (root / "mine_lacking.py").write_text(MINE)
    entry = {"scalarizer": "mine_lacking:Mine", "pover": 2}
    message = refusal(root, algorithms={"mine": entry})
    assert message.startswith("algorithms.mine: ")
    assert "unknown parameter 'pover'; did you mean 'power'?" in message


# --- names that stand for nothing, and values that do not fit --------------------------------

CHOICE = {"model": "tiny-qwen2-base", "objectives": "math3", "algorithm": "linear", "seed": 0}
UNKNOWN = [
    ({"models": {"tiny-qwen2-bse": None}}, "models", "model", "tiny-qwen2-base"),
    ({"algorithms": {"lineer": None}}, "algorithms.lineer", "algorithm", "linear"),
    ({"algorithms": {"a": {"scalarizer": "ctva"}}}, "algorithms.a", "algorithm", "ctwa"),
    ({"objective_sets": {"math4": None}}, "objective_sets", "objective set", "math3"),
    (
        {"objective_sets": {"mine": {"objectives": ["accuracy", "clarty"]}}},
        "objective_sets.mine",
        "objective",
        "clarity",
    ),
    ({"training": {"estimator": "grop"}}, "training.estimator", "estimator", "grpo"),
    ({"task": {"name": "aritmetic"}}, "task.name", "task", "arithmetic"),
    ({"include": [CHOICE | {"model": "hub-modl"}]}, "include.model", "model", "hub-model"),
    (
        {"include": [CHOICE | {"objectives": "math"}]},
        "include.objectives",
        "objective set",
        "math3",
    ),
    (
        {"include": [CHOICE | {"algorithm": "single-clarty"}]},
        "include.algorithm",
        "algorithm",
        "single-clarity",
    ),
    ({"exclude": [{"model": "tiny-qwen3-bas"}]}, "exclude.0", "model", "tiny-qwen3-base"),
    ({"exclude": [{"objectives": "math"}]}, "exclude.0", "objective set", "math3"),
    ({"exclude": [{"seed": 1}, {"algorithm": "lin"}]}, "exclude.1", "algorithm", "linear"),
    ({"exclude": [{"seed": 10}]}, "exclude.0", "seed", "1"),
]


@pytest.mark.parametrize(("changes", "key", "kind", "closest"), UNKNOWN)
def test_an_unknown_name_is_told_with_its_key_and_the_closest_one(
    root: Path, changes: dict[str, Any], key: str, kind: str, closest: str
) -> None:
    message = refusal(root, **changes)
    assert message.startswith(f"{key}: unknown {kind} ")
    assert f"did you mean {closest!r}?" in message
    assert "(known: " in message


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([1, 2], "should have one value per objective (3: accuracy, conciseness, clarity)"),
        ([], "should have one value per objective (3: accuracy, conciseness, clarity)"),
        ([1, 2, -1], "should be a list of 3 finite numbers, each at least 0"),
        ([0, 0, 0], "should have a positive, finite sum"),
    ],
)
def test_weights_that_do_not_fit_are_refused(root: Path, weights: list[float], reason: str) -> None:
    message = refusal(root, objective_sets={"math3": {"weights": weights}})
    found = tuple(map(float, weights))
    assert message == f"objective_sets.math3: weights: {found} {reason}"


def test_an_objective_given_twice_is_refused(root: Path) -> None:
    sets = {"mine": {"objectives": ["accuracy", "accuracy"]}}
    message = refusal(root, objective_sets=sets)
    assert message.startswith("objective_sets.mine: objectives: ['accuracy', 'accuracy'] ")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"step_sice": 1}, "unknown parameter 'step_sice'; did you mean 'step_size'?"),
        ({"targets": [1, 2]}, "targets: [1, 2] should be a list of 3 finite numbers"),
        ({"step_size": "much"}, "step_size: 'much' should be a number, at least 0"),
        ({"use_correlation": 1}, "use_correlation: 1 should be true or false"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(
    root: Path, entry: dict[str, Any], reason: str
) -> None:
    message = refusal(root, algorithms={"mine": entry | {"scalarizer": "ctwa"}})
    assert message.startswith("algorithms.mine: ")
    assert reason in message


def test_a_required_parameter_that_is_missing_is_named(root: Path) -> None:
    message = refusal(root, algorithms={"single": None})
    assert "algorithms.single: " in message
    assert "parameter 'objective' is missing" in message


def test_each_goes_only_with_methods_of_one_objective(root: Path) -> None:
    message = refusal(root, algorithms={"linear": {"objective": "each"}})
    assert "algorithm 'linear': unknown parameter 'objective'" in message


@pytest.mark.parametrize("key", ["weights", "objectives", "name"])
def test_parameters_that_other_keys_set_are_refused(root: Path, key: str) -> None:
    message = refusal(root, algorithms={"linear": {key: [1, 1, 1]}})
    assert message == f"algorithms.linear.{key}: not a parameter; weights go with objective_sets"


@pytest.mark.parametrize("value", [3, None, ["linear"]])
def test_a_scalarizer_that_is_no_name_is_refused(root: Path, value: Any) -> None:
    message = refusal(root, algorithms={"a": {"scalarizer": value}})
    assert message == f"algorithms.a.scalarizer: found {value!r}: not a name"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nowhere_to_be_found:Mine", "cannot import 'nowhere_to_be_found'"),
        ("mine_broken:Mine", "cannot import 'mine_broken': ValueError: two lines"),
        ("mine_other:Mien", "unknown class 'Mien'; did you mean 'Mine'?"),
        ("mine_other:NOT_ONE", "should be a subclass of ScoreScalarizer"),
    ],
)
def test_a_users_module_that_does_not_serve_is_told_in_one_line(
    root: Path, name: str, reason: str
) -> None:
    (root / "mine_broken.py").write_text("raise ValueError('two\\nlines')\n")
    (root / "mine_other.py").write_text(f"{MINE}\n\nNOT_ONE = 3\n")
    message = refusal(root, algorithms={"mine": {"scalarizer": name}})
    assert message.startswith(f"algorithms.mine: algorithm {name!r}")
    assert reason in message


def test_two_entries_that_make_the_same_cells_are_refused(root: Path) -> None:
    algorithms = {"single": {"objective": "each"}, "single-clarity": {"scalarizer": "linear"}}
    message = refusal(root, algorithms=algorithms)
    assert message == "algorithms: 'single-clarity' is made twice; rename one"


def test_a_matrix_without_cells_is_refused(root: Path) -> None:
    message = refusal(root, exclude=[{"seed": 0}, {"seed": 1}])
    assert message == "exclude: no cell is left"


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_larger_than_the_task_is_refused(root: Path, split: str) -> None:
    message = refusal(root, task={split: 10**6})
    assert message.startswith(f"task.{split}: ")
    assert f"the {split} split was asked for 1000000 problems, allowed are 1 to " in message


def test_a_parameter_that_the_task_lacks_is_named(root: Path) -> None:
    message = refusal(root, task={"parameters": {"levels": 3}})
    assert message.startswith("task.parameters: ")
    assert "levels" in message


def test_a_wrong_entry_of_the_models_file_is_told_with_that_file(root: Path) -> None:
    (root / "models.yaml").write_text("a: {recipe: tiny-qwen2-base, revison: x}\n")
    with pytest.raises(CrosstalkError, match=r"^models.yaml: a: unknown key 'revison'; did you"):
        Study.load(STUDY, root)


def test_ten_thousand_cells_have_ten_thousand_hashes(root: Path) -> None:
    algorithms = {f"c{i}": {"scalarizer": "ctwa", "step_size": 0.01 * i} for i in range(1, 26)}
    study = load_study(root, algorithms=algorithms, seeds=list(range(100)))
    assert len(study.cells) == 10_000
    assert len({cell.hash for cell in study.cells}) == 10_000
