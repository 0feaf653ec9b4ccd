"""The one training path: TRL's GRPO trainer with a scalarizer between rewards and advantages.

:class:`MultiObjectiveGRPOTrainer` is a drop-in for ``trl.GRPOTrainer``: reward functions are the
objectives, and one more argument says how they are made one. Nothing of TRL is copied: every
override calls it and adds to what it returns.
"""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import set_seed
from torch import Tensor
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl import GRPOConfig, GRPOTrainer
from trl.trainer.utils import RepeatSampler

from benchmark.advantages import ESTIMATORS, estimate_advantages
from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.randomness import separate_stream
from benchmark.models.policy.gradients import ALL
from benchmark.models.policy.vllm import reload_weights
from benchmark.objectives.base import Objective
from benchmark.scalarizers.base import (
    AdvantageScalarizer,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    Signal,
)
from benchmark.training.gradient_path import GradientPath
from benchmark.training.update import AfterUpdate

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
            for large models; see ``gradient_path.GradientPath``. Of no effect for
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
    _last_loaded_step: int  # the update whose weights the engine of vLLM has

    def __init__(
        self,
        *args: Any,
        scalarizer: Scalarizer,
        estimator: str = "grpo",
        diagnose_every: int = 10,
        gramian_parameters: str = ALL,
        **kwargs: Any,
    ) -> None:
        if estimator not in ESTIMATORS:
            raise unknown("estimator", estimator, ESTIMATORS)
        scalarizer.check_estimator(estimator)
        super().__init__(*args, **kwargs)
        if self.use_vllm:  # its engine seeds the generators, alike for every seed of ours
            set_seed(self.args.seed, device_specific=True)
        if len(scalarizer.objectives) != len(self.reward_funcs):
            raise CrosstalkError(
                f"scalarizer: {len(scalarizer.objectives)} objectives "
                f"{list(scalarizer.objectives)}, but {len(self.reward_funcs)} reward functions"
            )
        self.scalarizer = scalarizer
        self.estimator = estimator
        self.initial_tokens: float | None = None  # mean completion length of the initial policy
        self.validation: Tensor | None = None  # (M,) latest validation values
        self._prompts = 0  # groups numbered so far
        self._rewards = torch.empty(0)  # (B, M) of the batch just scored, over all processes
        self._lengths: list[Tensor] = []  # completion lengths of the validation under way
        self._logps = torch.empty(0)  # (b, T) of the forward pass just made
        self.gradient_path: GradientPath | None = None
        if isinstance(scalarizer, GradientScalarizer):
            self.gradient_path = GradientPath(
                self, scalarizer, super().compute_loss, gramian_parameters
            )
        elif Signal.GRAMIAN in scalarizer.requires:
            raise CrosstalkError(
                f"scalarizer {type(scalarizer).__name__}: asks for GRAMIAN; "
                "only a GradientScalarizer may"
            )
        self.after_update = AfterUpdate(self, diagnose_every)
        self.add_callback(self.after_update)

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
        with self.after_update.timed("generation"):
            return super()._generate(*args, **kwargs)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        on_cpu = self.accelerator.device.type == "cpu"
        if self.use_vllm and self.vllm_mode == "colocate" and on_cpu:
            self._reload_engine()
        return super()._generate_single_turn(*args, **kwargs)

    def _reload_engine(self) -> None:
        """Give the engine the policy's weights by its own reload, in place of TRL's way.

        TRL writes into the parameters of the engine's layers; on the CPU those are packed, and gone
        once loaded.
        """
        if self.state.global_step != self._last_loaded_step:
            weights = ((name, p.clone()) for name, p in self.vllm_generation._iter_named_params())
            reload_weights(self.vllm_generation.llm, weights)
            self._last_loaded_step = self.state.global_step

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> Tensor:
        arguments = (inputs, prompts, completions, completion_ids_list)
        local = torch.tensor([len(ids) for ids in completion_ids_list])
        lengths = self.accelerator.gather(local.to(self.accelerator.device))  # (B,)
        if not self.model.training:
            self._lengths.append(lengths)
            return self._validation_rewards(*arguments)
        with self.after_update.timed("reward"):
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

    # ---- losses ----------------------------------------------------------------------------------

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        forward = partial(super()._get_per_token_logps_and_entropies, *args, **kwargs)
        path = self.gradient_path
        output = forward() if path is None else path.forward_once(forward)
        self._logps = output[0].detach()
        return output

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Return TRL's loss, or the weighted one of a gradient scalarizer; keep the micro-batch."""
        if not self.model.training:
            return super().compute_loss(model, inputs, *args, **kwargs)
        window = self.after_update.window
        window.append(inputs)
        if self.gradient_path is None:
            loss = super().compute_loss(model, inputs, *args, **kwargs)
        else:
            last = self.accelerator.sync_gradients
            loss = self.gradient_path.loss(model, window, last)
        # On-policy batches carry no old log-probabilities: the pass just made has them.
        window[-1] = {"old_per_token_logps": self._logps, **inputs}
        return loss

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
            self.validation = torch.tensor(values)
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
                "validation": self.validation,
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
        self.validation = state["validation"]

    # ---- small helpers ---------------------------------------------------------------------------

    def _objectives(self) -> list[Objective]:
        return [f for f in self.reward_funcs if isinstance(f, Objective)]


class _EpochSampler(RepeatSampler):
    """Draws each epoch's order from the epoch's number, so that a resumed run draws the same."""

    def set_epoch(self, epoch: int) -> None:
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)
