"""What follows an optimizer step: measure it, tell the scalarizer what it did, and time it."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback

from benchmark.covariance import (
    completion_weights,
    group_correlation,
    group_covariance,
    unclipped_fraction,
)
from benchmark.models.policy.gradients import reshard
from benchmark.models.policy.logps import carried_over, token_logps
from benchmark.scalarizers.base import Feedback, Signal
from benchmark.scalarizers.shortfalls import shortfalls
from benchmark.training.batch_law import (
    ByPrompt,
    dominated_winner_rate,
    negative_fraction,
    top_means,
)
from benchmark.training.gradient_path import GradientPath

Batch = dict[str, Tensor]


class AfterUpdate(TrainerCallback):
    """Keeps the micro-batches of the update under way, and acts once it is made.

    Args:
        trainer: Whose updates, and whose scalarizer.
        diagnose_every: Updates between two passes that only measure; 0 for none.
    """

    def __init__(self, trainer: Any, diagnose_every: int) -> None:
        self.trainer = trainer
        self.diagnose_every = diagnose_every
        self.window: list[Batch] = []  # the micro-batches of the update under way
        self.start = 0.0
        self.seconds = {"generation": 0.0, "reward": 0.0}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the seconds of the block to a stage of the step."""
        start = time.perf_counter()
        yield
        self.seconds[stage] += time.perf_counter() - start

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.start = time.perf_counter()
        self.seconds = {"generation": 0.0, "reward": 0.0}

    def on_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        if self.trainer.accelerator.optimizer_step_was_skipped:
            self.window.clear()
        else:
            self.tell()
            reshard(self.trainer.model)  # else the trainer would not clear the shards' gradients

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        total = time.perf_counter() - self.start
        update = total - sum(self.seconds.values())
        for stage, value in (self.seconds | {"update": update}).items():
            self._log(f"time/{stage}", value)

    @torch.no_grad()
    def tell(self) -> None:
        """Measure the update just made and hand it to the scalarizer (once per optimizer step)."""
        window, self.window = self.window, []
        scalarizer, path = self.trainer.scalarizer, self.trainer.gradient_path
        if path is not None:
            self._join(window, path)
        rewards, groups, scores = (
            self._all(window, key) for key in ("rewards", "groups", "scores")
        )
        self._log_law(window, rewards, scores, groups)
        measured = self._measured(window, groups)
        weights = measured.get("completion_weights")
        if weights is not None:
            unclipped = group_covariance(rewards, measured["unclipped_weights"], groups)
            self._log_each("covariance/unclipped_weight", unclipped)
            self._log_each("covariance/weight", group_covariance(rewards, weights, groups))
            self._log_each("correlation/weight", group_correlation(rewards, weights, groups))
        given: dict[Signal, dict[str, Tensor | None]] = {
            Signal.COMPLETION_WEIGHTS: {"completion_weights": weights},
            Signal.GRAMIAN: {"gramian": None if path is None else path.gramian},
            Signal.VALIDATION: {"validation": self.trainer.validation},
        }
        if Signal.LOSSES in scalarizer.requires:
            bounds = scalarizer.upper_bounds
            before, after = (shortfalls(rewards, bounds, v) for v in (None, measured["carried"]))
            given[Signal.LOSSES] = {"losses_before": before, "losses_after": after}
        asked: dict[str, Any] = {}
        for signal in scalarizer.requires:
            asked |= given[signal]
        scalarizer.update(Feedback(rewards=rewards, groups=groups, **asked))
        for key, value in scalarizer.metrics().items():
            self._log(f"scalarizer/{key}", value)

    def _join(self, window: list[Batch], path: GradientPath) -> None:
        """Put the scores and advantages that the weights of the update amount to in its batches."""
        for batch in window:
            weights = path.weights.to(batch["rewards"])
            batch["scores"] = batch["rewards"].nan_to_num(0.0) @ weights
            batch["advantages"] = batch["objective_advantages"] @ weights
        for key, value in path.metrics().items():
            self._log(f"gradient/{key}", value)

    def _measured(self, window: list[Batch], groups: Tensor) -> Batch:
        """Return what a pass through the policy as the update left it tells, each (B,).

        The completion weights, and the weights that carry the prompts' means over to the updated
        policy. Nothing where no such pass is due.
        """
        trainer = self.trainer
        wanted = {Signal.COMPLETION_WEIGHTS, Signal.LOSSES} & trainer.scalarizer.requires
        due = self.diagnose_every and trainer.state.global_step % self.diagnose_every == 0
        if not wanted and not due:
            return {}
        clip = {"clip_low": trainer.epsilon_low, "clip_high": trainer.epsilon_high}
        weights, whole, ratios, tokens = [], [], [], []  # tokens: unclipped ones, and all
        for batch in window:
            new = token_logps(self.present_logps, batch)
            old, mask = batch["old_per_token_logps"], batch["completion_mask"]
            surrogate = (new, old, batch["advantages"], mask)
            weights.append(completion_weights(*surrogate, **clip))
            whole.append(completion_weights(*surrogate, clip_low=math.inf, clip_high=math.inf))
            count = int(mask.sum())
            tokens.append([round(unclipped_fraction(*surrogate, **clip) * count), count])
            ratios.append(((new - old) * mask).sum(dim=1))
        counts = torch.tensor(tokens, device=trainer.accelerator.device)
        unclipped, all_tokens = trainer.accelerator.gather(counts).sum(dim=0).tolist()
        fraction = unclipped / all_tokens if all_tokens else 1.0
        self._log("unclipped_fraction", torch.tensor(fraction).item())
        return {
            "completion_weights": trainer.accelerator.gather(torch.cat(weights)),
            "unclipped_weights": trainer.accelerator.gather(torch.cat(whole)),
            "carried": carried_over(trainer.accelerator.gather(torch.cat(ratios)), groups),
        }

    def present_logps(self, ids: Tensor, attention: Tensor, kept: int) -> Tensor:
        """Return log-probabilities (n, kept) of the last tokens under the policy as it is."""
        trainer = self.trainer
        return trainer._get_per_token_logps_and_entropies(trainer.model, ids, attention, kept)[0]

    def _all(self, window: list[Batch], key: str) -> Tensor:
        return self.trainer.accelerator.gather(torch.cat([batch[key] for batch in window]))

    def _log_law(
        self, window: list[Batch], rewards: Tensor, scores: Tensor, groups: Tensor
    ) -> None:
        """Log what the batch says of the covariance law; costs no pass through the policy."""
        advantages = self.trainer.accelerator.gather(
            torch.cat([_per_completion(b) for b in window])
        )
        self._log_each("covariance/score", group_covariance(rewards, scores, groups))
        self._log_each("covariance/advantage", group_covariance(rewards, advantages, groups))
        self._log_each("correlation/score", group_correlation(rewards, scores, groups))
        batch = ByPrompt.of(rewards, scores, groups)
        self._log_each("negative_fraction", negative_fraction(batch))
        self._log_each("top_mean", top_means(batch))
        self._log("dominated_winners", dominated_winner_rate(batch))

    def _log_each(self, key: str, values: Tensor) -> None:
        """Log values (M,), each under its objective's name."""
        for name, value in zip(self.trainer.scalarizer.objectives, values.tolist(), strict=True):
            self._log(f"{key}/{name}", value)

    def _log(self, key: str, value: float) -> None:
        self.trainer._metrics["train"][key].append(value)


def _per_completion(batch: Batch) -> Tensor:
    """Return the advantages (b,); where an estimator whitens over tokens, their mean."""
    advantages, mask = batch["advantages"], batch["completion_mask"]
    if advantages.ndim == 1:
        return advantages
    return (advantages * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
