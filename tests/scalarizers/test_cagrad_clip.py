import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmark.scalarizers import SCALARIZERS, CAGradClip

LOSSES = torch.zeros(2, dtype=torch.float64)


def gramian(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


def test_two_orthogonal_gradients_by_hand() -> None:
    # Of norm 1, w = (1/4, 3/4): b = w, s = c sqrt(10)/4. With c = 1/2 the worst-off is a: p moves
    # all to a, as its slope there, 1/4 + s, is below b's 3/4. The clip leaves 1/4 of a.
    found = CAGradClip(["a", "b"], [1, 3], c=0.5).weigh(gramian([[1, 0], [0, 1]]), LOSSES)
    length = math.sqrt(10) / 8
    assert found.tolist() == pytest.approx([0.25 + length, 0.75], abs=1e-6)


def test_clip_holds_the_correction_to_the_preferences() -> None:
    # g_b = -2 g_a: w = (3/4, 1/4) gives 1/4 g_a, and p of all on b has the smallest slope.
    rows = gramian([[1, -2], [-2, 4]])
    clipped = CAGradClip(["a", "b"], [3, 1], c=0.4).weigh(rows, LOSSES)
    # Slopes 1/4 and -1/2, s = 0.1: p = (0, 1), worth -1/2 + 0.2. Its clip is (0, 1/4), of norm 1/2.
    assert clipped.tolist() == pytest.approx([0.75, 0.25 + 0.1 / 0.5 * 0.25], abs=1e-6)
    free = CAGradClip(["a", "b"], [3, 1], c=0.4, clip=False).weigh(rows, LOSSES)
    assert free.tolist() == pytest.approx([0.75, 0.25 + 0.1 / 2], abs=1e-6)


def test_clip_matters_where_several_share_the_correction() -> None:
    # Three orthogonal ones of norm 1, w = (.1, .1, .8), c = 1: s = sqrt(.66). By symmetry p is
    # (x, x, 1 - 2x); at x = 1/2 the slope in x is -1.4 + s sqrt(2) < 0, so x is 1/2.
    found = CAGradClip(["a", "b", "c"], [1, 1, 8], c=1).weigh(torch.eye(3).double(), LOSSES)
    added = math.sqrt(0.66 / 2)  # (.1, .1, 0) brought to length s
    assert found.tolist() == pytest.approx([0.1 + added, 0.1 + added, 0.8], abs=1e-5)


def test_no_correction_where_gradients_cancel() -> None:
    found = CAGradClip(["a", "b"]).weigh(gramian([[1, -1], [-1, 1]]), LOSSES)
    assert found.tolist() == pytest.approx([0.5, 0.5])
    zero = CAGradClip(["a", "b"], [1, 3]).weigh(gramian([[0, 0], [0, 0]]), LOSSES)
    assert zero.tolist() == [0.25, 0.75]


def test_objective_without_a_gradient_does_not_switch_the_correction_off() -> None:
    rows = gramian([[1, 0, 0], [0, 1, 0], [0, 0, 0]])
    found = CAGradClip(["a", "b", "c"], [1, 3, 4], c=0.5).weigh(rows, LOSSES)
    # As for a and b alone, w being half of what it is there: s = sqrt(10)/16 goes to a.
    assert found.tolist() == pytest.approx([0.125 + math.sqrt(10) / 16, 0.375, 0.5], abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(objectives=st.integers(2, 5), seed=st.integers(0, 10**6), c=st.floats(0.1, 0.9))
def test_preferred_sum_descends_and_step_has_its_length(
    objectives: int, seed: int, c: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(objectives, 6, generator=generator, dtype=torch.float64)
    weights = torch.rand(objectives, generator=generator) + 0.1
    rule = CAGradClip([str(index) for index in range(objectives)], weights.tolist(), c=c)
    found = rule.weigh(rows @ rows.T, LOSSES)
    preferred = rule.weights.double()
    step, wanted = rows.T @ found, rows.T @ preferred
    assert step @ wanted >= (1 - c) * (wanted @ wanted) - 1e-9
    assert (step - wanted).norm().item() == pytest.approx((c * wanted.norm()).item(), rel=1e-6)
    assert (found >= preferred - 1e-12).all()


def test_without_clip_and_with_equal_weights_it_is_cagrad() -> None:
    generator = torch.Generator().manual_seed(3)
    rows = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    names = ["a", "b", "c", "d"]
    found = CAGradClip(names, c=0.5, clip=False).weigh(rows @ rows.T, LOSSES)
    theirs = SCALARIZERS["torchjd:CAGrad"](names, c=0.5, norm_eps=0.0)
    expected = theirs.weigh(rows @ rows.T, LOSSES)  # type: ignore[attr-defined]
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-5)
