import math

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import SCALARIZERS, Single

NAMES = ["accuracy", "conciseness", "clarity"]


def test_score_is_the_one_objective() -> None:
    single = Single(NAMES, [5, 1, 1], objective="conciseness")
    rewards = torch.tensor([[1.0, 0.25, 1.0], [0.0, math.nan, 1.0]])
    scores = single.score(rewards)
    assert scores[0] == 0.25
    assert scores[1].isnan()
    assert single.weights.tolist() == [0.0, 1.0, 0.0]


def test_single_alone_is_a_reference() -> None:
    assert {name for name, cls in SCALARIZERS.items() if cls.reference} == {"single"}


def test_objective_outside_the_set_is_refused() -> None:
    message = "objective: unknown objective 'concisenes'; did you mean 'conciseness'"
    with pytest.raises(CrosstalkError, match=message):
        Single(NAMES, objective="concisenes")


def test_weights_are_checked_though_replaced() -> None:
    with pytest.raises(CrosstalkError, match="weights"):
        Single(NAMES, [1, -1, 1], objective="accuracy")
