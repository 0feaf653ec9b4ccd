import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import MGDA

LOSSES = torch.zeros(2, dtype=torch.float64)


def gramian(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows, dtype=torch.float64)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        # Of two: a_1 = (G_22 - G_12) / (G_11 + G_22 - 2 G_12), within [0, 1].
        ([[4, 0], [0, 1]], [1 / 5, 4 / 5]),
        ([[4, -1], [-1, 1]], [2 / 7, 5 / 7]),
        ([[4, 2], [2, 1.5]], [0, 1]),  # the shorter one alone: (1.5 - 2) < 0
        ([[1, -2], [-2, 4]], [2 / 3, 1 / 3]),  # g and -2 g: they cancel
    ],
)
def test_two_gradients_have_a_closed_form(rows: list[list[float]], expected: list[float]) -> None:
    found = MGDA(["a", "b"], [1, 9]).weigh(gramian(rows), LOSSES)
    assert found.tolist() == pytest.approx(expected, abs=1e-12)


def test_orthogonal_gradients_weigh_by_inverse_squares() -> None:
    found = MGDA(["a", "b", "c"]).weigh(gramian([[1, 0, 0], [0, 4, 0], [0, 0, 0.25]]), LOSSES)
    assert found.tolist() == pytest.approx([4 / 21, 1 / 21, 16 / 21])  # of 1, 1/4, 4


def test_normalized_gradients_count_by_direction() -> None:
    mgda = MGDA(["a", "b"], normalize=True)
    # Cosine -1/2: alpha = (1/2, 1/2), over the norms (2, 1), to sum 1.
    assert mgda.weigh(gramian([[4, -1], [-1, 1]]), LOSSES).tolist() == pytest.approx([1 / 3, 2 / 3])
    assert mgda.metrics() == pytest.approx({"weight/a": 1 / 3, "weight/b": 2 / 3})


@pytest.mark.parametrize("normalize", [False, True])
def test_objectives_without_a_gradient_take_all_the_weight(normalize: bool) -> None:
    mgda = MGDA(["a", "b", "c"], normalize=normalize)
    found = mgda.weigh(gramian([[1, 0, 0], [0, 0, 0], [0, 0, 0]]), LOSSES)
    assert found.tolist() == [0, 0.5, 0.5]


@pytest.mark.parametrize("normalize", [False, True])
def test_without_gradients_the_preferences_stand_in(normalize: bool) -> None:
    mgda = MGDA(["a", "b"], [1, 3], normalize=normalize)
    assert mgda.weigh(gramian([[0, 0], [0, 0]]), LOSSES).tolist() == [0.25, 0.75]


def optimal(gramian: Tensor, weights: Tensor) -> bool:
    """Return whether no objective's gradient is nearer to 0 along the solution, within rounding."""
    gains = gramian @ weights
    norms = gramian.diagonal().sqrt()
    rounding = 1e-10 * norms * (weights @ norms)
    value = weights @ gains
    slack = gains - value
    held = torch.where(weights > 1e-9 * weights.max(), slack.abs() <= rounding, True)
    return bool((slack >= -rounding).all() and held.all())


@settings(max_examples=200, deadline=None)
@given(
    objectives=st.integers(1, 8),
    rank=st.integers(1, 9),
    decades=st.integers(0, 4),
    normalize=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_solution_is_optimal(
    objectives: int, rank: int, decades: int, normalize: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(objectives, rank, generator=generator, dtype=torch.float64)
    norms = 10 ** (decades * (2 * torch.rand(objectives, 1, generator=generator).double() - 1))
    scaled = norms * rows / rows.norm(dim=1, keepdim=True)  # squares from 1e-8 to 1e8
    names = [str(index) for index in range(objectives)]
    weights = MGDA(names, normalize=normalize).weigh(scaled @ scaled.T, torch.zeros(objectives))
    assert (weights >= 0).all()
    assert weights.sum().item() == pytest.approx(1)
    if normalize:
        unit, alpha = scaled / norms, weights * norms[:, 0]
        assert optimal(unit @ unit.T, alpha / alpha.sum())
    else:
        assert optimal(scaled @ scaled.T, weights)


def test_gradients_are_scaled_by_a_power_of_their_norms() -> None:
    # Norms 2 and 1, cosine -1/4; over squares of the norms they are 1/2 and 1 long, their product
    # -1/8: a_1 = (1 + 1/8) / (1/4 + 1 + 1/4) = 3/4. Over the squares, 3/16 to 1/4.
    found = MGDA(["a", "b"], power=2).weigh(gramian([[4, -0.5], [-0.5, 1]]), LOSSES)
    assert found.tolist() == pytest.approx([3 / 7, 4 / 7])


@pytest.mark.parametrize(("power", "normalize"), [(0, False), (1, True)])
def test_powers_0_and_1_are_plain_and_normalized(power: float, normalize: bool) -> None:
    rows = gramian([[4, -0.5], [-0.5, 1]])
    expected = MGDA(["a", "b"], normalize=normalize).weigh(rows, LOSSES)
    assert torch.equal(MGDA(["a", "b"], power=power).weigh(rows, LOSSES), expected)


def test_preferred_weights_are_of_gradients_of_norm_1() -> None:
    rows = gramian([[4, -0.5], [-0.5, 1]])
    found = MGDA(["a", "b"], [1, 3], preferred=True).weigh(rows, LOSSES)
    assert found.tolist() == pytest.approx([1 / 7, 6 / 7])  # 1/8 to 3/4
    found = MGDA(["a", "b"], [1, 3], preferred=True, power=2).weigh(rows, LOSSES)
    assert found.tolist() == pytest.approx([1 / 13, 12 / 13])  # 1/16 to 3/4
    one = MGDA(["a", "b", "c"], preferred=True)
    rows = gramian([[4, 0, 0], [0, 0, 0], [0, 0, 1]])
    assert one.weigh(rows, LOSSES).tolist() == pytest.approx([1 / 3, 0, 2 / 3])


def test_power_and_normalize_exclude_each_other() -> None:
    with pytest.raises(CrosstalkError, match="power: expected none beside normalize"):
        MGDA(["a", "b"], normalize=True, power=2)
