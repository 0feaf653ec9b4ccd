"""Measure a policy's geometry, as flat metrics ``geometry/…`` with notes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch.nn import Module

from benchmark.diagnosis.geometry.gradients import (
    GradientGeometry,
    cross_gramian,
    gradient_geometry,
)
from benchmark.diagnosis.geometry.logit_jacobian import LogitJacobian
from benchmark.diagnosis.geometry.spectrum import spectrum
from benchmark.diagnosis.geometry.states import (
    check_memory,
    check_rewards,
    optimal_mass,
    saturation,
)
from benchmark.interference.intervals import Interval
from benchmark.models.policy.logps import padded

Floats = NDArray[np.float64]
SCORE = "score"  # the scalarized objective's name in metrics


@dataclass(frozen=True)
class Sample:
    """n completions of each of P prompts drawn from the policy, with their rewards."""

    prompts: Sequence[Sequence[int]]  # P·n token ids, the same for a prompt's completions
    completions: Sequence[Sequence[int]]  # P·n token ids
    rewards: Floats  # (P, n, M)
    temperature: float  # that they were drawn at


@dataclass(frozen=True)
class Report:
    """Metrics by name, NaN where a quantity is not known, and notes that say why."""

    metrics: dict[str, float] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, value: float, note: str = "") -> None:
        """Add a metric ``geometry/<name>``."""
        self.metrics[f"geometry/{name}"] = float(value)
        if note:
            self.notes[f"geometry/{name}"] = note

    def add_interval(self, name: str, interval: Interval, note: str = "") -> None:
        """Add an estimate with its bounds ``…/low`` and ``…/high``."""
        self.add(name, interval.estimate, note if math.isnan(interval.estimate) else "")
        self.add(f"{name}/low", interval.low)
        self.add(f"{name}/high", interval.high)


def probe_states(sample: Sample, count: int) -> list[list[int]]:
    """Return N prefixes of different prompts, further into their completions one after another.

    Prefix i of N ends after the share i/N of the first completion of prompt i.
    """
    each = len(sample.prompts) // len(sample.rewards)
    count = min(count, len(sample.rewards))
    found = []
    for state in range(count):
        prompt, completion = sample.prompts[state * each], sample.completions[state * each]
        found.append([*prompt, *completion[: len(completion) * state // count]])
    return found


def measure_states(
    model: Module, states: Sequence[Sequence[int]], filler: int, seed: int, report: Report
) -> None:
    """Add the spectrum of the logit Jacobian and the saturation on probe states."""
    check_memory(model, len(states), max(map(len, states)))
    batch = padded(states, [[filler]] * len(states), filler)
    jacobian = LogitJacobian(model, batch["prompt_ids"], batch["prompt_mask"])
    found = spectrum(jacobian, np.random.default_rng(seed))
    report.add("sigma_max", found.largest)
    report.add("sigma_min", found.smallest, found.reason)
    report.add("condition", found.condition, found.reason)
    report.add("frobenius", found.frobenius)
    report.add("effective_rank", found.effective_rank)
    report.add("effective_rank_se", found.effective_rank_se)
    unknown = "not all singular values were computed" if math.isnan(found.entropy_rank) else ""
    report.add("entropy_rank", found.entropy_rank, unknown)
    report.add("jacobian_rows", found.rows)
    report.add("jacobian_columns", found.columns)
    for kind, passes in found.passes.items():
        report.add(f"passes/{kind}", passes)
    for name, value in saturation(jacobian.logits)._asdict().items():
        report.add({"largest": "largest_probability"}.get(name, name), value)


def measure_mass(
    rewards: Floats, upper: Floats, weights: Floats, names: Sequence[str], report: Report
) -> None:
    """Add the mass on completions that reach an objective's bound, and the scalarized one's."""
    masses = optimal_mass(rewards, upper, weights)
    for name, interval in zip([*names, SCORE], masses, strict=True):
        report.add_interval(f"optimal_mass/{name}", interval, "rewards have no upper bound")


def measure_gradients(
    model: Module,
    sample: Sample,
    upper: Floats,
    weights: Floats,
    names: Sequence[str],
    *,
    batches: int,
    filler: int,
    report: Report,
) -> None:
    """Add norms, cosines, conflicts, similarity and PL ratios of the objectives' gradients."""
    rewards = check_rewards(sample.rewards, names)
    batch = padded(sample.prompts, sample.completions, filler)
    cross = cross_gramian(model, batch, rewards, batches, temperature=sample.temperature)
    found = gradient_geometry(cross, rewards, upper, weights)
    labels = [*names, SCORE]
    for row, name in enumerate(labels):
        report.add_interval(f"gradient_square/{name}", found.squared_norms[row])
        report.add(f"gradient_square_naive/{name}", found.naive[row, row])
        report.add_interval(f"gap/{name}", found.gaps[row], "rewards have no upper bound")
        note = "the distance to the upper bound is 0, unbounded or not told from 0"
        report.add_interval(f"pl_ratio/{name}", found.pl_ratios[row], note)
    _add_pairs(found, labels, report)


def _add_pairs(found: GradientGeometry, labels: Sequence[str], report: Report) -> None:
    note = "a gradient is not told from 0"
    for i, first in enumerate(labels):
        for j, second in enumerate(labels[i + 1 :], start=i + 1):
            pair, known = f"{first}/{second}", not math.isnan(found.cosines[i, j])
            report.add(f"inner_product/{pair}", found.gramian[i, j])
            report.add(f"cosine/{pair}", found.cosines[i, j], "" if known else note)
            report.add(
                f"magnitude_similarity/{pair}", found.similarity[i, j], "" if known else note
            )
            if second != SCORE:
                report.add_interval(f"conflict/{pair}", found.conflict[i][j])
