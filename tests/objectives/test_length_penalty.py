import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trl.rewards import get_soft_overlong_punishment

from benchmark.objectives.length_penalty import SHAPES, LengthPenalty


def rewards(objective: LengthPenalty, *lengths: int) -> list[float]:
    texts = ["text"] * len(lengths)
    return objective(completions=texts, completion_ids=[[0] * length for length in lengths])


def test_the_linear_shape_by_hand() -> None:
    lengths = (0, 16, 17, 24, 32, 47, 48, 49, 1000)
    expected = [1, 1, 31 / 32, 0.75, 0.5, 1 / 32, 0, 0, 0]
    assert rewards(LengthPenalty(16, 48), *lengths) == pytest.approx(expected)


def test_the_cosine_shape_by_hand() -> None:
    lengths = (0, 16, 24, 32, 40, 48, 1000)
    slow = (1 + math.sqrt(0.5)) / 2
    expected = [1, 1, slow, 0.5, 1 - slow, 0, 0]
    assert rewards(LengthPenalty(16, 48, "cosine"), *lengths) == pytest.approx(expected)


@given(
    limit=st.integers(2, 200),
    cache=st.integers(1, 200),
    lengths=st.lists(st.integers(0, 300), min_size=1, max_size=5),
)
def test_linear_shape_is_the_overlong_punishment_plus_one(
    limit: int, cache: int, lengths: list[int]
) -> None:
    cache = min(cache, limit)
    punishment = get_soft_overlong_punishment(max_completion_len=limit, soft_punish_cache=cache)
    expected = [1 + each for each in punishment([[0] * length for length in lengths])]
    assert rewards(LengthPenalty(limit - cache, limit), *lengths) == pytest.approx(expected)


@pytest.mark.parametrize("shape", SHAPES)
@given(target=st.integers(0, 50), width=st.integers(1, 50))
def test_a_longer_completion_is_never_worth_more(shape: str, target: int, width: int) -> None:
    found = rewards(LengthPenalty(target, target + width, shape), *range(target + width + 3))
    assert found == sorted(found, reverse=True)
    assert found[: target + 1] == [1] * (target + 1)
    assert found[target + width :] == pytest.approx([0, 0, 0])
    assert all(0 < reward < 1 for reward in found[target + 1 : target + width])
