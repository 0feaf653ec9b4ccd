"""Estimate the local covariance law: does the training signal move with an objective's reward?

Source: `Uncovering Cross-Objective Interference in Multi-Objective Alignment
<https://arxiv.org/abs/2602.06869>`_. To first order an update changes objective j in proportion to
the covariance of its reward with the score, or, with a clipped surrogate, with the *completion
weight*. Every estimate here is taken within prompts (the completions of one prompt form a group),
so that differences between prompts do not count. Moments are computed in double precision: a group
of equal rewards then has a standard deviation of zero and not of rounding error.

Axes: B completions, T tokens, M objectives. A reward that is not finite marks an objective that
does not apply to the completion; the pair is left out of the moments of that objective only.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor

from benchmark.common.errors import unknown
from benchmark.common.groups import ByPrompt

Aggregate = Literal["mean", "mean_unclipped", "sum"]

LOG_RATIO_LIMIT = 20.0
OUTLIER_FACTOR = 100.0
SMALLEST_DEVIATION = 1e-8


@torch.no_grad()
def completion_weights(
    logps_new: Tensor,
    logps_old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_low: float,
    clip_high: float,
    aggregate: Aggregate = "mean",
) -> Tensor:
    r"""Return the effective score of each completion under the clipped surrogate.

    .. math::
        w_k = \frac{\sum_l m_{kl} W_{kl}}{\sum_l m_{kl}}, \qquad
        W_{kl} = \hat A_k \rho_{kl} \mathbb{1}[\hat A_k \ge 0 : \rho_{kl} \le 1 + \epsilon_{high};\
        \hat A_k < 0 : \rho_{kl} \ge 1 - \epsilon_{low}]

    where:

    - :math:`\rho_{kl} = \exp(\mathrm{clamp}(\log \pi_{new} - \log \pi_{old}, \pm 20))` is the ratio
      of ``logps_new`` (B, T) to ``logps_old`` (B, T);
    - :math:`\hat A_k` is the advantage (``advantages``, (B,), or (B, T) where an estimator whitens
      over tokens);
    - :math:`m_{kl}` is 1 at completion tokens (``mask``, (B, T));
    - :math:`\epsilon_{low}, \epsilon_{high}` are ``clip_low`` and ``clip_high``; ``math.inf`` turns
      that side of the clipping off.

    Args:
        aggregate: ``"mean"`` as above, ``"sum"`` without the denominator, or ``"mean_unclipped"``,
            the sum over the number of unclipped tokens.

    Returns:
        (B,). A completion without a counted token weighs 0, one with a log-probability or an
        advantage that is not finite weighs NaN or infinity (the covariances then drop it).
    """
    ratio, kept = _ratio_and_kept(logps_new, logps_old, advantages, mask, clip_low, clip_high)
    total = (_per_token(advantages) * ratio * kept).masked_fill(~mask.bool(), 0.0).sum(dim=1)
    match aggregate:
        case "sum":
            return total
        case "mean":
            return total / mask.sum(dim=1).clamp(min=1)
        case "mean_unclipped":
            return total / kept.sum(dim=1).clamp(min=1)
    raise unknown("aggregate", aggregate, ("mean", "mean_unclipped", "sum"))


@torch.no_grad()
def unclipped_fraction(
    logps_new: Tensor,
    logps_old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip_low: float,
    clip_high: float,
) -> float:
    """Return the share of completion tokens that the clipping leaves in the gradient.

    Arguments as in :func:`completion_weights`. It is 1.0 when there is no completion token. The
    covariance law with completion weights is trustworthy where this is close to 1.
    """
    _, kept = _ratio_and_kept(logps_new, logps_old, advantages, mask, clip_low, clip_high)
    tokens = mask.bool().sum().item()
    return kept.sum().item() / tokens if tokens else 1.0


@torch.no_grad()
def group_covariance(
    rewards: Tensor, weights: Tensor, groups: Tensor, *, pooled: bool = False
) -> Tensor:
    r"""Return the within-prompt covariance of each objective's reward with a weight or score.

    Per prompt :math:`c_j = \mathrm{mean}_k (r_{kj} - \bar r_j)(w_k - \bar w)`, a population mean,
    then the mean over the prompts with at least two completions. Completions whose weight is not
    finite, or exceeds 100 times the median absolute weight, are dropped first. Where most groups
    have no signal that median is zero: it then says nothing about scale and drops nothing.

    Args:
        rewards: r (B, M).
        weights: w (B,), completion weights or scalarized scores.
        groups: The prompt of each completion (B,), in any order.
        pooled: Sum all centred pairs of all prompts and divide by the number of completions, so
            that larger groups count for more.

    Returns:
        (M,), 0 for an objective that no prompt has two applicable completions of.
    """
    pairs = _CentredPairs(rewards, _without_outliers(weights)[:, None], groups)
    return pairs.covariance(pooled)[:, 0].to(rewards.dtype)


@torch.no_grad()
def group_correlation(
    rewards: Tensor, weights: Tensor, groups: Tensor, *, pooled: bool = False
) -> Tensor:
    r"""Return the within-prompt correlation of each objective's reward with a weight or score.

    Per prompt :math:`c_j / (\mathrm{std}\, r_j \cdot \mathrm{std}\, w)`, averaged over the prompts
    where the denominator exceeds 1e-8; 0 where there is none. With ``pooled`` the centred pairs of
    all prompts enter one correlation. Arguments and dropped completions as in
    :func:`group_covariance`.

    Returns:
        (M,), each in [-1, 1].
    """
    pairs = _CentredPairs(rewards, _without_outliers(weights)[:, None], groups)
    return pairs.correlation(pooled)[:, 0].to(rewards.dtype)


@torch.no_grad()
def reward_covariance(rewards: Tensor, groups: Tensor) -> Tensor:
    r"""Return :math:`\Sigma = E_x \mathrm{Cov}_x(R)`, the mean within-prompt covariance of rewards.

    For a linear score s = R w the covariances with the score are :math:`\Sigma w`. Population
    moments per prompt, averaged over the prompts with at least two completions.

    Args:
        rewards: R (B, M).
        groups: The prompt of each completion (B,), in any order.

    Returns:
        (M, M), symmetric; positive semi-definite where every objective applies to every completion
        (otherwise each entry uses the completions that both its objectives apply to).
    """
    return _CentredPairs(rewards, rewards, groups).covariance(pooled=False).to(rewards.dtype)


class _CentredPairs:
    """Every (first, second) value pair of a completion, each centred within its prompt.

    Tensors broadcast to (B, M, K) by completion and (P, M, K) by prompt, for ``first`` (B, M) and
    ``second`` (B, K); pairs with a value that is not finite are zero and not counted.
    """

    def __init__(self, first: Tensor, second: Tensor, groups: Tensor) -> None:
        self.by_prompt = ByPrompt(groups)
        a, b = first.double()[:, :, None], second.double()[:, None, :]
        valid = a.isfinite() & b.isfinite()
        if valid.all():
            valid = valid[:, :1, :1]  # the usual case: M + K columns to centre, and not 2 M K
        self.counts = self.by_prompt.sums(valid.double())
        self.first, self.second = self.centre(a, valid), self.centre(b, valid)

    def centre(self, values: Tensor, valid: Tensor) -> Tensor:
        """Subtract the prompt's mean over valid pairs; zero elsewhere."""
        values = torch.where(valid, values, 0.0)
        means = self.by_prompt.sums(values) / self.counts.clamp(min=1)
        return torch.where(valid, values - means[self.by_prompt.prompt], 0.0)

    def covariance(self, pooled: bool) -> Tensor:
        sums = self.by_prompt.sums(self.first * self.second)
        if pooled:
            return sums.sum(dim=0) / self.counts.sum(dim=0).clamp(min=1)
        return _mean_where(self.counts >= 2, sums / self.counts.clamp(min=1))

    def correlation(self, pooled: bool) -> Tensor:
        products = (self.first * self.second, self.first.square(), self.second.square())
        sums = [self.by_prompt.sums(product) for product in products]
        counts = self.counts
        if pooled:
            sums = [total.sum(dim=0, keepdim=True) for total in sums]
            counts = counts.sum(dim=0, keepdim=True)
        covariance, variance_first, variance_second = [
            total / counts.clamp(min=1) for total in sums
        ]
        deviations = variance_first.sqrt() * variance_second.sqrt()
        return _mean_where(deviations > SMALLEST_DEVIATION, covariance / deviations).clamp(-1, 1)


def _mean_where(usable: Tensor, values: Tensor) -> Tensor:
    """Mean over prompts (dim 0) where usable; 0 where none is."""
    return torch.where(usable, values, 0.0).sum(dim=0) / usable.sum(dim=0).clamp(min=1)


def _without_outliers(weights: Tensor) -> Tensor:
    """Replace by NaN the weights to drop: not finite, or far beyond the median."""
    weights = weights.double()
    weights = torch.where(weights.isfinite(), weights, torch.nan)
    middle = weights.abs().nanquantile(0.5)
    limit = torch.where(middle > 0, OUTLIER_FACTOR * middle, torch.inf)
    return torch.where(weights.abs() <= limit, weights, torch.nan)


def _per_token(advantages: Tensor) -> Tensor:
    return advantages if advantages.ndim == 2 else advantages[:, None]


def _ratio_and_kept(
    logps_new: Tensor,
    logps_old: Tensor,
    advantages: Tensor,
    mask: Tensor,
    clip_low: float,
    clip_high: float,
) -> tuple[Tensor, Tensor]:
    """Return the ratio (B, T) and which completion tokens are not clipped (B, T), boolean."""
    ratio = (logps_new - logps_old).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()
    rewarded = _per_token(advantages) >= 0
    inside = torch.where(rewarded, ratio <= 1 + clip_high, ratio >= 1 - clip_low)
    return ratio, inside & mask.bool()


class BestWeights(NamedTuple):
    """The solution of :func:`best_weights`.

    Attributes:
        value: The smallest entry of gains @ w at the best weights.
        weights: w (K,) on the simplex.
        trade_off: The dual solution (J,), not negative: no w on the simplex makes the mixture of
            the entries with these shares larger than ``value``.
    """

    value: float
    weights: Tensor
    trade_off: Tensor


def best_weights(gains: Tensor) -> BestWeights | None:
    """Find the weights on the simplex that maximise the smallest entry of gains (J, K) @ w.

    A linear programme in (w, t): maximise t subject to t <= gains @ w and sum w = 1. The simplex is
    never empty, so None says that the solver failed.
    """
    from scipy.optimize import linprog

    rows, count = gains.shape
    one, zero = gains.new_ones(1), gains.new_zeros(1)
    solved = linprog(
        torch.cat([gains.new_zeros(count), -one]).numpy(),
        A_ub=torch.cat([-gains, one.expand(rows, 1)], dim=1).numpy(),
        b_ub=zero.expand(rows).numpy(),
        A_eq=torch.cat([one.expand(count), zero])[None].numpy(),
        b_eq=one.numpy(),
        bounds=[(0, 1)] * count + [(None, None)],
        method="highs",
    )
    if solved.x is None:
        return None
    dual = -torch.from_numpy(solved.ineqlin.marginals)
    return BestWeights(float(solved.x[-1]), torch.from_numpy(solved.x[:count]), dual)
