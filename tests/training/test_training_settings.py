"""Settings of TRL's that would have no effect are refused, and its own curves agree with ours."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import Make, grpo_config, logged

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import PAMA, Linear, ScoreScalarizer
from benchmark.training.settings import check_settings, distinct_names

NAMES = ["few", "low"]


def constant(completions: list[str], value: float, **columns: Any) -> list[float]:
    return [value] * len(completions)


ZERO, ONE = partial(constant, value=0.0), partial(constant, value=1.0)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("reward_weights", [1.0, 9.0]),
        ("scale_rewards", "none"),
        ("scale_rewards", False),
        ("scale_rewards", "batch"),
        ("multi_objective_aggregation", "normalize_then_sum"),
    ],
)
def test_a_setting_without_effect_is_refused(make: Make, setting: str, value: Any) -> None:
    with pytest.raises(CrosstalkError, match=f"^{setting}: expected .* no effect here: "):
        make(Linear(NAMES), **{setting: value})


def test_defaults_written_out_are_no_setting(tmp_path: Path) -> None:
    written = {"scale_rewards": True, "multi_objective_aggregation": "sum_then_normalize"}
    check_settings(grpo_config(tmp_path, reward_weights=None, **written))


def test_bnpo_with_micro_batches_is_refused(tmp_path: Path) -> None:
    several = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}
    with pytest.raises(CrosstalkError, match=r"^loss_type: .* got 2: bnpo divides by the tokens"):
        check_settings(grpo_config(tmp_path, loss_type="bnpo", **several))
    check_settings(grpo_config(tmp_path, loss_type="bnpo"))
    check_settings(grpo_config(tmp_path, loss_type="dapo", **several))


@pytest.mark.parametrize(
    "setting", [{"loss_type": "cispo"}, {"importance_sampling_level": "sequence"}, {"delta": 4.0}]
)
def test_a_surrogate_that_is_not_measured_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, setting: dict[str, Any]
) -> None:
    with caplog.at_level(logging.WARNING, "benchmark"):
        check_settings(grpo_config(tmp_path, **setting))
    assert f"{next(iter(setting))}: " in caplog.text


def test_the_reward_curve_agrees_with_the_score(make: Make) -> None:
    trainer = make(Linear(NAMES, [1, 3]), reward_funcs=[ZERO, ONE], max_steps=1)
    trainer.train()
    assert logged(trainer, "reward") == logged(trainer, "score") == [0.75]


def test_reward_functions_of_one_name_are_told_apart(make: Make) -> None:
    trainer = make(Linear(["none", "all"]), reward_funcs=[ZERO, ONE])
    metrics = trainer.evaluate()
    assert metrics["eval_rewards/none/mean"] == 0.0
    assert metrics["eval_rewards/all/mean"] == 1.0
    assert trainer.validation is not None
    assert trainer.validation.tolist() == [0.0, 1.0]


def test_names_that_differ_are_kept() -> None:
    assert distinct_names(["f", "g"], NAMES) == ["f", "g"]
    assert distinct_names(["<lambda>", "g", "<lambda>"], ["a", "b", "g"]) == ["a", "b", "g"]


def never(completions: list[str], **columns: Any) -> list[Any]:
    """Apply to every other completion alone, with numbers of another library."""
    return [None if k % 2 else torch.tensor(k / 8) for k in range(len(completions))]


def test_completions_without_a_reward_are_not_trained_on(make: Make) -> None:
    trainer = make(PAMA(NAMES), reward_funcs=[never, never], max_steps=1)
    seen: list[torch.Tensor] = []
    compute = trainer.compute_loss

    def watched(model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        seen.append(torch.stack([inputs["advantages"], inputs["rewards"][:, 0]]))
        return compute(model, inputs, *rest, **named)

    trainer.compute_loss = watched  # type: ignore[method-assign]
    trainer.train()
    advantages, rewards = torch.cat(seen, dim=1)
    assert rewards.isnan().sum() == 4
    assert (advantages[rewards.isnan()] == 0).all()
    assert (advantages[~rewards.isnan()] > 0).any()


def test_an_infinite_reward_is_refused(make: Make) -> None:
    infinite = partial(constant, value=float("inf"))
    trainer = make(Linear(NAMES), reward_funcs=[ZERO, infinite], max_steps=1)
    with pytest.raises(CrosstalkError, match="reward function 'low': expected finite numbers"):
        trainer.train()


def test_the_table_of_completions_has_our_advantages(make: Make) -> None:
    class Halves(ScoreScalarizer):
        def score(self, rewards: torch.Tensor) -> torch.Tensor:
            return (torch.arange(len(rewards)) % 2).float()

    trainer = make(Halves(NAMES), estimator="dr_grpo", max_steps=1)
    trainer.train()
    assert list(trainer._logs["advantages"]) == [-0.5, 0.5] * 4
