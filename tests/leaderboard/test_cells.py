"""The choice of some of a study's cells."""

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.results.cells import Choice

from .lab import Lab


def test_choice_keeps_cells_and_suggests_names(study_lab: Lab) -> None:
    chosen = Choice(algorithm=["linear"]).of(study_lab.expected, "quick.yaml")
    assert {cell.algorithm for cell in chosen.values()} == {"linear"}
    with pytest.raises(CrosstalkError, match="unknown algorithm 'linaer'; did you mean 'linear'"):
        Choice(algorithm=["linaer"]).of(study_lab.expected, "quick.yaml")
