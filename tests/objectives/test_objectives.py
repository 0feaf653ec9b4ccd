"""Properties of every objective of the registry: a new entry is tested for free."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.errors import CrosstalkError
from benchmark.objectives import (
    OBJECTIVE_SETS,
    OBJECTIVES,
    Objective,
    completion_text,
    make_objectives,
)

every_objective = pytest.mark.parametrize("name", OBJECTIVES)

WORDS = ["7", "4", "Step 1 :", "then", "1.", "\n", r"\boxed{", "}", r"\frac{1}{2}", "-", "(b)", "é"]
BATCHES = st.lists(st.lists(st.sampled_from(WORDS), max_size=8), min_size=1, max_size=6)


def rewards(objective: Objective, batch: list[list[str]]) -> list[float]:
    columns: dict[str, Any] = {"answer": ["7"] * len(batch), "prompt": ["?"] * len(batch)}
    texts = [" ".join(words) for words in batch]
    ids = [list(range(len(words) + 1)) for words in batch]
    return objective(completions=texts, completion_ids=ids, **columns)


def observing(name: str) -> Objective:
    (objective,) = make_objectives([name])
    objective.observe([3, 5, 6])
    return objective


@every_objective
@settings(max_examples=30, deadline=None)
@given(batch=BATCHES)
def test_rewards_are_one_each_finite_bounded_and_repeatable(
    name: str, batch: list[list[str]]
) -> None:
    objective = observing(name)
    found = rewards(objective, batch)
    assert len(found) == len(batch)
    assert all(math.isfinite(reward) and 0 <= reward <= objective.upper_bound for reward in found)
    assert rewards(objective, batch) == found


@every_objective
@settings(max_examples=10, deadline=None)
@given(batch=BATCHES)
def test_a_restored_objective_rewards_alike(name: str, batch: list[list[str]]) -> None:
    objective = observing(name)
    (restored,) = make_objectives([name])
    restored.load_state_dict(objective.state_dict())
    assert restored.state_dict() == objective.state_dict()
    assert rewards(restored, batch) == rewards(objective, batch)


@every_objective
def test_evaluation_leaves_the_training_objective_as_it_was(name: str) -> None:
    objective = observing(name)
    before = objective.state_dict()
    fixed = objective.for_evaluation(20.0)
    rewards(fixed, [["7"] * 9])
    assert objective.state_dict() == before
    assert fixed.name == name


@every_objective
def test_a_chat_completion_scores_as_its_text(name: str) -> None:
    objective = observing(name)
    text = r"Step 1 : 3 + 4 = 7 . Step 2 : \boxed{ 7 }"
    chat = [{"role": "assistant", "content": text}]
    assert objective(completions=[chat], completion_ids=[[1]], answer=["7"]) == [1]
    assert objective(completions=[text], completion_ids=[[1]], answer=["7"]) == [1]


@every_objective
def test_its_registry_name_is_what_trl_logs(name: str) -> None:
    assert make_objectives([name])[0].__name__ == OBJECTIVES[name].name == name


def test_objective_sets_name_objectives_that_exist() -> None:
    assert OBJECTIVE_SETS["math3"] == ("accuracy", "conciseness", "clarity")
    for names in OBJECTIVE_SETS.values():
        assert [objective.name for objective in make_objectives(names)] == list(names)


def test_an_unknown_objective_is_answered_with_the_closest_one() -> None:
    with pytest.raises(CrosstalkError, match="unknown objective 'accurracy'; did you mean 'accura"):
        make_objectives(["accurracy"])


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
