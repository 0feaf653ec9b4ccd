"""Gradients of objectives from samples, and the geometry that their inner products give."""

import math

import numpy as np
import pytest
import torch
from tiny_policies import make_batch, make_policy
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.geometry.gradients import (
    cross_gramian,
    gradient_geometry,
    leave_one_out,
    unbiased_gramian,
    with_scalarized,
)
from benchmark.interference.conflicts import gradient_cosines
from benchmark.models.policy.logps import padded

PROMPTS, SAMPLES, OBJECTIVES, BATCHES = 4, 3, 2, 2


def drawn() -> tuple[dict[str, Tensor], np.ndarray]:
    batch = make_batch(rows=PROMPTS * SAMPLES)
    rewards = np.random.default_rng(0).random((PROMPTS, SAMPLES, OBJECTIVES))
    return batch, rewards


def test_inner_products_by_plain_autograd() -> None:
    model, (batch, rewards) = make_policy(), drawn()
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    logits = model(input_ids=ids, attention_mask=mask).logits[:, 2:-1] / 0.8
    logps = logits.log_softmax(-1).gather(-1, batch["completion_ids"][..., None])[..., 0]
    sums = (logps * batch["completion_mask"]).sum(dim=1).reshape(PROMPTS, SAMPLES)
    rows = []
    for k in range(BATCHES):
        for j in range(OBJECTIVES):
            loss = torch.zeros(())
            for prompt in range(k, PROMPTS, BATCHES):
                for sample in range(SAMPLES):
                    others = np.delete(rewards[prompt, :, j], sample).mean()
                    loss = loss + (rewards[prompt, sample, j] - others) * sums[prompt, sample]
            loss = loss / (PROMPTS // BATCHES * SAMPLES)
            found = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
            rows.append(torch.cat([g.flatten() for g in found]).double())
    matrix = torch.stack(rows)
    expected = (matrix @ matrix.T).reshape(BATCHES, OBJECTIVES, BATCHES, OBJECTIVES)
    cross = cross_gramian(model, batch, rewards, BATCHES, temperature=0.8)
    np.testing.assert_allclose(cross, expected, rtol=1e-3, atol=1e-5)


def test_the_estimate_by_enumeration() -> None:
    """With every completion of one token as a sample, weighted alike by a uniform policy."""
    model = make_policy(tied=False)
    with torch.no_grad():
        model.lm_head.weight.zero_()  # the policy is uniform, so all completions once are exact
    vocabulary = model.config.vocab_size
    rewards = np.random.default_rng(1).random((2, vocabulary, 1))
    prompts = [[1, 2]] * vocabulary + [[5, 3]] * vocabulary
    batch = padded(prompts, [[token] for _ in range(2) for token in range(vocabulary)], 0)
    values = torch.tensor(rewards[..., 0], dtype=torch.float32)
    logits = model(input_ids=torch.tensor([[1, 2], [5, 3]])).logits[:, -1]
    gradients = [
        torch.autograd.grad((p * r).sum(), model.lm_head.weight, retain_graph=True)[0]
        for p, r in zip(logits.softmax(-1), values, strict=True)
    ]
    cross = cross_gramian(model, batch, rewards, 2, parameters="lm_head")
    expected = [[float((a * b).sum()) for b in gradients] for a in gradients]
    # The leave-one-out baseline stretches a whole enumeration by n/(n - 1).
    scale = (vocabulary / (vocabulary - 1)) ** 2
    np.testing.assert_allclose(cross[:, 0, :, 0], np.array(expected) * scale, rtol=1e-3)


def test_pairs_of_batches_are_unbiased() -> None:
    generator = np.random.default_rng(2)
    true = np.array([[1.0, 0, 2], [0.5, -1, 0]])  # (M, P)
    unbiased, naive = [], []
    for _ in range(4000):
        g = true + generator.standard_normal((3, 2, 3))  # (K, M, P)
        cross = np.einsum("kip,ljp->kilj", g, g)
        unbiased.append(unbiased_gramian(cross))
        naive.append(cross.mean(axis=(0, 2)))
    error = np.std(unbiased, axis=0) / math.sqrt(len(unbiased))
    assert (np.abs(np.mean(unbiased, axis=0) - true @ true.T) < 4 * error).all()
    excess = np.diagonal(np.mean(naive, axis=0) - true @ true.T)
    np.testing.assert_allclose(excess, 1.0, atol=0.1)  # P · variance / K


def test_geometry_of_known_gradients() -> None:
    g = np.array([[3.0, 4], [-6, 8]])  # (M, P), the same in all batches: no noise
    weights = np.array([0.5, 0.5])
    cross = np.einsum("kip,ljp->kilj", *[np.stack([g] * 3)] * 2)
    rewards = np.zeros((6, 2, 2))
    rewards[..., 0], rewards[..., 1] = 0.5, 1.0
    found = gradient_geometry(cross, rewards, [1, 1], weights)
    assert found.squared_norms[0] == pytest.approx((25, 25, 25))
    assert found.squared_norms[2].estimate == pytest.approx(1.5**2 + 6**2)
    assert found.cosines[0, 1] == pytest.approx(14 / 50)
    assert found.similarity[0, 1] == pytest.approx(2 * 5 * 10 / 125)
    assert found.conflict[0][1].estimate == 0
    assert 0 < found.conflict[0][1].high < 1  # three batches do not settle it
    assert found.pl_ratios[0].estimate == pytest.approx(25)  # ½ · 25 / 0.5
    assert math.isnan(found.pl_ratios[1].estimate)  # at its bound
    assert found.pl_ratios[2].estimate == pytest.approx(0.5 * 38.25 / 0.25)
    unbounded = gradient_geometry(cross, rewards, [1, math.inf], weights)
    assert [math.isnan(r.estimate) for r in unbounded.pl_ratios] == [False, True, True]


def test_jackknife_intervals_cover() -> None:
    generator = np.random.default_rng(4)
    true, hits = np.full(20, 0.5), 0
    for _ in range(400):
        g = true + 0.5 * generator.standard_normal((6, 1, 20))
        cross = np.einsum("kip,ljp->kilj", g, g)
        found = gradient_geometry(cross, np.zeros((6, 2, 1)), [1], [1.0]).squared_norms[0]
        hits += found.low <= true @ true <= found.high
    assert 0.91 <= hits / 400 <= 0.99


def test_gradients_not_told_from_zero_have_no_cosine() -> None:
    gramian = np.array([[-0.1, 0.2], [0.2, 4.0]])
    assert np.isnan(gradient_cosines(gramian)[0]).all()
    assert gradient_cosines(gramian)[1, 1] == 1
    cross = np.tile(gramian[None, :, None], (2, 1, 2, 1))
    found = gradient_geometry(cross, np.zeros((2, 2, 2)), [1, 1], [0.5, 0.5])
    assert np.isnan(found.similarity[0, 1])


def test_the_scalarized_row_is_the_weighted_sum() -> None:
    g = np.random.default_rng(0).standard_normal((2, 3, 5))
    weights = np.array([0.2, 0.3, 0.5])
    cross = with_scalarized(np.einsum("kip,ljp->kilj", g, g), weights)
    mixed = np.einsum("i,kip->kp", weights, g)
    np.testing.assert_allclose(cross[:, 3, :, 3], mixed @ mixed.T)
    np.testing.assert_allclose(cross[0, 1, 1, 3], g[0, 1] @ mixed[1])


def test_too_small_samples_are_refused() -> None:
    model, (batch, rewards) = make_policy(), drawn()
    with pytest.raises(ValueError, match=r"samples: expected 2 or more .* got 1"):
        leave_one_out(torch.zeros(2, 1, 2))
    with pytest.raises(ValueError, match=r"batches: expected 2 to 4, .* got 9"):
        cross_gramian(model, batch, rewards, 9)
    with pytest.raises(CrosstalkError, match=r"batches: expected 2 or more .* got 1"):
        gradient_geometry(np.ones((1, 2, 1, 2)), rewards, [1, 1], [1, 1])
