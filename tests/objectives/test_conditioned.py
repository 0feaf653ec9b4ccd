import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError, Faulty
from benchmark.objectives import Completion, Objective, make_objective
from benchmark.objectives.conciseness import Conciseness
from benchmark.objectives.conditioned import Conditioned

REWARDS = st.one_of(st.just(math.nan), st.floats(0, 1))
IDS = [[1], [1, 2], [1] * 9]
TEXTS = [r"\boxed{7}", r"\boxed{8}", r"So \boxed{7}"]


class Told(Objective):
    """Rewards that are given beforehand."""

    name = "told"

    def __init__(self, rewards: Sequence[float]) -> None:
        self.given = list(rewards)

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        return self.given


def gated(easy: Sequence[float], hard: Sequence[float], threshold: float = 1.0) -> list[float]:
    objective = Conditioned(Told(easy), Told(hard), threshold)
    return objective(completions=["x"] * len(easy), completion_ids=[[1]] * len(easy))


def test_the_easy_reward_counts_where_the_hard_is_met() -> None:
    assert gated([0.3, 0.9, 0.7], [1.0, 0.0, 0.5]) == [0.3, 0.0, 0.0]
    assert gated([0.3, 0.9, 0.7], [1.0, 0.0, 0.5], threshold=0.5) == [0.3, 0.0, 0.7]
    assert gated([0.3, 0.9], [-1.0, 0.0], threshold=-1.0) == [0.3, 0.9]


def test_without_a_hard_reward_it_does_not_apply() -> None:
    found = gated([0.3, math.nan, math.nan], [math.nan, 1.0, 0.0])
    assert math.isnan(found[0])
    assert math.isnan(found[1])
    assert found[2] == 0  # the gate is closed, whatever lies behind it


@given(
    pairs=st.lists(st.tuples(REWARDS, REWARDS), min_size=1, max_size=9), threshold=st.floats(0, 1)
)
def test_a_gated_reward_is_the_easy_one_or_none(
    pairs: list[tuple[float, float]], threshold: float
) -> None:
    easy, hard = map(list, zip(*pairs, strict=True))
    for each, before, gate in zip(gated(easy, hard, threshold), easy, hard, strict=True):
        if math.isnan(each):
            assert math.isnan(gate) or (gate >= threshold and math.isnan(before))
        else:
            assert each == (before if gate >= threshold else 0)


def test_an_easy_reward_below_nothing_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="completion 1: told: expected an easy reward of at "):
        gated([0.0, -0.5], [1.0, 1.0])


def test_accuracy_gates_conciseness_as_in_a_study() -> None:
    objective = make_objective(
        "gated",
        "conditioned",
        {"easy": {"objective": "conciseness", "threshold": 5}, "hard": "accuracy"},
    )
    found = objective(completions=TEXTS, completion_ids=IDS, answer=["7"] * 3)
    assert found == [1.0, 0.0, 0.0]  # right and short; short; right


def test_what_the_easy_one_remembers_is_kept_and_fixed() -> None:
    objective = make_objective("gated", "conditioned", {"easy": "conciseness", "hard": "accuracy"})
    objective.observe([2, 4])
    again = make_objective("gated", "conditioned", {"easy": "conciseness", "hard": "accuracy"})
    again.load_state_dict(objective.state_dict())
    batch: dict[str, Any] = {"completions": TEXTS, "completion_ids": IDS, "answer": ["7"] * 3}
    assert again(**batch) == objective(**batch) == [1.0, 0.0, 0.0]
    fixed = objective.for_evaluation(20.0)
    assert fixed(**batch) == [1.0, 0.0, 1.0]
    assert fixed.name == "gated"
    assert isinstance(objective.easy, Conciseness)  # type: ignore[attr-defined]
    assert objective.easy.threshold == 3  # type: ignore[attr-defined]


def test_an_error_names_the_wrapper_and_its_part() -> None:
    objective = make_objective("gated", "conditioned", {"easy": "clarity", "hard": "accuracy"})
    with pytest.raises(
        CrosstalkError, match=r"^objective 'gated' through a part: objective 'acc.*: exp"
    ):
        objective(completions=["x"], completion_ids=[[1]])
    with pytest.raises(Faulty, match=r"^objective 'conditioned' through .* objective 'told': e"):
        Conditioned(Told([1.0]), Told([1.0]))(completions=["x", "y"], completion_ids=[[1], [2]])
