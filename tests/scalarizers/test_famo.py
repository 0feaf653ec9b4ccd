import math

import pytest
import torch
from torch import Tensor
from torchjd.scalarization import FAMO as TorchJDFAMO

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import FAMO, Feedback

GROUPS = torch.tensor([0, 0])
ADVANTAGES = torch.tensor([[1.0, 2.0], [-1.0, 0.0]])


def rewards(*means: float) -> Tensor:
    return torch.tensor([means, means])


def feedback(before: list[float], after: list[float]) -> Feedback:
    losses = [torch.tensor(values, dtype=torch.float64) for values in (before, after)]
    return Feedback(rewards(0, 0), GROUPS, losses_before=losses[0], losses_after=losses[1])


def weights(famo: FAMO) -> list[float]:
    return list(famo.metrics().values())


def test_weights_are_the_shares_over_the_losses() -> None:
    famo = FAMO(["a", "b"], [1, 3])
    # Losses .5 and .25: 1/4 over .5 to 3/4 over .25 is 1 to 6. A = (1 + 12, -1) / 7.
    combined = famo.combine(ADVANTAGES, rewards(0.5, 0.75), GROUPS)
    assert combined.tolist() == pytest.approx([13 / 7, -1 / 7])
    assert famo.metrics() == pytest.approx({"weight/a": 1 / 7, "weight/b": 6 / 7})


def test_upper_bounds_are_where_losses_are_zero() -> None:
    famo = FAMO(["a", "b"], upper_bounds=[3, 1])
    famo.combine(ADVANTAGES, rewards(1.0, 0.5), GROUPS)  # losses 2 and .5: 1 to 4
    assert weights(famo) == pytest.approx([0.2, 0.8])
    with pytest.raises(CrosstalkError, match=r"upper_bounds: .* for 'b' that is 1 below"):
        famo.combine(ADVANTAGES, rewards(1.0, 2.0), GROUPS)


def test_first_step_is_the_learning_rate() -> None:
    famo = FAMO(["a", "b"], step_size=0.5, regularization=0.0)
    famo.update(feedback([0.5, 0.5], [0.25, 0.5]))  # delta = (log 2, 0): a made progress
    # Adam's first step is the learning rate, against the sign of J' delta = (log 2, -log 2) / 4.
    assert famo.state["logits"].tolist() == pytest.approx([-0.5, 0.5], rel=1e-6)


def test_several_steps_are_those_of_torchjd() -> None:
    generator = torch.Generator().manual_seed(0)
    famo = FAMO(["a", "b", "c"], regularization=1e-3, epsilon=1e-9)
    theirs = TorchJDFAMO(3, weight_decay=1e-3)
    for _ in range(6):
        before, after = torch.rand(2, 3, generator=generator).clamp(min=0.1)
        famo.combine(torch.zeros(2, 3), rewards(*(1 - before).tolist()), GROUPS)
        values = before.clone().requires_grad_()
        (expected,) = torch.autograd.grad(theirs(values), values)  # c z / l
        assert weights(famo) == pytest.approx(expected.tolist(), rel=1e-4)
        theirs.update(after)
        famo.update(feedback(before.tolist(), after.tolist()))
    assert max(weights(famo)) - min(weights(famo)) > 0.05


def test_loss_of_zero_counts_as_epsilon() -> None:
    famo = FAMO(["a", "b"])
    famo.combine(ADVANTAGES, rewards(1.0, 0.0), GROUPS)  # losses .01 and 1
    assert weights(famo) == pytest.approx([100 / 101, 1 / 101])
    famo.update(feedback([0.0, 1.0], [0.005, 1.0]))  # no progress on either
    assert famo.state["logits"].tolist() == [0.0, 0.0]


def test_inapplicable_objective_teaches_nothing() -> None:
    famo = FAMO(["a", "b"], regularization=0.0)
    combined = famo.combine(ADVANTAGES, rewards(0.5, math.nan), GROUPS)
    assert combined.tolist() == [1.0, -1.0]
    famo.update(feedback([0.5, math.nan], [0.5, math.nan]))
    assert famo.state["logits"].tolist() == [0.0, 0.0]
    famo.combine(ADVANTAGES, rewards(math.nan, math.nan), GROUPS)
    assert weights(famo) == [1.0, 0.0]  # as before


def test_objective_of_weight_zero_stays_out() -> None:
    famo = FAMO(["a", "b", "c"], [1, 0, 1])
    for _ in range(3):
        famo.combine(torch.zeros(2, 3), rewards(0.5, 0.9, 0.5), GROUPS)
        famo.update(feedback([0.5, 0.5, 0.5], [0.25, 0.1, 0.5]))
    famo.combine(torch.zeros(2, 3), rewards(0.5, 0.9, 0.5), GROUPS)
    first, second, third = weights(famo)
    assert first < 0.5 < third
    assert second == 0


def test_preferences_fade_with_the_decay_alone() -> None:
    famo = FAMO(["a", "b"], [1, 2])
    assert famo.state["logits"].tolist() == pytest.approx([math.log(0.5), 0.0])
    assert FAMO(["a", "b", "c"]).state["logits"].tolist() == [0.0, 0.0, 0.0]


def test_resumed_run_goes_on_to_the_bit() -> None:
    famo, resumed = FAMO(["a", "b"]), FAMO(["a", "b"])
    famo.update(feedback([0.5, 0.5], [0.4, 0.5]))
    resumed.load_state_dict(famo.state_dict())
    for one in (famo, resumed):
        one.update(feedback([0.5, 0.3], [0.6, 0.2]))
    assert torch.equal(famo.state["logits"], resumed.state["logits"])


def test_defaults_are_the_studys() -> None:
    famo = FAMO(["a"])
    assert (famo.step_size, famo.regularization, famo.epsilon) == (0.025, 1e-5, 0.01)
