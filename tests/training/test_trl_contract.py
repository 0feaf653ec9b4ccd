"""The seams of TRL that the trainer builds on, and the promise it makes: linear is plain GRPO."""

import inspect
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import few_tokens, grpo_arguments, low_tokens
from torch import Tensor
from trl import GRPOTrainer
from trl.trainer.utils import RepeatSampler

from benchmark.scalarizers import Linear
from benchmark.training import MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

SEAMS = {
    "_calculate_rewards": ["inputs", "prompts", "completions", "completion_ids_list"],
    "_generate": ["prompts"],
    "_generate_and_score_completions": ["inputs"],
    "compute_loss": ["model", "inputs", "return_outputs", "num_items_in_batch"],
    "_save_checkpoint": ["model", "trial"],
    "_load_optimizer_and_scheduler": ["checkpoint"],
    "_get_train_sampler": ["dataset"],
    "evaluate": ["eval_dataset", "ignore_keys", "metric_key_prefix"],
    "get_eval_dataloader": ["eval_dataset"],
}
BATCH = {
    "prompt_ids",
    "prompt_mask",
    "completion_ids",
    "completion_mask",
    "advantages",
    "num_items_in_batch",
}


class Watched(GRPOTrainer):
    """Plain GRPO that keeps what passes the seams."""

    def __init__(self, **arguments: Any) -> None:
        self.rewards: list[Tensor] = []
        self.batches: list[dict[str, Any]] = []
        self.logps: list[tuple[Any, ...]] = []
        super().__init__(**arguments)

    def _calculate_rewards(self, *args: Any) -> Tensor:
        self.rewards.append(super()._calculate_rewards(*args))
        return self.rewards[-1]

    def _generate_and_score_completions(self, inputs: Any) -> dict[str, Any]:
        self.batches.append(super()._generate_and_score_completions(inputs))
        return self.batches[-1]

    def _get_per_token_logps_and_entropies(self, *args: Any, **kwargs: Any) -> Any:
        self.logps.append(super()._get_per_token_logps_and_entropies(*args, **kwargs))
        return self.logps[-1]


def parameters(method: str) -> list[str]:
    return list(inspect.signature(getattr(GRPOTrainer, method)).parameters)[1:]


@pytest.mark.parametrize("method", SEAMS)
def test_methods_take_these_arguments(method: str) -> None:
    assert parameters(method) == SEAMS[method]


def test_log_probabilities_take_these_arguments() -> None:
    expected = ["model", "input_ids", "attention_mask", "logits_to_keep"]
    assert parameters("_get_per_token_logps_and_entropies")[:4] == expected


def test_the_sampler_keeps_what_it_was_made_with() -> None:
    sampler = RepeatSampler([0, 1, 2], 4, batch_size=2, repeat_count=3, shuffle=True, seed=5)
    kept = (sampler.mini_repeat_count, sampler.batch_size, sampler.repeat_count)
    assert kept == (4, 2, 3)
    assert (sampler.data_source, sampler.shuffle, sampler.seed) == ([0, 1, 2], True, 5)
    assert sampler.generator.initial_seed() == 5


def test_the_attributes_that_ours_reads_exist(tiny_model: Path, tmp_path: Path) -> None:
    trainer = GRPOTrainer(**grpo_arguments(tiny_model, tmp_path, epsilon=0.1, epsilon_high=0.3))
    assert (trainer.epsilon_low, trainer.epsilon_high) == (0.1, 0.3)
    assert trainer.num_generations == 4
    assert trainer.reward_funcs == [few_tokens, low_tokens]
    assert trainer.reward_func_names == ["few_tokens", "low_tokens"]
    assert isinstance(trainer._metrics["train"], defaultdict)
    assert isinstance(trainer._get_train_sampler(), RepeatSampler)


def test_on_policy_batches_have_no_old_logps(tiny_model: Path, tmp_path: Path) -> None:
    trainer = Watched(**grpo_arguments(tiny_model, tmp_path, max_steps=1))
    trainer.train()
    (rewards,), (batch,), (logps,) = trainer.rewards, trainer.batches, trainer.logps
    assert rewards.shape == (8, 2)
    assert set(batch) == BATCH
    assert batch["advantages"].shape == (8,)
    assert batch["completion_ids"].shape == batch["completion_mask"].shape
    assert len(logps) == 3
    assert logps[0].shape == batch["completion_ids"].shape


@pytest.mark.parametrize("reuse", [{"steps_per_generation": 2}, {"num_iterations": 2}])
def test_reused_batches_have_old_logps(
    tiny_model: Path, tmp_path: Path, reuse: dict[str, int]
) -> None:
    size = 8 // reuse.get("steps_per_generation", 1)
    arguments = grpo_arguments(
        tiny_model, tmp_path, max_steps=2, per_device_train_batch_size=size, **reuse
    )
    trainer = Watched(**arguments)
    trainer.train()
    (batch,) = trainer.batches
    assert set(batch) == BATCH | {"old_per_token_logps"}
    assert batch["old_per_token_logps"].shape == batch["completion_ids"].shape


def test_metrics_are_logged_as_means(tiny_model: Path, tmp_path: Path) -> None:
    trainer = GRPOTrainer(**grpo_arguments(tiny_model, tmp_path))
    trainer.model.train()
    trainer._metrics["train"]["mine"] += [1.0, float("nan"), 2.0]
    trainer.log({})
    assert trainer.state.log_history[-1]["mine"] == 1.5
    trainer.model.eval()
    trainer._metrics["eval"]["mine"].append(4.0)
    trainer.log({})
    assert trainer.state.log_history[-1]["eval_mine"] == 4.0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"steps_per_generation": 2, "per_device_train_batch_size": 4},
        {"num_iterations": 2},
        {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 4},
        {"beta": 0.1, "loss_type": "dapo"},
    ],
    ids=["on-policy", "two minibatches", "two passes", "accumulation", "with KL"],
)
def test_linear_is_plain_grpo_bit_for_bit(
    tiny_model: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    scalarizer = Linear(["few", "low"], [2, 1])
    settings = {"max_steps": 4, **changes}
    weights = scalarizer.weights.tolist()
    plain = GRPOTrainer(**grpo_arguments(tiny_model, tmp_path, reward_weights=weights, **settings))
    start = [parameter.clone() for parameter in plain.model.parameters()]
    plain.train()
    ours = MultiObjectiveGRPOTrainer(
        **grpo_arguments(tiny_model, tmp_path, **settings), scalarizer=scalarizer
    )
    ours.train()
    pairs = list(zip(plain.model.parameters(), ours.model.parameters(), strict=True))
    assert all(torch.equal(theirs, mine) for theirs, mine in pairs)
    assert not any(torch.equal(a, b) for a, (b, _) in zip(start, pairs, strict=True))
