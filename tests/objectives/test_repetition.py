import pytest
from hypothesis import given
from hypothesis import strategies as st
from trl.rewards import get_repetition_penalty_reward

from benchmark.objectives.repetition import Repetition


def rewards(objective: Repetition, *ids: list[int]) -> list[float]:
    return objective(completions=["text"] * len(ids), completion_ids=ids)


def test_share_of_distinct_ngrams_by_hand() -> None:
    # Pairs 12 21 12 21 12: 2 of 5; 55 four times: 1 of 4; 12 23 34.
    found = rewards(Repetition(2), [1, 2, 1, 2, 1, 2], [5] * 5, [1, 2, 3, 4])
    assert found == pytest.approx([0.4, 0.25, 1])


def test_what_is_too_short_to_repeat_itself_scores_one() -> None:
    assert rewards(Repetition(), [], [7], [7, 7], [7, 7, 7]) == [1, 1, 1, 1]


@given(size=st.integers(1, 5), ids=st.lists(st.lists(st.integers(0, 2), max_size=30), min_size=1))
def test_it_is_trls_penalty_plus_one(size: int, ids: list[list[int]]) -> None:
    penalty = get_repetition_penalty_reward(ngram_size=size, max_penalty=-1.0)
    expected = [1 + each for each in penalty(completion_ids=ids)]
    assert rewards(Repetition(size), *ids) == pytest.approx(expected)
