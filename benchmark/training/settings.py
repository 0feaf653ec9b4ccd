"""Refuse settings of TRL's that a scalarizer leaves without effect."""

import logging
from collections import Counter
from collections.abc import Sequence

from trl import GRPOConfig

from benchmark.common.errors import CrosstalkError

# What has no effect, its default, and what takes its place.
_REPLACED = {
    "reward_weights": (None, "give the scalarizer the weights"),
    "scale_rewards": ("group", "the estimator scales: estimator='dr_grpo' does not"),
    "multi_objective_aggregation": ("sum_then_normalize", "the scalarizer says, as GDPO() does"),
}
# What is trained on as asked, while covariances are measured of another surrogate.
_MEASURED = {
    "loss_type": ("grpo", "bnpo", "dapo", "dr_grpo"),
    "importance_sampling_level": ("token",),
    "delta": (None,),
}
logger = logging.getLogger(__name__)


def check_settings(args: GRPOConfig) -> None:
    """Refuse settings without effect, and a loss that the size of micro-batches changes.

    Raises:
        CrosstalkError: With the setting, and what to do instead.
    """
    for name, (default, instead) in _REPLACED.items():
        if getattr(args, name) != default:
            raise CrosstalkError(
                f"{name}: expected {default!r}, got {getattr(args, name)!r}, which has no effect "
                f"here: {instead}"
            )
    if args.loss_type == "bnpo" and args.gradient_accumulation_steps > 1:
        raise CrosstalkError(
            "loss_type: expected another than 'bnpo' with gradient_accumulation_steps above 1, got "
            f"{args.gradient_accumulation_steps}: bnpo divides by the tokens of a micro-batch, so "
            "that its gradient depends on their number; 'dapo' divides by those of the update"
        )
    for name, known in _MEASURED.items():
        if getattr(args, name) not in known:
            logger.warning(
                "%s: %r is trained on, but completion weights and covariances with them are "
                "measured of the surrogate that clips the ratio of each token",
                name, getattr(args, name),
            )  # fmt: skip


def distinct_names(found: Sequence[str], objectives: Sequence[str]) -> list[str]:
    """Return the names of reward functions, or the scalarizer's if some have the same name."""
    repeated = [name for name, count in Counter(found).items() if count > 1]
    if not repeated:
        return list(found)
    logger.warning(
        "reward_funcs: several are called %r; they go by the scalarizer's names, %s",
        repeated[0], ", ".join(objectives),
    )  # fmt: skip
    return list(objectives)
