"""``calibrated``: a reward on a scale that is fitted before training, and frozen."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import choice, flag, integer, is_number, refuse
from benchmark.objectives.base import Completion, Objective
from benchmark.objectives.parts import part_rewards

QUANTILES = {"affine": (0.01, 0.99), "logistic": (0.1, 0.9)}  # of each kind, if none are given
Pair = tuple[float, float]


class Calibrated(Objective):
    r"""A reward on a scale between two quantiles of the initial policy's rewards.

    Two calibrations of public code (Artessay/Amo, ``6e7df03``), for scores without a bound:

    .. math::
        r_\text{affine}(y) = \frac{r(y) - q_a}{q_b - q_a}, \qquad
        r_\text{logistic}(y) = \sigma\left(\frac{r(y) - \alpha}{\beta}\right), \quad
        \beta = \frac{q_b - q_a}{\operatorname{logit} b - \operatorname{logit} a}, \quad
        \alpha = q_a - \beta \operatorname{logit} a

    where:

    - :math:`r` is the objective that is calibrated (``reward``);
    - :math:`q_a, q_b` are the quantiles at a and b (``quantiles``) of its rewards of the initial
      policy's completions. The affine reward is 0 and 1 there, the logistic one a and b;
    - :math:`\sigma` is the logistic function.

    The workflow draws one completion of each of the first training prompts from the model
    ``policy`` and keeps the two numbers, before anything is trained; all models of a study share
    them. Neither validation nor test problems are read. Or the numbers are given (``fit``).

    It does not apply where the reward does not.

    Args:
        reward: :math:`r`: an objective's id, or a mapping of ``objective`` and its parameters.
        policy: Whose completions it is fitted on: a model's id in ``models.yaml``.
        kind: ``affine`` or ``logistic``.
        quantiles: a and b; None for 0.01 and 0.99 (affine), 0.1 and 0.9 (logistic).
        clip: Whether affine rewards end at 0 and 1. The public code lets them pass.
        prompts: How many training prompts it is fitted on.
        fit: :math:`q_a` and :math:`q_b`, where they are known; None to have them fitted.
    """

    name = "calibrated"
    objective_parameters: ClassVar[frozenset[str]] = frozenset({"reward"})

    def __init__(
        self,
        reward: Objective,
        policy: str | None = None,
        *,
        kind: str = "affine",
        quantiles: Sequence[float] | None = None,
        clip: bool = False,
        prompts: int = 512,
        fit: Sequence[float] | None = None,
    ) -> None:
        if not isinstance(reward, Objective):
            refuse("reward", "an objective", reward)
        if fit is None and not isinstance(policy, str):
            refuse("policy", "a model's id, or else two numbers as fit", policy)
        self.reward, self.policy = reward, policy
        self.kind = choice("kind", kind, QUANTILES)
        own = QUANTILES[self.kind] if quantiles is None else quantiles
        self.quantiles = _ascending("quantiles", own, "two shares, a below b")
        if not 0 <= self.quantiles[0] < self.quantiles[1] <= 1:
            refuse("quantiles", "two shares, a below b", quantiles)
        if self.kind == "logistic" and not {0.0, 1.0}.isdisjoint(self.quantiles):
            refuse("quantiles", "shares above 0 and below 1 with kind: logistic", quantiles)
        self.clip = flag("clip", clip)
        if self.clip and self.kind == "logistic":
            refuse("clip", "false with kind: logistic, whose rewards lie in [0, 1]", clip)
        self.prompts = integer("prompts", prompts, minimum=2)
        self.fit = None if fit is None else _ascending("fit", fit, "two numbers, the first below")
        self.upper_bound = 1.0 if self.clip or self.kind == "logistic" else math.inf

    def check(self) -> None:
        self.reward.check()

    def rewards(
        self,
        *,
        completions: Sequence[Completion],
        completion_ids: Sequence[Sequence[int]],
        **columns: Any,
    ) -> list[float]:
        if self.fit is None:
            raise CrosstalkError(
                f"objective {self.name!r}: not calibrated: run `crosstalk calibrate STUDY "
                f"{self.name}` first, or give it two numbers as fit"
            )
        batch = {"completions": completions, "completion_ids": completion_ids, **columns}
        scale = scaled(self.kind, self.quantiles, self.fit)
        found = map(scale, part_rewards(self, self.reward, batch))
        return [float(np.clip(each, 0.0, 1.0)) if self.clip else each for each in found]

    def observe(self, lengths: Sequence[int]) -> None:
        self.reward.observe(lengths)

    def for_evaluation(self, initial_mean_tokens: float) -> "Calibrated":
        fixed = Calibrated(
            self.reward.for_evaluation(initial_mean_tokens),
            self.policy,
            kind=self.kind,
            quantiles=self.quantiles,
            clip=self.clip,
            prompts=self.prompts,
            fit=self.fit,
        )
        fixed.name, fixed.time_limit = self.name, self.time_limit
        return fixed

    def state_dict(self) -> dict[str, Any]:
        return {"reward": self.reward.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.reward.load_state_dict(state["reward"])


def scaled(kind: str, quantiles: Pair, fit: Pair) -> Callable[[float], float]:
    """Return the function that puts a reward on the scale; NaN stays NaN."""
    low, high = fit
    if kind == "affine":
        return lambda reward: (reward - low) / (high - low)
    below, above = (math.log(share / (1.0 - share)) for share in quantiles)
    beta = (high - low) / (above - below)
    alpha = low - beta * below
    # As tanh, which does not overflow far from the middle.
    return lambda reward: 0.5 * (1.0 + math.tanh(0.5 * (reward - alpha) / beta))


def fitted(rewards: Sequence[float], quantiles: Pair, whose: str) -> Pair:
    """Return the two quantiles of rewards (n,), NaN left out, interpolated between neighbours.

    Raises:
        CrosstalkError: The objective applies to no completion, or the quantiles are one number.
    """
    found = np.asarray(rewards, dtype=float)
    found = found[~np.isnan(found)]
    if not found.size:
        raise CrosstalkError(f"{whose}: expected rewards of the initial policy, got none")
    low, high = (float(value) for value in np.quantile(found, quantiles))
    if not low < high:
        a, b = quantiles
        raise CrosstalkError(
            f"{whose}: expected rewards of the initial policy that differ, got {low:g} at both "
            f"quantiles, {a:g} and {b:g}, of {found.size}"
        )
    return low, high


def _ascending(name: str, values: object, expected: str) -> Pair:
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        refuse(name, expected, values)
    if not all(is_number(each) and math.isfinite(each) for each in values):
        refuse(name, expected, values)
    low, high = map(float, values)
    if not low < high:
        refuse(name, expected, values)
    return low, high
