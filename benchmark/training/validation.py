"""Validate a policy while it trains, without a trace in its training."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from trl import GRPOTrainer

from benchmark.common.errors import Diverged
from benchmark.common.randomness import separate_stream
from benchmark.models.policy.divergence import refuse_bad_logits
from benchmark.models.policy.tokens import to_continue
from benchmark.objectives.base import Objective

VALIDATION_SEED = 7  # every validation of every run draws with the same random numbers


class ValidatingTrainer(GRPOTrainer):
    """TRL's trainer, whose validations leave the training's random stream untouched.

    They all draw with the same random numbers, and objectives with a moving reference are held at
    the initial policy's, so that values along training compare. A prompt that is a text begins with
    one beginning-of-sequence token, whether the text itself has it or the tokenizer adds it.

    Attributes:
        initial_tokens: The initial policy's mean completion length.
        validation: (M,) the latest validation values.
    """

    reward_funcs: list[Any]
    reward_func_names: list[str]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial_tokens: float | None = None
        self.validation: Tensor | None = None
        self._lengths: list[Tensor] = []  # completion lengths of the validation under way

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """Train as TRL does; a divergence says after how many updates.

        Raises:
            Diverged: The policy's weights, logits or loss are not finite.
        """
        try:
            return super().train(*args, **kwargs)
        except Diverged as error:
            done, planned = self.state.global_step, self.state.max_steps
            raise Diverged(f"diverged: after {done} of {planned} updates: {error}") from error

    def objectives(self) -> list[Objective]:
        """Return those of the reward functions that are objectives of ours."""
        return [f for f in self.reward_funcs if isinstance(f, Objective)]

    def _tokenize_prompts(self, prompts: Any) -> Any:
        ids, images, fields = super()._tokenize_prompts(prompts)
        if isinstance(prompts[0], str):  # conversations get no special tokens but their template's
            ids = to_continue(self._tokenizer, ids)
        return ids, images, fields

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        with refuse_bad_logits(self.accelerator.unwrap_model(self.model)):
            return super()._generate_single_turn(*args, **kwargs)

    def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Validate on fixed random numbers, apart from the training's random stream."""
        several = isinstance(self.eval_dataset if eval_dataset is None else eval_dataset, dict)
        if several:  # TRL comes back here with each of them
            return super().evaluate(eval_dataset, *args, **kwargs)
        if self.initial_tokens is None and self.objectives():
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

    def _calculate_rewards(
        self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any
    ) -> Tensor:
        arguments = (inputs, prompts, completions, completion_ids_list)
        if self.model.training:
            return super()._calculate_rewards(*arguments)
        self._lengths.append(self._gathered_lengths(completion_ids_list))
        training = self.reward_funcs
        reference = float("inf") if self.initial_tokens is None else self.initial_tokens
        self.reward_funcs = [
            f.for_evaluation(reference) if isinstance(f, Objective) else f for f in training
        ]
        try:
            return super()._calculate_rewards(*arguments)
        finally:
            self.reward_funcs = training

    def _gathered_lengths(self, completion_ids: Sequence[Sequence[int]]) -> Tensor:
        """Return the completions' lengths (B,) over all processes."""
        local = torch.tensor([len(ids) for ids in completion_ids])
        return self.accelerator.gather(local.to(self.accelerator.device))
