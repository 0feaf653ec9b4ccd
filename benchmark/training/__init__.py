"""Training on several objectives: TRL's GRPO trainer with a scalarizer in it."""

from benchmark.training.trainer import GRPOConfig, MultiObjectiveGRPOTrainer

__all__ = ["GRPOConfig", "MultiObjectiveGRPOTrainer"]
