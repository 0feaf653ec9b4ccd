import pytest
import torch
from worst_first import WorstFirst

from benchmark.testing import check_scalarizer


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_it_keeps_the_contract(share: float) -> None:
    check_scalarizer(WorstFirst, parameters={"share": share})


def test_scores_worked_out_by_hand() -> None:
    scores = WorstFirst(["a", "b"], [3, 1], share=0.5).score(torch.tensor([[1.0, 0.0], [0.4, 0.8]]))
    torch.testing.assert_close(scores, torch.tensor([0.375, 0.45]))
