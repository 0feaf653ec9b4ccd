import math
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objective
from benchmark.objectives.cosine_length import CosineLength
from benchmark.objectives.length_of_correct import LengthOfCorrect
from benchmark.objectives.target_length import TargetLength

RIGHT, WRONG = r"\boxed{7}", r"\boxed{8}"
LENGTHS = st.integers(0, 5000)


def reward(objective: LengthOfCorrect, text: str, tokens: int) -> float:
    (found,) = objective(completions=[text], completion_ids=[[1] * tokens], answer=["7"])
    return found


def test_the_exact_length_by_hand() -> None:
    exact = TargetLength(100, alpha=0.01)
    found = [reward(exact, RIGHT, n) for n in (100, 90, 130)]
    assert found == pytest.approx([1.0, 0.9, 0.7])
    assert reward(exact, WRONG, 250) == pytest.approx(-1.5)


def test_the_largest_length_by_hand() -> None:
    most = TargetLength(100, mode="max", alpha=0.01)
    found = [reward(most, RIGHT, n) for n in (20, 60, 100, 130, 200)]
    assert found == pytest.approx([1.0, 0.9, 0.5, 0.2, 0.0])
    assert reward(most, WRONG, 20) == 0


def test_the_cosine_by_hand() -> None:
    # The values of open-r1 at the start, the middle and the end.
    found = [reward(CosineLength(60), text, n) for text in (RIGHT, WRONG) for n in (0, 30, 60, 90)]
    assert found == pytest.approx([1.0, 0.75, 0.5, 0.5, -1.0, -0.75, -0.5, -0.5])
    papers = CosineLength(60, right=(2, 1), wrong=(-10, 0), over_limit=-10)
    assert [reward(papers, RIGHT, n) for n in (0, 60)] == [2.0, -10.0]
    assert reward(papers, WRONG, 30) == pytest.approx(-5.0)
    assert papers.upper_bound == 2


@given(tokens=LENGTHS, more=st.integers(1, 500), limit=st.integers(1, 4000))
def test_shorter_is_better_when_right_and_worse_when_wrong(
    tokens: int, more: int, limit: int
) -> None:
    objective = CosineLength(limit)
    assert objective.reward(True, tokens) >= objective.reward(True, tokens + more)
    assert objective.reward(False, tokens) <= objective.reward(False, tokens + more)


@given(tokens=LENGTHS, target=LENGTHS, mode=st.sampled_from(["exact", "max"]))
def test_no_wrong_answer_beats_a_right_one_of_its_length(
    tokens: int, target: int, mode: str
) -> None:
    objective = TargetLength(target, mode=mode)
    assert objective.reward(False, tokens) <= objective.reward(True, tokens) <= 1


def test_another_objective_may_judge_and_say_that_nothing_applies() -> None:
    judge = {"objective": "length_penalty", "target": 3, "limit": 4}
    objective = make_objective("long", "target_length", {"target": 3, "correct": judge})
    assert isinstance(objective, LengthOfCorrect)
    assert reward(objective, WRONG, 3) == 1
    objective.correct.rewards = lambda **batch: [None]  # type: ignore[method-assign]
    assert math.isnan(reward(objective, WRONG, 3))


def test_what_the_judge_remembers_is_kept_and_fixed() -> None:
    made: list[Any] = [
        make_objective("long", "cosine_length", {"limit": 9, "correct": "conciseness"})
        for _ in range(2)
    ]
    made[0].observe([2, 4])
    made[1].load_state_dict(made[0].state_dict())
    assert [reward(each, WRONG, 3) for each in made] == [reward(CosineLength(9), WRONG, 3)] * 2
    fixed = made[0].for_evaluation(20.0)
    assert reward(fixed, WRONG, 3) == reward(CosineLength(9), RIGHT, 3)
    assert reward(made[0], WRONG, 3) == reward(CosineLength(9), WRONG, 3)
    assert fixed.name == "long"


@pytest.mark.parametrize(
    ("kind", "parameters", "reason"),
    [
        ("target_length", {"target": 9, "mode": "least"}, "mode: expected one of exact, max, got"),
        ("target_length", {"target": 9, "delta": 2}, "delta: expected a number of at least 0 and "),
        ("target_length", {"target": 9, "correct": 3}, "correct: expected an objective's id, or"),
        ("cosine_length", {"limit": 9, "right": [1]}, "right: expected two rewards, of no token "),
        ("cosine_length", {"limit": 9, "wrong": [1, "x"]}, "wrong: expected a number"),
        ("cosine_length", {"limit": 0}, "limit: expected an integer of at least 1, got 0"),
    ],
)
def test_bad_parameters_are_refused(kind: str, parameters: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(CrosstalkError, match=f"objective '{kind}': {reason}"):
        make_objective("bad", kind, parameters)
