from typing import Any

import pytest
import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import (
    SCALARIZERS,
    Feedback,
    GradientScalarizer,
    GradNorm,
    Smoothed,
    make_scalarizer,
)
from benchmark.scalarizers.smoothed import RULES

LOSSES = torch.zeros(2, dtype=torch.float64)


def gramian(first: float, second: float) -> Tensor:
    """Return that of orthogonal gradients: MGDA's weights are inverse to the squares."""
    return torch.tensor([first, second], dtype=torch.float64).diag()


def test_weights_are_a_moving_average_of_the_rules() -> None:
    smoothed = Smoothed(["a", "b"], [1, 3], rule="mgda", share=0.75)
    assert smoothed.metrics() == {"weight/a": 0.25, "weight/b": 0.75}
    assert smoothed.weigh(gramian(1, 4), LOSSES).tolist() == pytest.approx([0.8, 0.2])
    # A quarter of (1/5, 4/5), and then of (1/2, 1/2).
    assert smoothed.weigh(gramian(4, 1), LOSSES).tolist() == pytest.approx([0.65, 0.35])
    smoothed.weigh(gramian(1, 1), LOSSES)
    assert smoothed.metrics() == pytest.approx({"weight/a": 0.6125, "weight/b": 0.3875})


def test_it_is_torchjds() -> None:
    from torchjd.aggregation import CRMOGMWeighting, UPGradWeighting

    theirs = CRMOGMWeighting(UPGradWeighting(), alpha=0.6)
    ours = Smoothed(["a", "b"], rule="torchjd:UPGrad", share=0.6)
    for seed in range(3):
        rows = torch.randn(2, 3, generator=torch.Generator().manual_seed(seed)).double()
        matrix = rows @ rows.T
        expected = theirs(matrix / matrix.diagonal().mean()).tolist()
        assert ours.weigh(matrix, LOSSES).tolist() == pytest.approx(expected, rel=1e-6)


def test_rule_learns_from_updates_with_its_own_parameters() -> None:
    parameters = {"alpha": 0.5, "step_size": 0.2, "upper_bounds": [2, 1]}
    smoothed = Smoothed(["a", "b"], rule="gradnorm", share=0, parameters=parameters)
    alone = GradNorm(["a", "b"], **parameters)  # type: ignore[arg-type]
    assert smoothed.upper_bounds.tolist() == [2, 1]
    for step in range(3):
        rewards = torch.tensor([[0.5, 0.2 * step], [0.7, 0.4]])
        feedback = Feedback(rewards, torch.zeros(2), gramian=gramian(1, 4))
        expected = alone.weigh(gramian(1, 4), LOSSES)
        assert torch.equal(smoothed.weigh(gramian(1, 4), LOSSES), expected)
        alone.update(feedback)
        smoothed.update(feedback)
    assert not torch.equal(expected, 2 * alone.weights.double())


def test_every_gradient_rule_can_be_smoothed() -> None:
    gradients = {name for name, cls in SCALARIZERS.items() if issubclass(cls, GradientScalarizer)}
    assert gradients - {"smoothed", "raco"} == RULES.keys()
    assert all(SCALARIZERS[name] is cls for name, cls in RULES.items())
    assert all(cls.requires == Smoothed.requires for cls in RULES.values())


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"rule": "mdga"}, "unknown rule 'mdga'; did you mean 'mgda'"),
        ({"rule": "mgda", "parameters": {"norm": 1}}, "rule 'mgda': unknown parameter 'norm'"),
        ({"rule": "torchjd:CAGrad"}, "rule 'torchjd:CAGrad': parameter 'c' is missing"),
        ({"rule": "mgda", "parameters": {"power": -1}}, "power: expected a number of at least 0"),
        ({"rule": "mgda", "parameters": [1]}, r"parameters: expected a mapping .* got \[1\]"),
        ({"rule": "mgda", "share": 1.1}, "share: expected a number of at least 0 and at most 1"),
        ({"rule": 3}, "unknown rule '3'"),
    ],
)
def test_wrong_rule_or_parameters_are_named(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(CrosstalkError, match=f"algorithm 'smoothed': {message}"):
        make_scalarizer("smoothed", ["a", "b"], **parameters)
