"""Measure one training step of a cell on held-out prompts: predicted and realised changes."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from benchmark.commands.jobs.directions import Direction, Steps, ascent, other_steps
from benchmark.commands.jobs.replay import Replay
from benchmark.covariance import completion_weights, unclipped_fraction
from benchmark.diagnosis.geometry.probe import Report, Sample, measure_gradients
from benchmark.diagnosis.loss import length_factor
from benchmark.diagnosis.samples import (
    ADVANTAGE,
    LOSS,
    SCORE,
    STEP_LENGTH,
    UNCLIPPED_WEIGHT,
    UPDATE,
    WEIGHT,
    Floats,
    StepSample,
    prompt_covariances,
    reward_covariances,
)
from benchmark.models.policy.answers import (
    Completions,
    draw_coupled,
    prompt_ids,
    token_batches,
)
from benchmark.models.policy.differentiation import directional_logps
from benchmark.models.policy.logps import token_logps
from benchmark.models.policy.sampling import Evaluation
from benchmark.objectives import Objective
from benchmark.objectives.scoring import score_everywhere
from benchmark.study.schema import Diagnosis
from benchmark.study.study import Cell
from benchmark.tasks import Problem
from benchmark.training.update import weighed

OFF = (math.inf, math.inf)
GRADIENT_PROMPTS = 32  # that gradients are estimated on, at one backward pass per objective
GRADIENT_BATCHES = 4

Predictors = dict[tuple[str, float], Floats]
Batch = dict[str, Tensor]


class StepDiagnosis:
    """Measures one training step of one cell.

    Args:
        cell: The trained cell.
        plan: The study's diagnosis.
        replay: The step, repeated.
        problems: Held-out problems. The first ``plan.prompts`` give the predictions, those after
            them the realised changes, so that the two share no sampling error.
        objectives: The M objectives as evaluations have them.
        seed: Of this step's random numbers.
    """

    def __init__(
        self,
        cell: Cell,
        plan: Diagnosis,
        replay: Replay,
        problems: Sequence[Problem],
        objectives: Sequence[Objective],
        seed: int,
    ) -> None:
        self.study, self.plan, self.replay, self.seed = cell.study.file, plan, replay, seed
        self.names, self.objectives, self.trainer = cell.objectives, objectives, replay.trainer
        self.predicting, self.others = problems[: plan.prompts], problems[plan.prompts :]
        self.model = self.trainer.accelerator.unwrap_model(self.trainer.model).eval()
        self.tokenizer = self.trainer.processing_class

    def measure(self) -> StepSample:
        """Return predictions and realised changes, prompt by prompt."""
        self.replay.move(0.0)
        completions = self.draw(self.predicting)
        rewards = score_everywhere(completions, self.objectives)  # (P, n, M)
        pilot = self._changes(self.predicting, rewards, 1.0)
        realising = self.others[: self._prompts_needed(pilot)]
        self.replay.move(0.0)
        others = self.draw(realising)
        steps: dict[str, Callable[[], Direction]] = {UPDATE: lambda: self.replay.direction}
        if self.plan.directions:  # from prompts that the predictions do not use
            steps |= other_steps(self.replay, self._held_out(others))
        predictors, covariance, clipped = self._predictors(completions, rewards, steps)
        self.replay.move(0.0)
        metrics = self._gradients(completions, rewards)
        before = score_everywhere(others, self.objectives)
        realised = {m: self._changes(realising, before, m) for m in self.plan.multiples}
        return StepSample(predictors, covariance, realised, clipped, metrics)

    def draw(self, problems: Sequence[Problem]) -> Completions:
        """Draw completions from the policy as it stands, with this step's random numbers."""
        plan = Evaluation(
            samples=self.plan.samples,
            seed=self.seed + (problems[0] is not self.predicting[0]) * 2**16,
            batch_size=self.study.evaluation.batch_size,
        )
        return draw_coupled(self.model, self.tokenizer, problems, self.study.sampling, plan)

    def _prompts_needed(self, pilot: Floats) -> int:
        """Return the number of prompts that keeps every standard error below the one asked for.

        A pilot on other prompts estimates it: a number of prompts that depends on the estimate
        itself would bias that.
        """
        needed = math.ceil(float(pilot.var(axis=0, ddof=1).max()) / self.plan.standard_error**2)
        return min(max(needed, self.plan.prompts), self.plan.max_prompts)

    def _changes(self, problems: Sequence[Problem], before: Floats, multiple: float) -> Floats:
        """Return each prompt's change (P, M) at a multiple of the step."""
        self.replay.move(multiple)
        after = score_everywhere(self.draw(problems), self.objectives)
        return np.asarray((after - before).mean(axis=1))

    def _predictors(
        self, completions: Completions, rewards: Floats, steps: Steps
    ) -> tuple[Predictors, Floats, dict[float, float]]:
        """Return covariances by kind (P, M + 1), the rewards' (P, 2M, 2M) and clipped shares.

        Those are of tokens, by multiple. The policy has to stand before the step.
        """
        size, device = self.study.evaluation.batch_size, self.trainer.accelerator.device
        batches = list(token_batches(self.tokenizer, completions, size, device))
        mask = torch.cat([batch["completion_mask"] for batch in batches])
        trained = score_everywhere(completions, self.trainer.reward_funcs)  # as in training
        scores, advantages = self._signals(trained, mask)
        old = self._logps(batches)
        plain = self._weights(old, old, advantages, mask, OFF)
        own = self._by_prompt(plain)
        extended = np.concatenate([rewards, own[..., None]], axis=2)  # (P, n, M + 1)
        signals = {
            (kind, 1.0): self._by_prompt(self._derivative(batches, make()))
            for kind, make in steps.items()
        }
        signals |= {
            (LOSS, 1.0): self._by_prompt(plain * self._length_factor(mask)),
            (SCORE, 1.0): self._by_prompt(scores),
            (ADVANTAGE, 1.0): own,
        }
        clip = (self.trainer.epsilon_low, self.trainer.epsilon_high)
        clipped: dict[float, float] = {}
        for multiple in self.plan.multiples:
            self.replay.move(multiple)
            surrogate = (self._logps(batches), old, advantages, mask)
            for kind, bounds in ((WEIGHT, clip), (UNCLIPPED_WEIGHT, OFF)):
                signals[kind, multiple] = self._by_prompt(self._weights(*surrogate, bounds))
            kept = unclipped_fraction(*surrogate, clip_low=clip[0], clip_high=clip[1])
            clipped[multiple] = 1.0 - kept
        found = {key: prompt_covariances(extended, signal) for key, signal in signals.items()}
        return found, reward_covariances(rewards, trained), clipped

    def _held_out(self, others: Completions) -> list[Tensor]:
        """Return the gradient by which the loss's signal rises, on other completions."""
        size, device = self.study.evaluation.batch_size, self.trainer.accelerator.device
        batches = list(token_batches(self.tokenizer, others, size, device))
        mask = torch.cat([batch["completion_mask"] for batch in batches])
        _, advantages = self._signals(score_everywhere(others, self.trainer.reward_funcs), mask)
        per_token = advantages if advantages.ndim == 2 else advantages[:, None] * mask
        raised = per_token * self._length_factor(mask)[:, None]
        return ascent(self.model, batches, raised, self.study.sampling.temperature)

    def _length_factor(self, mask: Tensor) -> Tensor:
        """Return how much the training's loss counts each completion's tokens for, (B,)."""
        longest = self.study.sampling.max_tokens
        return length_factor(mask.sum(dim=1), self.study.training.loss, longest)

    def _gradients(self, completions: Completions, rewards: Floats) -> dict[str, float]:
        """Return norms, cosines and PL ratios of the objectives' gradients, and the step's length.

        The policy has to stand before the step.
        """
        count = min(GRADIENT_PROMPTS, len(rewards))
        ids = prompt_ids(self.tokenizer, completions)[: count * completions.samples]
        drawn = completions.ids[: len(ids)]
        sample = Sample(ids, drawn, rewards[:count], self.study.sampling.temperature)
        report = Report()
        measure_gradients(
            self.model,
            sample,
            np.array([objective.upper_bound for objective in self.objectives]),
            np.array(self.trainer.scalarizer.weights.tolist()),
            self.names,
            batches=min(GRADIENT_BATCHES, count),
            filler=int(self.tokenizer.pad_token_id),
            report=report,
        )
        squares = [change.double().square().sum().item() for change in self.replay.direction]
        return report.metrics | {STEP_LENGTH: math.sqrt(sum(squares))}

    def _derivative(self, batches: Sequence[Batch], direction: Sequence[Tensor]) -> Tensor:
        """Return the derivative (B,) of each completion's log-probability along a direction."""
        parts = []
        for batch in batches:
            _, derivative = directional_logps(
                self.model,
                direction,
                batch,
                temperature=self.study.sampling.temperature,
            )
            parts.append((derivative * batch["completion_mask"]).sum(dim=1))
        return torch.cat(parts)

    @staticmethod
    def _weights(
        new: Tensor, old: Tensor, advantages: Tensor, mask: Tensor, clip: tuple[float, float]
    ) -> Tensor:
        return completion_weights(new, old, advantages, mask, clip_low=clip[0], clip_high=clip[1])

    def _signals(self, rewards: Floats, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores (B,) and advantages (B,) or (B, T) that training would give.

        ``rewards`` (P, n, M) are training's; scalarizer and objectives are in the state of the
        step's own rollout, and stay in it: a scalarizer may draw weights anew each time.
        """
        state = self.trainer.scalarizer.state_dict()
        flat = torch.tensor(rewards, dtype=torch.float32, device=mask.device).flatten(0, 1)
        groups = torch.arange(len(flat), device=mask.device) // rewards.shape[1]
        signals = self.trainer.scalarize(flat, groups, mask)
        self.trainer.scalarizer.load_state_dict(state)
        if self.replay.gradient_weights is not None:
            signals = weighed(signals | {"rewards": flat}, self.replay.gradient_weights)
        return signals["scores"], signals["advantages"]

    @torch.no_grad()
    def _logps(self, batches: Sequence[Batch]) -> Tensor:
        """Return the completions' log-probabilities (B, T) under the policy as it stands."""
        return torch.cat([token_logps(self.trainer.logps, batch) for batch in batches])

    def _by_prompt(self, values: Tensor) -> Floats:
        return np.asarray(values.double().cpu().numpy().reshape(-1, self.plan.samples))
