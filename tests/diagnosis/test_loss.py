"""What a loss raises for a completion: the factors by hand, and TRL's own loss as the judge."""

import numpy as np
import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.loss import length_factor

LENGTHS = torch.tensor([1, 3, 8])


def test_only_grpo_counts_short_completions_for_more() -> None:
    assert length_factor(LENGTHS, "grpo", 16).tolist() == pytest.approx([1, 1 / 3, 1 / 8])
    for loss in ("dapo", "bnpo"):
        assert length_factor(LENGTHS, loss, 16).tolist() == pytest.approx([0.25] * 3)
    assert length_factor(LENGTHS, "dr_grpo", 16).tolist() == pytest.approx([1 / 16] * 3)


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(CrosstalkError, match="loss"):
        length_factor(LENGTHS, "sum", 16)


def test_a_constant_advantage_is_a_signal_under_grpo_alone() -> None:
    # PAMA's mean advantage: the loss `grpo` turns it into a preference for short completions.
    tokens = LENGTHS.numpy()
    for loss, falls in (("grpo", True), ("dapo", False), ("dr_grpo", False)):
        signal = 2.0 * length_factor(LENGTHS, loss, 16).numpy()
        assert bool(np.cov(tokens, signal)[0, 1] < -1e-9) is falls
