"""Rank correlations of interference with geometry over models."""

import math

import numpy as np
import pytest
from scipy import stats

from benchmark.interference.correlation import (
    NONE_SEEN,
    RELATED,
    TOO_FEW,
    UNDEFINED,
    detectable_correlation,
    relate,
    smallest_p,
)


def generator() -> np.random.Generator:
    return np.random.default_rng(3)


def test_a_perfect_relation_is_found_next_to_noise() -> None:
    rates = np.arange(8) / 8
    noise = np.array([3, 1, 7, 0, 6, 2, 5, 4])
    found = relate(rates, {"minus": -(rates**3), "noise": noise}, generator())
    assert found["minus"].correlation == pytest.approx(-1)
    assert found["minus"].p == pytest.approx(2 / math.factorial(8))
    assert found["minus"].p_adjusted == pytest.approx(4 / math.factorial(8))
    assert found["minus"].verdict == RELATED
    assert found["noise"].correlation == pytest.approx(stats.spearmanr(rates, noise).statistic)


def test_three_models_are_too_few() -> None:
    found = relate([0.1, 0.2, 0.3], {"size": [1, 2, 3]}, generator())["size"]
    assert (found.correlation, found.p, found.verdict) == (1.0, pytest.approx(1 / 3), TOO_FEW)


def test_only_many_models_rule_out_a_relation() -> None:
    for models, verdict in ((40, NONE_SEEN), (6, TOO_FEW)):
        rates = np.arange(models)
        values = (rates - (models - 1) / 2) ** 2  # even about the middle: ρ = 0
        found = relate(rates, {"even": values}, generator())["even"]
        assert found.correlation == pytest.approx(0, abs=1e-12)
        assert (found.verdict, found.p) == (verdict, 1.0)


def test_the_permutation_p_value_is_scipys() -> None:
    x, y = np.array([0.2, 0.2, 0.1, 0.5, 0.4, 0.3]), np.array([1.0, 3, 2, 6, 5, 3])
    ours = relate(x, {"q": y}, generator())["q"]
    theirs = stats.permutation_test(
        (x,), lambda v: stats.spearmanr(v, y).statistic, permutation_type="pairings"
    )
    assert ours.p == pytest.approx(theirs.pvalue)
    assert ours.correlation == pytest.approx(theirs.statistic)


def test_undefined_relations_have_a_reason() -> None:
    rates = [0.1, 0.2, 0.3, math.nan]
    quantities = {"flat": [2, 2, 2, 1], "missing": [1, math.nan, 2, 3], "fine": [1, 2, 3, 4]}
    found = relate(rates, quantities, generator())
    assert math.isnan(found["flat"].correlation)
    assert "same for all" in found["flat"].reason
    assert found["flat"].verdict == UNDEFINED
    assert found["missing"].reason.startswith("2 models have both")
    assert found["fine"].models == 3
    assert found["fine"].p_adjusted == found["fine"].p  # the only one that was tested
    assert relate([0, 0, 0], {"q": [1, 2, 3]}, generator())["q"].reason.startswith("the interf")


def test_the_detectable_correlation_is_detected() -> None:
    models, draws = 20, np.random.default_rng(0)
    rho = 2 * math.sin(math.pi / 6 * detectable_correlation(models, 0.05))  # Pearson's, of normals
    x = draws.standard_normal((1000, models))
    y = rho * x + math.sqrt(1 - rho**2) * draws.standard_normal((1000, models))
    hits = [stats.spearmanr(a, b).pvalue < 0.05 for a, b in zip(x, y, strict=True)]
    assert np.mean(hits) == pytest.approx(0.8, abs=0.05)
    assert math.isnan(detectable_correlation(3, 0.05))
    assert smallest_p(math.factorial(4)) == pytest.approx(1 / 12)


# --- strata ---


def test_a_difference_between_mixtures_is_no_relation() -> None:
    # What each mixture gives up, and its models' quantity, differ; within one they go against.
    rates = [0.0, 0.1, 0.2, 0.7, 0.8, 0.9]
    values = [3, 2, 1, 13, 12, 11]
    assert relate(rates, {"q": values}, generator())["q"].correlation > 0.5
    found = relate(rates, {"q": values}, generator(), "aaabbb")["q"]
    assert found.correlation == pytest.approx(-1)
    assert found.p == pytest.approx(2 / 36)  # two of the 3! * 3! orders are as extreme
    assert (found.models, found.strata) == (6, 2)


def test_a_mixture_is_no_relation_of_its_own() -> None:
    found = relate([0.0, 0.1, 0.7, 0.8], {"q": [1, 1, 2, 2]}, generator(), "aabb")["q"]
    assert (found.verdict, found.reason) == (
        UNDEFINED,
        "the quantity is the same for all models of each stratum",
    )


def test_a_model_alone_in_its_mixture_says_nothing() -> None:
    rates, values = [0.1, 0.2, 0.3, 0.9], [1, 2, 3, 0]
    found = relate(rates, {"q": values}, generator(), "aaab")["q"]
    assert (found.models, found.correlation) == (3, pytest.approx(1))
    alone = relate(rates, {"q": values}, generator(), "abcd")["q"]
    assert (alone.verdict, alone.models) == (TOO_FEW, 0)
    assert alone.reason == "0 models share a stratum with another, 3 are needed"


def test_random_orders_stay_within_strata_too() -> None:
    draws = np.random.default_rng(5)
    strata = np.repeat([0, 1], 9)
    x, y = draws.normal(size=18) + 9 * strata, draws.normal(size=18) + 9 * strata
    found = relate(x, {"q": y}, generator(), strata.tolist())["q"]
    ranks = [stats.rankdata(side) for side in (x, y)]
    inside = [np.concatenate([r[:9] - r[:9].mean(), r[9:] - r[9:].mean()]) for r in ranks]
    assert found.correlation == pytest.approx(np.corrcoef(*inside)[0, 1])
    assert found.p > 0.05
    assert relate(x, {"q": y}, generator())["q"].p < 0.001
