import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchjd.aggregation import NashMTL as TorchJDNashMTL

from benchmark.scalarizers import NashMTL

LOSSES = torch.zeros(3, dtype=torch.float64)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[4, 0], [0, 1]], [1 / 2, 1]),  # 4 a = 1 / a
        # Norms 2 and 1, cosine 1/2: of unit gradients (1 + 1/2) a^2 = 1.
        ([[4, 1], [1, 1]], [math.sqrt(2 / 3) / 2, math.sqrt(2 / 3)]),
        ([[4, -1], [-1, 1]], [math.sqrt(2) / 2, math.sqrt(2)]),  # (1 - 1/2) a^2 = 1
    ],
)
def test_two_gradients_have_a_closed_form(rows: list[list[float]], expected: list[float]) -> None:
    found = NashMTL(["a", "b"], [1, 9]).weigh(torch.tensor(rows, dtype=torch.float64), LOSSES)
    assert found.tolist() == pytest.approx(expected, rel=1e-6)


def test_solution_is_torchjds_where_it_has_one() -> None:
    rows = torch.tensor([[2.0, 0.5, -1.0], [0.3, 1.0, 0.4], [-0.5, 0.2, 1.5]], dtype=torch.float64)
    theirs = TorchJDNashMTL(n_tasks=3, max_norm=0.0).weighting(rows)
    found = NashMTL(["a", "b", "c"]).weigh(rows @ rows.T, LOSSES)
    torch.testing.assert_close(found, theirs, rtol=1e-4, atol=0)


@settings(max_examples=100, deadline=None)
@given(objectives=st.integers(1, 8), decades=st.integers(0, 4), seed=st.integers(0, 10**6))
def test_every_gain_is_the_inverse_of_its_weight(objectives: int, decades: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(objectives, 20, generator=generator, dtype=torch.float64)
    rows *= 10 ** (decades * (2 * torch.rand(objectives, 1, generator=generator).double() - 1))
    gramian = rows @ rows.T
    found = NashMTL([str(index) for index in range(objectives)]).weigh(gramian, LOSSES)
    assert (found > 0).all()
    assert ((gramian @ found) * found).tolist() == pytest.approx([1] * objectives, rel=1e-5)
    assert (found @ gramian @ found).item() == pytest.approx(objectives, rel=1e-5)


def test_gradients_cancel_at_a_stationary_point() -> None:
    rows = torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    found = NashMTL(["a", "b", "c"]).weigh(rows @ rows.T, LOSSES)
    # Of unit gradients, 1e-8 a = 1 / a for the two that cancel.
    assert found.tolist() == pytest.approx([1e4, 0.5e4, 1], rel=1e-4)
    assert (found @ rows)[0].abs().item() < 1e-3


def test_weight_of_an_objective_without_a_gradient_is_zero() -> None:
    gramian = torch.tensor([[4.0, 0, 0], [0, 0, 0], [0, 0, 1]], dtype=torch.float64)
    nash = NashMTL(["a", "b", "c"])
    assert nash.weigh(gramian, LOSSES).tolist() == pytest.approx([0.5, 0, 1], rel=1e-6)
    assert nash.metrics() == pytest.approx({"weight/a": 0.5, "weight/b": 0, "weight/c": 1})


def test_without_gradients_the_preferences_stand_in() -> None:
    zero = torch.zeros(2, 2, dtype=torch.float64)
    assert NashMTL(["a", "b"], [1, 3]).weigh(zero, LOSSES).tolist() == [0.25, 0.75]


@pytest.mark.parametrize("objectives", [2, 5, 8])
def test_gradients_along_one_line_are_no_trouble(objectives: int) -> None:
    line = torch.randn(objectives, generator=torch.Generator().manual_seed(1)).double()
    nash = NashMTL([str(index) for index in range(objectives)])
    found = nash.weigh(torch.outer(line, line), LOSSES)
    assert (found * line.abs() <= 1.01e4 * math.sqrt(objectives)).all()
    assert found.isfinite().all()
