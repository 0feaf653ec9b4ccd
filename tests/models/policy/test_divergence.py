"""Weights and logits that are no numbers are noticed, wherever they are; others never are."""

from pathlib import Path

import pytest
import torch
from families import LLAMA3, write_family
from torch.nn import Parameter

from benchmark.common.errors import Diverged
from benchmark.models.policy.divergence import check_weights, refuse_bad_logits
from benchmark.models.policy.loading import load_policy


def test_finite_weights_pass_however_large() -> None:
    frozen = Parameter(torch.tensor([float("nan")]), requires_grad=False)
    check_weights([Parameter(torch.full((9,), 3e38)), Parameter(torch.empty(0)), frozen])
    check_weights([])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_one_bad_weight_is_enough(value: float, dtype: torch.dtype) -> None:
    weights = [torch.ones(3, 5, dtype=dtype), torch.ones(7, dtype=dtype), torch.ones(2)]
    weights[1][4] = value
    with pytest.raises(Diverged, match=r"^1 of 24 trained weights are not finite$"):
        check_weights(map(Parameter, weights))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_bad_logits_are_refused_in_the_block_alone(tmp_path: Path, value: float) -> None:
    policy = load_policy(write_family(LLAMA3, tmp_path / "model"))
    head, ids = policy.get_output_embeddings(), torch.tensor([[0, 9]])
    with refuse_bad_logits(policy):
        policy(ids)
    spoilt = torch.full_like(head.weight, value)
    head.weight = Parameter(torch.where(torch.arange(len(spoilt))[:, None] == 3, spoilt, 0.0))
    with refuse_bad_logits(policy), pytest.raises(Diverged, match="logits are not finite"):
        policy(ids)
    policy(ids)


def test_a_token_that_cannot_be_drawn_is_no_divergence() -> None:
    class Head(torch.nn.Module):
        def forward(self, states: torch.Tensor) -> torch.Tensor:
            return states.index_fill(-1, torch.tensor([1]), -float("inf"))

    head = Head()
    head.get_output_embeddings = lambda: head
    with refuse_bad_logits(head):
        assert head(torch.zeros(2, 3)).isinf().any()
