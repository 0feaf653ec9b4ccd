"""The one training path: TRL's GRPO trainer with a scalarizer between rewards and advantages.

:class:`MultiObjectiveGRPOTrainer` is a drop-in for ``trl.GRPOTrainer``: reward functions are the
objectives, and one more argument says how they are made one. Nothing of TRL is copied: every
override calls it and adds to what it returns.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import RepeatSampler

from benchmark.advantages import ESTIMATORS, estimate_advantages
from benchmark.covariance import completion_weights, group_covariance, unclipped_fraction
from benchmark.errors import CrosstalkError, unknown
from benchmark.gradient_path import GradientPath
from benchmark.gradients import ALL
from benchmark.objectives.base import Objective
from benchmark.randomness import separate_stream
from benchmark.rescoring import carried_over, token_logps
from benchmark.scalarizers.base import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    Signal,
)
from benchmark.scalarizers.shortfalls import shortfalls

STATE_FILE = "crosstalk.pt"  # in every checkpoint: what TRL does not save
VALIDATION_SEED = 7  # every validation of every run draws with the same random numbers

__all__ = ["GRPOConfig", "MultiObjectiveGRPOTrainer"]


class MultiObjectiveGRPOTrainer(GRPOTrainer):
    """GRPO on several objectives that a scalarizer makes one.

    Validation (``evaluate``) leaves the training's random stream untouched, and objectives with a
    moving reference are held at the initial policy's, so that values along training compare. A run
    resumed from a checkpoint that ends a rollout batch equals an unbroken one.

    Args:
        scalarizer: How the objectives become one. Its ``objectives`` are matched to
            ``reward_funcs`` by position.
        estimator: Advantage estimator, one of ``benchmark.advantages.ESTIMATORS``.
        diagnose_every: Updates between two diagnostics of the covariance with completion weights,
            each of which costs a forward pass without gradient; 0 for none. A scalarizer that asks
            for completion weights has them after every update in any case.
        gramian_parameters: What a gradient scalarizer's Gramian is computed on, ``all`` or a part
            for large models; see :class:`~benchmark.gradient_path.GradientPath`. Of no effect for
            other scalarizers.
        **kwargs: Everything ``trl.GRPOTrainer`` takes. ``reward_weights``, ``scale_rewards`` and
            ``multi_objective_aggregation`` of its configuration have no effect: the scalarizer and
            the estimator take their place.

    Raises:
        CrosstalkError: The scalarizer's objectives and ``reward_funcs`` differ in number, the
            estimator is none or not for this scalarizer, or it weighs gradients where the settings
            rule that out (DeepSpeed, fp16, a frozen model).
    """

    reward_funcs: list[Any]

    def __init__(
        self,
        *args: Any,
        scalarizer: Scalarizer,
        estimator: str = "grpo",
        diagnose_every: int = 10,
        gramian_parameters: str = ALL,
        **kwargs: Any,
    ) -> None:
        check_pair(type(scalarizer), estimator)
        super().__init__(*args, **kwargs)
        if len(scalarizer.objectives) != len(self.reward_funcs):
            raise CrosstalkError(
                f"scalarizer: {len(scalarizer.objectives)} objectives "
                f"{list(scalarizer.objectives)}, but {len(self.reward_funcs)} reward functions"
            )
        self.scalarizer = scalarizer
        self.estimator = estimator
        self.diagnose_every = diagnose_every
        self.initial_tokens: float | None = None  # mean completion length of the initial policy
        self._validation: Tensor | None = None  # (M,) latest validation values
        self._prompts = 0  # groups numbered so far
        self._rewards = torch.empty(0)  # (B, M) of the batch just scored, over all processes
        self._lengths: list[Tensor] = []  # completion lengths of the validation under way
        self._logps = torch.empty(0)  # (b, T) of the forward pass just made
        self._window: list[dict[str, Tensor]] = []  # the micro-batches of the update under way
        self._seconds = {"generation": 0.0, "reward": 0.0}
        self._gradient_path: GradientPath | None = None
        if isinstance(scalarizer, GradientScalarizer):
            self._gradient_path = GradientPath(
                self, scalarizer, super().compute_loss, gramian_parameters
            )
        elif Signal.GRAMIAN in scalarizer.requires:
            raise CrosstalkError(
                f"scalarizer {type(scalarizer).__name__}: asks for GRAMIAN; "
                "only a GradientScalarizer may"
            )
        self.add_callback(_AfterUpdate(self))

    # ---- rollouts: rewards -> scores -> advantages -----------------------------------------------

    def _get_train_sampler(self, dataset: Any = None) -> RepeatSampler:
        sampler = super()._get_train_sampler(dataset)
        return _EpochSampler(
            data_source=sampler.data_source,
            mini_repeat_count=sampler.mini_repeat_count,
            batch_size=sampler.batch_size,
            repeat_count=sampler.repeat_count,
            shuffle=sampler.shuffle,
            seed=sampler.seed,
        )

    def _generate(self, *args: Any, **kwargs: Any) -> Any:
        with self._timed("generation"):
            return super()._generate(*args, **kwargs)

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> Tensor:
        arguments = (inputs, prompts, completions, completion_ids_list)
        local = torch.tensor([len(ids) for ids in completion_ids_list])
        lengths = self.accelerator.gather(local.to(self.accelerator.device))  # (B,)
        if not self.model.training:
            self._lengths.append(lengths)
            return self._validation_rewards(*arguments)
        with self._timed("reward"):
            self._rewards = super()._calculate_rewards(*arguments)
            for objective in self._objectives():
                objective.observe(lengths.tolist())
        return self._rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if not self.model.training:
            return output
        rewards = self._rewards
        groups = torch.arange(len(rewards), device=rewards.device) // self.num_generations
        groups += self._prompts  # an update may take more than one rollout
        self._prompts += len(rewards) // self.num_generations
        tokens = self.accelerator.gather(output["completion_mask"].sum(dim=1))  # (B,)
        mask = torch.arange(int(tokens.max()), device=tokens.device) < tokens[:, None]
        first = self.accelerator.process_index * len(inputs)
        here = slice(first, first + len(inputs))
        signals = self._scalarize(rewards, groups, mask) | {"rewards": rewards, "groups": groups}
        self._metrics["train"]["score"].append(torch.nanmean(signals["scores"]).item())
        return output | {name: value[here] for name, value in signals.items()}

    def _scalarize(self, rewards: Tensor, groups: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return advantages (B,) and scores (B,) from rewards (B, M), groups (B,), mask (B, T).

        Only a score scalarizer has a score; the preference-weighted reward stands in for others'.
        A gradient scalarizer joins the advantages of the objectives (B, M) later: they come along,
        and their preference-weighted sum stands in for the joint one.
        """
        if isinstance(self.scalarizer, ScoreScalarizer):
            scores = self.scalarizer.score(rewards)
            advantages = estimate_advantages(scores[:, None], groups, self.estimator, mask)
            return {"advantages": advantages[:, 0], "scores": scores}
        own = estimate_advantages(rewards, groups, self.estimator, mask)  # (B, M)
        weights = self.scalarizer.weights.to(rewards)
        signals = {"scores": rewards.nan_to_num(0.0) @ weights}
        if isinstance(self.scalarizer, AdvantageScalarizer):
            return signals | {"advantages": self.scalarizer.combine(own, rewards, groups)}
        return signals | {"advantages": own @ weights, "objective_advantages": own}

    # ---- after an update: what the scalarizer learns, and what is measured -----------------------

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        forward = partial(super()._get_per_token_logps_and_entropies, *args, **kwargs)
        path = self._gradient_path
        output = forward() if path is None else path.forward_once(forward)
        self._logps = output[0].detach()
        return output

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Return TRL's loss, or the weighted one of a gradient scalarizer; keep the micro-batch."""
        if not self.model.training:
            return super().compute_loss(model, inputs, *args, **kwargs)
        self._window.append(inputs)
        if self._gradient_path is None:
            loss = super().compute_loss(model, inputs, *args, **kwargs)
        else:
            last = self.accelerator.sync_gradients
            loss = self._gradient_path.loss(model, self._window, last)
        # On-policy batches carry no old log-probabilities: the pass just made has them.
        self._window[-1] = {"old_per_token_logps": self._logps, **inputs}
        return loss

    @torch.no_grad()
    def after_update(self) -> None:
        """Measure the update just made and hand it to the scalarizer (once per optimizer step)."""
        window, self._window = self._window, []
        if self._gradient_path is not None:
            self._join_by_gradient(window, self._gradient_path)
        keys = ("rewards", "groups", "scores")
        rewards, groups, scores = (self._gathered(window, key) for key in keys)
        self._log_per_objective("covariance/score", group_covariance(rewards, scores, groups))
        requires = self.scalarizer.requires
        measured = self._measured(window, groups)
        weights = measured.get("completion_weights")
        if weights is not None:
            self._log_per_objective("covariance/weight", group_covariance(rewards, weights, groups))
        before = after = None
        if Signal.LOSSES in requires:
            before = shortfalls(rewards, self.scalarizer.upper_bounds)
            after = shortfalls(rewards, self.scalarizer.upper_bounds, measured["carried_over"])
        path = self._gradient_path
        self.scalarizer.update(
            Feedback(
                rewards=rewards,
                groups=groups,
                completion_weights=weights if Signal.COMPLETION_WEIGHTS in requires else None,
                gramian=path.gramian if path and Signal.GRAMIAN in requires else None,
                losses_before=before,
                losses_after=after,
                validation=self._validation if Signal.VALIDATION in requires else None,
            )
        )
        for key, value in self.scalarizer.metrics().items():
            self._metrics["train"][f"scalarizer/{key}"].append(value)

    def _join_by_gradient(self, window: list[dict[str, Tensor]], path: GradientPath) -> None:
        """Put the scores and advantages that the weights of the update amount to in its batches."""
        for batch in window:
            weights = path.weights.to(batch["rewards"])
            batch["scores"] = batch["rewards"].nan_to_num(0.0) @ weights
            batch["advantages"] = batch["objective_advantages"] @ weights
        for key, value in path.metrics().items():
            self._metrics["train"][f"gradient/{key}"].append(value)

    def _measured(self, window: list[dict[str, Tensor]], groups: Tensor) -> dict[str, Tensor]:
        """Return what a pass through the policy as the update left it tells, each (B,).

        The completion weights, and the weights that carry the prompts' means over to the updated
        policy. Nothing where no such pass is due.
        """
        wanted = {Signal.COMPLETION_WEIGHTS, Signal.LOSSES} & self.scalarizer.requires
        due = self.diagnose_every and self.state.global_step % self.diagnose_every == 0
        if not wanted and not due:
            return {}
        clip = {"clip_low": self.epsilon_low, "clip_high": self.epsilon_high}
        weights, ratios, unclipped = [], [], []
        for batch in window:
            new = token_logps(self._present_logps, batch)
            old, mask = batch["old_per_token_logps"], batch["completion_mask"]
            surrogate = (new, old, batch["advantages"], mask)
            weights.append(completion_weights(*surrogate, **clip))
            unclipped.append(unclipped_fraction(*surrogate, **clip))
            ratios.append(((new - old) * mask).sum(dim=1))
        fraction = torch.tensor(unclipped, device=self.accelerator.device).mean()
        fraction = self.accelerator.gather(fraction[None]).mean()
        self._metrics["train"]["unclipped_fraction"].append(fraction.item())
        return {
            "completion_weights": self.accelerator.gather(torch.cat(weights)),
            "carried_over": carried_over(self.accelerator.gather(torch.cat(ratios)), groups),
        }

    def _present_logps(self, ids: Tensor, attention: Tensor, kept: int) -> Tensor:
        logps, _, _ = self._get_per_token_logps_and_entropies(self.model, ids, attention, kept)
        return logps

    # ---- validation ------------------------------------------------------------------------------

    def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate on fixed random numbers, apart from the training's random stream."""
        several = isinstance(self.eval_dataset if eval_dataset is None else eval_dataset, dict)
        if several:  # TRL comes back here with each of them
            return super().evaluate(eval_dataset, *args, **kwargs)
        if self.initial_tokens is None and self._objectives():
            self.initial_tokens = self._mean_tokens(eval_dataset)
        with separate_stream(VALIDATION_SEED):
            metrics = super().evaluate(eval_dataset, *args, **kwargs)
        values = [metrics.get(f"eval_rewards/{name}/mean") for name in self.reward_func_names]
        if None not in values:  # a caller's own metric_key_prefix changes the names
            self._validation = torch.tensor(values)
        return metrics

    def _mean_tokens(self, eval_dataset: Any) -> float:
        """Return the mean completion length of the present policy on the validation prompts."""
        self._lengths = []
        with separate_stream(VALIDATION_SEED):
            self.evaluation_loop(self.get_eval_dataloader(eval_dataset), "Initial policy")
        self._metrics["eval"].clear()
        return torch.cat(self._lengths).float().mean().item()

    def _validation_rewards(self, *arguments: Any) -> Tensor:
        training = self.reward_funcs
        reference = float("inf") if self.initial_tokens is None else self.initial_tokens
        self.reward_funcs = [
            f.for_evaluation(reference) if isinstance(f, Objective) else f for f in training
        ]
        try:
            return super()._calculate_rewards(*arguments)
        finally:
            self.reward_funcs = training

    # ---- checkpoints -----------------------------------------------------------------------------

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial=trial))
            folder /= f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            state = {
                "scalarizer": self.scalarizer.state_dict(),
                "objectives": [objective.state_dict() for objective in self._objectives()],
                "initial_tokens": self.initial_tokens,
                "validation": self._validation,
            }
            torch.save(state, folder / STATE_FILE)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        file = Path(checkpoint) / STATE_FILE
        if not file.is_file():
            raise CrosstalkError(f"{file}: missing; this is not a checkpoint of a scalarized run")
        state = torch.load(file, weights_only=True, map_location="cpu")
        self.scalarizer.load_state_dict(state["scalarizer"])
        for objective, saved in zip(self._objectives(), state["objectives"], strict=True):
            objective.load_state_dict(saved)
        self.initial_tokens = state["initial_tokens"]
        self._validation = state["validation"]

    # ---- small helpers ---------------------------------------------------------------------------

    def _objectives(self) -> list[Objective]:
        return [f for f in self.reward_funcs if isinstance(f, Objective)]

    def _gathered(self, window: list[dict[str, Tensor]], key: str) -> Tensor:
        return self.accelerator.gather(torch.cat([batch[key] for batch in window]))

    def _log_per_objective(self, prefix: str, values: Tensor) -> None:
        for name, value in zip(self.scalarizer.objectives, values.tolist(), strict=True):
            self._metrics["train"][f"{prefix}/{name}"].append(value)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self._seconds[stage] += time.perf_counter() - start


def check_pair(scalarizer: type[Scalarizer], estimator: str) -> None:
    """Refuse an estimator that does not exist, or that the scalarizer makes no sense with."""
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    if scalarizer.estimators is not None and estimator not in scalarizer.estimators:
        raise CrosstalkError(
            f"scalarizer {scalarizer.__name__}: estimator {estimator!r} makes no sense with it; "
            f"allowed: {', '.join(sorted(scalarizer.estimators))}"
        )


class _EpochSampler(RepeatSampler):
    """Draws each epoch's order from the epoch's number, so that a resumed run draws the same."""

    def set_epoch(self, epoch: int) -> None:
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)


class _AfterUpdate(TrainerCallback):
    """Tells the trainer when an optimizer step was made, and times it."""

    def __init__(self, trainer: MultiObjectiveGRPOTrainer) -> None:
        self.trainer = trainer
        self.start = 0.0

    def on_step_begin(self, *args: Any, **kwargs: Any) -> None:
        self.start = time.perf_counter()
        self.trainer._seconds = {"generation": 0.0, "reward": 0.0}

    def on_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        if self.trainer.accelerator.optimizer_step_was_skipped:
            self.trainer._window.clear()
        else:
            self.trainer.after_update()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        seconds = self.trainer._seconds
        total = time.perf_counter() - self.start
        update = total - sum(seconds.values())
        for stage, value in (seconds | {"update": update}).items():
            self.trainer._metrics["train"][f"time/{stage}"].append(value)
