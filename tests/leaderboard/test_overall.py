"""The overall table and the interference matrix, computed by hand."""

import math

import pandas
import pytest

from benchmark.interference.shares import cluster_interval
from benchmark.leaderboard.frames.overall import compare, interference_matrices
from benchmark.leaderboard.frames.ranking import rank_intervals
from benchmark.leaderboard.results.table import Table

from .lab import FINALS, Lab


def test_algorithms_are_ordered_by_mean_rank_with_references_beneath(results: Table) -> None:
    overall = compare(results.cells)
    table = overall.table.set_index("algorithm")
    assert list(table.index) == ["ctwa", "linear", "single-a", "single-b"]
    # ctwa is first on three of the four objectives of the two models, linear on one
    assert table.loc["ctwa", "mean_rank"] == pytest.approx(1.25)
    assert table.loc["linear", "mean_rank"] == pytest.approx(1.75)
    assert (overall.ranked, overall.columns) == (4, 4)
    assert table.loc[["single-a", "single-b"], "mean_rank"].isna().all()
    assert list(table["reference"]) == [False, False, True, True]
    assert set(table["runs"]) == {2}


def test_rate_and_severity_are_over_runs_and_objectives(results: Table) -> None:
    table = compare(results.cells).table.set_index("algorithm")
    assert table.loc["linear", "interference_rate"] == pytest.approx(1 / 4)
    assert table.loc["linear", "severity"] == pytest.approx((0.1 / 0.6) / 4)
    assert table.loc["ctwa", "interference_rate"] == 0
    assert table.loc["ctwa", "severity"] == 0
    assert table.loc["single-b", "severity"] == pytest.approx((0.1 / 0.4) / 4)


def test_estimates_and_intervals_weigh_sets_alike(lab: Lab) -> None:
    """A place of one seed and one of two count the same: no estimate is outside its interval."""
    lab.complete(lab.expect("m", "linear"), (0.9, 0.3))
    for seed in range(2):
        lab.complete(lab.expect("n", "linear", seed=seed), (0.9, 0.6))
    row = compare(lab.collect().cells).table.iloc[0]
    assert row["severity"] == pytest.approx((0.3 / 0.6 / 2 + 0) / 2, abs=1e-6)
    assert row["interference_rate"] == 0.25
    for name in ("severity", "interference_rate", "gain", "worst_loss"):
        assert row[f"{name}_low"] < row[name] < row[f"{name}_high"]


def test_ranks_rest_on_what_every_competitor_finished(lab: Lab) -> None:
    for (model, algorithm), finals in FINALS.items():
        cell = lab.expect(model, algorithm)
        if (model, algorithm) != ("n", "linear"):
            lab.complete(cell, finals)
    overall = compare(lab.collect().cells)
    table = overall.table.set_index("algorithm")
    assert (overall.ranked, overall.columns) == (2, 4)
    assert table.loc["ctwa", "mean_rank"] == table.loc["linear", "mean_rank"] == pytest.approx(1.5)
    assert list(table["runs"][["ctwa", "linear"]]) == [2, 1]


def test_without_a_common_objective_nothing_is_ranked(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    lab.complete(lab.expect("n", "ctwa"), (0.5, 0.7))
    overall = compare(lab.collect().cells)
    assert overall.table["mean_rank"].isna().all()
    assert (overall.ranked, overall.columns) == (0, 4)


def test_references_alone_make_a_table_without_ranks(lab: Lab) -> None:
    lab.complete(lab.expect("m", "single-a"), (0.5, 0.7))
    overall = compare(lab.collect().cells)
    assert list(overall.table["algorithm"]) == ["single-a"]
    assert math.isnan(overall.table["mean_rank"].iloc[0])


def test_matrix_holds_the_effect_of_each_objective_on_each(results: Table) -> None:
    matrices = interference_matrices(results.cells).set_index(["model", "trained_on", "objective"])
    expected = {
        ("m", "a", "a"): 0.3,
        ("m", "a", "b"): -0.2,
        ("m", "b", "a"): -0.1,
        ("m", "b", "b"): 0.2,
        ("n", "a", "a"): 0.4,
        ("n", "a", "b"): 0.0,
        ("n", "b", "a"): 0.0,
        ("n", "b", "b"): 0.3,
    }
    assert matrices["change"].to_dict() == pytest.approx(expected)
    assert set(matrices["seeds"]) == {1}


def test_matrix_averages_seeds_and_leaves_out_what_is_missing(lab: Lab) -> None:
    lab.complete(lab.expect("m", "single-b", seed=0), (0.3, 0.8))
    lab.complete(lab.expect("m", "single-b", seed=1), (0.5, 0.9))
    lab.expect("m", "single-a")
    matrices = interference_matrices(lab.collect().cells)
    assert list(matrices["trained_on"]) == ["b", "b"]
    assert list(matrices["objective"]) == ["a", "b"]
    assert list(matrices["change"]) == pytest.approx([0.0, 0.25])
    assert list(matrices["seeds"]) == [2, 2]


@pytest.mark.parametrize("algorithm", ["linear", "single"])
def test_no_matrix_without_references_for_an_objective(lab: Lab, algorithm: str) -> None:
    lab.complete(lab.expect("m", algorithm), (0.5, 0.7))
    assert interference_matrices(lab.collect().cells).empty


def test_a_rate_is_over_models_and_not_over_objectives(results: Table) -> None:
    row = compare(results.cells).table.set_index("algorithm").loc["linear"]
    found = [row[f"interference_rate{end}"] for end in ("", "_low", "_high")]
    assert found == pytest.approx(list(cluster_interval([0.5, 0.0], [2, 2], ["m", "n"])))


def test_with_one_seed_a_rank_lies_amid_its_interval() -> None:
    place = {"model": "m", "objectives": "o", "estimator": "grpo"}
    values = {"ahead": 0.51, "close": 0.5, "behind": 0.1}
    rows = [
        {**place, "algorithm": name, "seed": 0, "objective": "a", "final": each, "delta_se": 0.01}
        for name, each in values.items()
    ]
    cells = pandas.DataFrame(rows)
    columns = ["model", "objectives", "objective"]
    wide = cells.pivot(index="algorithm", columns=columns, values="final")
    found = rank_intervals(cells, wide.loc[list(values)])
    low, high = (found[f"mean_rank_{end}"]["close"] for end in ("low", "high"))
    assert found["mean_rank"]["close"] == 2
    assert 2 - low == pytest.approx(high - 2)  # percentiles of its draws would end at 2
    assert high > 2.5
