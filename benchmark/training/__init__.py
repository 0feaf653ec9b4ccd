"""Train on several objectives: TRL's GRPO trainer with a scalarizer in it."""

from trl import GRPOConfig

from benchmark.training.trainer import MultiObjectiveGRPOTrainer

__all__ = ["GRPOConfig", "MultiObjectiveGRPOTrainer"]
