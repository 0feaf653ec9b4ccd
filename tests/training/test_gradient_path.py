"""The trainer's gradient path: one forward pass, a gradient an objective, one weighted step."""

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import torch
from gradient_modes import ACCUMULATION, DESCENT, NAMES, Fixed, both, distance, movement
from peft import LoraConfig
from projects import Make, logged
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.token_head import TokenHead
from benchmark.scalarizers import Feedback, GradientScalarizer, Linear, Signal
from benchmark.training import MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

NO_CLIPPING = {"epsilon": 1e6, "epsilon_high": 1e6}
LORA = {"peft_config": LoraConfig(r=4, target_modules=["q_proj", "v_proj"], lora_dropout=0.0)}
MODES: dict[str, dict[str, Any]] = {
    "on-policy": {},
    "several updates of a rollout": {"num_iterations": 2, **NO_CLIPPING},
    "minibatches": {"steps_per_generation": 2, "per_device_train_batch_size": 4, **NO_CLIPPING},
    "accumulation": ACCUMULATION,
    "two rollouts an update": {"gradient_accumulation_steps": 2, "steps_per_generation": 1},
    "KL": {"beta": 0.1},
    "KL with accumulation": {"beta": 0.1, **ACCUMULATION},
    "entropy bonus": {"entropy_coef": 0.1},
    "checkpointing": {"gradient_checkpointing": True},
    "tokens of the whole batch": {"loss_type": "dapo", **ACCUMULATION},
    "LoRA": LORA,
    "LoRA with KL": {"beta": 0.1, **LORA},
    "LoRA with entropy bonus": {"entropy_coef": 0.1, **LORA},
}


@pytest.mark.parametrize("mode", MODES)
def test_fixed_weights_train_as_linear_does(make: Make, mode: str) -> None:
    settings = DESCENT | {"estimator": "dr_grpo"} | MODES[mode]
    plain = movement(make(Linear(NAMES, [3, 1]), **settings))
    for part in ("all", "lora_B" if "LoRA" in mode else r"layers\.1\.|norm"):
        weighted = movement(make(Fixed(), gramian_parameters=part, **settings))
        assert distance(plain, weighted) < 2e-5, part


@pytest.mark.parametrize("which", ["all", r"layers\.1\."])
def test_mixed_precision_trains_nearly_as_linear(make: Make, which: str) -> None:
    plain, weighted = both(make, gramian_parameters=which, bf16=True, max_steps=1)
    assert distance(plain, weighted) < 0.02


def test_gramian_of_objectives_trained_alone(make: Make) -> None:
    settings = DESCENT | {"estimator": "grpo", "max_steps": 1}
    alone = [movement(make(Linear(NAMES, weights), **settings)) for weights in ([1, 0], [0, 1])]
    jacobian = torch.stack(alone) / DESCENT["learning_rate"]
    fixed = Fixed()
    movement(make(fixed, **settings))
    torch.testing.assert_close(fixed.gramians[0], jacobian @ jacobian.T, rtol=1e-4, atol=1e-9)


def test_two_batches_are_the_halves_of_the_prompts(make: Make) -> None:
    """Their products are those of trainings in which the other half has no advantage."""

    class Half(Linear):
        def __init__(self, weights: Sequence[float], parity: int) -> None:
            super().__init__(NAMES, weights)
            self.parity = parity

        def score(self, rewards: Tensor) -> Tensor:
            other = torch.arange(len(rewards)) // 4 % 2 != self.parity  # groups of 4
            return super().score(rewards).masked_fill(other, 0.0)

    settings = DESCENT | {"estimator": "dr_grpo", "max_steps": 1, "num_generations": 4}
    seen = Fixed(halves=True)
    make(seen, **settings, **ACCUMULATION).train()
    halves = [
        torch.stack([movement(make(Half(own, parity), **settings)) for own in ([1, 0], [0, 1])])
        for parity in (0, 1)
    ]
    expected = 4 * halves[0] @ halves[1].T / DESCENT["learning_rate"] ** 2
    torch.testing.assert_close(seen.gramians[0], expected, rtol=1e-3, atol=1e-8)


def test_halves_begin_anew_with_each_rollout(make: Make) -> None:
    """A resumed run counts its prompts from 0, whatever number of them came before."""
    seen: list[list[int]] = []

    class Recorder(Fixed):
        def update(self, feedback: Feedback) -> None:
            seen.append((feedback.groups.unique() % 2).tolist())

    three = {"per_device_train_batch_size": 6, "num_generations": 2, "max_steps": 3}
    make(Recorder(halves=True), **DESCENT | three).train()
    assert seen == [[0, 1, 0]] * 3


@pytest.mark.parametrize(
    ("mode", "which"), [("KL with accumulation", r"layers\.1\."), ("LoRA with KL", "all")]
)
def test_halves_train_and_report_as_the_whole(make: Make, mode: str, which: str) -> None:
    settings = DESCENT | {"estimator": "dr_grpo", "gramian_parameters": which} | MODES[mode]
    moved, gramians = [], []
    for halves in (False, True):
        trainer = make(Fixed(halves=halves), **settings)
        moved.append(movement(trainer))
        assert trainer.gradient_path is not None
        gramians.append(trainer.gradient_path.gramian)
    assert distance(*moved) < 2e-5
    torch.testing.assert_close(*gramians, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("changes", [{}, ACCUMULATION], ids=["at once", "accumulation"])
def test_gramians_of_parts_add_up(make: Make, changes: dict[str, int]) -> None:
    settings = DESCENT | {"max_steps": 1}
    whole, part, rest = Fixed(), Fixed(), Fixed()
    movement(make(whole, **settings))
    movement(make(part, gramian_parameters=r"layers\.1\.", **settings, **changes))
    movement(make(rest, gramian_parameters=r"^(?!.*layers\.1\.)", **settings, **changes))
    assert 0 < part.gramians[0][0, 0] < whole.gramians[0][0, 0]
    both_parts = part.gramians[0] + rest.gramians[0]
    torch.testing.assert_close(both_parts, whole.gramians[0], rtol=1e-4, atol=1e-9)


def test_the_token_heads_short_cut_changes_nothing(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = []

    class Counted(TokenHead):
        def gradient(self, loss: Tensor) -> Tensor:
            taken.append(loss)
            return super().gradient(loss)

    monkeypatch.setattr("benchmark.training.gradient_path.TokenHead", Counted)
    settings = DESCENT | {"max_steps": 1, "gramian_parameters": r"layers\.1\."}
    short, long = Fixed(), Fixed()
    movement(make(short, **settings))
    assert len(taken) == 2
    monkeypatch.setattr("benchmark.models.policy.token_head.KERNEL", "none")
    movement(make(long, **settings))
    assert len(taken) == 2
    torch.testing.assert_close(short.gramians, long.gramians, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("which", ["all", r"layers\.1\."])
def test_regularisers_count_once(make: Make, which: str) -> None:
    settings = DESCENT | {"max_steps": 1, "gramian_parameters": which}
    bonus = {"entropy_coef": 0.1}
    neither = movement(make(Fixed(given=[0, 0]), **settings, **bonus))
    double = movement(make(Fixed(given=[1, 1]), **settings, **bonus))
    alone = movement(make(Fixed(given=[1, 1]), **settings))
    assert neither.norm() > 1e-3
    assert distance(alone, double - neither) < 1e-4


def test_negative_weights_step_away(make: Make) -> None:
    settings = DESCENT | {"max_steps": 1}
    there = movement(make(Fixed(given=[1, -2]), **settings))
    back = movement(make(Fixed(given=[-1, 2]), **settings))
    assert distance(there, -back) < 1e-6


def test_weigh_is_called_once_per_update(
    make: Make,
) -> None:
    seen: list[Feedback] = []

    class Recorder(Fixed):
        def update(self, feedback: Feedback) -> None:
            seen.append(feedback)

    fixed = Recorder()
    make(fixed, **DESCENT, **ACCUMULATION).train()
    assert len(fixed.gramians) == len(seen) == 2
    for losses, gramian, feedback in zip(fixed.losses, fixed.gramians, seen, strict=True):
        torch.testing.assert_close(losses, 1 - feedback.rewards.double().mean(dim=0))
        assert torch.equal(gramian, feedback.gramian)
        assert len(feedback.rewards) == 8
        assert feedback.losses_before is None


def test_what_gradients_tell_is_logged(make: Make) -> None:
    fixed = Fixed(given=[0.5, 2.0])
    trainer = make(fixed, **DESCENT)
    trainer.train()
    last = fixed.gramians[-1]
    norms = last.diagonal().sqrt()
    cosine = (last[0, 1] / norms.prod()).item()
    assert logged(trainer, "gradient/cosine/few/low")[-1] == pytest.approx(cosine)
    assert logged(trainer, "gradient/norm/low")[-1] == pytest.approx(norms[1].item())
    assert logged(trainer, "gradient/weight/low")[-1] == 2.0
    assert len(logged(trainer, "entropy")) == len(logged(trainer, "clip_ratio/region_mean")) == 2


def test_completion_weights_scale_with_the_weights(make: Make) -> None:
    class Weighed(Fixed):
        requires: ClassVar[frozenset[Signal]] = frozenset(
            {Signal.GRAMIAN, Signal.COMPLETION_WEIGHTS}
        )

        def update(self, feedback: Feedback) -> None:
            assert feedback.completion_weights is not None
            self.seen = feedback.completion_weights

    first, second = Weighed(given=[1, 2]), Weighed(given=[2, 4])
    settings = DESCENT | {"max_steps": 1, "learning_rate": 1e-9}
    make(first, **settings).train()
    make(second, **settings).train()
    assert first.seen.abs().max() > 0.1
    torch.testing.assert_close(2 * first.seen, second.seen)


class Losing(Linear):
    """Keeps the losses before and after each update."""

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.LOSSES})

    def update(self, feedback: Feedback) -> None:
        assert feedback.losses_before is not None
        assert feedback.losses_after is not None
        self.before, self.after = feedback.losses_before, feedback.losses_after
        self.rewards = feedback.rewards


def test_losses_follow_the_policy(make: Make) -> None:
    still, moved = Losing(NAMES, [1, 0]), Losing(NAMES, [1, 0])
    settings = DESCENT | {"max_steps": 1, "estimator": "dr_grpo"}
    make(still, **settings | {"learning_rate": 1e-12}).train()
    make(moved, **settings).train()
    torch.testing.assert_close(still.before, 1 - still.rewards.double().mean(dim=0))
    torch.testing.assert_close(still.after, still.before, rtol=1e-5, atol=1e-6)
    assert moved.after[0] < moved.before[0] - 1e-4


class Broken(GradientScalarizer):
    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        return torch.tensor([1.0, torch.nan])


def test_weights_that_are_no_numbers_are_refused(make: Make) -> None:
    with pytest.raises(CrosstalkError, match=r"Broken.weigh: expected 2 .* got \[1.0, nan\]"):
        make(Broken(NAMES)).train()


def test_a_gradient_that_is_not_finite_is_refused(make: Make) -> None:
    trainer = make(Fixed())
    weights = next(trainer.model.parameters())
    weights.register_hook(lambda gradient: gradient * torch.inf)
    with pytest.raises(CrosstalkError, match="the gradient of objective 'few' is not finite"):
        trainer.train()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": True}},
         "does not work with gradient checkpointing with use_reentrant"),
        ({"gramian_parameters": "lora"}, "gramian_parameters: expected a pattern .* got 'lora'"),
        ({"gramian_parameters": "("}, r"gramian_parameters: expected 'all', 'lora' or .* got '\('"),
    ],
)  # fmt: skip
def test_unsupported_settings_are_refused(
    make: Make, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CrosstalkError, match=message):
        make(Fixed(), **changes)


def test_deepspeed_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = MultiObjectiveGRPOTrainer.create_accelerator_and_postprocess

    def with_deepspeed(self: MultiObjectiveGRPOTrainer) -> None:
        prepared(self)
        self.is_deepspeed_enabled = True

    monkeypatch.setattr(
        MultiObjectiveGRPOTrainer, "create_accelerator_and_postprocess", with_deepspeed
    )
    with pytest.raises(CrosstalkError, match="does not work with DeepSpeed"):
        make(Fixed())


def test_a_score_scalarizer_cannot_ask_for_a_gramian(make: Make) -> None:
    class Wishful(Linear):
        requires: ClassVar[frozenset[Signal]] = frozenset({Signal.GRAMIAN})
        update_every = "step"

    with pytest.raises(CrosstalkError, match="Wishful: only a GradientScalarizer may"):
        make(Wishful(NAMES))


def test_incompatible_estimators_are_refused(make: Make) -> None:
    class Choosy(Linear):
        estimators: ClassVar[frozenset[str]] = frozenset({"grpo"})

    with pytest.raises(CrosstalkError, match="expected grpo with Choosy, got 'rloo'"):
        make(Choosy(NAMES), estimator="rloo")
