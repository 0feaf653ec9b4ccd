"""What the trainer tells a scalarizer, and when."""

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from projects import Make, copied, logged, low_tokens, same
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.loading import load_policy
from benchmark.objectives import Conciseness
from benchmark.scalarizers import (
    SCALARIZERS,
    Feedback,
    GradNorm,
    Linear,
    MaxMinCovariance,
    Scalarizer,
    Signal,
    make_scalarizer,
)
from benchmark.training import MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

NAMES = ["few", "low"]
MINIBATCHES = {"steps_per_generation": 2, "per_device_train_batch_size": 4}
PASSES = {"num_iterations": 2}
ACCUMULATION = {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 4}
TWO_ROLLOUTS = {"gradient_accumulation_steps": 2, "steps_per_generation": 1}


class Recorder(Linear):
    """Linear, keeping every batch it scored and all feedback."""

    def __init__(self, *arguments: Any, every: str = "rollout") -> None:
        super().__init__(*arguments)
        self.update_every = every
        self.scored: list[Tensor] = []
        self.feedback: list[Feedback] = []

    def score(self, rewards: Tensor) -> Tensor:
        self.scored.append(rewards)
        return super().score(rewards)

    def update(self, feedback: Feedback) -> None:
        self.feedback.append(feedback)


class Demanding(Recorder):
    requires: ClassVar[frozenset[Signal]] = frozenset(
        {Signal.COMPLETION_WEIGHTS, Signal.VALIDATION}
    )


class Watching(MultiObjectiveGRPOTrainer):
    """Keeps the batch of each update and the weights before it."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.before: dict[str, Tensor] = {}
        self.batch: dict[str, Tensor] = {}

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        if self.model.training:
            self.before, self.batch = copied(self.model), dict(inputs)
        return super().compute_loss(model, inputs, *args, **kwargs)


@pytest.mark.parametrize(
    ("changes", "rollouts", "completions"),
    [
        ({}, 4, 8),
        (MINIBATCHES, 2, 4),
        (PASSES, 2, 8),
        (ACCUMULATION, 4, 8),
        (TWO_ROLLOUTS, 8, 16),
    ],
    ids=["on-policy", "minibatches", "passes", "accumulation", "two rollouts an update"],
)
def test_update_is_called_once_per_step(
    make: Make, changes: dict[str, int], rollouts: int, completions: int
) -> None:
    scalarizer = Demanding(NAMES, every="step")
    make(scalarizer, max_steps=4, **changes).train()
    assert len(scalarizer.scored) == rollouts
    assert len(scalarizer.feedback) == 4
    for feedback in scalarizer.feedback:
        assert feedback.rewards.shape == (completions, 2)
        assert feedback.groups.shape == (completions,)
        assert feedback.completion_weights is not None
        assert feedback.completion_weights.shape == (completions,)


SPLIT = {"gradient_accumulation_steps": 2, "steps_per_generation": 4, "num_iterations": 2}


@pytest.mark.parametrize(
    ("changes", "updates", "rollouts"),
    [
        ({}, 4, 1),
        (MINIBATCHES, 2, 1),
        (PASSES, 2, 1),
        (ACCUMULATION, 4, 1),
        (TWO_ROLLOUTS, 4, 2),
        (SPLIT | {"per_device_train_batch_size": 2}, 1, 1),
    ],
    ids=["on-policy", "minibatches", "passes", "accumulation", "two rollouts a step", "all split"],
)
def test_update_may_be_called_once_per_rollout(
    make: Make, changes: dict[str, int], updates: int, rollouts: int
) -> None:
    scalarizer = Demanding(NAMES)
    trainer = make(scalarizer, max_steps=4, diagnose_every=0, **changes)
    trainer.train()
    assert len(scalarizer.feedback) == updates
    for number, feedback in enumerate(scalarizer.feedback):
        scored = torch.cat(scalarizer.scored[number * rollouts : (number + 1) * rollouts])
        assert sorted(feedback.rewards.tolist()) == sorted(scored.tolist())  # each completion once
        _, sizes = feedback.groups.unique(return_counts=True)
        assert sizes.tolist() == [4] * (2 * rollouts)
        assert feedback.completion_weights is not None
        assert feedback.completion_weights.shape == feedback.groups.shape
    assert len(logged(trainer, "covariance/weight/few")) == updates
    assert len(logged(trainer, "covariance/score/few")) == 4


def test_a_rollouts_weights_are_of_the_last_policy(make: Make, tiny_model: Path) -> None:
    scalarizer = Demanding(NAMES)
    trainer = make(scalarizer, Watching, max_steps=2, epsilon=1e6, **MINIBATCHES)
    trainer.train()
    assert isinstance(trainer, Watching)
    (feedback,) = scalarizer.feedback
    policy, batch = load_policy(tiny_model), trainer.batch  # of the second minibatch
    policy.load_state_dict(copied(trainer.model))
    ratio = (direct_logps(policy, batch, 1.0) - batch["old_per_token_logps"]).exp()
    mask = batch["completion_mask"]
    expected = (batch["advantages"][:, None] * ratio * mask).sum(dim=1) / mask.sum(dim=1)
    assert feedback.completion_weights is not None
    torch.testing.assert_close(feedback.completion_weights[4:], expected, rtol=1e-4, atol=1e-5)


def test_a_run_that_ends_within_a_rollout_tells_nothing(make: Make) -> None:
    scalarizer = Demanding(NAMES)
    make(scalarizer, max_steps=3, **MINIBATCHES).train()
    assert len(scalarizer.feedback) == 1


def test_a_gradient_method_updates_after_each_step(make: Make) -> None:
    weighing = GradNorm(NAMES)
    assert weighing.update_every == "step"
    weighing.update_every = "rollout"
    with pytest.raises(CrosstalkError, match=r"expected step with GradNorm, .* got 'rollout'"):
        make(weighing)


def test_an_unknown_time_to_update_is_refused(make: Make) -> None:
    with pytest.raises(CrosstalkError, match="update_every: expected one of rollout, step"):
        make(Recorder(NAMES, every="epoch"))


ADAPTIVE = {
    cls: name
    for name, cls in SCALARIZERS.items()
    if cls.update is not Scalarizer.update and Signal.GRAMIAN not in cls.requires
}


@pytest.mark.parametrize("name", ADAPTIVE.values())
def test_with_one_step_a_rollout_both_are_the_same(make: Make, name: str) -> None:
    runs = {}
    own = {"step_size": 0.5} if name == "maxmin" else {}
    for every in ("rollout", "step"):
        scalarizer = make_scalarizer(name, NAMES, update_every=every, **own)
        trainer = make(scalarizer, max_steps=2, eval_on_start=name == "hypervolume", **ACCUMULATION)
        trainer.train()
        runs[every] = {"policy": copied(trainer.model), "state": scalarizer.state_dict()}
    assert same(runs["rollout"], runs["step"])
    assert not same(runs["step"]["state"], make_scalarizer(name, NAMES, **own).state_dict())


@pytest.mark.parametrize("changes", [{}, ACCUMULATION, TWO_ROLLOUTS])
def test_completions_of_a_prompt_share_a_group(make: Make, changes: dict[str, int]) -> None:
    scalarizer = Recorder(NAMES)
    make(scalarizer, max_steps=2, **changes).train()
    for feedback in scalarizer.feedback:
        _, sizes = feedback.groups.unique(return_counts=True)
        assert sizes.tolist() == [4] * (len(feedback.groups) // 4)


def test_minibatches_together_hold_the_rollout(make: Make) -> None:
    scalarizer = Recorder(NAMES)
    make(scalarizer, max_steps=2, **MINIBATCHES).train()
    seen = torch.cat([feedback.rewards for feedback in scalarizer.feedback])
    assert sorted(seen.tolist()) == sorted(scalarizer.scored[0].tolist())


def test_completion_weights_of_the_updated_policy(make: Make, tiny_model: Path) -> None:
    scalarizer = Demanding(NAMES)
    trainer = make(scalarizer, Watching, max_steps=1, temperature=0.7, epsilon=0.1)
    trainer.train()
    assert isinstance(trainer, Watching)
    policy, batch = load_policy(tiny_model), trainer.batch
    policy.load_state_dict(trainer.before)
    old = direct_logps(policy, batch, temperature=0.7)
    policy.load_state_dict(copied(trainer.model))  # one update was made
    ratio = (direct_logps(policy, batch, temperature=0.7) - old).exp()
    advantages, mask = batch["advantages"][:, None], batch["completion_mask"]
    unclipped = torch.where(advantages >= 0, ratio <= 1.1, ratio >= 0.9)
    expected = (advantages * ratio * unclipped * mask).sum(dim=1) / mask.sum(dim=1)
    weights = scalarizer.feedback[0].completion_weights
    assert weights is not None
    torch.testing.assert_close(weights, expected, rtol=1e-4, atol=1e-5)
    assert (weights - batch["advantages"]).abs().max() > 0.01
    share = (unclipped * mask).sum() / mask.sum()
    assert logged(trainer, "unclipped_fraction") == pytest.approx([share.item()])


def direct_logps(policy: Any, batch: dict[str, Tensor], temperature: float) -> Tensor:
    """Return the log-probabilities (B, T) of a batch's completions, the plain way."""
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    with torch.no_grad():
        logits = policy(input_ids=ids, attention_mask=mask, position_ids=positions).logits
    logps = (logits[:, :-1] / temperature).log_softmax(dim=-1)
    logps = logps.gather(2, ids[:, 1:, None])[:, :, 0]
    return logps[:, batch["prompt_ids"].size(1) - 1 :]


def test_signals_that_were_not_asked_for_are_none(make: Make) -> None:
    scalarizer = Recorder(NAMES)
    make(scalarizer, max_steps=1, eval_on_start=True).train()
    (feedback,) = scalarizer.feedback
    assert feedback.completion_weights is feedback.validation is feedback.gramian is None
    assert feedback.losses_before is feedback.losses_after is None


def test_feedback_has_the_latest_validation(make: Make) -> None:
    scalarizer = Demanding(NAMES)
    every = {"eval_strategy": "steps", "eval_steps": 2}
    trainer = make(scalarizer, max_steps=4, **every)
    trainer.train()
    given = [feedback.validation for feedback in scalarizer.feedback]
    assert given[0] is given[1] is None
    assert given[2] is not None
    means = [logged(trainer, f"eval_rewards/{name}_tokens/mean")[0] for name in NAMES]
    assert given[2].tolist() == pytest.approx(means)


def test_whitening_counts_completions_by_length(make: Make) -> None:
    trainer = make(Linear(NAMES), Watching, estimator="reinforce_plus_plus", max_steps=1)
    trainer.train()
    assert isinstance(trainer, Watching)
    tokens = trainer.batch["completion_mask"].sum(dim=1)
    advantages = trainer.batch["advantages"]
    assert tokens.unique().numel() > 1
    assert (advantages * tokens).sum() / tokens.sum() == pytest.approx(0.0, abs=1e-5)
    assert (advantages**2 * tokens).sum() / tokens.sum() == pytest.approx(1.0, abs=0.05)


def test_validation_leaves_scalarizer_and_objectives(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed, observe = [], Conciseness.observe

    def noting(self: Conciseness, lengths: list[int]) -> None:
        observed.append(len(lengths))
        observe(self, lengths)

    monkeypatch.setattr(Conciseness, "observe", noting)
    scalarizer = Demanding(NAMES)
    objectives = [Conciseness(), Conciseness(6.0)]
    every = {"eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True}
    trainer = make(scalarizer, reward_funcs=objectives, max_steps=2, **every)
    trainer.train()
    trainer.evaluate()
    assert len(logged(trainer, "eval_entropy")) == 4
    assert (len(scalarizer.scored), len(scalarizer.feedback)) == (2, 2)
    assert observed == [8, 8, 8, 8]


def test_conciseness_counts_the_present_batch(make: Make) -> None:
    objective = Conciseness()
    trainer = make(Linear(["conciseness"]), reward_funcs=[objective])
    trainer.train()
    for mean in logged(trainer, "rewards/conciseness/mean"):
        assert 0 < mean < 1
    lengths = logged(trainer, "completions/mean_length")
    assert objective.threshold == pytest.approx(sum(lengths) / 3)


def test_the_first_batch_teaches_conciseness(make: Make) -> None:
    names, rewards = ["conciseness", "low"], [Conciseness(), low_tokens]
    rates, gains = GradNorm(names), MaxMinCovariance(names)
    for scalarizer in (rates, gains):
        make(scalarizer, reward_funcs=rewards, max_steps=1).train()
    assert rates.state["initial_losses"][0] > 0.1  # a loss of 0 has no training rate, ever
    assert gains.state["covariance"][0, 0] > 0.01


def test_validation_holds_conciseness_fixed(make: Make) -> None:
    trainer = make(Linear(["conciseness"]), reward_funcs=[Conciseness()], eval_on_start=True)
    trainer.train()
    trainer.evaluate()
    initial = logged(trainer, "eval_completions/mean_length")[0]
    assert trainer.initial_tokens == pytest.approx(initial)
    assert 0 < logged(trainer, "eval_rewards/conciseness/mean")[0] < 1
