"""The trainer: the same every time, undisturbed by validation, under every estimator."""

from pathlib import Path
from typing import Any

import pytest
import torch
from gradient_modes import DESCENT, distance, movement
from projects import Make, Project, copied, logged, low_tokens, multi_objective, same_weights
from transformers import PreTrainedModel

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.loading import load_policy
from benchmark.models.policy.logps import token_logps
from benchmark.objectives import Conciseness
from benchmark.scalarizers import CTWA, Lagrangian, Linear, Scalarizer, make_scalarizer
from benchmark.study import Cell
from benchmark.study.schema import Training
from benchmark.training import MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

NAMES = ["few", "low"]
MINIBATCHES = {"steps_per_generation": 2, "per_device_train_batch_size": 4}
PASSES = {"num_iterations": 2}


def trained(project: Project, cell: Cell) -> MultiObjectiveGRPOTrainer:
    trainer = project.trainer(cell)
    trainer.train()  # at once: making a trainer seeds the random streams
    return trainer


# ---- determinism ---------------------------------------------------------------------------------


def test_a_cell_trained_twice_is_the_same(project: Project) -> None:
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


def test_validation_is_reproducible(make: Make) -> None:
    trainer = make(Linear(NAMES), reward_funcs=[Conciseness(), low_tokens])
    first = trainer.evaluate()
    torch.rand(3)
    second = trainer.evaluate()
    assert first["eval_rewards/low_tokens/mean"] == second["eval_rewards/low_tokens/mean"]
    assert first["eval_rewards/conciseness/mean"] == second["eval_rewards/conciseness/mean"]
    assert first["eval_completions/mean_length"] == second["eval_completions/mean_length"]


# ---- estimators, clipping, KL --------------------------------------------------------------------


@pytest.mark.parametrize("estimator", ["dr_grpo", "rloo", "reinforce_plus_plus"])
@pytest.mark.parametrize("method", [Linear, Lagrangian, CTWA])
def test_every_kind_works_with_other_estimators(
    make: Make, method: type[Scalarizer], estimator: str
) -> None:
    trainer = make(method(NAMES), estimator=estimator, max_steps=2, **MINIBATCHES)
    start = copied(trainer.model)
    trainer.train()
    assert all(value.isfinite().all() for value in trainer.model.parameters())
    assert any(not torch.equal(start[name], v) for name, v in trainer.model.named_parameters())


ALONE: dict[str, dict[str, str]] = {
    "single": {"objective": "low"},
    "smooth_tchebycheff": {},
    "lagrangian": {},
    "maxmin": {},
    "random": {},
    "max_min_covariance": {},
    "famo": {},
}


@pytest.fixture(scope="module")
def linear(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    """The policy that ``linear`` trains by one objective."""
    folder = tmp_path_factory.mktemp("linear")
    trainer = multi_objective(tiny_model, folder, Linear(["low"]), reward_funcs=[low_tokens])
    trainer.train()
    return trainer.model


@pytest.mark.parametrize("method", ALONE)
def test_one_objective_trains_as_linear(make: Make, linear: PreTrainedModel, method: str) -> None:
    alone = make(make_scalarizer(method, ["low"], **ALONE[method]), reward_funcs=[low_tokens])
    alone.train()
    assert same_weights(linear, alone.model)


DESCENT_ON_ONE: dict[str, Any] = {**DESCENT, "reward_funcs": [low_tokens]}


@pytest.fixture(scope="module")
def descent(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> torch.Tensor:
    """How far ``linear`` moves the weights down one objective's gradient."""
    folder = tmp_path_factory.mktemp("descent")
    return movement(multi_objective(tiny_model, folder, Linear(["low"]), **DESCENT_ON_ONE))


@pytest.mark.parametrize("method", ["mgda", "dynamic", "gradnorm", "torchjd:UPGrad"])
def test_one_objectives_gradient_is_that_of_linear(
    make: Make, descent: torch.Tensor, method: str
) -> None:
    alone = movement(make(make_scalarizer(method, ["low"]), **DESCENT_ON_ONE))
    assert distance(descent, alone) < 2e-5


def test_the_default_loss_ignores_micro_batches(make: Make) -> None:
    parts = {"gradient_accumulation_steps": 4, "per_device_train_batch_size": 2}
    settings = DESCENT | {"loss_type": Training().loss}
    whole = movement(make(Linear(NAMES), **settings))
    assert distance(whole, movement(make(Linear(NAMES), **settings | parts))) < 2e-5
    with pytest.raises(CrosstalkError, match="expected another than 'bnpo'"):
        make(Linear(NAMES), **DESCENT | {"loss_type": "bnpo"} | parts)


def test_later_updates_of_a_rollout_are_clipped(make: Make) -> None:
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


def test_divergence_starts_at_zero(project: Project) -> None:
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
def test_parts_give_the_logps_of_one_pass(make: Make, lengths: list[int]) -> None:
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
        found = token_logps(trainer.logps, batch)
        ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
        attention = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
        whole, _, _ = trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, attention, longest
        )
    kept = batch["completion_mask"].bool()
    torch.testing.assert_close(found[kept], whole[kept], rtol=1e-5, atol=1e-5)
    assert (found[kept] < -0.01).any()
    assert found.shape == (rows, longest)
