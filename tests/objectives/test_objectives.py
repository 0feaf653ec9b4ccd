"""Properties of every objective of the registry: a new entry is tested for free."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reward_models import build_reward_model

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import (
    OBJECTIVE_SETS,
    OBJECTIVES,
    Objective,
    completion_text,
    make_objective,
    make_objectives,
)

Make = Callable[[str], Objective]

every_objective = pytest.mark.parametrize("name", OBJECTIVES)

WORDS = ["7", "4", "Step 1 :", "then", "1.", "\n", r"\boxed{", "}", r"\frac{1}{2}", "-", "(b)", "é"]
BATCHES = st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=6)


ANSWERS = {  # of others "7"
    "countdown": "7 -> 7",
    "tool_call": '<tool_call>\n{"name": "add", "parameters": {"x": 1}}\n</tool_call>',
}
HOSTILE = ["", " ", "x" * 20_000, "\ud800", "é🙂\x00", "\\boxed{" * 500, "}" * 500, "<|pad|>"]


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes an objective of that name, with parameters where it needs some."""
    parameters: dict[str, dict[str, Any]] = {
        "length_penalty": {"target": 2, "limit": 6},
        "conditioned": {"easy": "clarity", "hard": "accuracy"},
        "calibrated": {"reward": "repetition", "fit": [0.2, 0.8], "clip": True},
        "target_length": {"target": 2, "mode": "max"},
        "cosine_length": {"limit": 6, "wrong": [0.0, 0.2]},
        "reward_model": {"model": str(build_reward_model(tmp_path_factory.mktemp("reward")))},
        "classifier": {
            "model": str(build_reward_model(tmp_path_factory.mktemp("classes"), num_labels=2)),
            "label": 0,
        },
    }

    def made(name: str) -> Objective:
        if name == "rouge":
            pytest.importorskip("rouge_score", reason="the package rouge-score is not here")
        return make_objective(name, parameters=parameters.get(name))

    return made


def rewards(objective: Objective, batch: list[list[str]]) -> list[float]:
    answer = ANSWERS.get(type(objective).name, "7")
    columns: dict[str, Any] = {"answer": [answer] * len(batch), "prompts": ["?"] * len(batch)}
    texts = [" ".join(words) for words in batch]
    ids = [list(range(len(words) + 1)) for words in batch]
    return objective(completions=texts, completion_ids=ids, **columns)


def observing(objective: Objective) -> Objective:
    objective.observe([3, 5, 6])
    return objective


@every_objective
@settings(max_examples=30, deadline=None)
@given(batch=BATCHES)
def test_rewards_are_finite_bounded_and_repeatable(
    make: Make, name: str, batch: list[list[str]]
) -> None:
    objective = observing(make(name))
    found = rewards(objective, batch)
    assert len(found) == len(batch)
    assert all(math.isfinite(reward) and 0 <= reward <= objective.upper_bound for reward in found)
    assert rewards(objective, batch) == found
    assert rewards(objective, batch[::-1]) == found[::-1]


@every_objective
def test_no_completion_is_too_odd_to_be_rewarded(make: Make, name: str) -> None:
    batch = [[text] for text in HOSTILE]
    found = rewards(observing(make(name)), batch)
    assert all(0 <= reward <= 1 for reward in found)


@every_objective
@settings(max_examples=10, deadline=None)
@given(batch=BATCHES)
def test_a_restored_objective_rewards_alike(make: Make, name: str, batch: list[list[str]]) -> None:
    objective = observing(make(name))
    restored = make(name)
    restored.load_state_dict(objective.state_dict())
    assert restored.state_dict() == objective.state_dict()
    assert rewards(restored, batch) == rewards(objective, batch)


@every_objective
def test_evaluation_leaves_the_objective_as_it_was(make: Make, name: str) -> None:
    objective = observing(make(name))
    objective.name = "mine"
    before = objective.state_dict()
    fixed = objective.for_evaluation(20.0)
    rewards(fixed, [["7"] * 9])
    assert objective.state_dict() == before
    assert fixed.name == "mine"


@every_objective
def test_evaluated_objective_does_not_change(make: Make, name: str) -> None:
    fixed = make(name).for_evaluation(3.0)
    batch = [["7"], ["7"] * 9, [r"\boxed{", "7", "}"]]
    before = rewards(fixed, batch)
    fixed.observe([100, 200])
    assert rewards(fixed, batch) == before


@every_objective
def test_a_chat_completion_scores_as_its_text(make: Make, name: str) -> None:
    objective = observing(make(name))
    text = "<think>\nStep 1 : 3 + 4 = 7 . Step 2 :\n</think>\n<answer>\n\\boxed{ 7 }\n</answer>"
    text = {"tool_call": ANSWERS["tool_call"], "tool_format": "<think>a</think>"}.get(name, text)
    chat = [{"role": "assistant", "content": text}]
    answer = [ANSWERS.get(name, "7")]
    columns: dict[str, Any] = {"completion_ids": [[1]], "answer": answer, "prompts": ["?"]}
    (found,) = objective(completions=[chat], **columns)
    assert [found] == objective(completions=[text], **columns)
    assert [found] != objective(completions=["Я"], **columns | {"completion_ids": [[1] * 9]})


@every_objective
def test_its_registry_name_is_what_trl_logs(make: Make, name: str) -> None:
    assert make(name).__name__ == OBJECTIVES[name].name == name


@every_objective
def test_an_objective_goes_by_the_id_it_is_given(make: Make, name: str) -> None:
    objective = observing(make(name))
    objective.name = "mine"
    assert objective.__name__ == "mine"
    with pytest.raises(CrosstalkError, match="objective 'mine' "):
        objective(completions=[None], completion_ids=3, answer=["7"], prompts=3)  # type: ignore
    assert OBJECTIVES[name].name == name


def test_objective_sets_name_objectives_that_exist() -> None:
    assert OBJECTIVE_SETS["math3"] == ("accuracy", "conciseness", "clarity")
    for names in OBJECTIVE_SETS.values():
        assert [objective.name for objective in make_objectives(names)] == list(names)


def test_unknown_objective_brings_the_closest_one() -> None:
    with pytest.raises(CrosstalkError, match="unknown objective 'accurracy'; did you mean 'accura"):
        make_objectives(["accurracy"])


@pytest.mark.parametrize(
    ("name", "parameters", "reason"),
    [
        ("clarity", {"steps": 3}, "unknown parameter 'steps' (it has no parameters)"),
        ("length_penalty", {"target": 3, "limti": 9}, "unknown parameter 'limti'; did you mean"),
        ("length_penalty", {"target": 3}, "parameter 'limit' is missing (allowed: target, limit,"),
        ("length_penalty", {"target": 9, "limit": 9}, "limit: expected more than the target, 9, "),
        ("length_penalty", {"target": -1, "limit": 9}, "target: expected an integer of at least 0"),
        ("length_penalty", {"target": 1.5, "limit": 9}, "target: expected an integer"),
        ("length_penalty", {"target": True, "limit": 9}, "target: expected an integer"),
        (
            "length_penalty",
            {"target": 3, "limit": 9, "shape": "cubic"},
            "shape: expected one of li",
        ),
        ("repetition", {"size": 0}, "size: expected an integer of at least 1, got 0"),
        ("tag_count", {"newlines": 1}, "newlines: expected true or false, got 1"),
        ("think_format", {"newlines": "no"}, "newlines: expected true or false, got 'no'"),
        ("conciseness", {"threshold": -1}, "threshold: expected a number of at least 0, got -1"),
        ("conciseness", {"threshold": "x"}, "threshold: expected a number"),
        ("conciseness", {"threshold": math.nan}, "threshold: expected a number"),
        ("reward_model", {}, "parameter 'model' is missing"),
        ("conditioned", {"hard": "accuracy"}, "parameter 'easy' is missing"),
        ("conditioned", {"easy": "clarty", "hard": "accuracy"}, "unknown objective 'clarty'; did"),
        (
            "conditioned",
            {"easy": 3, "hard": "accuracy"},
            "easy: expected an objective's id, or a m",
        ),
        (
            "conditioned",
            {"easy": {"objective": "repetition", "size": 0}, "hard": "accuracy"},
            "objective 'repetition': size: expected an integer of at least 1, got 0",
        ),
        (
            "conditioned",
            {
                "easy": {"objective": "reward_model", "model": "m", "squash": False},
                "hard": "format",
            },
            "easy: expected an objective with an upper bound",
        ),
        (
            "conditioned",
            {"easy": "clarity", "hard": "accuracy", "threshold": 1.1},
            "threshold: expected a number of at least -inf and at most 1, got 1.1",
        ),
        ("reward_model", {"model": "m", "squash": 1}, "squash: expected true or false, got 1"),
        ("reward_model", {"model": "m", "device": "gpu"}, "device: expected one of auto, cpu, "),
        ("reward_model", {"model": "m", "dtype": "int8"}, "dtype: expected one of float32, "),
        ("reward_model", {"model": "m", "batch_size": 0}, "batch_size: expected an integer"),
        ("reward_model", {"model": "m", "label": 1.5}, "label: expected a label's name or index"),
        ("reward_model", {"model": "m", "label": True}, "label: expected a label's name or index"),
    ],
)
def test_parameters_that_do_not_fit_are_told_in_one_line(
    name: str, parameters: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CrosstalkError) as caught:
        make_objective("mine", name, parameters)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"objective {name!r}: ")
    assert reason in message


def test_an_objective_given_twice_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="'clarity' is given twice"):
        make_objectives(["clarity", "accuracy", "clarity"])


def test_the_text_of_a_chat_is_what_the_assistant_said() -> None:
    chat = [
        {"role": "assistant", "content": "a"},
        {"role": "tool", "content": "b"},
        {"role": "assistant", "content": "c"},
    ]
    assert completion_text(chat) == "a\nc"


def test_a_message_may_call_tools_alone_or_come_in_parts() -> None:
    call: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": [{}]}
    bare: dict[str, Any] = {"role": "assistant", "tool_calls": [{}]}
    parts = [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}]
    assert completion_text([call, bare, {"role": "assistant", "content": parts}]) == "ab"
    assert completion_text([call]) == ""
