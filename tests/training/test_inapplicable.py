"""A completion that no objective applies to contributes nothing, by any method and estimator."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from required import REQUIRED
from torch import Tensor

from benchmark.advantages import ESTIMATORS
from benchmark.scalarizers import SCALARIZERS, Feedback, Scalarizer, make_scalarizer
from benchmark.testing import make_batch
from benchmark.training import MultiObjectiveGRPOTrainer
from benchmark.training.update import weighed

NAMES = ["objective0", "objective1", "objective2"]
PAIRS = [
    (name, estimator)
    for name, cls in SCALARIZERS.items()
    for estimator in ESTIMATORS
    if cls.estimators is None or estimator in cls.estimators
]
BARE = torch.tensor([0, 7, 11])  # rows of the batch without any reward
KEPT = torch.tensor([k for k in range(16) if k not in BARE])


def signals(scalarizer: Scalarizer, estimator: str, batch: Feedback, mask: Tensor) -> Any:
    trainer = SimpleNamespace(scalarizer=scalarizer, estimator=estimator)
    return MultiObjectiveGRPOTrainer.scalarize(trainer, batch.rewards, batch.groups, mask)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "estimator"), PAIRS)
def test_it_contributes_exactly_nothing(name: str, estimator: str) -> None:
    batch = make_batch(3, [4, 4, 4, 4], missing=0.2)
    batch.rewards[BARE] = math.nan
    mask = torch.arange(9) < torch.arange(2, 18)[:, None] // 2
    one, other = (make_scalarizer(name, NAMES, [3, 2, 1], **REQUIRED.get(name, {})) for _ in "12")
    found = signals(one, estimator, batch, mask)
    without = Feedback(batch.rewards[KEPT], batch.groups[KEPT])
    expected = signals(other, estimator, without, mask[KEPT])
    assert found["scores"][BARE].isnan().all()
    for key in ("advantages", "objective_advantages"):
        if key in found:
            assert (found[key][BARE] == 0).all()
    for key, value in expected.items():
        torch.testing.assert_close(found[key][KEPT], value, equal_nan=True)
    torch.testing.assert_close(one.state_dict(), other.state_dict(), equal_nan=True)


def test_weights_of_gradients_give_it_no_score() -> None:
    rewards = torch.tensor([[1.0, math.nan], [math.nan, math.nan]])
    advantages = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    batch = {"rewards": rewards, "objective_advantages": advantages}
    found = weighed(batch, torch.tensor([0.5, 0.5]))
    assert found["scores"][0] == 0.5
    assert found["scores"][1].isnan()
    assert found["advantages"].tolist() == [1.0, 0.0]
