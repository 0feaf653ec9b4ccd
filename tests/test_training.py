"""The trainer: what it asks of a scalarizer, what it tells it, and what it leaves alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from projects import Project, copied, grpo_arguments, logged, questions, same_weights
from torch import Tensor

from benchmark.errors import CrosstalkError
from benchmark.models import load_policy
from benchmark.objectives import Conciseness
from benchmark.scalarizers import (
    CTWA,
    Feedback,
    GradientScalarizer,
    Lagrangian,
    Linear,
    Scalarizer,
    Signal,
)
from benchmark.study import Cell
from benchmark.training import MultiObjectiveGRPOTrainer

NAMES = ["few", "low"]
MINIBATCHES = {"steps_per_generation": 2, "per_device_train_batch_size": 4}
PASSES = {"num_iterations": 2}
ACCUMULATION = {"gradient_accumulation_steps": 2, "per_device_train_batch_size": 4}
TWO_ROLLOUTS = {"gradient_accumulation_steps": 2, "steps_per_generation": 1}

Make = Callable[..., MultiObjectiveGRPOTrainer]


class Recorder(Linear):
    """Linear, keeping every batch it scored and all feedback."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
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
    """Keeps the batch and the weights before and after each update."""

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.before: dict[str, Tensor] = {}
        self.after: dict[str, Tensor] = {}
        self.batch: dict[str, Tensor] = {}

    def compute_loss(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Tensor:
        if self.model.training:
            self.before, self.batch = copied(self.model), dict(inputs)
        return super().compute_loss(model, inputs, *args, **kwargs)

    def after_update(self) -> None:
        self.after = copied(self.model)
        super().after_update()


@pytest.fixture
def make(tiny_model: Path, tmp_path: Path) -> Make:
    """Makes a trainer on two plain reward functions."""

    def trainer(
        scalarizer: Scalarizer,
        kind: type[MultiObjectiveGRPOTrainer] = MultiObjectiveGRPOTrainer,
        estimator: str = "grpo",
        diagnose_every: int = 1,
        reward_funcs: list[Any] | None = None,
        **changes: Any,
    ) -> MultiObjectiveGRPOTrainer:
        arguments = grpo_arguments(tiny_model, tmp_path, **changes)
        arguments["reward_funcs"] = reward_funcs or arguments["reward_funcs"]
        own = {"estimator": estimator, "diagnose_every": diagnose_every}
        return kind(**arguments, scalarizer=scalarizer, **own)

    return trainer


def trained(project: Project, cell: Cell) -> MultiObjectiveGRPOTrainer:
    trainer = project.trainer(cell)
    trainer.train()  # at once: making a trainer seeds the random streams
    return trainer


# ---- determinism ---------------------------------------------------------------------------------


def test_a_cell_trained_twice_has_the_same_weights_bit_for_bit(project: Project) -> None:
    cell = project.cell("ctwa")
    first, second = trained(project, cell), trained(project, cell)
    assert same_weights(first.model, second.model)
    assert not same_weights(first.model, load_policy(project.model))


def test_seeds_differ(project: Project) -> None:
    first, second = (trained(project, cell) for cell in project.study(seeds=[0, 1]).cells)
    assert not same_weights(first.model, second.model)


def test_validating_leaves_the_training_untouched(project: Project) -> None:
    often = trained(project, project.cell("ctwa", training={"validate_every": 1, "steps": 4}))
    never = project.trainer(project.cell("ctwa", training={"steps": 4}))
    never.args.eval_strategy, never.args.eval_on_start = "no", False
    never.train()
    assert len(logged(often, "eval_entropy")) == 5
    assert not logged(never, "eval_entropy")
    assert same_weights(often.model, never.model)
    weight = "scalarizer/weight/accuracy"
    assert logged(often, weight) == logged(never, weight)


def test_validation_of_one_policy_gives_the_same_values_each_time(make: Make) -> None:
    trainer = make(Linear(NAMES))
    first = trainer.evaluate()
    torch.rand(3)
    second = trainer.evaluate()
    assert first["eval_rewards/low_tokens/mean"] == second["eval_rewards/low_tokens/mean"]
    assert first["eval_completions/mean_length"] == second["eval_completions/mean_length"]


# ---- what the scalarizer is told -----------------------------------------------------------------


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
def test_update_is_called_once_an_optimizer_step_with_its_completions(
    make: Make, changes: dict[str, int], rollouts: int, completions: int
) -> None:
    scalarizer = Demanding(NAMES)
    make(scalarizer, max_steps=4, **changes).train()
    assert len(scalarizer.scored) == rollouts
    assert len(scalarizer.feedback) == 4
    for feedback in scalarizer.feedback:
        assert feedback.rewards.shape == (completions, 2)
        assert feedback.groups.shape == (completions,)
        assert feedback.completion_weights is not None
        assert feedback.completion_weights.shape == (completions,)


@pytest.mark.parametrize("changes", [{}, ACCUMULATION, TWO_ROLLOUTS])
def test_completions_of_a_prompt_share_a_group_of_their_own(
    make: Make, changes: dict[str, int]
) -> None:
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


def test_completion_weights_are_those_of_the_updated_policy(make: Make, tiny_model: Path) -> None:
    scalarizer = Demanding(NAMES)
    trainer = make(scalarizer, Watching, max_steps=1, temperature=0.7, epsilon=0.1)
    trainer.train()
    assert isinstance(trainer, Watching)
    policy, batch = load_policy(tiny_model), trainer.batch
    policy.load_state_dict(trainer.before)
    old = direct_logps(policy, batch, temperature=0.7)
    policy.load_state_dict(trainer.after)
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


def test_validation_values_are_those_of_the_latest_validation(make: Make) -> None:
    scalarizer = Demanding(NAMES)
    every = {"eval_strategy": "steps", "eval_steps": 2}
    trainer = make(scalarizer, max_steps=4, **every)
    trainer.train()
    given = [feedback.validation for feedback in scalarizer.feedback]
    assert given[0] is given[1] is None
    assert given[2] is not None
    means = [logged(trainer, f"eval_rewards/{name}_tokens/mean")[0] for name in NAMES]
    assert given[2].tolist() == pytest.approx(means)


def test_evaluation_calls_neither_scalarizer_nor_observe(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    observed: list[int] = []
    monkeypatch.setattr(Conciseness, "observe", lambda self, lengths: observed.append(len(lengths)))
    scalarizer = Demanding(NAMES)
    objectives = [Conciseness(), Conciseness(6.0)]
    every = {"eval_strategy": "steps", "eval_steps": 1, "eval_on_start": True}
    trainer = make(scalarizer, reward_funcs=objectives, max_steps=2, **every)
    trainer.train()
    trainer.evaluate()
    assert len(logged(trainer, "eval_entropy")) == 4
    assert (len(scalarizer.scored), len(scalarizer.feedback)) == (2, 2)
    assert observed == [8, 8, 8, 8]


def test_conciseness_is_validated_against_the_initial_policy(make: Make) -> None:
    trainer = make(Linear(["conciseness"]), reward_funcs=[Conciseness()], eval_on_start=True)
    trainer.train()
    trainer.evaluate()
    initial = logged(trainer, "eval_completions/mean_length")[0]
    assert trainer.initial_tokens == pytest.approx(initial)
    assert 0 < logged(trainer, "eval_rewards/conciseness/mean")[0] < 1


# ---- estimators, clipping, KL --------------------------------------------------------------------


def test_whitening_over_tokens_counts_each_completion_by_its_length(make: Make) -> None:
    trainer = make(Linear(NAMES), Watching, "reinforce_plus_plus", max_steps=1)
    trainer.train()
    assert isinstance(trainer, Watching)
    tokens = trainer.batch["completion_mask"].sum(dim=1)
    advantages = trainer.batch["advantages"]
    assert tokens.unique().numel() > 1
    assert (advantages * tokens).sum() / tokens.sum() == pytest.approx(0.0, abs=1e-5)
    assert (advantages**2 * tokens).sum() / tokens.sum() == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("estimator", ["dr_grpo", "rloo", "reinforce_plus_plus"])
@pytest.mark.parametrize("method", [Linear, Lagrangian, CTWA])
def test_every_kind_of_scalarizer_works_with_other_estimators(
    make: Make, method: type[Scalarizer], estimator: str
) -> None:
    trainer = make(method(NAMES), estimator=estimator, max_steps=2, **MINIBATCHES)
    start = copied(trainer.model)
    trainer.train()
    assert all(value.isfinite().all() for value in trainer.model.parameters())
    assert any(not torch.equal(start[name], v) for name, v in trainer.model.named_parameters())


def test_clipping_takes_effect_in_later_updates_of_a_rollout(make: Make) -> None:
    tight = make(Linear(NAMES), max_steps=2, epsilon=1e-3, **PASSES)
    wide = make(Linear(NAMES), max_steps=2, epsilon=1e6, **PASSES)
    tight.train()
    wide.train()
    assert max(logged(tight, "unclipped_fraction")) < 1.0
    assert logged(wide, "unclipped_fraction") == [1.0, 1.0]
    assert not same_weights(tight.model, wide.model)


def test_clipping_off_in_a_study_clips_nothing(project: Project) -> None:
    training = {"clip": "off", "passes": 2, "minibatches": 2, "learning_rate": 1e-2}
    trainer = project.trainer(project.cell(training=training))
    trainer.train()
    assert trainer.state.global_step == 12
    assert logged(trainer, "unclipped_fraction") == [1.0] * 12


def test_divergence_from_the_initial_policy_starts_at_zero(project: Project) -> None:
    trainer = project.trainer(project.cell(training={"kl": 0.05}))
    trainer.train()
    values = logged(trainer, "kl")
    assert values[0] == 0.0
    assert values[-1] > 0.0


def test_diagnostics_can_be_thinned_out(make: Make) -> None:
    trainer = make(Linear(NAMES), max_steps=4, diagnose_every=2)
    trainer.train()
    assert len(logged(trainer, "covariance/weight/few")) == 2
    assert len(logged(trainer, "covariance/score/few")) == 4
    never = make(Linear(NAMES), max_steps=2, diagnose_every=0)
    never.train()
    assert not logged(never, "unclipped_fraction")


# ---- the pass under the updated policy -----------------------------------------------------------


@pytest.mark.parametrize("lengths", [[1, 12, 5, 3, 7, 12, 0], [1], [4, 9], [3, 3, 3, 3]])
def test_parts_give_the_log_probabilities_of_one_pass(make: Make, lengths: list[int]) -> None:
    trainer = make(Linear(NAMES))
    generator = torch.Generator().manual_seed(0)
    rows, longest = len(lengths), max(lengths)
    batch = {
        "prompt_ids": torch.randint(100, 130, (rows, 6), generator=generator),
        "prompt_mask": torch.ones(rows, 6, dtype=torch.long),
        "completion_ids": torch.randint(100, 130, (rows, longest), generator=generator),
        "completion_mask": (torch.arange(longest) < torch.tensor(lengths)[:, None]).long(),
        "old_per_token_logps": torch.zeros(rows, longest),
    }
    batch["prompt_mask"][0, :3] = 0  # padded on the left
    with torch.no_grad():
        found = trainer._new_logps(batch)
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        whole, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, attention, longest
        )
    kept = batch["completion_mask"].bool()
    torch.testing.assert_close(found[kept], whole[kept], rtol=1e-5, atol=1e-5)
    assert (found[kept] < -0.01).any()
    assert found.shape == (rows, longest)


# ---- refusals ------------------------------------------------------------------------------------


class ByGradient(GradientScalarizer):
    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        return losses


class WithGramian(Linear):
    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.GRAMIAN, Signal.VALIDATION})


def test_a_gradient_scalarizer_is_refused(make: Make) -> None:
    with pytest.raises(CrosstalkError, match="ByGradient: must be a ScoreScalarizer or"):
        make(ByGradient(NAMES))


def test_a_signal_that_is_not_computed_is_refused(make: Make) -> None:
    with pytest.raises(CrosstalkError, match="asks for GRAMIAN; .* computes COMPLETION_WEIGHTS"):
        make(WithGramian(NAMES))


def test_objectives_and_reward_functions_must_agree_in_number(make: Make) -> None:
    with pytest.raises(CrosstalkError, match=r"3 objectives \['a', 'b', 'c'\], but 2 reward"):
        make(Linear(["a", "b", "c"]))


def test_an_estimator_that_does_not_exist_is_refused(make: Make) -> None:
    with pytest.raises(CrosstalkError, match="did you mean 'grpo'"):
        make(Linear(NAMES), estimator="gropo").train()


# ---- as a drop-in --------------------------------------------------------------------------------


def test_reward_functions_may_leave_completions_out(make: Make) -> None:
    def sometimes(completion_ids: list[list[int]], **columns: Any) -> list[float | None]:
        return [None if len(ids) % 2 else len(ids) / 12 for ids in completion_ids]

    scalarizer = CTWA(NAMES)
    trainer = make(scalarizer, reward_funcs=[sometimes, sometimes])
    trainer.train()
    assert all(value.isfinite().all() for value in trainer.model.parameters())
    assert scalarizer.state["average"].isfinite().all()


def test_validation_data_may_come_with_the_call(tiny_model: Path, tmp_path: Path) -> None:
    arguments = grpo_arguments(tiny_model, tmp_path) | {"eval_dataset": None}
    trainer = MultiObjectiveGRPOTrainer(**arguments, scalarizer=CTWA(NAMES))
    metrics = trainer.evaluate(eval_dataset=questions("validation", 4))
    assert 0 < metrics["eval_rewards/low_tokens/mean"] < 1


def test_validation_data_may_be_several_sets(tiny_model: Path, tmp_path: Path) -> None:
    arguments = grpo_arguments(tiny_model, tmp_path, eval_on_start=True, max_steps=1)
    arguments["eval_dataset"] = {split: questions(split, 4) for split in ("validation", "test")}
    arguments["reward_funcs"] = [Conciseness(), Conciseness(6.0)]
    trainer = MultiObjectiveGRPOTrainer(**arguments, scalarizer=CTWA(NAMES))
    trainer.train()
    assert len(logged(trainer, "eval_rewards/conciseness/mean")) == 2
    assert trainer.initial_tokens == logged(trainer, "eval_completions/mean_length")[0]
