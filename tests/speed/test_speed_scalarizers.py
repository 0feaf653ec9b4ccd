"""What scalarizers and the covariance law cost, beside a training step of the default study."""

import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture
from torch import Tensor

from benchmark.advantages import estimate_advantages
from benchmark.covariance import completion_weights, group_correlation, group_covariance
from benchmark.scalarizers import (
    SCALARIZERS,
    AdvantageScalarizer,
    Feedback,
    Scalarizer,
    ScoreScalarizer,
    make_scalarizer,
)
from benchmark.training.batch_law import (
    dominated_winner_rate,
    laid_out,
    negative_fraction,
    top_means,
)

OBJECTIVES = ["accuracy", "conciseness", "clarity"]
CLIP = {"clip_low": 0.2, "clip_high": 0.2}


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def batch(completions: int, size: int, objectives: int) -> Feedback:
    """Return shuffled groups of one size with rewards of 0 and 1, as the default study's."""
    draw = torch.Generator().manual_seed(0)
    groups = torch.arange(completions) // size
    gradients = torch.randn(objectives, 100, generator=draw, dtype=torch.float64)
    return Feedback(
        rewards=torch.randint(2, (completions, objectives), generator=draw).float(),
        groups=groups[torch.randperm(completions, generator=draw)],
        completion_weights=torch.randn(completions, generator=draw),
        gramian=gradients @ gradients.T,
        losses_before=torch.rand(objectives, generator=draw, dtype=torch.float64),
        losses_after=torch.rand(objectives, generator=draw, dtype=torch.float64),
        validation=torch.rand(objectives, generator=draw),
    )


def one_update(scalarizer: Scalarizer, seen: Feedback) -> None:
    """Do all that a scalarizer does in an update, with the advantages it is given."""
    if isinstance(scalarizer, ScoreScalarizer):
        scores = scalarizer.score(seen.rewards)
        estimate_advantages(scores[:, None], seen.groups, "grpo")
    elif isinstance(scalarizer, AdvantageScalarizer):
        own = estimate_advantages(seen.rewards, seen.groups, "grpo")
        scalarizer.combine(own, seen.rewards, seen.groups)
    else:
        scalarizer.weigh(seen.gramian, seen.losses_before)
    scalarizer.update(seen)
    scalarizer.metrics()


@pytest.mark.parametrize("name", SCALARIZERS)
def test_an_update_of_the_default_study(benchmark: BenchmarkFixture, name: str) -> None:
    """128 completions of 16 prompts, three objectives; a step takes some 250 ms."""
    parameters = {"objective": "clarity"} if name == "single" else {}
    scalarizer = make_scalarizer(name, OBJECTIVES, **parameters)
    benchmark(one_update, scalarizer, batch(128, 8, 3))


def statistics(seen: Feedback, scores: Tensor) -> None:
    """All that every update says of the covariance law, as the trainer has it computed."""
    for signal in (scores, scores):  # the score and the advantage
        group_covariance(seen.rewards, signal, seen.groups)
    group_correlation(seen.rewards, scores, seen.groups)
    table = laid_out(seen.rewards, scores, seen.groups)
    for statistic in (negative_fraction, top_means, dominated_winner_rate):
        statistic(*table)


@pytest.mark.parametrize("completions", [128, 4096])
def test_the_laws_statistics_at_every_update(benchmark: BenchmarkFixture, completions: int) -> None:
    """Three objectives, eight completions a prompt; a step of 128 takes some 250 ms."""
    seen = batch(completions, 8, 3)
    benchmark(statistics, seen, seen.rewards.mean(dim=1))


def vectorised(seen: Feedback, tokens: tuple[Tensor, ...]) -> Tensor:
    weights = completion_weights(*tokens, **CLIP)
    return group_covariance(seen.rewards, weights, seen.groups)


def looped(seen: Feedback, tokens: tuple[Tensor, ...]) -> Tensor:
    """The same, prompt by prompt."""
    found = []
    for prompt in seen.groups.unique():
        rows = seen.groups == prompt
        weights = completion_weights(*(part[rows] for part in tokens), **CLIP)
        found.append(group_covariance(seen.rewards[rows], weights, seen.groups[rows]))
    return torch.stack(found).mean(dim=0)


@pytest.mark.parametrize("way", [vectorised, looped])
def test_covariance_with_token_level_weights(benchmark: BenchmarkFixture, way: object) -> None:
    """4,096 completions of 256 prompts, up to 64 tokens, eight objectives."""
    assert callable(way)
    seen = batch(4096, 16, 8)
    draw = torch.Generator().manual_seed(1)
    old = -torch.rand(4096, 64, generator=draw)
    new = old + 0.1 * torch.randn(old.shape, generator=draw)
    lengths = torch.randint(8, 65, (4096, 1), generator=draw)
    tokens = (new, old, torch.randn(4096, generator=draw), torch.arange(64) < lengths)
    torch.testing.assert_close(way(seen, tokens), vectorised(seen, tokens), rtol=1e-4, atol=1e-5)
    benchmark(way, seen, tokens)
