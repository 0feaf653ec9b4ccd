"""Spaces of parameters: what is drawn lies in them, and every published one fits its scalarizer."""

from typing import Any

import pytest
from required import REQUIRED

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse
from benchmark.scalarizers import SCALARIZERS, make_scalarizer
from benchmark.study.published_spaces import INCLUDES, SPACES, log_uniform, uniform
from benchmark.study.spaces import Dimension, Space

NAMES = ["a", "b", "c"]
SEED = 3


def test_points_lie_within_their_bounds() -> None:
    space = Space({"low": uniform(0.2, 0.3), "wide": log_uniform(1e-6, 1e2)})
    points = space.points(64, 3, SEED)
    assert all(0.2 <= each["low"] <= 0.3 for each in points)
    assert all(1e-6 <= each["wide"] <= 1e2 for each in points)
    # Quasi-random: each half of the range, and of its logarithm, has half of the points.
    assert abs(sum(each["low"] < 0.25 for each in points) - 32) <= 1
    assert abs(sum(each["wide"] < 1e-2 for each in points) - 32) <= 1


def test_weights_are_even_on_the_simplex() -> None:
    weights = [each["w"] for each in Space({"w": Dimension(kind="simplex")}).points(256, 3, SEED)]
    assert all(len(w) == 3 and min(w) >= 0 for w in weights)
    assert all(sum(w) == pytest.approx(1, abs=2e-3) for w in weights)
    for place in range(3):  # a third on average, and one weight is above a half with chance 1/4
        assert sum(w[place] for w in weights) / 256 == pytest.approx(1 / 3, abs=0.01)
        assert sum(w[place] > 0.5 for w in weights) / 256 == pytest.approx(1 / 4, abs=0.02)


def test_lists_repeat_one_value() -> None:
    space = Space({"t": uniform(0, 1, "objective"), "c": uniform(0, 1, "constraint")})
    for each in space.points(4, 3, SEED):
        assert each["t"] == each["t"][:1] * 3
        assert each["c"] == each["c"][:1] * 2
    assert space.per_objective == ["t", "c"]


def test_points_are_the_same_ones_always() -> None:
    space = SPACES["ctwa"]
    points = space.points(8, 3, SEED)
    assert space.points(3, 3, SEED) == points[:3]  # a larger budget tries the same ones first
    assert space.points(8, 3, SEED + 1) != points
    values = [each["step_size"] for each in points]
    assert len(set(values)) == 8
    assert all(value == float(f"{value:.4g}") for value in values)


def test_one_objective_has_one_weight() -> None:
    space = Space({"w": Dimension(kind="simplex")})
    assert space.points(2, 1, SEED) == [{"w": [1.0]}] * 2


@pytest.mark.parametrize("name", SPACES)
def test_a_published_space_fits_its_scalarizer(name: str) -> None:
    assert name in SCALARIZERS
    space, given = SPACES[name], {"total_steps": 60} if name == "rvpo" else REQUIRED.get(name, {})
    assert space.source
    for point in space.points(16, 3, SEED):
        kept = {key: value for key, value in given.items() if key not in space.without}
        make_scalarizer(space.scalarizer or name, NAMES, **{**kept, **point})


@pytest.mark.parametrize("name", SPACES)
def test_every_corner_of_a_published_space_is_allowed(name: str) -> None:
    space, given = SPACES[name], {"total_steps": 60} if name == "rvpo" else REQUIRED.get(name, {})
    for place in (0.0, 1.0):
        corner = {
            key: each.value([place] * each.coordinates(3), 3)
            for key, each in space.dimensions.items()
        }
        make_scalarizer(space.scalarizer or name, NAMES, **{**given, **space.fixed, **corner})


def test_special_cases_are_rules_that_the_suite_shows() -> None:
    from scalarizers.test_inclusions import INCLUSIONS

    shown = {(each.rule, each.special) for each in INCLUSIONS}
    aliases = {"cover": "ctwa", "raco": "cagrad_clip", "weighted": None}
    for rule, special in INCLUDES.items():
        own = aliases.get(rule, rule)
        assert own is None or (own, special) in shown


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"kind": "uniform", "low": 1.0, "high": 1.0}, "expected a low below high, got 1.0 and 1"),
        ({"kind": "uniform", "low": 1.0}, "expected a low below high, got 1.0 and None"),
        ({"kind": "log_uniform", "low": 0.0, "high": 1.0}, "low: expected more than 0 with log_un"),
        ({"kind": "simplex", "low": 0.0}, "expected no low, high or each with simplex"),
        ({"kind": "normal"}, "kind: expected 'uniform', 'log_uniform' or 'simplex', got 'normal'"),
        ({"kind": "uniform", "low": -1.0, "high": 1.0}, "low: expected at least 0, got -1.0"),
    ],
)
def test_a_dimension_that_is_none_is_refused(given: dict[str, Any], expected: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        parse(Dimension, given, "here")
    assert str(caught.value).startswith(f"here: {expected}")
