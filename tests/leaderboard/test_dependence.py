"""The spread of an algorithm over models, by hand."""

import numpy as np
import pytest

from benchmark.leaderboard.frames.dependence import model_dependence
from benchmark.leaderboard.frames.summary import summarise
from benchmark.leaderboard.results.table import Table

pytestmark = pytest.mark.xdist_group("site")


def test_dependence_is_the_spread_over_models(results: Table) -> None:
    table = model_dependence(summarise(results.cells)).set_index("algorithm")
    linear = table.loc["linear"]  # worst change -0.1 on m, +0.1 on n
    assert (linear["models"], linear["models_interfered"], linear["patterns"]) == (2, 1, 2)
    assert linear["spread"] == pytest.approx(np.sqrt(0.02))
    assert linear["given_up"] == "m: b; n: none"
    assert linear["models_low"] == pytest.approx(0.012579, abs=1e-5)
