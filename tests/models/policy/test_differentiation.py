"""Log-probabilities and their derivatives along a direction of the parameters."""

import copy

import pytest
import torch
from tiny_policies import KINDS, make_batch, make_policy, random_direction
from torch import Tensor
from transformers import PreTrainedModel

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.differentiation import differentiable, directional_logps


def plain_logps(model: PreTrainedModel, batch: dict[str, Tensor], heat: float = 1.0) -> Tensor:
    """Return the token log-probabilities by one forward pass over everything, padding too."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    prompt = batch["prompt_ids"].size(1)
    with differentiable(model):
        logits = model(input_ids=ids, attention_mask=mask).logits[:, prompt - 1 : -1] / heat
    found = logits.log_softmax(-1).gather(-1, batch["completion_ids"][..., None]).squeeze(-1)
    return found * batch["completion_mask"]


def differences(
    model: PreTrainedModel, direction: dict[str, Tensor], batch: dict[str, Tensor], heat: float
) -> Tensor:
    r"""Return the derivatives by central differences in double precision.

    D(h) has an error of order h²; (4 D(h/2) − D(h))/3, Richardson's step, one of order h⁴.
    """

    def moved(distance: float) -> Tensor:
        other = copy.deepcopy(model).double()
        with torch.no_grad():
            for name, parameter in other.named_parameters():
                parameter += distance * direction[name].double()
            return plain_logps(other, batch, heat)

    def difference(step: float) -> Tensor:
        return (moved(step) - moved(-step)) / (2 * step)

    step = 1e-3 / float(torch.stack([u.double().norm() for u in direction.values()]).norm())
    return (4 * difference(step / 2) - difference(step)) / 3


@pytest.mark.parametrize(("kind", "tied"), KINDS)
def test_derivatives_are_gradients_along_directions(kind: str, tied: bool) -> None:
    model, batch = make_policy(kind, tied).double(), make_batch()
    direction = random_direction(model)
    logps, slopes = directional_logps(model, direction, batch, temperature=0.7)
    expected = plain_logps(model, batch, 0.7)
    torch.testing.assert_close(logps, expected)
    for row, token in [(0, 0), (3, 2), (4, 4)]:
        gradient = torch.autograd.grad(
            expected[row, token], list(model.parameters()), retain_graph=True
        )
        pairs = zip(gradient, direction.values(), strict=True)
        along = sum((g * u).sum() for g, u in pairs)
        torch.testing.assert_close(slopes[row, token], along, rtol=1e-6, atol=1e-6)
    reference = differences(model, direction, batch, 0.7)
    torch.testing.assert_close(slopes, reference, rtol=1e-6, atol=1e-6)
    assert not slopes[batch["completion_mask"] == 0].any()
    assert not slopes.requires_grad


def test_single_precision_is_close_to_double() -> None:
    model, batch = make_policy("qwen3"), make_batch()
    direction = random_direction(model)
    in_order = list(direction.values())  # the parameters' order
    logps, slopes = directional_logps(model, in_order, batch)
    assert slopes.dtype == torch.float32
    exact = plain_logps(copy.deepcopy(model).double(), batch).float()
    torch.testing.assert_close(logps, exact, rtol=1e-5, atol=1e-5)
    reference = differences(model, direction, batch, 1.0).float()
    torch.testing.assert_close(slopes, reference, rtol=1e-4, atol=1e-4)


def test_the_remainder_is_of_second_order() -> None:
    model, batch = make_policy().double(), make_batch()
    direction = random_direction(model)
    logps, slopes = directional_logps(model, direction, batch)
    errors = []
    for step in (1e-3, 1e-4):
        moved = copy.deepcopy(model)
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                parameter += step * direction[name]
        errors.append(
            float((plain_logps(moved, batch) - logps - step * slopes).abs().max().detach())
        )
    assert errors[1] == pytest.approx(errors[0] / 100, rel=0.1)  # the remainder is of order two


def test_absent_directions_are_zero() -> None:
    model, batch = make_policy(), make_batch()
    name = "model.layers.0.mlp.up_proj.weight"
    whole = {key: torch.zeros_like(p) for key, p in model.named_parameters()}
    whole[name] = torch.ones_like(whole[name])
    _, expected = directional_logps(model, whole, batch)
    _, found = directional_logps(model, {name: whole[name]}, batch)
    torch.testing.assert_close(found, expected)
    assert expected.any()
    model.requires_grad_(False)
    with pytest.raises(CrosstalkError, match="all its parameters are frozen"):
        directional_logps(model, {name: whole[name]}, batch)


def test_the_model_is_left_as_it_was() -> None:
    model, batch = make_policy(), make_batch()
    model.config.attention_dropout = 0.5
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    model.train()
    direction = random_direction(model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    first, second = (directional_logps(model, direction, batch)[1] for _ in range(2))
    assert torch.equal(first, second)
    assert model.training
    assert all(torch.equal(p, before[name]) for name, p in model.named_parameters())
    assert all(p.grad is None for p in model.parameters())


class Backward(torch.autograd.Function):
    """The identity, with a derivative in backward mode alone."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: object, *above: Tensor) -> Tensor:
        return above[0]


class OneWay(torch.nn.Module):
    """The identity as a layer."""

    def forward(self, value: Tensor) -> Tensor:
        return Backward.apply(value)


def test_a_model_without_forward_mode_is_refused() -> None:
    model, batch = make_policy(), make_batch()
    direction = random_direction(model)
    model.model.norm = torch.nn.Sequential(model.model.norm, OneWay())
    renamed = {n.replace("model.norm.", "model.norm.0."): u for n, u in direction.items()}
    with pytest.raises(CrosstalkError, match="model: it lacks forward differentiation"):
        directional_logps(model, renamed, batch)


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        ({"head": torch.ones(2)}, "'head' is not a trainable parameter"),
        ({"model.norm.weight": torch.ones(2)}, r"expected shape \(16,\), got \(2,\)"),
        ({"model.norm.weight": torch.full((16,), torch.nan)}, "not finite"),
        ([torch.ones(16)], "got 1"),
    ],
)
def test_directions_that_do_not_fit_are_refused(direction: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        directional_logps(make_policy(), direction, make_batch())
