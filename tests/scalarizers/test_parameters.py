"""What methods refuse: a parameter outside its range, and feedback without a required signal."""

import math
from typing import Any

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import CTWA, FAMO, Feedback, GradNorm, Scalarizer, make_scalarizer

REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("cagrad_clip", {"c": -0.1}),
    ("cagrad_clip", {"clip": 1}),
    ("ctwa", {"smoothing": 1.5}),
    ("cosmos", {"penalty": -1}),
    ("ctwa", {"targets": [0.1]}),
    ("ctwa", {"objective_targets": "high"}),
    ("ctwa", {"use_correlation": "yes"}),
    ("ctwa", {"step_size": math.nan}),
    ("dwa", {"temperature": 0}),
    ("dwa", {"window": 0}),
    ("dwa", {"epsilon": 0}),
    ("dwa", {"upper_bounds": [1]}),
    ("dynamic", {"step_size": -1}),
    ("dynamic", {"regularization": 0}),
    ("famo", {"step_size": -1}),
    ("famo", {"regularization": None}),
    ("famo", {"epsilon": 0}),
    ("famo", {"upper_bounds": [1, 2, 3]}),
    ("foresight", {"bonus": 1.5}),
    ("foresight", {"floor": -0.1}),
    ("foresight", {"floor": 0.9}),
    ("foresight", {"memory": 2}),
    ("gd2po", {"rule": "soft"}),
    ("gd2po", {"threshold": 1.5}),
    ("geometric_mean", {"epsilon": 0}),
    ("geometric_mean", {"upper_bounds": [1]}),
    ("gradnorm", {"alpha": -1}),
    ("gradnorm", {"step_size": "fast"}),
    ("gradnorm", {"upper_bounds": [1]}),
    ("lagrangian", {"thresholds": [0.9, 0.9]}),
    ("lagrangian", {"thresholds": 0.9}),
    ("lagrangian", {"step_size": -0.1}),
    ("lagrangian", {"proportional": -0.1}),
    ("lagrangian", {"derivative": "much"}),
    ("lagrangian", {"step_size": True}),
    ("max_min_covariance", {"smoothing": 2}),
    ("maxmin", {"step_size": -1}),
    ("maxmin", {"step_size": "fast"}),
    ("maxmin", {"step_size": True}),
    ("mgda", {"normalize": "l2"}),
    ("mgda", {"power": -1}),
    ("mgda", {"power": 11}),
    ("mgda", {"preferred": 1}),
    ("nsga_rank", {"beta": 1.1}),
    ("pama", {"level": "batches"}),
    ("pbi", {"theta": -1}),
    ("pbi", {"upper_bounds": [1]}),
    ("random", {"seed": -1}),
    ("random", {"seed": 1.5}),
    ("random", {"seed": True}),
    ("random", {"seed": "7"}),
    ("rvpo", {"k": 0}),
    ("rvpo", {"normalize": 1}),
    ("rvpo", {"k_end": 0}),
    ("rvpo", {"total_steps": 0}),
    ("sa_mrpo", {"gamma": -1}),
    ("sa_mrpo", {"lower_bounds": [0]}),
    ("sa_mrpo", {"upper_bounds": 1}),
    ("smooth_tchebycheff", {"temperature": 0}),
    ("smooth_tchebycheff", {"step_size": -1}),
    ("smooth_tchebycheff", {"reference_point": [1]}),
    ("stch", {"mu": 0}),
    ("tchebycheff_mean", {"running": 1}),
    ("tchebycheff_mean", {"upper_bounds": [1]}),
    ("tchebycheff", {"rho": -1}),
    ("tchebycheff", {"rho": "big"}),
    ("tchebycheff", {"reference_point": [1]}),
    ("tchebycheff", {"reference_point": [1, math.inf]}),
]


@pytest.mark.parametrize(("name", "params"), REFUSED, ids=str)
def test_value_outside_its_range_is_refused(name: str, params: dict[str, Any]) -> None:
    ((key, value),) = params.items()
    shown = "nothing" if value is None else repr(value)
    with pytest.raises(CrosstalkError) as caught:
        make_scalarizer(name, ["a", "b"], **params)
    assert str(caught.value).startswith(f"algorithm {name!r}: {key}: expected ")
    assert str(caught.value).endswith(f", got {shown}")


@pytest.mark.parametrize("scalarizer", [CTWA, FAMO, GradNorm])
def test_update_without_a_required_signal_is_refused(scalarizer: type[Scalarizer]) -> None:
    feedback = Feedback(torch.zeros(4, 2), torch.zeros(4))
    with pytest.raises(ValueError, match=f"{scalarizer.__name__}.update: feedback.* got None"):
        scalarizer(["a", "b"]).update(feedback)
