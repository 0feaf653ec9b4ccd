"""The trainer in anybody's own script: what it refuses, and what it takes."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset
from projects import Make, grpo_arguments, logged, questions

from benchmark.common.errors import CrosstalkError
from benchmark.models.tiny.build import CHAT_TEMPLATE
from benchmark.objectives import Accuracy, Clarity, Conciseness
from benchmark.scalarizers import CTWA, Linear
from benchmark.tasks import make_task
from benchmark.training import MultiObjectiveGRPOTrainer

NAMES = ["few", "low"]


def test_objectives_must_match_reward_functions(make: Make) -> None:
    with pytest.raises(CrosstalkError, match=r"expected 2 objectives, .* got \['a', 'b', 'c'\]"):
        make(Linear(["a", "b", "c"]))


def test_an_estimator_that_does_not_exist_is_refused(make: Make) -> None:
    with pytest.raises(CrosstalkError, match="did you mean 'grpo'"):
        make(Linear(NAMES), estimator="gropo").train()


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
    assert len(logged(trainer, "eval_rewards/few/mean")) == 2
    assert trainer.initial_tokens == logged(trainer, "eval_completions/mean_length")[0]


def test_the_trainer_is_a_drop_in(tiny_model: Path, tmp_path: Path) -> None:
    scalarizer = CTWA(NAMES, targets=[0.5, 0.5])
    trainer = MultiObjectiveGRPOTrainer(
        **grpo_arguments(tiny_model, tmp_path), scalarizer=scalarizer
    )
    trainer.train()
    assert scalarizer.metrics()["weight/few"] > 0.5
    assert len(logged(trainer, "scalarizer/weight/few")) == 3
    assert logged(trainer, "rewards/few_tokens/mean")[0] > 0


def test_prompts_may_be_conversations(tiny_model: Path, tmp_path: Path) -> None:
    arguments = grpo_arguments(tiny_model, tmp_path, eval_on_start=True)
    for split in ("train", "validation"):
        rows = [
            {"prompt": [{"role": "user", "content": p.prompt}], "answer": p.answer}
            for p in make_task("arithmetic").split(split, 8)
        ]
        arguments["eval_dataset" if split == "validation" else "train_dataset"] = Dataset.from_list(
            rows
        )
    arguments["processing_class"].chat_template = CHAT_TEMPLATE
    objectives = [Accuracy(), Conciseness(), Clarity()]
    arguments["reward_funcs"] = objectives
    scalarizer = CTWA([objective.name for objective in objectives])
    trainer = MultiObjectiveGRPOTrainer(**arguments, scalarizer=scalarizer)
    trainer.train()
    assert len(logged(trainer, "covariance/weight/clarity")) == 3
    assert len(logged(trainer, "eval_rewards/accuracy/mean")) == 1
    assert 0 < logged(trainer, "rewards/conciseness/mean")[-1] < 1
