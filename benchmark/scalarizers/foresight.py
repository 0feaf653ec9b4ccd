"""``foresight``: the parts of the signal under which the worst-served objective changes best."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from benchmark.common.groups import ByPrompt, group_zscores
from benchmark.common.parameters import number, refuse
from benchmark.covariance import best_weights, reward_covariance
from benchmark.scalarizers.base import AdvantageScalarizer, Feedback, Signal

SMALLEST_SPEED = 1e-8  # covariance with its own z-score of an objective that does not vary
RIDGE = 0.1  # what the law counts for, beside sums of squared weights


class Foresight(AdvantageScalarizer):
    r""":class:`~benchmark.scalarizers.base.AdvantageScalarizer` by what updates are found to do.

    This benchmark's own. The signal is a mixture of parts: each objective's z-scores, and one that
    no objective loses by. A linear programme mixes them so that the worst-served objective changes
    best in the next update. It goes by the covariance law of `Uncovering Cross-Objective
    Interference in Multi-Objective Alignment <https://arxiv.org/abs/2602.06869>`_, put right by
    what the updates before were found to do: parameters that completions share and the optimizer
    turn the sign of a covariance, and both act on what is measured.

    .. math::
        A_k = \sum_{i=0}^{M} \lambda_i v_{ki}, \qquad
        \lambda = \beta e_0 + \phi w + (1 - \beta - \phi)\, u, \qquad
        u = \arg\max_{u \in \Delta} \min_j \frac{(H \lambda)_j}{w_j}

    .. math::
        H = \eta\, C + E, \qquad
        E_j = \Big( \sum_t m^t \lambda_t \lambda_t^\top + \mu I \Big)^{-1}
        \sum_t m^t \lambda_t \big( \delta_{tj} - \eta\, (C_t \lambda_t)_j \big), \qquad
        \eta = \Big( \frac{\sum_t m^t\, \delta_t \cdot C_t \lambda_t}
        {\sum_t m^t\, \|C_t \lambda_t\|^2} \Big)_+

    where:

    - :math:`v_{kj} = Z_{kj}` for an objective j is the z-score of completion k's reward within its
      prompt (from ``rewards`` and ``groups``), and the *undisputed* part

      .. math::
          v_{k0} \propto \sum_{k' \in g(k)} \mathbb{1}[\text{no objective disputes } k, k']
          \sum_j w_j (Z_{kj} - Z_{k'j})

      compares k with those completions of its prompt over which no two objectives disagree: one of
      the two is at least as good under each. It is scaled to a mean square of 1 over the batch.
      Without the indicator it would be ``mo_grpo``. Every objective's covariance with it is at
      least 0, in every prompt of every batch;
    - :math:`C_{ji}` is the batch's mean covariance within prompts of reward j with part i, over
      that with :math:`Z_j`: the change foreseen by the law, where 1 is what training on j alone
      would bring. :math:`C_t` is that of t batches ago;
    - :math:`\delta_{tj}` is how much the mean reward j rose by the update t batches ago
      (``feedback.losses_before`` less ``feedback.losses_after``), on the same scale;
    - :math:`\eta` is the scale that the law leaves open, and :math:`E` what it did not foresee, by
      ridge regression on the weights that were in use (:math:`\mu` = 0.1). Until there is feedback
      H is C. Changes stand beside the weights that brought them, so that the sums do not lag;
    - :math:`m` is the share that the past keeps (``memory``; 0.9): at 0 the last update alone
      counts, at 1 all do alike;
    - :math:`\beta` is the share that the undisputed part has in any case (``bonus``; 0.25), for
      rare completions that serve all objectives, and :math:`\phi` that of the preference weights
      :math:`w` (``floor``; 0.25; ``weights``), so that no objective is lost sight of;
    - :math:`\Delta` is the simplex of all parts. Preference weights say how fast each objective is
      to rise beside the others; one of weight 0 stays out. So does, for the batch, one whose
      rewards vary within no prompt. Without any that varies the preference weights are used.

    Where the weights come to rest, the changes that were found are, up to the ridge, the foreseen
    ones. So if the model holds that some mixture lets every objective rise, every objective does.
    An objective that applies to neither of two completions, or to one, takes no side between them.
    A completion to which no objective applies has advantage 0. The estimator's advantages are not
    used. Tracked are ``weight/<objective>``, which leave the undisputed part's to 1, and of each
    objective in the programme ``foreseen`` and ``found``, its changes on the scale above.

    Args:
        bonus: From 0 to 1.
        floor: From 0 to 1 less ``bonus``.
        memory: From 0 to 1.
    """

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.LOSSES})
    estimators: ClassVar[frozenset[str] | None] = frozenset({"grpo"})  # compares within prompts
    source: ClassVar[str] = "this benchmark, after Lu & Jiang 2026, arXiv 2602.06869"

    def __init__(
        self,
        objectives: Sequence[str],
        weights: Sequence[float] | None = None,
        *,
        bonus: float = 0.25,
        floor: float = 0.25,
        memory: float = 0.9,
    ) -> None:
        super().__init__(objectives, weights)
        self.bonus = number("bonus", bonus, minimum=0.0, maximum=1.0)
        self.floor = number("floor", floor, minimum=0.0, maximum=1.0)
        if self.bonus + self.floor > 1:
            refuse("floor", f"at most {1 - self.bonus:g}, what bonus leaves", floor)
        self.memory = number("memory", memory, minimum=0.0, maximum=1.0)
        count = len(self.objectives)
        table = torch.zeros(count, count + 1, dtype=torch.float64)  # the undisputed part is last
        vector = torch.full((count,), torch.nan, dtype=torch.float64)
        self.state["parts"] = self._preferred()  # lambda
        self.state["law"] = table  # C
        self.state["speeds"] = vector.nan_to_num()  # of training on each objective alone
        self.state["foreseen"], self.state["found"] = vector, vector.clone()
        # The discounted sums, and what they are made of.
        self.state["scale"] = torch.zeros(2, dtype=torch.float64)  # change . law, law . law
        self.state["changes"], self.state["lawful"] = table.clone(), table.clone()
        self.state["squares"] = table.new_zeros(count, count + 1, count + 1)

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        parts = signal_parts(rewards, groups, self.weights)
        count = len(self.objectives)
        together = torch.cat([rewards.double(), parts], dim=1)
        law = reward_covariance(together, groups)[:count, count:].cpu()
        self.state["speeds"] = law.diagonal().clone()
        self.state["law"] = (law / self.state["speeds"][:, None]).where(self._vary[:, None], 0.0)
        response = self.response()
        self.state["parts"] = self._solution(response)
        foreseen = response @ self.state["parts"]
        self.state["foreseen"] = foreseen.masked_fill(~self._vary, torch.nan)
        return (parts @ self.state["parts"].to(parts)).to(advantages)

    def update(self, feedback: Feedback) -> None:
        if feedback.losses_before is None or feedback.losses_after is None:
            raise ValueError("Foresight.update: feedback.losses_*: expected values, got None")
        change = (feedback.losses_before - feedback.losses_after).double().cpu()
        seen = self._vary & change.isfinite()
        change = (change / self.state["speeds"]).where(seen, 0.0)
        used = self.state["parts"]
        law = (self.state["law"] @ used).where(seen, 0.0)
        self.state["found"] = change.masked_fill(~seen, torch.nan)
        newest = torch.stack([change @ law, law @ law])
        self.state["scale"] = self.memory * self.state["scale"] + newest
        kept = torch.where(seen, self.memory, 1.0)[:, None]  # nothing is learnt of the others
        self.state["changes"] = kept * self.state["changes"] + change[:, None] * used
        self.state["lawful"] = kept * self.state["lawful"] + law[:, None] * used
        squares = seen[:, None, None] * used[:, None] * used
        self.state["squares"] = kept[:, :, None] * self.state["squares"] + squares

    def metrics(self) -> dict[str, float]:
        shown = self.by_objective("weight", self.state["parts"][:-1])
        for name in ("foreseen", "found"):
            shown |= self.by_objective(name, self.state[name])
        return shown

    def response(self) -> Tensor:
        """Return H (M, M + 1): the change of each objective that each part alone would bring."""
        products, squares = self.state["scale"]
        if squares == 0:
            return self.state["law"]
        scale = (products / squares).clamp(min=0.0)
        residual = self.state["changes"] - scale * self.state["lawful"]
        ridge = RIDGE * torch.eye(residual.shape[1], dtype=residual.dtype)
        beyond = torch.linalg.solve(self.state["squares"] + ridge, residual[:, :, None])
        return scale * self.state["law"] + beyond[:, :, 0]

    @property
    def _vary(self) -> Tensor:
        """Which objectives (M,) the programme is about."""
        return (self.state["speeds"] > SMALLEST_SPEED) & (self.weights.cpu() > 0)

    def _preferred(self) -> Tensor:
        """Return the preference weights as weights of the parts (M + 1,)."""
        return torch.cat([self.weights.double().cpu(), torch.zeros(1, dtype=torch.float64)])

    def _solution(self, response: Tensor) -> Tensor:
        """Return lambda (M + 1,); the one in use if the solver fails."""
        rows, preferred = self._vary, self._preferred()
        undisputed = torch.zeros_like(preferred)
        undisputed[-1] = 1.0
        fixed = self.bonus * undisputed + self.floor * preferred
        rest = 1 - self.bonus - self.floor
        if not rows.any():
            return fixed + rest * preferred
        columns = torch.cat([rows, torch.ones(1, dtype=torch.bool)])
        gains = rest * response[:, columns] + (response @ fixed)[:, None]  # shares have sum 1
        best = best_weights((gains / preferred[:-1, None])[rows])
        if best is None:
            return self.state["parts"]
        return fixed + rest * torch.zeros_like(fixed).masked_scatter(columns, best.weights)


def signal_parts(rewards: Tensor, groups: Tensor, weights: Tensor) -> Tensor:
    """Return each objective's z-scores, then the undisputed part: (B, M + 1) in double precision.

    Args:
        rewards: r (B, M), NaN where an objective does not apply.
        groups: The prompt of each completion (B,).
        weights: The preference weights w (M,); an objective of weight 0 disputes nothing.
    """
    zscores, _ = group_zscores(rewards, groups)
    weights = weights.to(zscores)
    by_prompt, applies = ByPrompt(groups), rewards.isfinite()
    compared = zscores.masked_fill(~(applies & (weights > 0)), torch.nan)
    table = by_prompt.table(compared)  # (P, G, M)
    ahead = (table[:, :, None] - table[:, None]).nan_to_num(nan=0.0)  # (P, G, G, M)
    undisputed = (ahead >= 0).all(dim=-1) | (ahead <= 0).all(dim=-1)
    sums = torch.where(undisputed, ahead @ weights, 0.0).sum(dim=-1)  # (P, G)
    present = applies.any(dim=1)
    means = sums[by_prompt.prompt, by_prompt.place] / by_prompt.totals(present.double()).clamp(1)
    size = (means.square().sum() / present.sum().clamp(min=1)).sqrt()
    last = torch.where(size > SMALLEST_SPEED, means / size, 0.0)
    return torch.cat([zscores, last[:, None]], dim=1)
