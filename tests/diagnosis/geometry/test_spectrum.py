"""Singular values of the logit Jacobian, against the Jacobian written out."""

import math

import numpy as np
import pytest
import torch
from tiny_policies import KINDS, VOCABULARY, make_policy
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.geometry import spectrum as module
from benchmark.diagnosis.geometry.logit_jacobian import Floats, LogitJacobian
from benchmark.diagnosis.geometry.spectrum import exact_spectrum, lanczos_spectrum, spectrum


def states(count: int, length: int = 6) -> tuple[Tensor, Tensor]:
    """Return prefixes, every other one padded on the left."""
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(1, VOCABULARY, (count, length), generator=generator)
    mask = torch.ones_like(ids)
    mask[::2, 0] = 0
    return ids, mask


def jacobian(kind: str, tied: bool, count: int = 3, mode: str = "reverse") -> LogitJacobian:
    return LogitJacobian(make_policy(kind, tied), *states(count), mode=mode)


def explicit(jacobian: LogitJacobian) -> Floats:
    """Return Z (N·V, P) itself, a row a backward pass."""
    return np.stack([jacobian.transposed(row) for row in np.eye(jacobian.shape[0])])


def draws() -> np.random.Generator:
    return np.random.default_rng(5)


@pytest.mark.parametrize(
    ("kind", "tied", "count"),
    [*((*kind, 2) for kind in KINDS), pytest.param("qwen2", True, 3, marks=pytest.mark.slow)],
)
def test_both_ways_find_the_singular_values(kind: str, tied: bool, count: int) -> None:
    z = jacobian(kind, tied, count)
    sigma = torch.linalg.svdvals(torch.from_numpy(explicit(z))).numpy()
    exact = exact_spectrum(z)
    for found in (exact, lanczos_spectrum(z, draws())):
        assert found.reason == ""
        assert found.largest == pytest.approx(sigma[0], rel=1e-4)
        assert found.smallest == pytest.approx(sigma[-1], rel=1e-4)
        assert found.condition == pytest.approx(sigma[0] / sigma[-1], rel=1e-4)
    assert exact.frobenius == pytest.approx(math.sqrt((sigma**2).sum()))
    assert exact.effective_rank == pytest.approx((sigma**2).sum() ** 2 / (sigma**4).sum())
    shares = sigma / sigma.sum()
    assert exact.entropy_rank == pytest.approx(math.exp(-(shares @ np.log(shares))))


def test_the_explicit_jacobian_by_autograd() -> None:
    model, (ids, mask) = make_policy().double(), states(2)
    z = LogitJacobian(model, ids, mask)
    expected = torch.autograd.functional.jacobian(
        lambda weight: torch.func.functional_call(
            model, {"model.norm.weight": weight}, (), {"input_ids": ids, "attention_mask": mask}
        ).logits[:, -1],
        model.model.norm.weight.detach(),
    ).reshape(2 * VOCABULARY, -1)
    width = expected.size(1)
    # The last norm is the last parameter of a tied model.
    np.testing.assert_allclose(explicit(z)[:, -width:], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_products_of_both_modes_are_exact(mode: str) -> None:
    z = jacobian("qwen3", True, mode=mode)
    matrix = explicit(z)
    u, v = (draws().standard_normal(size) for size in reversed(z.shape))
    np.testing.assert_allclose(z.times(u), matrix @ u, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(z.transposed(v), matrix.T @ v, rtol=1e-9, atol=1e-9)


def test_random_probes_find_the_effective_rank() -> None:
    z = jacobian("qwen2", False)
    exact, probed = exact_spectrum(z), lanczos_spectrum(z, draws())
    assert abs(probed.effective_rank - exact.effective_rank) < 4 * probed.effective_rank_se
    assert 0 < probed.effective_rank_se < exact.effective_rank / 2
    assert probed.frobenius == pytest.approx(exact.frobenius, rel=0.1)


def test_singular_values_bound_gradients() -> None:
    z = jacobian("qwen2", True)
    found = exact_spectrum(z)
    assert z.shape[0] <= z.shape[1]  # otherwise the bound from below is 0
    for v in draws().standard_normal((5, z.shape[0])):  # v is the gradient by the logits
        square = (z.transposed(v) ** 2).sum()
        assert found.smallest**2 * (v @ v) <= square <= found.largest**2 * (v @ v)
    _, _, right = np.linalg.svd(explicit(z).T, full_matrices=False)
    worst = (z.transposed(right[-1]) ** 2).sum()
    assert worst == pytest.approx(found.smallest**2, rel=1e-4)  # the bound is reached


def test_too_many_states_have_no_smallest_value() -> None:
    z = LogitJacobian(make_policy("qwen2", False, hidden=4), *states(6))
    for found in (exact_spectrum(z), lanczos_spectrum(z, draws(), products=100)):
        assert math.isnan(found.smallest)
        assert found.reason
        assert math.isnan(found.condition)


def test_no_convergence_is_nan_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KRYLOV", 6)
    found = lanczos_spectrum(jacobian("qwen2", True), draws(), products=12)
    assert math.isnan(found.smallest)
    assert "did not converge within 12 products" in found.reason


def test_gram_matrix_is_bounded_by_the_parameters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    z = jacobian("qwen2", True, 2)
    size, parameters = z.shape
    assert spectrum(z, draws()).exact
    monkeypatch.setattr(module, "GRAM_SHARE", (size**2 - 1) / parameters)
    assert not spectrum(z, draws(), products=40).exact


def test_passes_are_counted() -> None:
    z = jacobian("qwen2", True)
    rows = z.shape[0]
    assert exact_spectrum(z).passes == {"forward": 1, "backward": rows + 1, "tangent": rows}


def peak(count: int) -> int:
    """Return the bytes a product takes at most, beside what is there before."""
    ids, mask = states(count)
    model = make_policy("qwen2", True, hidden=64)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        z = LogitJacobian(model, ids, mask)
        z.gram(np.ones(z.shape[0]))
    events = [e for e in profiler.profiler.kineto_results.events() if e.name() == "[memory]"]
    changes = [e.nbytes() for e in sorted(events, key=lambda e: e.start_ns())]
    return max(np.cumsum(changes))


def test_memory_grows_less_than_the_jacobian() -> None:
    parameters = sum(p.numel() for p in make_policy("qwen2", True, hidden=64).parameters())
    few, many = peak(4), peak(16)
    rows = 12 * VOCABULARY  # that came along
    assert few > 8 * parameters  # what is measured is there
    assert many - few < 0.1 * rows * parameters * 8


def test_broken_logits_and_frozen_models_are_refused() -> None:
    model = make_policy()
    with torch.no_grad():
        model.model.norm.weight[0] = torch.inf
    with pytest.raises(CrosstalkError, match="logits are not finite"):
        LogitJacobian(model, *states(2))
    with pytest.raises(CrosstalkError, match="all its parameters are frozen"):
        LogitJacobian(make_policy().requires_grad_(False), *states(2))
