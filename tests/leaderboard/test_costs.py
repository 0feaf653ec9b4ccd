"""What a run cost, from what it tracked."""

import numpy as np

from benchmark.leaderboard.results.costs import backward_passes
from benchmark.tracking.record import RunRecord


def passes(settings: dict[str, str], *metrics: str) -> float:
    params = {f"training.{name}": value for name, value in settings.items()}
    run = RunRecord("r", "FINISHED", 0, 1, {}, params, dict.fromkeys(metrics, 0.0))
    return backward_passes(run, ("a", "b"))


def test_backward_passes_follow_what_was_tracked() -> None:
    settings = {"steps": "10", "passes": "2"}
    assert np.isnan(passes(settings))
    settings["minibatches"] = "3"
    assert passes(settings) == 60
    assert passes(settings, "gradient/cosine") == 120
    assert passes(settings | {"gramian_parameters": "part"}, "gradient/cosine") == 180
