"""Train on several objectives: TRL's GRPO trainer, with a scalarizer between reward and advantage.

:class:`MultiObjectiveGRPOTrainer` is a drop-in for ``trl.GRPOTrainer``: reward functions are the
objectives, and one more argument says how they are combined. Nothing of TRL is copied: every
override calls it and adds to what it returns.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import is_peft_model, set_seed
from torch import Tensor
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR
from trl.trainer.utils import RepeatSampler

from benchmark.advantages import ESTIMATORS, estimate_advantages
from benchmark.common.errors import CrosstalkError, Diverged, Faulty, unknown
from benchmark.models.policy.divergence import check_weights
from benchmark.models.policy.gradients import ALL, reshard
from benchmark.models.policy.lora import FrozenBase
from benchmark.models.policy.vllm import reload_weights
from benchmark.scalarizers import calls
from benchmark.scalarizers.base import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    Signal,
)
from benchmark.training.callbacks import AfterStep, Clock
from benchmark.training.collecting import Collected
from benchmark.training.gradient_path import GradientPath, Losses, check_supported
from benchmark.training.settings import check_settings, distinct_names
from benchmark.training.update import (
    NEEDS_PASS,
    Batch,
    Clip,
    Update,
    gathered,
    measure,
    preferred,
    weighed,
)
from benchmark.training.validation import ValidatingTrainer

STATE_FILE = "crosstalk.pt"  # in every checkpoint: what TRL does not save
_Logged = defaultdict[str, list[float]]


class MultiObjectiveGRPOTrainer(ValidatingTrainer):
    """GRPO on several objectives that a scalarizer combines.

    Validation (``evaluate``) leaves the training's random stream untouched, and objectives with a
    moving reference are held at the initial policy's, so that values along training compare. A run
    resumed from a checkpoint at the end of a rollout batch equals an unbroken one. Resumed in the
    middle of one, it draws a new rollout, as TRL does; a scalarizer that updates after each rollout
    is never told of the unfinished one.

    Args:
        scalarizer: Combines the objectives. Its ``objectives`` are matched to ``reward_funcs`` by
            position. If two of these have the same name, all go by the scalarizer's names.
        estimator: Advantage estimator, one of ``benchmark.advantages.ESTIMATORS``.
        diagnose_every: Updates between two measurements of the covariance with completion weights,
            each of which costs a forward pass without gradient; 0 for none. A scalarizer that asks
            for completion weights gets them after every update in any case.
        gramian_parameters: What a gradient scalarizer's Gramian is computed on, ``all`` or a part
            for large models; see ``gradient_path.GradientPath``. Other scalarizers ignore it.
        **kwargs: Everything ``trl.GRPOTrainer`` takes. ``reward_weights``, ``scale_rewards`` and
            ``multi_objective_aggregation`` of its configuration are refused: the scalarizer and
            the estimator take their place. The curve ``reward`` that TRL logs is the sum of the
            rewards weighted by the scalarizer's preference weights.

    Raises:
        CrosstalkError: The scalarizer's objectives and ``reward_funcs`` differ in number, the
            estimator is unknown or incompatible with the scalarizer, a setting would have no
            effect, or the scalarizer weighs gradients where the settings rule that out (DeepSpeed,
            fp16, a frozen model).
    """

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
        scalarizer.check_update_every()
        super().__init__(*args, **kwargs)
        if self.use_vllm:  # its engine seeds the generators, alike for every seed of ours
            set_seed(self.args.seed, device_specific=True)
            if is_peft_model(self.model):  # TRL merges adapters into the base to send weights
                sender = self.vllm_generation
                base = FrozenBase(self.accelerator.unwrap_model(self.model))
                sender._iter_named_params = base.around(sender._iter_named_params)
        if len(scalarizer.objectives) != len(self.reward_funcs):
            raise CrosstalkError(
                f"scalarizer: expected {len(self.reward_funcs)} objectives, one for each reward "
                f"function, got {list(scalarizer.objectives)}"
            )
        check_settings(self.args)
        names = distinct_names(self.reward_func_names, scalarizer.objectives)
        self.reward_func_names = names
        self.reward_weights = scalarizer.weights.clone()  # of the curve `reward`, and that alone
        self.scalarizer = scalarizer
        self.estimator = estimator
        self.diagnose_every = diagnose_every
        self.collected = Collected(self.args.steps_per_generation, self.num_iterations)
        self._prompts = 0  # groups numbered so far
        self._rewards = torch.empty(0)  # (B, M) of the batch just scored, over all processes
        self._logps = torch.empty(0)  # (b, T) of the forward pass just made
        self._shared: list[Any] | None = None  # the forward pass that several losses share
        self.gradient_path: GradientPath | None = None
        if isinstance(scalarizer, GradientScalarizer):
            check_supported(self.args, self.is_deepspeed_enabled)
            self.gradient_path = GradientPath(self.model, scalarizer, gramian_parameters)
        elif Signal.GRAMIAN in scalarizer.requires:
            raise CrosstalkError(
                f"scalarizer {type(scalarizer).__name__}: only a GradientScalarizer may require "
                "GRAMIAN"
            )
        self._clock = Clock(lambda stage, seconds: self._log({f"time/{stage}": seconds}))
        self.add_callback(self._clock)
        self.add_callback(AfterStep(self._after_step))

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
        with self._clock.timed("generation"):
            return super()._generate(*args, **kwargs)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        on_cpu = self.accelerator.device.type == "cpu"
        if self.use_vllm and self.vllm_mode == "colocate" and on_cpu:
            self._reload_engine()
        return super()._generate_single_turn(*args, **kwargs)

    def _reload_engine(self) -> None:
        """Give the policy's weights to the engine by the engine's own reload, not by TRL's.

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
        if not self.model.training:
            return self._finite(super()._calculate_rewards(*arguments))
        lengths = self._gathered_lengths(completion_ids_list)
        with self._clock.timed("reward"):
            for objective in self.objectives():
                objective.observe(lengths.tolist())
            self._rewards = self._finite(super()._calculate_rewards(*arguments))
        return self._rewards

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if not self.model.training:
            return output
        rewards = self._rewards
        groups = torch.arange(len(rewards), device=rewards.device) // self.num_generations
        groups += self._prompts  # an update may take more than one rollout
        drawn = len(rewards) // self.num_generations
        self._prompts += drawn + drawn % 2  # even, so that halves by parity outlast a resumption
        tokens = self.accelerator.gather(output["completion_mask"].sum(dim=1))  # (B,)
        mask = torch.arange(int(tokens.max()), device=tokens.device) < tokens[:, None]
        first = self.accelerator.process_index * len(inputs)
        here = slice(first, first + len(inputs))
        signals = self.scalarize(rewards, groups, mask) | {"rewards": rewards, "groups": groups}
        self._log({"score": torch.nanmean(signals["scores"]).item()})
        self._show_advantages(signals["advantages"], mask)
        return output | {name: value[here] for name, value in signals.items()}

    def _finite(self, rewards: Tensor) -> Tensor:
        """Return the rewards (B, M) unless one is infinite; NaN does not apply."""
        for name, column in zip(self.reward_func_names, rewards.isinf().any(dim=0), strict=True):
            if column:
                raise Faulty(
                    f"reward function {name!r}: expected finite numbers, or None or NaN where it "
                    "does not apply, got an infinity"
                )
        return rewards

    def _show_advantages(self, advantages: Tensor, mask: Tensor) -> None:
        """Put the advantages (B,) or (B, T) where TRL has its own for its table of completions."""
        if advantages.ndim > 1:
            advantages = advantages.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        shown = self._logs["advantages"]
        for _ in range(min(len(advantages), len(shown))):
            shown.pop()
        shown.extend(advantages.tolist())

    def scalarize(self, rewards: Tensor, groups: Tensor, mask: Tensor) -> dict[str, Tensor]:
        """Return advantages (B,) and scores (B,) from rewards (B, M), groups (B,), mask (B, T).

        Only a score scalarizer has a score; for others it is the preference-weighted reward. A
        gradient scalarizer combines the ``objective_advantages`` (B, M) later: until then,
        ``advantages`` is their preference-weighted sum.
        """
        if isinstance(self.scalarizer, ScoreScalarizer):
            scores = calls.score(self.scalarizer, rewards)
            advantages = estimate_advantages(scores[:, None], groups, self.estimator, mask)
            return {"advantages": advantages[:, 0], "scores": scores}
        own = estimate_advantages(rewards, groups, self.estimator, mask)  # (B, M)
        weights = self.scalarizer.weights.to(rewards)
        nothing = rewards.isnan().all(dim=1)  # completions to which no objective applies
        signals = {"scores": preferred(rewards, weights)}
        if isinstance(self.scalarizer, AdvantageScalarizer):
            combined = calls.combine(self.scalarizer, own, rewards, groups)
            return signals | {"advantages": combined.masked_fill(nothing, 0.0)}
        return signals | {"advantages": own @ weights, "objective_advantages": own}

    # ---- losses ----------------------------------------------------------------------------------

    def logps(self, ids: Tensor, attention: Tensor, kept: int) -> Tensor:
        """Return log-probabilities (n, kept) of the last tokens under the policy as it is now."""
        return self._get_per_token_logps_and_entropies(self.model, ids, attention, kept)[0]

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        if self._shared:
            return self._shared[0]
        output = super()._get_per_token_logps_and_entropies(*args, **kwargs)
        if self._shared is not None:
            self._shared.append(output)
        self._logps = output[0].detach()
        return output

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        """Return TRL's loss, or the weighted one of a gradient scalarizer; keep the micro-batch."""
        if not self.model.training:
            return super().compute_loss(model, inputs, *args, **kwargs)
        if self.gradient_path is None:
            loss = super().compute_loss(model, inputs, *args, **kwargs)
        else:
            loss = self._weighted_loss(self.gradient_path, model, inputs)
        self._check_loss(loss)
        # On-policy batches carry no old log-probabilities: the pass just made has them.
        self.collected.add({"old_per_token_logps": self._logps, **inputs})
        return loss

    def _check_loss(self, *losses: Tensor) -> None:
        """Refuse a loss that is no number on any process, before it reaches the weights."""
        own = torch.stack([loss.detach() for loss in losses])
        found = self.accelerator.gather(own.reshape(1, -1))  # (processes, losses)
        if not bool(found.isfinite().all()):
            values = ", ".join(f"{value:g}" for value in found.flatten().tolist())
            raise Diverged(f"the loss is {values}")

    def _weighted_loss(self, path: GradientPath, model: Any, inputs: Batch) -> Tensor:
        path.begin(self.model)
        losses = self.objective_losses(model, inputs)
        path.add(losses)
        if not self.accelerator.sync_gradients:
            return path.postponed(losses)
        rewards = torch.cat([batch["rewards"] for batch in (*self.collected.step, inputs)])
        path.weigh(self.accelerator.gather(rewards))
        earlier = (self.objective_losses(self.model, batch) for batch in self.collected.step)
        return path.loss(losses, earlier)

    def objective_losses(self, model: Any, batch: Batch) -> Losses:
        """Return a micro-batch's loss by each objective, and that of the regularisers alone.

        All are made on one forward pass. What TRL logs of them is logged as means over the
        objectives.
        """
        assert self.gradient_path is not None
        loss_of, advantages = super().compute_loss, self.gradient_path.advantages(batch)
        apart, logged = _Logged(list), _Logged(list)
        off = {"beta": 0.0, "_entropy_bonus_enabled": False, "aux_loss_enabled": False}
        regulariser = None
        with self._holding(_shared=[]):
            if any(getattr(self, name) for name in off):
                with self._holding(_metrics=self._metrics | {"train": apart}):
                    regulariser = loss_of(model, batch | {"advantages": 0.0 * advantages[0]})
            with self._holding(_metrics=self._metrics | {"train": logged}, **off):
                policy = [loss_of(model, batch | {"advantages": own}) for own in advantages]
            assert self._shared is not None
            logps = self._shared[0][0]
        self._check_loss(*policy)
        for key, values in (apart | logged).items():
            self._metrics["train"][key] += values
        return Losses(policy, regulariser, logps)

    @contextmanager
    def _holding(self, **attributes: Any) -> Iterator[None]:
        """Give attributes other values for the block."""
        before = {name: getattr(self, name) for name in attributes}
        self.__dict__ |= attributes
        try:
            yield
        finally:
            self.__dict__ |= before

    # ---- after the optimizer step ----------------------------------------------------------------

    @torch.no_grad()
    def _after_step(self) -> None:
        """Measure the step just made and log it; tell the scalarizer what it updates after."""
        batches, told = self.collected.end_step(self.scalarizer.update_every)
        if self.accelerator.optimizer_step_was_skipped:
            return
        check_weights(self.model.parameters())
        every = self.diagnose_every
        due = bool(every) and self.state.global_step % every == 0
        own = self.scalarizer.requires if told is batches else frozenset()
        feedback, found = self._measured(batches, own, due=due)
        if told is not None:
            if told is not batches:
                feedback, whole = self._measured(told, self.scalarizer.requires)
                found = whole | found  # what the step's own measurement left out
            calls.tell(self.scalarizer, feedback)
        self._log(found)
        self._log({f"scalarizer/{key}": v for key, v in calls.metrics(self.scalarizer).items()})
        reshard(self.model)  # else the trainer would not clear the shards' gradients

    def _measured(
        self, batches: list[Batch], wanted: frozenset[Signal], *, due: bool = False
    ) -> tuple[Feedback, dict[str, float]]:
        """Measure these; with a pass through the policy if that is due or a signal needs it."""
        logps = self.logps if due or wanted & NEEDS_PASS else None
        clip = Clip(self.epsilon_low, self.epsilon_high)
        return measure(self._update(batches), logps, clip, wanted)

    def _update(self, batches: list[Batch]) -> Update:
        path, gather = self.gradient_path, self.accelerator.gather
        if path is not None:
            batches = [weighed(batch, path.weights) for batch in batches]
            self._log({f"gradient/{key}": value for key, value in path.metrics().items()})
        return Update(
            objectives=self.scalarizer.objectives,
            upper_bounds=self.scalarizer.upper_bounds,
            batches=batches,
            gather=gather,
            gramian=None if path is None else path.gramian,
            validation=self.validation,
            **gathered(batches, gather),
        )

    def _log(self, values: dict[str, float]) -> None:
        for key, value in values.items():
            self._metrics["train"][key].append(value)

    # ---- checkpoints -----------------------------------------------------------------------------

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = Path(self._get_output_dir(trial=trial))
            folder /= f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            state = {
                "scalarizer": self.scalarizer.state_dict(),
                "objectives": [objective.state_dict() for objective in self.objectives()],
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
        try:
            self.scalarizer.load_state_dict(state["scalarizer"])
        except ValueError as error:  # of another method, or with other objectives
            raise CrosstalkError(f"{file}: {error}") from error
        for objective, saved in zip(self.objectives(), state["objectives"], strict=True):
            objective.load_state_dict(saved)
        self.initial_tokens = state["initial_tokens"]
        self.validation = state["validation"]


class _EpochSampler(RepeatSampler):
    """Seeds each epoch's order by the epoch's number, so that a resumed run draws the same."""

    def set_epoch(self, epoch: int) -> None:
        if self.shuffle:
            self.generator.manual_seed(self.seed + epoch)
