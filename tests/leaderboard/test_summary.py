"""Tables per model and objective set, computed by hand."""

import math

import pandas
import pytest

from benchmark.leaderboard.frames.summary import summarise
from benchmark.leaderboard.results.references import trained_on
from benchmark.leaderboard.results.table import Table

from .lab import Lab

T_100 = 1.98397  # two-sided 95% quantiles of Student's distribution
T_1 = 12.7062


def pick(frame: pandas.DataFrame, model: str, algorithm: str, objective: str) -> pandas.Series:
    keys = frame[["model", "algorithm", "objective"]].agg(tuple, axis=1)
    rows = frame[keys == (model, algorithm, objective)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_one_seed_has_paired_intervals_over_prompts(results: Table) -> None:
    found = pick(summarise(results.cells), "m", "linear", "b")
    assert (found["seeds"], found["interval"]) == (1, "prompts")
    assert (found["initial"], found["final"]) == (pytest.approx(0.6), pytest.approx(0.5))
    assert found["delta"] == pytest.approx(-0.1)
    assert found["delta_low"] == pytest.approx(-0.1 - T_100 * 0.01, abs=1e-6)
    assert found["delta_high"] == pytest.approx(-0.1 + T_100 * 0.01, abs=1e-6)
    assert found["score_delta"] == pytest.approx(0.05)
    assert found["score_low"] == pytest.approx(0.05 - T_100 * 0.01, abs=1e-6)
    assert found["interfered"]
    assert found["interfered_objectives"] == "b"
    assert found["worst_change"] == pytest.approx(-0.1)
    assert found["tokens"] == 20


def test_hypervolume_is_the_volume_gained_on_both_objectives(results: Table) -> None:
    summary = summarise(results.cells)
    assert pick(summary, "m", "ctwa", "a")["hypervolume_gain"] == pytest.approx(0.1 * 0.05)
    assert pick(summary, "m", "linear", "a")["hypervolume_gain"] == 0


def test_normalised_gain_is_relative_to_training_on_the_objective_alone(results: Table) -> None:
    summary = summarise(results.cells)
    assert pick(summary, "m", "linear", "a")["normalised_gain"] == pytest.approx(0.2 / 0.3)
    assert pick(summary, "m", "ctwa", "b")["normalised_gain"] == pytest.approx(0.05 / 0.2)
    assert pick(summary, "n", "ctwa", "a")["normalised_gain"] == pytest.approx(0.2 / 0.4)
    assert pick(summary, "m", "single-a", "a")["normalised_gain"] == pytest.approx(1)


def test_normalised_gain_is_unknown_without_references(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    assert summarise(lab.collect().cells)["normalised_gain"].isna().all()


def test_competitors_stand_before_references_in_each_table(results: Table) -> None:
    summary = summarise(results.cells)
    order = summary[["model", "algorithm"]].drop_duplicates().agg("/".join, axis=1)
    algorithms = ["linear", "ctwa", "single-a", "single-b"]
    assert list(order) == [f"{model}/{name}" for model in "mn" for name in algorithms]


def test_several_seeds_have_students_intervals_over_seeds(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear", seed=0), (0.5, 0.501))
    lab.complete(lab.expect("m", "linear", seed=1), (0.6, 0.499))
    summary = summarise(lab.collect().cells)
    a, b = (pick(summary, "m", "linear", name) for name in "ab")
    assert (a["seeds"], a["interval"]) == (2, "seeds")
    assert (a["final"], a["delta"]) == (pytest.approx(0.55), pytest.approx(0.15))
    assert a["delta_low"] == pytest.approx(0.15 - T_1 * 0.05, abs=1e-4)
    assert a["delta_high"] == pytest.approx(0.15 + T_1 * 0.05, abs=1e-4)
    # b: 0.001 between seeds, and the 0.01 that they share, with Cochran's quantile
    joint = (T_1 * 0.001**2 + T_100 * 0.01**2) / math.hypot(0.001, 0.01)
    assert b["delta_high"] == pytest.approx(-0.1 + joint, abs=1e-5)
    # b surely fell, but over two seeds the score's rise of 0.0005 and 0.0495 is not sure
    assert not b["interfered"]


def test_interference_over_seeds_needs_both_intervals(lab: Lab) -> None:
    for seed, (a, b) in enumerate([(0.7, 0.5), (0.702, 0.502), (0.698, 0.498)]):
        lab.complete(lab.expect("m", "linear", seed=seed), (a, b))
    summary = summarise(lab.collect().cells)
    assert list(summary["interfered"]) == [False, True]
    assert set(summary["interfered_objectives"]) == {"b"}


def test_seed_whose_run_is_missing_leaves_the_others(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear", seed=0), (0.5, 0.5))
    lab.expect("m", "linear", seed=1)
    results = lab.collect()
    assert set(summarise(results.cells)["seeds"]) == {1}
    assert [each.cell for each in results.missing] == ["m/pair/linear/seed1"]


def test_single_prompt_has_no_interval(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    lab.complete(cell, (0.7, 0.5), se=math.nan)
    found = pick(summarise(lab.collect().cells), "m", "linear", "b")
    assert math.isnan(found["delta_low"])
    assert not found["interfered"]


@pytest.mark.parametrize(
    ("algorithm", "objective"),
    [
        ("single-clarity", "clarity"),
        ("clarity", "clarity"),
        ("single-non-clarity", "non-clarity"),
        ("single", None),
        ("unclarity", None),
    ],
)
def test_a_reference_is_known_by_the_end_of_its_id(algorithm: str, objective: str | None) -> None:
    assert trained_on(algorithm, ("clarity", "non-clarity")) == objective
