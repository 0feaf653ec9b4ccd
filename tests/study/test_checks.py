"""What a study is refused for: names that stand for nothing, and values that do not fit.

The parameters of methods, objectives and tasks are tested with those; here, where they are placed.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from reward_models import build_reward_model
from studies import STUDY, WHERE, load_study, make_root, tree, write_study

from benchmark.common.errors import CrosstalkError
from benchmark.study import check
from benchmark.study import load_study as load

MINE = """\
from benchmark.scalarizers import ScoreScalarizer


class Picky(ScoreScalarizer):
    estimators = frozenset({"rloo", "dr_grpo"})

    def score(self, rewards):
        return rewards.sum(dim=1)
"""
SHORT = {"short": {"objective": "length_penalty", "target": 16, "limit": 48}}
CHOICE = {"model": "tiny-qwen2-base", "objectives": "math3", "algorithm": "linear", "seed": 0}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "picky.py").write_text(MINE)
    return make_root(tmp_path)


def refusal(root: Path, **changes: Any) -> str:
    """Return the one line that a wrong study is refused with; nothing may be written."""
    write_study(root, **changes)
    before = tree(root)
    with pytest.raises(CrosstalkError) as caught:
        check(load(STUDY, root))
    assert tree(root) == before
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith((f"{WHERE}: ", "models.yaml: "))
    return message.removeprefix(f"{WHERE}: ")


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
        {"objectives": SHORT, "objective_sets": {"a": {"objectives": ["shrot"]}}},
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
        ([1, 2], "expected one number per objective (3: accuracy, conciseness, clarity)"),
        ([], "expected one number per objective (3: accuracy, conciseness, clarity)"),
        ([1, 2, -1], "expected a list of 3 finite numbers, each at least 0"),
        ([0, 0, 0], "expected a positive, finite sum"),
    ],
)
def test_weights_that_do_not_fit_are_refused(root: Path, weights: list[float], reason: str) -> None:
    message = refusal(root, objective_sets={"math3": {"weights": weights}})
    found = tuple(map(float, weights))
    assert message == f"objective_sets.math3: weights: {reason}, got {found}"


def test_an_objective_given_twice_is_refused(root: Path) -> None:
    sets = {"mine": {"objectives": ["accuracy", "accuracy"]}}
    message = refusal(root, objective_sets=sets)
    assert message.startswith(
        "objective_sets.mine: objectives: expected one or more distinct names"
    )


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
    assert message == f"algorithms.a.scalarizer: expected a name, got {value!r}"


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
    assert message.startswith(f"task.{split}: task 'arithmetic': {split}: expected 1 to ")
    assert message.endswith("got 1000000")


# --- parameters, each at its key --------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"algorithms": {"mine": {"scalarizer": "ctwa", "step_sice": 1}}},
            "algorithms.mine: algorithm 'ctwa': unknown parameter 'step_sice'; did you mean 'step",
        ),
        (
            {"algorithms": {"mine": {"scalarizer": "nowhere_to_be_found:Mine"}}},
            "algorithms.mine: algorithm 'nowhere_to_be_found:Mine': cannot import 'nowhere_to_be",
        ),
        (
            {"objectives": {"short": SHORT["short"] | {"limti": 9}}},
            "objectives.short: objective 'length_penalty': unknown parameter 'limti'; did you mean",
        ),
        (
            {"objectives": {"short": SHORT["short"] | {"objective": 3}}},
            "objectives.short.objective: expected a name, got 3",
        ),
        (
            {"objectives": {"short": {"objective": "reward_model", "model": 3}}},
            "objectives.short.model: expected a name, got 3",
        ),
        (
            {"objectives": {"accuracy": {"objective": "clarity"}}},
            "objectives.accuracy.objective: expected 'accuracy', got 'clarity': the id is that of",
        ),
        (
            {"objective_sets": {"a": {"objectives": ["accuracy", "length_penalty"]}}},
            "objective_sets.a: objective 'length_penalty': parameter 'target' is missing",
        ),
        ({"task": {"parameters": {"levels": 3}}}, "task.parameters: task 'arithmetic': "),
    ],
)
def test_parameters_that_do_not_fit_are_told_with_their_key(
    root: Path, changes: dict[str, Any], message: str
) -> None:
    assert refusal(root, **changes).startswith(message)


def test_a_reward_models_folder_that_does_not_serve_is_told(root: Path) -> None:
    with (root / "models.yaml").open("a") as file:
        file.write("reward: {path: reward}\n")
    build_reward_model(root / "reward")
    (root / "reward" / "tokenizer.json").unlink()
    entry = {"helpful": {"objective": "reward_model", "model": "reward"}}
    message = refusal(root, objectives=entry)
    assert message.startswith("objectives.helpful: reward: no tokenizer; one of ")


# --- what does not go together ------------------------------------------------------------------


def test_a_method_is_refused_with_an_estimator_it_makes_no_sense_with(root: Path) -> None:
    algorithms = {"linear": None, "mine": {"scalarizer": "gdpo"}}
    message = refusal(root, algorithms=algorithms, training={"estimator": "rloo"})
    assert message == "algorithms.mine: estimator: expected grpo with GDPO, got 'rloo'"
    assert load_study(root, algorithms=algorithms, training={"estimator": "grpo"}).cells


def test_micro_batches_are_refused_where_they_change_the_loss(root: Path) -> None:
    entry = "  training: {micro_batch: 4}\n"
    with (root / "models.yaml").open("a") as file:
        file.write(f"pieces:\n  path: here\n{entry}")
    (root / "here").mkdir()
    models = {"pieces": None}
    message = refusal(root, models=models, training={"loss": "bnpo"})
    assert message.startswith("models.yaml: pieces: training.micro_batch: expected at least ")
    assert "got 4" in message
    assert load_study(root, models=models, training={"loss": "dapo"}).cells


def test_a_users_class_declares_its_estimators_too(root: Path) -> None:
    algorithms = {"mine": {"scalarizer": "picky:Picky"}}
    message = refusal(root, algorithms=algorithms)
    assert message.endswith("expected dr_grpo or rloo with Picky, got 'grpo'")
    assert load_study(root, algorithms=algorithms, training={"estimator": "rloo"}).cells


@pytest.mark.parametrize("name", ["linear", "famo", "mgda", "torchjd:UPGrad"])
def test_others_go_with_any_estimator(root: Path, name: str) -> None:
    algorithms = {"one": {"scalarizer": name}}
    assert load_study(root, algorithms=algorithms, training={"estimator": "rloo"}).cells


@pytest.mark.parametrize(
    ("changes", "batch"),
    [
        ({"training": {"prompts_per_step": 5}}, "40 completions of an update"),
        ({"training": {"prompts_per_step": 6, "minibatches": 48}}, "1 completions of an update"),
        ({"task": {"validation": 64}}, "64 validation prompts"),
    ],
)
def test_processes_have_to_share_batches_equally(
    root: Path, changes: dict[str, Any], batch: str
) -> None:
    (root / "model").mkdir()  # `path` has to exist
    (root / "models.yaml").write_text("m: {path: model, resources: {gpus: 3}}\n")
    even = {"training": {"prompts_per_step": 6}, "task": {"validation": 63}}
    message = refusal(root, models={"m": None}, **even | changes)
    expected = f"resources.gpus: expected a divisor of the {batch} in {WHERE}, got 3"
    assert message == f"models.yaml: m: {expected}"
    assert load_study(root, models={"m": None}, **even).cells


def test_rollouts_of_a_server_need_one(root: Path) -> None:
    message = refusal(root, training={"rollouts": "vllm-server"})
    assert "tiny-qwen2-base: resources.vllm_server: expected http://HOST:PORT" in message


def test_a_table_that_is_too_small_is_refused(root: Path) -> None:
    rows = [json.dumps({"prompt": f"1 + {n}", "answer": n + 1}) for n in range(9)]
    (root / "mine.jsonl").write_text("\n".join(rows))
    task = {"name": "table", "path": "mine.jsonl", "train": 6, "validation": 1, "test": 1}
    message = refusal(root, task=task, training={"prompts_per_step": 4})
    assert message.startswith("task.train: task 'table': train: expected 1 to 5 problems, got 6")


def test_a_task_without_a_pinned_revision_is_refused(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root / "no cache"))
    message = refusal(root, task={"name": "gsm8k"})
    assert message.startswith("task.parameters: dataset openai/gsm8k")


@pytest.mark.parametrize("name", ["baseline", "probe"])
def test_an_algorithm_is_not_called_as_its_neighbours(root: Path, name: str) -> None:
    told = refusal(root, algorithms={name: {"scalarizer": "linear"}})
    assert told.startswith(f"algorithms.{name}: the workflow has a file or folder of that name;")


@pytest.mark.parametrize("name", ["tracking.json", "m.log"])
def test_a_model_is_not_called_as_a_file_beside_it(root: Path, name: str) -> None:
    models = root / "models.yaml"
    models.write_text(f"{models.read_text()}{name}: {{recipe: tiny-qwen2-base}}\n")
    assert refusal(root, models={name: None}).startswith(f"models.{name}: the workflow has a file")


def test_a_name_of_another_folders_study_is_refused(root: Path) -> None:
    write_study(root)
    other = root / "mine" / f"{STUDY}.yaml"
    other.parent.mkdir()
    other.write_text((root / WHERE).read_text())
    with pytest.raises(CrosstalkError) as caught:
        check(load(str(other), root))
    assert str(caught.value) == (
        f"mine/{STUDY}.yaml: there is a study {STUDY!r} already, {WHERE}, whose results lie in "
        f"results/runs/{STUDY}; rename one of the files"
    )
    check(load(f"./{WHERE}", root))  # the same file by its path


def test_one_name_is_one_study_wherever_it_lies(root: Path) -> None:
    first, second = (root / folder / "own.yaml" for folder in ("a", "b"))
    for path in (first, second):
        path.parent.mkdir()
        path.write_text(write_study(root).read_text())
    study = load(str(first), root)
    check(study)
    study.layout.tracking.parent.mkdir(parents=True)
    study.layout.tracking.write_text(json.dumps({"experiment": "own", "file": study.given_path}))
    check(study)
    with pytest.raises(
        CrosstalkError, match=r"^b/own\.yaml: there is a study 'own' already, a/own"
    ):
        check(load(str(second), root))
    first.unlink()  # it was moved
    check(load(str(second), root))
    study.layout.tracking.write_text('{"exper')
    check(load(str(second), root))


def test_seeds_that_would_meet_those_of_another_model_are_refused(root: Path) -> None:
    (root / "models.yaml").write_text("mine: {recipe: lab-long, seed: 1}\n")
    changes = {"models": {"mine": None}, "algorithms": {"linear": None}}
    found = refusal(root, **changes, seeds=[0, 1000])
    assert found.startswith("seeds: expected less than 1000 with 'mine'")
