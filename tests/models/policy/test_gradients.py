"""Gradients by loss: the Gramian, the weighted sum, and how they reach the parameters."""

import pytest
import torch
from torch import Tensor
from torch.nn import Linear, Module, Sequential

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy import gradients
from benchmark.models.policy.gradients import Gradients, deposit, select_parameters


class Adapted(Module):
    """A layer with a frozen matrix and an adapter, as PEFT names them."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Linear(2, 2).requires_grad_(False)
        self.lora_A = Linear(2, 1)
        self.scale = Linear(1, 1)


@pytest.fixture
def model() -> Sequential:
    torch.manual_seed(0)
    return Sequential(Linear(3, 4), torch.nn.Tanh(), Linear(4, 2))


def losses_of(model: Module, shift: float = 0.0) -> list[Tensor]:
    output = model(torch.arange(6.0).reshape(2, 3) / 6 + shift)
    return [output[:, 0].sum(), output[:, 1].square().sum()]


def flat_gradient(model: Module, loss: Tensor) -> Tensor:
    model.zero_grad()
    loss.backward(retain_graph=True)
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
    model.zero_grad()
    return torch.cat([value.flatten() for value in found])


def collected(model: Module, *shifts: float) -> Gradients:
    found = Gradients(model, select_parameters(model, "all"), 2)
    for shift in shifts:
        for row, loss in enumerate(losses_of(model, shift)):
            found.add(row, loss)
    return found


def test_gramian_sums_over_micro_batches(model: Sequential) -> None:
    rows = [
        sum(flat_gradient(model, losses_of(model, shift)[row]) for shift in (0.0, 1.0))
        for row in (0, 1)
    ]
    jacobian = torch.stack([torch.as_tensor(row) for row in rows]).double()
    found = collected(model, 0.0, 1.0).gramian()
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, jacobian @ jacobian.T, rtol=1e-5, atol=1e-6)


def test_gramian_by_blocks_is_the_gramian(
    model: Sequential, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = collected(model, 0.5).gramian()
    monkeypatch.setattr(gradients, "BLOCK", 5)
    torch.testing.assert_close(collected(model, 0.5).gramian(), whole)


def test_missing_gradients_count_as_zero() -> None:
    left, right = Linear(2, 1, bias=False), Linear(2, 1, bias=False)
    model = Sequential(left, right)
    found = Gradients(model, select_parameters(model, "all"), 3)
    found.add(0, left(torch.tensor([3.0, 4.0])).sum())
    found.add(1, right(torch.tensor([1.0, 2.0])).sum())
    assert found.gramian().tolist() == [[25, 0, 0], [0, 5, 0], [0, 0, 0]]
    assert [value.tolist() for value in found.weighted([2, -1, 7])] == [[[6, 8]], [[-1, -2]]]


def test_weighted_sums_keep_the_precision() -> None:
    model = Linear(2, 1, bias=False).bfloat16()
    found = Gradients(model, select_parameters(model, "all"), 2)
    for row, row_input in enumerate(([1.0, 256.0], [2.0**-9, 1.0])):
        found.add(row, model(torch.tensor(row_input).bfloat16()).sum())
    assert {value.dtype for row in found.rows for value in row} == {torch.bfloat16}
    (total,) = found.weighted([3.0, 1.0])
    assert total.dtype == torch.bfloat16
    expected = (3 * torch.tensor([1.0, 256.0]) + torch.tensor([2.0**-9, 1.0])).bfloat16()
    assert torch.equal(total[0], expected)


def test_deposited_gradients_add_to_the_losss_own(
    model: Sequential,
) -> None:
    parameters = select_parameters(model, "all")
    own = flat_gradient(model, losses_of(model)[0])
    extra = [torch.full_like(p, 2.0) for p in parameters]
    loss = losses_of(model)[0]
    total = deposit(loss, extra, parameters)
    assert total.item() == loss.item()
    (3 * total).backward()
    found = torch.cat([p.grad.flatten() for p in parameters])
    torch.testing.assert_close(found, 3 * (own + 2.0))


def test_depositing_nothing_leaves_no_gradient(model: Sequential) -> None:
    parameters = select_parameters(model, "all")
    deposit(losses_of(model)[0].detach(), [None] * len(parameters), parameters).backward()
    assert all(p.grad is None for p in parameters)


@pytest.mark.parametrize(
    ("which", "names"),
    [
        ("all", ["lora_A.weight", "lora_A.bias", "scale.weight", "scale.bias"]),
        ("lora", ["lora_A.weight", "lora_A.bias"]),
        (r"bias$", ["lora_A.bias", "scale.bias"]),
    ],
)
def test_only_trained_parameters_are_selected(which: str, names: list[str]) -> None:
    model = Adapted()
    by_id = {id(p): name for name, p in model.named_parameters()}
    assert [by_id[id(p)] for p in select_parameters(model, which)] == names


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("base", r"expected a pattern in the name of one of 4 trainable .* got 'base'"),
        ("layers.(", r"expected 'all', 'lora' or a regular expression, got 'layers.\(': "),
    ],
)
def test_a_selection_of_nothing_is_refused(which: str, message: str) -> None:
    with pytest.raises(CrosstalkError, match=message):
        select_parameters(Adapted(), which)


def test_a_frozen_model_is_refused(model: Sequential) -> None:
    with pytest.raises(CrosstalkError, match="all its parameters are frozen"):
        select_parameters(model.requires_grad_(False), "all")
