import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.conciseness import Conciseness


def rewards(objective: Conciseness, *lengths: int) -> list[float]:
    texts = ["text"] * len(lengths)
    return objective(completions=texts, completion_ids=[[0] * length for length in lengths])


def test_lengths_that_nobody_noted_are_refused() -> None:
    with pytest.raises(CrosstalkError, match="'conciseness': expected a threshold, or a trainer"):
        rewards(Conciseness(), 1, 1000)


def test_a_first_batch_is_told_apart() -> None:
    objective = Conciseness()
    objective.observe([1, 1000])
    assert rewards(objective, 1, 1000) == [1, 0]


def test_threshold_is_the_mean_of_all_completions() -> None:
    objective = Conciseness()
    objective.observe([10, 20])
    objective.observe([30, 40, 50, 60])  # mean of all six: 35; mean of the two means: 30
    assert objective.threshold == 35
    assert rewards(objective, 34, 35, 36) == [1, 0, 0]


def test_rewarding_does_not_move_the_threshold() -> None:
    objective = Conciseness()
    objective.observe([10])
    rewards(objective, 100, 200)
    assert objective.threshold == 10


def test_evaluation_has_a_fixed_threshold() -> None:
    training = Conciseness()
    training.observe([10])
    fixed = training.for_evaluation(25.5)
    fixed.observe([1, 1, 1])
    assert fixed.threshold == 25.5
    assert rewards(fixed, 25, 26) == [1, 0]


def test_a_restored_objective_goes_on_exactly() -> None:
    unbroken, resumed = Conciseness(), Conciseness()
    unbroken.observe([7, 8, 8])
    resumed.load_state_dict(unbroken.state_dict())
    for objective in (unbroken, resumed):
        objective.observe([9, 9, 10, 11])
    assert resumed.threshold == unbroken.threshold
    assert resumed.state_dict() == unbroken.state_dict()


def test_fixed_threshold_is_the_same_in_evaluation() -> None:
    objective = Conciseness(4)
    objective.observe([100])
    assert objective.threshold == objective.for_evaluation(25.5).threshold == 4
