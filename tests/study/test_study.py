import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from reward_models import build_reward_model
from studies import STUDY, WHERE, load_study, make_root, tree, write_study

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import content_digest
from benchmark.objectives import OBJECTIVE_SETS as NAMED
from benchmark.objectives import RewardModel
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
        load_study(STUDY, root)
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


# --- objectives with parameters --------------------------------------------------------------

OBJECTIVES: dict[str, Any] = {
    "helpful": {"objective": "reward_model", "model": "reward", "batch_size": 4},
    "short": {"objective": "length_penalty", "target": 16, "limit": 48},
    "shorter": {"objective": "length_penalty", "target": 4, "limit": 12},
}
SETS = {"hh": {"objectives": ["helpful", "short", "shorter", "accuracy"]}, "math3": None}


@pytest.fixture
def reward(root: Path) -> Path:
    """The folder of a reward model that ``models.yaml`` knows as ``reward``."""
    with (root / "models.yaml").open("a") as file:
        file.write("reward: {path: reward, resources: {memory_mb: 300}}\n")
    return build_reward_model(root / "reward")


def load_hh(root: Path, **changes: Any) -> Study:
    """Load the study with two sets and :data:`OBJECTIVES`, some entries changed."""
    return load_study(root, objectives=OBJECTIVES | changes, objective_sets=SETS)


def test_an_id_of_a_set_is_an_objective_with_parameters_or_one_of_the_package(
    root: Path, reward: Path
) -> None:
    study = load_hh(root)
    helpful, short, shorter, accuracy = study.make_objectives("hh")
    assert study.objective_names("hh") == ("helpful", "short", "shorter", "accuracy")
    assert [o.name for o in (helpful, short, shorter, accuracy)] == list(SETS["hh"]["objectives"])
    assert isinstance(helpful, RewardModel)
    assert (helpful.folder, helpful.batch_size) == (root / "results/models/reward", 4)
    assert short(completions=["x"], completion_ids=[[0] * 32]) == [0.5]
    assert shorter(completions=["x"], completion_ids=[[0] * 8]) == [0.5]
    assert study.cells[0].make_scalarizer().objectives == study.objective_names("hh")


def test_an_objective_may_keep_its_own_name_and_get_parameters(root: Path) -> None:
    study = load_study(root, objectives={"conciseness": {"threshold": 9}})
    first, second = study.make_objectives("accuracy-conciseness")
    assert second.name == "conciseness"
    assert second(completions=["x", "x"], completion_ids=[[0] * 8, [0] * 9]) == [1, 0]
    assert first.name == "accuracy"


def test_each_stands_for_ids_of_the_study_as_well(root: Path, reward: Path) -> None:
    study = load_hh(root)
    found = {algorithm.id for algorithm in study.algorithms("hh")}
    assert {"single-helpful", "single-short", "single-shorter", "single-accuracy"} <= found


def test_a_sets_models_are_prepared_too_and_ask_for_memory(root: Path, reward: Path) -> None:
    study = load_hh(root)
    assert study.preparation_order() == ["tiny-qwen2-base", "reward", "tiny-qwen3-base"]
    assert study.objective_models("hh") == ("reward",)
    assert study.objective_models("math3") == ()
    assert study.memory_mb("tiny-qwen2-base", "hh") == 2300
    assert study.memory_mb("tiny-qwen2-base", "math3") == 2000
    assert study.memory_mb("reward") == 300


def hashes(study: Study, objective_set: str) -> dict[str, set[str]]:
    """Return the hashes of a set's cells, and of the evaluations of its initial policies."""
    cells = [cell for cell in study.cells if cell.objective_set == objective_set]
    baselines = {study.baseline_hash(cell.model, objective_set) for cell in cells}
    return {
        "training": {cell.training_hash for cell in cells},
        "cell": {cell.hash for cell in cells},
        "baseline": baselines,
    }


def assert_all_differ(first: dict[str, set[str]], second: dict[str, set[str]]) -> None:
    assert all(first[kind] and not first[kind] & second[kind] for kind in first)


@pytest.mark.parametrize(
    "changes",
    [
        {"short": OBJECTIVES["short"] | {"limit": 49}},
        {"short": OBJECTIVES["short"] | {"shape": "cosine"}},
        {"helpful": OBJECTIVES["helpful"] | {"squash": False}},
        {"short": {"objective": "format"}},
    ],
)
def test_other_parameters_rerun_the_sets_that_name_them_and_no_other(
    root: Path, reward: Path, changes: dict[str, Any]
) -> None:
    before, after = load_hh(root), load_hh(root, **changes)
    assert_all_differ(hashes(before, "hh"), hashes(after, "hh"))
    assert hashes(before, "math3") == hashes(after, "math3")


def test_another_reward_model_reruns_the_sets_that_read_it_and_no_other(
    root: Path, reward: Path
) -> None:
    before = load_hh(root)
    expected = {set_: hashes(before, set_) for set_ in SETS}
    shutil.rmtree(reward)
    build_reward_model(reward, seed=1)
    content_digest.cache_clear()
    after = load_hh(root)
    assert_all_differ(expected["hh"], hashes(after, "hh"))
    assert hashes(after, "math3") == expected["math3"]


def test_the_parameters_are_in_the_specification_and_an_unused_entry_is_not(
    root: Path, reward: Path
) -> None:
    study = load_hh(root, unused={"objective": "clarity"})
    (hh,) = {
        cell.objective_set: cell for cell in study.cells if cell.objective_set == "hh"
    }.values()
    given = hh.specification["objectives"]["given"]
    assert list(given) == ["helpful", "short", "shorter"]
    assert given["short"] == {
        "objective": "length_penalty",
        "parameters": {"target": 16, "limit": 48},
    }
    assert given["helpful"]["parameters"]["model"] == study.model_digest("reward")
    other = load_hh(root)
    assert hashes(study, "hh") == hashes(other, "hh")


def test_the_sources_of_an_entry_are_those_of_what_it_stands_for(root: Path, reward: Path) -> None:
    names = {path.name for path in load_hh(root).scoring_sources(("short", "helpful"))}
    assert {"length_penalty.py", "reward_model.py", "scorer.py", "policies.py"} <= names
    assert not {"format.py", "clarity.py", "study.py", "models.py"} & names


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"limti": 9}, ": objective 'length_penalty': unknown parameter 'limti'; did you mean"),
        (
            {"shape": 3},
            ": objective 'length_penalty': shape: expected one of linear, cosine, got 3",
        ),
        ({"limit": 16}, ": objective 'length_penalty': limit: expected more than the target"),
        ({"objective": 3}, ".objective: found 3: not a name"),
        ({"objective": "reward_model", "model": 3}, ".model: found 3: not a name"),
        ({"objective": "reward_model"}, ": objective 'reward_model': unknown parameter 'target'"),
    ],
)
def test_an_objectives_parameters_that_do_not_fit_are_refused(
    root: Path, entry: dict[str, Any], reason: str
) -> None:
    message = refusal(root, objectives={"short": OBJECTIVES["short"] | entry})
    assert message.startswith(f"objectives.short{reason}")


def test_a_set_that_names_an_objective_without_its_parameters_is_refused(root: Path) -> None:
    message = refusal(root, objective_sets={"a": {"objectives": ["accuracy", "length_penalty"]}})
    assert message.startswith("objective_sets.a: objective 'length_penalty': parameter 'target' is")


def test_an_id_of_the_package_stands_for_nothing_else(root: Path) -> None:
    message = refusal(root, objectives={"accuracy": {"objective": "clarity"}})
    assert message.startswith("objectives.accuracy.objective: found 'clarity', allowed is 'accurac")


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("tokenizer.json", None, "reward: no tokenizer; one of "),
        ("model.safetensors", None, "reward: no weights; "),
        ("config.json", "{", "reward/config.json: is not JSON"),
        (
            "config.json",
            '{"model_type": "qwen2", "architectures": ["Qwen2ForCausalLM"]}',
            "reward/config.json: architectures: expected a sequence ",
        ),
        (
            "config.json",
            '{"model_type": "qwen2", "architectures": ["Qwen2ForSequenceClassification"]}',
            "label: expected one of the 2 outputs of the model in reward",
        ),
    ],
)
def test_a_reward_models_folder_that_does_not_serve_is_told(
    root: Path, reward: Path, file: str, content: str | None, reason: str
) -> None:
    (reward / file).unlink()
    if content is not None:
        (reward / file).write_text(content)
    message = refusal(root, objectives=OBJECTIVES)
    assert message.startswith(f"objectives.helpful: {reason}")


def test_a_reward_model_of_the_hub_is_not_looked_at_before_it_is_there(root: Path) -> None:
    entry = {"objective": "reward_model", "model": "hub-model"}
    study = load_study(
        root, objectives={"h": entry}, objective_sets={"a": {"objectives": ["h", "format"]}}
    )
    assert study.objective_models("a") == ("hub-model",)


@pytest.mark.parametrize(("name", "count"), [(n, len(members)) for n, members in NAMED.items()])
def test_every_named_set_makes_a_study(root: Path, name: str, count: int) -> None:
    study = load_study(root, objective_sets={name: None}, algorithms={"linear": None})
    assert len(study.make_objectives(name)) == count


# --- where a study comes from ----------------------------------------------------------------


def test_a_study_is_found_by_its_path_anywhere(root: Path, tmp_path_factory: Any) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "own.yaml"
    write_study(root).rename(elsewhere)
    study = load_study(str(elsewhere), root)
    assert (study.name, study.where) == ("own", str(elsewhere))
    assert study.cells[0].folder.is_relative_to(root / "results" / "runs" / "own")


@pytest.mark.parametrize("name", ["none.yaml", "workflow/studies"])
def test_a_study_that_is_not_there_is_named(root: Path, name: str) -> None:
    with pytest.raises(CrosstalkError, match=name):
        load_study(name, root)


def test_an_unknown_study_brings_the_closest_name(root: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"unknown study 'lap'; did you mean 'lab'\?"):
        load_study("lap", root)


@pytest.mark.parametrize("name", study_names(Path(__file__).parents[2]))
def test_every_study_of_the_project_is_valid(name: str) -> None:
    assert load_study(name, Path(__file__).parents[2]).cells


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
    scalarizer = load_study(str(study_file), root).cells[0].make_scalarizer()
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

MINE_TOO = {"short": {"objective": "length_penalty", "target": 16, "limit": 48}}
CHOICE = {"model": "tiny-qwen2-base", "objectives": "math3", "algorithm": "linear", "seed": 0}
UNKNOWN = [
    ({"models": {"tiny-qwen2-bse": None}}, "models", "model", "tiny-qwen2-base"),
    ({"algorithms": {"lineer": None}}, "algorithms.lineer", "algorithm", "linear"),
    ({"algorithms": {"a": {"scalarizer": "ctva"}}}, "algorithms.a", "algorithm", "ctwa"),
    ({"objective_sets": {"maths3": None}}, "objective_sets", "objective set", "math3"),
    (
        {"objective_sets": {"mine": {"objectives": ["accuracy", "clarty"]}}},
        "objective_sets.mine",
        "objective",
        "clarity",
    ),
    (
        {"objectives": MINE_TOO, "objective_sets": {"a": {"objectives": ["shrot"]}}},
        "objective_sets.a",
        "objective",
        "short",
    ),
    ({"objectives": {"formt": None}}, "objectives.formt", "objective", "format"),
    ({"objectives": {"a": {"objective": "clarty"}}}, "objectives.a", "objective", "clarity"),
    (
        {"objectives": {"a": {"objective": "reward_model", "model": "hub-modl"}}},
        "objectives.a.model",
        "model",
        "hub-model",
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
        ([1, 2], "one number per objective (3: accuracy, conciseness, clarity)"),
        ([], "one number per objective (3: accuracy, conciseness, clarity)"),
        ([1, 2, -1], "a list of 3 finite numbers, each at least 0"),
        ([0, 0, 0], "a positive, finite sum"),
    ],
)
def test_weights_that_do_not_fit_are_refused(root: Path, weights: list[float], reason: str) -> None:
    message = refusal(root, objective_sets={"math3": {"weights": weights}})
    found = tuple(map(float, weights))
    assert message == f"objective_sets.math3: weights: expected {reason}, got {found}"


def test_an_objective_given_twice_is_refused(root: Path) -> None:
    sets = {"mine": {"objectives": ["accuracy", "accuracy"]}}
    message = refusal(root, objective_sets=sets)
    assert message.startswith("objective_sets.mine: objectives: expected one or more distinct")


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"step_sice": 1}, "unknown parameter 'step_sice'; did you mean 'step_size'?"),
        ({"targets": [1, 2]}, "targets: expected a list of 3 finite numbers, got [1, 2]"),
        ({"step_size": "much"}, "step_size: expected a number of at least 0, got 'much'"),
        ({"use_correlation": 1}, "use_correlation: expected true or false, got 1"),
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
        ("mine_other:NOT_ONE", "expected a subclass of ScoreScalarizer"),
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
    assert f"{split}: expected 1 to " in message


def test_a_parameter_that_the_task_lacks_is_named(root: Path) -> None:
    message = refusal(root, task={"parameters": {"levels": 3}})
    assert message.startswith("task.parameters: ")
    assert "levels" in message


def own_table(root: Path, count: int = 9) -> dict[str, Any]:
    """Write a table of problems and return what a study says of it."""
    rows = [json.dumps({"prompt": f"1 + {n}", "answer": n + 1}) for n in range(count)]
    (root / "mine.jsonl").write_text("\n".join(rows))
    return {"name": "table", "path": "mine.jsonl", "train": 5, "validation": 1, "test": 1}


SHORT = {"prompts_per_step": 4}


def test_where_a_tasks_data_are_from_may_stand_beside_its_name(root: Path) -> None:
    told = own_table(root)
    beside = load_study(root, task=told, training=SHORT)
    path = told.pop("path")
    among = load_study(root, task=told | {"parameters": {"path": path}}, training=SHORT)
    assert beside.file == among.file
    assert beside.task.split("train", 5) == among.task.split("train", 5)
    assert refusal(root, task=told | {"path": path, "parameters": {"path": path}}).endswith(
        "path is given twice, here and among the parameters"
    )


def test_editing_the_users_data_is_another_cell(root: Path) -> None:
    before = load_study(root, task=own_table(root), training=SHORT).cells[0]
    assert load_study(root, task=own_table(root), training=SHORT).cells[0].hash == before.hash
    told = own_table(root, count=10)
    content_digest.cache_clear()
    after = load_study(root, task=told, training=SHORT).cells[0]
    assert after.training_hash != before.training_hash
    assert after.hash != before.hash


def test_a_table_that_is_too_small_is_refused(root: Path) -> None:
    message = refusal(root, task=own_table(root) | {"train": 6}, training=SHORT)
    assert message.startswith("task.train: task 'table': train: expected 1 to ")


def test_a_study_of_data_not_downloaded_yet_has_its_cells_and_says_what_it_needs(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root / "no cache"))
    study = load_study(root, task={"name": "math500", "train": 300, "validation": 100, "test": 100})
    assert len(study.cells) == len({cell.hash for cell in study.cells}) > 0
    (need,) = study.task.needs()
    assert need.repo == "HuggingFaceH4/MATH-500"
    with pytest.raises(CrosstalkError, match="not downloaded yet: run `crosstalk prepare`"):
        study.task.split("test", 100)
    other = load_study(root, task={"name": "math500", "revision": "0" * 40})
    assert other.cells[0].hash != study.cells[0].hash
    assert refusal(root, task={"name": "gsm8k"}).startswith("task.parameters: dataset openai/gsm8k")


def test_a_wrong_entry_of_the_models_file_is_told_with_that_file(root: Path) -> None:
    (root / "models.yaml").write_text("a: {recipe: tiny-qwen2-base, revison: x}\n")
    with pytest.raises(CrosstalkError, match=r"^models.yaml: a: unknown key 'revison'; did you"):
        load_study(STUDY, root)


def test_ten_thousand_cells_have_ten_thousand_hashes(root: Path) -> None:
    algorithms = {f"c{i}": {"scalarizer": "ctwa", "step_size": 0.01 * i} for i in range(1, 26)}
    study = load_study(root, algorithms=algorithms, seeds=list(range(100)))
    assert len(study.cells) == 10_000
    assert len({cell.hash for cell in study.cells}) == 10_000
