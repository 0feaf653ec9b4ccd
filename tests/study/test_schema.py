from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from pydantic import ValidationError

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse, read_yaml
from benchmark.study.schema import CellFilter, Clip, StudyFile, Training

STUDIES = Path(__file__).parents[2] / "workflow" / "studies"
AXES: dict[str, Any] = {
    "models": {"m": None},
    "objective_sets": {"math3": None},
    "algorithms": {"linear": None},
    "seeds": [0],
}


def fault(**changes: Any) -> str:
    with pytest.raises(CrosstalkError) as caught:
        parse(StudyFile, AXES | changes, "lab.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("lab.yaml: ")
    return message.removeprefix("lab.yaml: ")


def training(text: str, folder: Path) -> Training:
    """Return the training section of a study with these lines of YAML."""
    path = folder / "lab.yaml"
    path.write_text(f"{yaml.safe_dump(AXES)}\ntraining: {text}\n")
    return parse(StudyFile, read_yaml(path), "lab.yaml").training


def test_the_axes_alone_are_a_study() -> None:
    study = parse(StudyFile, AXES, "lab.yaml")
    assert study.training == Training()
    assert study.seeds == (0,)
    assert study.include == study.exclude == ()
    assert study.objectives == {}


OTHER_LOSSES = {"causes-dr-grpo": "dr_grpo", "causes-loss": "grpo"}  # which they are about


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.yaml")), ids=lambda file: file.stem)
def test_shipped_studies_take_the_mean_over_tokens(file: Path) -> None:
    expected = OTHER_LOSSES.get(file.stem, "dapo")
    assert parse(StudyFile, read_yaml(file), file.name).training.loss == expected


@pytest.mark.parametrize("missing", AXES)
def test_every_axis_is_required(missing: str) -> None:
    with pytest.raises(CrosstalkError, match=f"^lab.yaml: {missing}: is required$"):
        parse(StudyFile, {k: v for k, v in AXES.items() if k != missing}, "lab.yaml")


def test_a_seed_that_is_given_twice_is_told() -> None:
    told = "seeds: expected each once (0 is there 3 times), got [0, 1, 0, 0]"
    assert fault(seeds=[0, 1, 0, 0]) == told


@pytest.mark.parametrize("axis", ["models", "objective_sets", "algorithms"])
def test_an_id_longer_than_a_folders_name_is_told(axis: str) -> None:
    assert "expected at most 100 characters, got 'aaaa" in fault(**{axis: {"a" * 101: None}})


def test_more_steps_than_can_be_made_are_refused() -> None:
    assert fault(training={"steps": 10**17}).startswith("training.steps: expected at most 10000000")


@pytest.mark.parametrize("axis", AXES)
def test_every_axis_needs_an_entry(axis: str) -> None:
    empty: Any = [] if axis == "seeds" else {}
    assert fault(**{axis: empty}) == f"{axis}: expected at least one entry, got {empty!r}"


@pytest.mark.parametrize(
    ("changes", "place", "closest"),
    [
        ({"algoritms": {}}, "unknown key 'algoritms'", "algorithms"),
        ({"training": {"step": 3}}, "training: unknown key 'step'", "steps"),
        ({"training": {"clip": {"hihg": 3.0}}}, "training.clip: unknown key 'hihg'", "high"),
        ({"task": {"valdation": 3}}, "task: unknown key 'valdation'", "validation"),
        ({"sampling": {"topp": 1}}, "sampling: unknown key 'topp'", "top_p"),
        ({"evaluation": {"sample": 1}}, "evaluation: unknown key 'sample'", "samples"),
        (
            {"models": {"m": {"lerning_rate": 1}}},
            "models.m: unknown key 'lerning_rate'",
            "learning_rate",
        ),
        ({"objective_sets": {"s": {"wieghts": [1]}}}, "objective_sets.s: unknown key", "weights"),
        ({"include": [{"modle": "m"}]}, "include.0: unknown key 'modle'", "model"),
        ({"exclude": [{}, {"seeds": 1}]}, "exclude.1: unknown key 'seeds'", "seed"),
    ],
)
def test_an_unknown_key_at_any_level_brings_the_closest_one(
    changes: dict[str, Any], place: str, closest: str
) -> None:
    message = fault(**changes)
    assert message.startswith(place)
    assert f"did you mean '{closest}'?" in message
    assert "(known: " in message


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"models": ["m"]}, "models: expected a mapping (key: value), got ['m']"),
        ({"models": None}, "models: expected a mapping (key: value), got nothing"),
        ({"algorithms": {"a": 3}}, "algorithms.a: expected a mapping (key: value), got 3"),
        ({"objectives": ["a"]}, "objectives: expected a mapping (key: value), got ['a']"),
        ({"objectives": {"a": 3}}, "objectives.a: expected a mapping (key: value), got 3"),
        ({"seeds": 3}, "seeds: expected a list, got 3"),
        ({"seeds": {"a": 1}}, "seeds: expected a list, got {'a': 1}"),
        ({"exclude": {"seed": 1}}, "exclude: expected a list, got {'seed': 1}"),
        ({"training": [1]}, "training: expected a mapping (key: value), got [1]"),
        ({"seeds": ["0"]}, "seeds.0: expected an integer, got '0'"),
        ({"seeds": [1.5]}, "seeds.0: expected an integer, got 1.5"),
        ({"seeds": [-1]}, "seeds.0: expected at least 0, got -1"),
        ({"description": 3}, "description: expected text, got 3"),
        (
            {"objective_sets": {"math3": {"weights": {"accuracy": 1}}}},
            "objective_sets.math3.weights: expected a list, got {'accuracy': 1}",
        ),
        (
            {"objective_sets": {"math3": {"weights": [True, 1]}}},
            "objective_sets.math3.weights.0: expected a number, got True",
        ),
        (
            {"objective_sets": {"mine": {"objectives": []}}},
            "objective_sets.mine.objectives: expected at least one entry, got []",
        ),
        (
            {"objective_sets": {"mine": {"objectives": "accuracy"}}},
            "objective_sets.mine.objectives: expected a list, got 'accuracy'",
        ),
        ({"include": [{"model": "m"}]}, "include.0.objectives: is required"),
    ],
)
def test_a_wrong_type_is_told_with_key_and_value(changes: dict[str, Any], message: str) -> None:
    assert fault(**changes) == message


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("steps", 0, "more than 0"),
        ("steps", "many", "an integer"),
        ("steps", 2.0, "an integer"),
        ("steps", True, "an integer"),
        ("completions_per_prompt", 1, "at least 2"),
        ("learning_rate", 0, "more than 0"),
        ("learning_rate", float("inf"), "a finite number"),
        ("learning_rate", float("nan"), "a finite number"),
        ("kl", -0.1, "at least 0"),
        ("loss", "grop", "'grpo', 'bnpo', 'dapo' or 'dr_grpo'"),
        ("clip", "of", "off or bounds {low: 0.2, high: 0.2}"),
        ("clip", 0.2, "off or bounds {low: 0.2, high: 0.2}"),
        ("clip", None, "off or bounds {low: 0.2, high: 0.2}"),
    ],
)
def test_a_value_out_of_bounds_is_told_with_what_is_expected(
    key: str, value: Any, reason: str
) -> None:
    shown = "nothing" if value is None else repr(value)
    assert fault(training={key: value}) == f"training.{key}: expected {reason}, got {shown}"


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        ({"steps": []}, "diagnosis.steps: expected at least one entry, got []"),
        ({"steps": 0}, "diagnosis.steps: expected how many steps, at least 1, or a list of steps"),
        ({"steps": "all"}, "diagnosis.steps: expected how many steps, at least 1, or a list of"),
        ({"steps": [7]}, "diagnosis.steps: expected multiples of training.checkpoint_every (20) "),
        ({"steps": [0], "samples": 1}, "diagnosis.samples: expected at least 2, got 1"),
        ({"steps": [0], "multiples": [2.0]}, "diagnosis.multiples: expected 1.0, the update as"),
        ({"stepz": [0]}, "diagnosis: unknown key 'stepz'; did you mean 'steps'?"),
    ],
)
def test_a_diagnosis_that_cannot_be_is_refused(plan: dict[str, Any], reason: str) -> None:
    assert fault(diagnosis=plan).startswith(reason)


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_parameters_must_be_finite_since_they_are_hashed(value: float) -> None:
    for changes in (
        {"algorithms": {"ctwa": {"targets": [0.1, value]}}},
        {"objectives": {"conciseness": {"threshold": value}}},
    ):
        assert fault(**changes).endswith(f"expected a finite number, got {value!r}")


def test_parameters_must_be_plain_values(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    path.write_text(f"{yaml.safe_dump(AXES)}\ntask: {{parameters: {{day: 2024-01-01}}}}\n")
    with pytest.raises(CrosstalkError, match=r"parameters\.day: expected numbers.*, got datetime"):
        parse(StudyFile, read_yaml(path), "lab.yaml")


@pytest.mark.parametrize("axis", ["models", "objectives", "objective_sets", "algorithms"])
@pytest.mark.parametrize("name", ["a/b", ".hidden", "a b", "..", ""])
def test_a_name_that_cannot_be_a_folder_is_refused(axis: str, name: str) -> None:
    message = fault(**{axis: {name: None}})
    assert message.startswith(f"{axis}.{name}: expected text that matches ^[A-Za-z0-9]")


def test_minibatches_must_divide_a_steps_completions() -> None:
    message = fault(training={"prompts_per_step": 4, "completions_per_prompt": 8, "minibatches": 3})
    expected = "minibatches: expected a divisor of the 32 completions of a step, got 3"
    assert message == f"training: {expected}"
    assert Training(prompts_per_step=4, completions_per_prompt=8, minibatches=8).minibatches == 8


@pytest.mark.parametrize("seed", [2**32, -1])
def test_seeds_are_what_every_random_generator_takes(seed: int) -> None:
    choice = {"model": "m", "objectives": "math3", "algorithm": "linear", "seed": seed}
    for changes in ({"seeds": [seed]}, {"evaluation": {"seed": seed}}, {"include": [choice]}):
        assert fault(**changes).endswith(f", got {seed}")


def test_a_source_of_data_is_given_once() -> None:
    message = fault(task={"name": "table", "path": "a", "parameters": {"path": "a"}})
    assert message == "task: path: expected once, got it here and among the parameters"


@pytest.mark.parametrize("text", ["{clip: off}", "{clip: 'off'}"])
def test_clipping_is_switched_off_with_or_without_quotes(tmp_path: Path, text: str) -> None:
    assert training(text, tmp_path).clip == "off"


def test_one_bound_of_the_clipping_may_be_given_alone(tmp_path: Path) -> None:
    assert training("{clip: {high: 0.28}}", tmp_path).clip == Clip(low=0.2, high=0.28)


@pytest.mark.parametrize("text", ["3e-4", "3.0e-4", "0.0003", "3E-4"])
def test_numbers_are_read_in_every_common_notation(tmp_path: Path, text: str) -> None:
    assert training(f"{{learning_rate: {text}}}", tmp_path).learning_rate == 3e-4


def test_a_study_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Training().steps = 3


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"model": "m"}, True),
        ({"model": "m", "seed": 1}, False),
        ({"objectives": "o", "algorithm": "a", "seed": 0}, True),
        ({"algorithm": "b"}, False),
    ],
)
def test_a_filter_agrees_on_the_axes_it_gives(given: dict[str, Any], expected: bool) -> None:
    assert CellFilter(**given).matches("m", "o", "a", 0) is expected


def drawn(**plan: Any) -> tuple[int, ...]:
    training = {"steps": 60, "checkpoint_every": 2}
    return parse(StudyFile, AXES | {"training": training, "diagnosis": plan}, "s").diagnosed_steps


def test_diagnosed_steps_are_drawn_by_the_studys_seed() -> None:
    found = drawn(steps=8)
    assert len(set(found)) == 8
    assert set(found) <= set(range(0, 60, 2))
    assert found == tuple(sorted(found)) == drawn(steps=8)
    assert found != drawn(steps=8, seed=1)
    spread = np.concatenate([drawn(steps=8, seed=seed) for seed in range(300)])
    assert spread.mean() == pytest.approx(29, abs=1)  # of all steps alike, not the first ones
    assert drawn() == drawn(steps=8)  # by default
    assert drawn(steps=[4, 0]) == (0, 4)
    assert drawn(steps=99) == tuple(range(0, 60, 2))
    assert parse(StudyFile, AXES, "s").diagnosed_steps == ()
