"""What the weightings of TorchJD do and where they come from, for people; see ``torchjd_methods``.

Words alone: they determine no result, so that rewording them changes no hash.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Paper:
    """How a weighting weighs the gradients, the paper's title and address, and the parameters."""

    rule: str
    title: str
    url: str
    meanings: Mapping[str, str] = field(default_factory=dict)


PAPERS = {
    "UPGrad": Paper(
        rule="every gradient projected onto the cone of steps that harm no objective, then summed "
        "by the preference weights",
        title="Jacobian Descent For Multi-Objective Optimization",
        url="https://arxiv.org/abs/2406.16232",
    ),
    "DualProj": Paper(
        rule="the sum by the preference weights, projected onto that cone (equation 11)",
        title="Gradient Episodic Memory for Continual Learning",
        url="https://arxiv.org/abs/1706.08840",
    ),
    "PCGrad": Paper(
        rule="every gradient freed of its conflicts with the others, in random order",
        title="Gradient Surgery for Multi-Task Learning",
        url="https://arxiv.org/abs/2001.06782",
    ),
    "GradVac": Paper(
        rule="every pair of gradients turned until it is as similar as it has been on average, in "
        "random order",
        title="Gradient Vaccine: Investigating and Improving Multi-task Optimization in Massively "
        "Multilingual Models",
        url="https://arxiv.org/abs/2010.05874",
        meanings={
            "beta": "share of the newest similarity in the average",
            "eps": "added to denominators",
        },
    ),
    "CAGrad": Paper(
        rule="the step near the mean gradient that is best for the objective it is worst for",
        title="Conflict-Averse Gradient Descent for Multi-task Learning",
        url="https://arxiv.org/abs/2110.14048",
        meanings={
            "c": "how far from the mean, in its lengths; below 1 the mean descends",
            "norm_eps": "below which length, in units of the gradients', a step is none",
        },
    ),
    "IMTLG": Paper(
        rule="the combination with equal projections onto all unit gradients; weights sum to 1 "
        "and may be negative",
        title="Towards Impartial Multi-task Learning",
        url="https://openreview.net/forum?id=IMPnRXEWpvr",
    ),
    "AlignedMTL": Paper(
        rule="the sum by the preference weights of gradients made orthogonal and of one length",
        title="Independent Component Alignment for Multi-Task Learning",
        url="https://arxiv.org/abs/2305.19000",
        meanings={
            "scale_mode": "that length, by the singular values' `min`, `median` or `rmse`",
        },
    ),
    "FairGrad": Paper(
        rule=r"alpha-fair gains: $\mathcal G w = w^{-1/\alpha}$, entry by entry; an objective "
        r"without a gradient has the weight at which the solver stops, and moves nothing",
        title="Fair Resource Allocation in Multi-Task Learning",
        url="https://arxiv.org/abs/2402.15638",
        meanings={
            "alpha": r"$\alpha$, 0 for the sum of the gains, 1 for their product (`nash_mtl`)",
            "max_iters": "of SciPy's `least_squares`; its own default if none",
        },
    ),
    "MGDA": Paper(
        rule="the shortest convex combination, as `mgda`, by Frank-Wolfe",
        title="Multi-Task Learning as Multi-Objective Optimization",
        url="https://arxiv.org/abs/1810.04650",
        meanings={
            "epsilon": "step at which the solver stops",
            "max_iters": "most steps",
        },
    ),
    "NashMTL": Paper(
        rule=r"the bargaining solution, as `nash_mtl`, by the paper's convex programmes, which "
        r"start from the last batch's weights and may end before $\mathcal G w = 1 / w$ holds",
        title="Multi-Task Learning as a Bargaining Game",
        url="https://arxiv.org/abs/2202.01017",
        meanings={
            "max_norm": "greatest length of the step; 0 for no limit",
            "optim_niter": "most programmes per batch",
        },
    ),
    "PCD": Paper(
        rule="the first objective's gradient, turned until each other objective makes some "
        "progress; without it all weights are 0",
        title="Not All Objectives Are Born Equal: Priority-Constrained Descent for Hierarchical "
        "Multi-Objective Optimization",
        url="https://arxiv.org/abs/2606.29521",
        meanings={
            "tau": "that progress, as a share of what its own gradient would bring",
            "beta": "share of the past in the average of squared norms, below 1",
            "eps": "added to that average, so of its scale",
        },
    ),
    "MoDo": Paper(
        rule=r"a projected step on the weights, $\lambda \leftarrow \Pi_\Delta(\lambda - \gamma "
        r"(J_1 J_2^\top \lambda + \rho \lambda))$, with the gradients of two halves of the batch's "
        "prompts; twice the backward passes",
        title="Three-Way Trade-Off in Multi-Objective Learning: Optimization, Generalization and "
        "Conflict-Avoidance",
        url="https://www.jmlr.org/papers/volume25/23-1287/23-1287.pdf",
        meanings={
            "gamma": r"$\gamma$, above 0, of the scale of 1 over squared norms",
            "rho": r"$\rho$, which pulls the weights together",
        },
    ),
    "SDMGrad": Paper(
        rule="the direction near the preferred sum of the gradients that makes the least of the "
        "objectives' gains largest, by steps on the weights with the gradients of two halves of "
        "the batch's prompts; twice the backward passes",
        title="Direction-oriented Multi-objective Learning: Simple and Provable Stochastic "
        "Algorithms",
        url="https://arxiv.org/abs/2305.18409",
        meanings={
            "lr": "step of the weights, above 0",
            "momentum": "of those steps, below 1",
            "n_iter": "steps per batch",
            "lambda_": "how strongly it is held to the preferences",
        },
    ),
    "Krum": Paper(
        rule="the gradients nearest to their neighbours, and no others",
        title="Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent",
        url="https://proceedings.neurips.cc/paper/2017/file/"
        "f4b9ec30ad9f68f89b29639786cb62ef-Paper.pdf",
        meanings={
            "n_byzantine": "how many may be adversarial, with at least that many + 3 objectives",
            "n_selected": "how many are taken",
        },
    ),
}
