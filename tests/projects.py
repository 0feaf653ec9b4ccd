"""A project of a few seconds: a tiny model, a study of a few steps, and trainers made from them."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from datasets import Dataset
from torch import Tensor
from trl import GRPOConfig

from benchmark.commands.jobs.trainer import make_trainer
from benchmark.commands.prepare import prepare
from benchmark.common.paths import model_folder
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.scalarizers import Scalarizer
from benchmark.study import Cell, Study, check, load_study
from benchmark.tasks import Split, make_task
from benchmark.training import MultiObjectiveGRPOTrainer

STUDY = "lab"
SETTINGS: dict[str, Any] = {
    "models": {"tiny": None},
    "objective_sets": {"math3": None},
    "algorithms": {"linear": None},
    "seeds": [0],
    "task": {"train": 8, "validation": 4, "test": 6},
    "sampling": {"max_tokens": 12},
    "evaluation": {"samples": 2},
    "training": {
        "steps": 3,
        "prompts_per_step": 2,
        "completions_per_prompt": 4,
        "learning_rate": 3e-3,
        "validate_every": 2,
        "checkpoint_every": 3,
        "diagnose_every": 1,
    },
}


@dataclass(frozen=True)
class Project:
    """A project root with one prepared model, ``tiny``."""

    root: Path

    def study(self, **changes: Any) -> Study:
        """Write the study with these changes to :data:`SETTINGS`, and load it."""
        file = self.root / "workflow" / "studies" / f"{STUDY}.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(merged(SETTINGS, changes)))
        study = load_study(STUDY, self.root)
        check(study)
        prepare(self.root, "tiny")
        return study

    def cell(
        self, algorithm: str = "linear", parameters: Mapping[str, Any] | None = None, **changes: Any
    ) -> Cell:
        """Return the cell of a study with this algorithm alone."""
        study = self.study(**changes, algorithms={algorithm: parameters})
        return study.cells[0]

    def trainer(self, cell: Cell, name: str = "run") -> MultiObjectiveGRPOTrainer:
        """Return the cell's trainer, writing below ``name``, untracked."""
        return make_trainer(cell, self.root / name)

    @property
    def model(self) -> Path:
        """The prepared model's folder."""
        return model_folder(self.root, "tiny")


ResultsOf = Callable[[str, Callable[[Project], object]], Path]  # a name, what is done in a project


def make_project(root: Path, model: Path, patch: pytest.MonkeyPatch) -> Project:
    """Make a project root with a copy of this model, ``tiny``, and enter it; it has no store."""
    shutil.copytree(model, root / "model")
    (root / "models.yaml").write_text("tiny: {path: model}\n")
    patch.chdir(root)
    patch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return Project(root)


def add_store(project: Project, empty: Path) -> None:
    """Give a project a copy of an empty tracking store."""
    (project.root / "results").mkdir()
    shutil.copy(empty, project.root / "results" / "mlflow.db")


def merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``settings`` with ``changes`` taken over, mapping by mapping."""
    result = dict(settings)
    for key, value in changes.items():
        inner = result.get(key)
        nested = isinstance(inner, Mapping) and isinstance(value, Mapping)
        result[key] = merged(inner, value) if nested and key != "algorithms" else value
    return result


def few_tokens(completion_ids: Sequence[Sequence[int]], **columns: Any) -> list[float]:
    """A plain reward function: 1 for an empty completion, less for each token."""
    return [1.0 - len(tokens) / 12 for tokens in completion_ids]


def low_tokens(completion_ids: Sequence[Sequence[int]], **columns: Any) -> list[float]:
    """A plain reward function: the share of token ids below 110."""
    return [sum(token < 110 for token in tokens) / len(tokens) for tokens in completion_ids]


def grpo_config(folder: Path, **changes: Any) -> GRPOConfig:
    """Return TRL's configuration for three steps of 2 prompts × 4 completions."""
    settings = {
        "output_dir": str(folder),
        "max_steps": 3,
        "learning_rate": 3e-3,
        "per_device_train_batch_size": 8,
        "per_device_eval_batch_size": 8,
        "num_generations": 4,
        "max_completion_length": 12,
        "loss_type": "grpo",
        "lr_scheduler_type": "constant",
        "save_strategy": "no",
        "logging_steps": 1,
        "report_to": [],
        "disable_tqdm": True,
        "disable_dropout": True,
        "bf16": False,
        "use_cpu": True,
        "gradient_checkpointing": False,
        "dataloader_pin_memory": False,
    }
    return GRPOConfig(**{**settings, **changes})


def questions(split: Split, size: int) -> Dataset:
    """Return problems as rows of plain text."""
    problems = make_task("arithmetic").split(split, size)
    return Dataset.from_list([{"prompt": p.prompt, "answer": p.answer} for p in problems])


def grpo_arguments(model: Path, folder: Path, **changes: Any) -> dict[str, Any]:
    """Return what ``trl.GRPOTrainer`` takes: the model, two reward functions, and so on."""
    return {
        "model": load_policy(model),
        "reward_funcs": [few_tokens, low_tokens],
        "args": grpo_config(folder, **changes),
        "train_dataset": questions("train", 8),
        "eval_dataset": questions("validation", 4),
        "processing_class": load_tokenizer(model),
    }


def multi_objective(
    model: Path,
    folder: Path,
    scalarizer: Scalarizer,
    kind: type[MultiObjectiveGRPOTrainer] = MultiObjectiveGRPOTrainer,
    *,
    estimator: str = "grpo",
    diagnose_every: int = 1,
    reward_funcs: Sequence[Any] = (few_tokens, low_tokens),
    gramian_parameters: str = "all",
    peft_config: Any = None,
    **changes: Any,
) -> MultiObjectiveGRPOTrainer:
    """Return a trainer on two plain reward functions; ``changes`` are of TRL's configuration."""
    arguments = grpo_arguments(model, folder, **changes) | {"reward_funcs": list(reward_funcs)}
    own = {"estimator": estimator, "diagnose_every": diagnose_every}
    own |= {"gramian_parameters": gramian_parameters, "peft_config": peft_config}
    return kind(**arguments, scalarizer=scalarizer, **own)


Make = Callable[..., MultiObjectiveGRPOTrainer]


def copied(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def same(first: Any, second: Any) -> bool:
    """Whether two states are equal, NaN in the same places included."""
    if isinstance(first, torch.Tensor):
        return torch.equal(first.nan_to_num(-7.0), second.nan_to_num(-7.0))
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[k], second[k]) for k in first)
    return bool(first == second)


def logged(trainer: MultiObjectiveGRPOTrainer, key: str) -> list[float]:
    return [row[key] for row in trainer.state.log_history if key in row]
