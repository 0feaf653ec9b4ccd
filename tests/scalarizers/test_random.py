import math

import pytest
import torch

from benchmark.scalarizers import Random


def draws(scalarizer: Random, count: int) -> torch.Tensor:
    """Return the weights of so many batches (count, M): an identity batch is scored by them."""
    batch = torch.eye(len(scalarizer.objectives))
    return torch.stack([scalarizer.score(batch) for _ in range(count)])


def test_score_is_the_sum_by_the_weights_tracked() -> None:
    random = Random(["a", "b"], [1, 3])
    assert random.metrics() == {"weight/a": 0.25, "weight/b": 0.75}
    scores = random.score(torch.tensor([[2.0, 10.0], [math.nan, 1.0], [math.nan, math.nan]]))
    first, second = random.metrics()["weight/a"], random.metrics()["weight/b"]
    assert scores[:2].tolist() == pytest.approx([2 * first + 10 * second, second])
    assert scores[2].isnan()


def test_weights_are_uniform_on_the_simplex() -> None:
    weights = draws(Random(["a", "b", "c"]), 4000)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(4000))
    # Dirichlet(1, 1, 1): mean 1/3, variance 2 / (9 * 4), covariance -1 / (9 * 4).
    expected = torch.full((3, 3), -1 / 36).fill_diagonal_(2 / 36)
    torch.testing.assert_close(weights.mean(dim=0), torch.full((3,), 1 / 3), rtol=0, atol=0.02)
    torch.testing.assert_close(weights.T.cov(), expected, rtol=0, atol=0.005)


def test_seed_fixes_the_draws() -> None:
    assert torch.equal(draws(Random(["a", "b"], seed=3), 5), draws(Random(["a", "b"], seed=3), 5))
    assert not torch.equal(
        draws(Random(["a", "b"], seed=3), 5), draws(Random(["a", "b"], seed=4), 5)
    )
    assert len(draws(Random(["a", "b"]), 5)[:, 0].unique()) == 5


def test_draws_leave_the_global_stream_alone() -> None:
    before = torch.get_rng_state()
    expected = draws(Random(["a", "b"]), 2)
    assert torch.equal(torch.get_rng_state(), before)
    with torch.random.fork_rng():
        torch.manual_seed(123)
        assert torch.equal(draws(Random(["a", "b"]), 2), expected)


def test_restored_generator_goes_on_where_it_was() -> None:
    original, restored = Random(["a", "b"], seed=1), Random(["a", "b"], seed=2)
    draws(original, 3)
    restored.load_state_dict(original.state_dict())
    assert torch.equal(draws(restored, 3), draws(original, 3))
