"""Directions of steps that training did not make, on a policy with random weights."""

import pytest
import torch
from tiny_policies import make_batch, make_policy, random_direction

from benchmark.commands.jobs.directions import ascent, of_length, without_memory
from benchmark.models.policy.differentiation import directional_logps


def test_the_ascent_is_the_gradient_of_the_signal() -> None:
    model = make_policy().double()
    batches = [make_batch(rows=5, seed=seed) for seed in (0, 1)]
    mask = torch.cat([batch["completion_mask"] for batch in batches])
    signal = torch.randn(
        mask.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)
    )
    found = ascent(model, batches, signal * mask, 0.7)
    along = random_direction(model)
    slopes = [directional_logps(model, along, batch, temperature=0.7)[1] for batch in batches]
    expected = (signal * torch.cat(slopes)).sum() / len(mask)
    product = sum((g * u).sum() for g, u in zip(found, along.values(), strict=True))
    assert float(product) == pytest.approx(float(expected))


def test_an_optimizer_without_memory_makes_adams_first_step() -> None:
    gradient = torch.tensor([2.0, -1e-3, 1e-9, 0.0])
    parameter = torch.nn.Parameter(torch.zeros(4))
    parameter.grad = -gradient
    torch.optim.AdamW([parameter], lr=0.5, eps=1e-8, weight_decay=0.0).step()
    (found,) = without_memory([gradient], 1e-8)
    torch.testing.assert_close(0.5 * found, parameter.detach())


def test_directions_get_the_length_of_the_step_made() -> None:
    made = [torch.tensor([3.0, 0.0]), torch.tensor([4.0])]
    found = of_length([torch.tensor([0.0, 1.0]), torch.tensor([0.0])], made)
    assert [each.tolist() for each in found] == [[0.0, 5.0], [0.0]]
    nothing = [torch.zeros(2), torch.zeros(1)]
    assert not any(each.any() for each in of_length(nothing, made))
