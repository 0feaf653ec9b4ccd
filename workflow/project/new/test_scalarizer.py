"""Does it keep the contract, and does it compute what it should?

Run: python -m pytest test_NAME.py
"""

import torch
from NAME import CLASS

from benchmark.testing import check_scalarizer


def test_it_keeps_the_contract() -> None:
    check_scalarizer(CLASS, objectives=[2, 3])


def test_scores_worked_out_by_hand() -> None:
    scores = CLASS(["a", "b"], [3, 1], share=0.5).score(torch.tensor([[1.0, 0.0], [0.4, 0.8]]))
    torch.testing.assert_close(scores, torch.tensor([0.375, 0.45]))
