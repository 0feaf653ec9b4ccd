"""Reports of a diagnosis, from made-up tracked runs: what counts, and what the tables say."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.samples import (
    KINDS,
    StepSample,
    prompt_covariances,
    reward_covariances,
    to_frame,
)
from benchmark.leaderboard.frames.geometry import QUANTITIES, model_table, relation_table
from benchmark.leaderboard.pages.diagnosis import diagnosis_page
from benchmark.leaderboard.pages.figures import (
    best_weights,
    interference_and_geometry,
    pl_ratios,
    predicted_and_realised,
    traces,
)
from benchmark.leaderboard.results.diagnosed import (
    Diagnosed,
    attribution_table,
    changes_table,
    collect_diagnoses,
    directions_table,
    law_table,
    steps_table,
    turned_table,
)
from benchmark.tracking.run import CellRun

from .lab import NAMES, Lab


def lawful(seed: int, slope: float = 1.0, prompts: int = 60) -> StepSample:
    """A step whose changes are ``slope`` times what every prediction says, up to noise."""
    generator = np.random.default_rng(seed)
    rewards = generator.normal(size=(prompts, 8, 2))
    signal = rewards @ np.array([1.0, generator.choice([-0.5, 0.5])])
    extended = np.concatenate([rewards, signal[..., None]], axis=2)
    predictors = {(kind, 1.0): prompt_covariances(extended, signal) for kind in KINDS}
    true = predictors["update", 1.0].mean(axis=0)[:2]
    noise = 0.01 * generator.normal(size=(prompts, 2))
    realised = {m: slope * m * true + noise for m in (1.0, 2.0)}
    return StepSample(
        predictors, reward_covariances(rewards, rewards), realised, {1.0: 0.0, 2.0: 0.3}
    )


def diagnose(
    lab: Lab,
    run_id: str,
    samples: dict[int, StepSample],
    folder: Path,
    names: Sequence[str] = NAMES,
    hash_: str = "d",
) -> None:
    """Track a diagnosis as the stage does."""
    file, why = folder / "diagnosis.parquet", ("weights 100%", "no <b>")
    to_frame(samples, names).to_parquet(file, index=False)
    with CellRun.attach(lab.uri, run_id) as run:
        run.artifact(file)
        run.tag(diagnosis_hash=hash_, attribution=json.dumps(dict(zip(names, why, strict=True))))


def test_diagnoses_count_if_of_the_present_hash(lab: Lab, tmp_path: Path) -> None:
    cells = [lab.expect("m", name) for name in ("linear", "ctwa", "tchebycheff")]
    ids = [lab.complete(cell, (0.6, 0.5)) for cell in cells]
    for run_id in ids[:2]:
        diagnose(lab, run_id, {0: lawful(0)}, tmp_path)
    hashes = dict(zip(cells, ("d", "newer", "d"), strict=True))
    found, missing = collect_diagnoses(lab.uri, lab.collect(), hashes)
    assert list(found) == [cells[0]]
    assert found[cells[0]].why == {"a": "weights 100%", "b": "no <b>"}
    assert missing == {cells[1]: "diagnosed by older code or settings", cells[2]: "not diagnosed"}


def test_without_a_diagnosis_the_remedy_is_named(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.6, 0.5))
    with pytest.raises(CrosstalkError, match="no cell is diagnosed; run `crosstalk diagnose`"):
        collect_diagnoses(lab.uri, lab.collect(), dict.fromkeys(lab.expected, "d"))


def test_a_deleted_artifact_is_named(lab: Lab) -> None:
    run_id = lab.complete(lab.expect("m", "linear"), (0.6, 0.5))
    with CellRun.attach(lab.uri, run_id) as run:
        run.tag(diagnosis_hash="d")
    with pytest.raises(
        CrosstalkError, match=f"run {run_id}: its artifact diagnosis.parquet is missing"
    ):
        collect_diagnoses(lab.uri, lab.collect(), dict.fromkeys(lab.expected, "d"))


@pytest.fixture
def diagnosed(lab: Lab) -> dict[str, Diagnosed]:
    """Two algorithms, of which the second moves half as far as predicted."""
    found = {}
    for algorithm, slope in (("linear", 1.0), ("ctwa", 0.5)):
        cell = lab.expect("m", algorithm)
        lab.complete(cell, (0.6, 0.5))
        samples = {step: lawful(step, slope) for step in (0, 5, 10)}
        why = {"a": "no decline at the diagnosed steps", "b": "weights 100%"}
        found[cell] = Diagnosed(lab.expected[cell], samples, why)
    return found


def test_the_law_table_has_slopes_and_splits(
    diagnosed: dict[str, Diagnosed],
) -> None:
    table = law_table(diagnosed.values())
    made = table[(table["value"] == "1") & (table["kind"] == "update")].set_index("algorithm")
    assert made.loc["linear", "slope"] == pytest.approx(1.0, abs=0.02)
    assert made.loc["ctwa", "slope"] == pytest.approx(0.5, abs=0.02)
    assert made.loc["all", "records"] == 12
    assert (made["resolved_agreement"] == 1.0).all()
    splits = table[(table["algorithm"] == "all") & (table["kind"] == "weight")]
    assert splits[["split", "value"]].agg(" ".join, axis=1).tolist() == [
        "all all",
        "step size 1",
        "step size 2",
        "clipped 0 to 0.01",
        "clipped 0.1 to 1",
    ]


def test_a_copied_algorithm_adds_nothing_to_the_law(lab: Lab) -> None:
    samples = {step: lawful(step) for step in (0, 5, 10)}
    cells = [lab.expected[lab.expect("m", name)] for name in ("linear", "copy")]
    pair, alone = ([Diagnosed(c, samples, {}) for c in part] for part in (cells, cells[:1]))
    both, one = (law_table(each) for each in (pair, alone))
    pooled = both[both["algorithm"] == "all"].drop(columns="repeated_steps")
    expected = one[one["algorithm"] == "all"].drop(columns="repeated_steps")
    pandas.testing.assert_frame_equal(
        pooled.reset_index(drop=True), expected.reset_index(drop=True)
    )
    assert set(both.loc[both["algorithm"] == "all", "repeated_steps"]) == {3.0}


def test_a_step_repeated_up_to_rounding_adds_nothing_to_the_law(lab: Lab) -> None:
    first = lawful(0)
    again = {kind: each * (1 + 1e-6) for kind, each in first.predictors.items()}
    cells = [lab.expected[lab.expect("m", name)] for name in ("linear", "ctwa")]
    samples = (first, replace(first, predictors=again))
    pair = [Diagnosed(c, {0: s}, {}) for c, s in zip(cells, samples, strict=True)]
    table = law_table(pair)
    pooled = table[(table["algorithm"] == "all") & (table["split"] == "all")]
    assert set(pooled["repeated_steps"]) == {1.0}
    assert set(pooled["records"]) == {4.0}  # two objectives at two step sizes
    assert set(table.loc[table["algorithm"] == "ctwa", "records"]) == {2.0}  # told of it alone


def test_changes_are_listed_beside_their_predictions(diagnosed: dict[str, Diagnosed]) -> None:
    table = changes_table(diagnosed.values())
    assert len(table) == 2 * 3 * 2 * 2
    linear = table[table["algorithm"] == "linear"]
    assert linear["realised"].to_numpy() == pytest.approx(linear["update"].to_numpy(), abs=0.01)
    assert linear["update"].to_numpy() == pytest.approx(
        linear["advantage"].to_numpy()
    )  # the signal is the update's


def test_the_page_names_interference_and_escapes_text(
    diagnosed: dict[str, Diagnosed], lab: Lab
) -> None:
    results = lab.collect()
    attribution = attribution_table(diagnosed, results.cells)
    assert attribution.set_index(["algorithm", "objective"])["interfered"].to_dict() == {
        ("linear", "a"): False,
        ("linear", "b"): True,
        ("ctwa", "a"): False,
        ("ctwa", "b"): True,
    }
    models = model_table(diagnosed.values(), results.cells)
    tables = {
        "law": law_table(diagnosed.values()),
        "steps": steps_table(diagnosed.values()),
        "attribution": attribution,
        "turned": pandas.DataFrame(
            [{"direction": "own batch, plain gradient", "falls": 0, "rises": 2, "unresolved": 1}]
        ).assign(steps=3),
        "models": models,
        "relation": relation_table(models),
    }
    page = diagnosis_page("<i>quick", tables, {"m/x": "not diagnosed"})
    assert "0 models have both values, 3 are needed" in page  # this one was not probed
    assert "# Diagnosis of the study &lt;i&gt;quick" in page
    assert "| own batch, plain gradient | 0 | 2 | 1 |" in re.sub(" +", " ", page)
    assert "Objectives fell 3 times although" in page
    assert "Diagnosed steps: 0, 5, 10." in page
    rows = [line for line in page.splitlines() if "weights 100%" in line]
    assert len(rows) == 2
    assert "- m/x: not diagnosed" in page


def test_a_models_geometry_is_taken_over_sets_and_pairs(lab: Lab) -> None:
    found = {}
    for objectives, least, optimal in (("pair", -0.5, 0.1), ("other", 0.1, 0.3)):
        cell = lab.expect("m", "linear", objectives=objectives)
        lab.complete(cell, (0.6, 0.5))
        geometry = {
            "geometry/cosine/a/b": least,
            "geometry/cosine/a/c": 0.9,
            "geometry/cosine/a/score": -1.0,
            "geometry/conflict/a/b": 0.5,
            "geometry/conflict/a/b/low": 0.0,
            "geometry/optimal_mass/score": optimal,
        }
        found[cell] = Diagnosed(lab.expected[cell], {}, {}, geometry)
    (row,) = model_table(found.values(), lab.collect().cells).to_dict("records")
    assert row["runs"] == 2
    assert row["interference_rate"] == 0.5
    assert row["smallest cosine of gradients"] == pytest.approx(-0.2)
    assert row["conflict rate"] == 0.5
    assert row["mass on optimal completions"] == pytest.approx(0.2)
    assert np.isnan(row["condition number"])


def test_why_is_told_with_the_share_of_the_decline_it_is_of(lab: Lab, tmp_path: Path) -> None:
    cell = lab.expect("m", "linear")
    run_id = lab.complete(cell, (0.6, 0.5))  # a rises by 0.2, b falls by 0.1
    diagnose(lab, run_id, {0: lawful(0)}, tmp_path)
    with CellRun.attach(lab.uri, run_id) as run:
        run.tag(diagnosed_declines=json.dumps({"a": 0.3, "b": 0.02}))
    results = lab.collect()
    found, _ = collect_diagnoses(lab.uri, results, {cell: "d"})
    assert results.cells["attribution"].tolist() == [
        "weights 100%",  # it rose: there is no decline to have a share of
        "no <b> (of 20% of its decline)",
    ]
    table = attribution_table(found, results.cells).set_index("objective")
    assert table.loc["b", "coverage"] == pytest.approx(0.2)
    assert np.isnan(table.loc["a", "coverage"])
    assert table.loc["b", "why"] == "no <b>"


def test_other_steps_are_counted_where_the_one_made_turned_the_sign(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    noise = np.random.default_rng(0).normal(size=(60, 3))
    noise = 0.01 * (noise - noise.mean(axis=0))
    step = lawful(0, prompts=60)
    values = {"advantage": (1, 1, 1), "update": (-1, 1, 1), "own/gradient": (1, 1, 1)}
    values |= {"own/optimizer": (-1, 1, 1), "held_out/gradient": (0, 1, 1)}
    values |= {"held_out/optimizer": (-1, 1, 1)}
    step = replace(
        step,
        predictors={**step.predictors, **{(k, 1.0): noise + v for k, v in values.items()}},
        realised={1.0: noise[:, :2] - 1},  # b falls too, but at first order it rises
        clipped={1.0: 0.0},
    )
    expected = lab.expected[cell]
    plain = Diagnosed(expected, {0: lawful(0)}, {})
    assert turned_table(directions_table([plain])).empty  # not measured there
    table = directions_table([Diagnosed(expected, {0: step, 5: step}, {}), plain])
    assert table[["step", "objective", "own/gradient"]].round(6).to_numpy().tolist() == [
        [0, "a", 1.0],
        [0, "b", 1.0],
        [5, "a", 1.0],
        [5, "b", 1.0],
    ]
    counts = turned_table(table)[["falls", "rises", "unresolved", "steps"]].to_numpy().tolist()
    assert counts == [[0, 2, 0, 2], [2, 0, 0, 2], [0, 0, 2, 2], [2, 0, 0, 2]]


def test_rounding_turns_no_sign_and_a_repeated_step_counts_once() -> None:
    directions = ("own/gradient", "own/optimizer", "held_out/gradient", "held_out/optimizer")
    place = {"model": "m", "objectives": "math", "seed": 0, "step": 0, "objective": "a"}
    turned = {"realised": -1.0, "signal": 0.1, "update": -0.5, **dict.fromkeys(directions, -1.0)}
    errors = {f"{name}_error": 1e-12 for name in turned}
    rows = [
        {**place, **turned, **errors, "algorithm": "linear"},
        {**place, **turned, **errors, "algorithm": "ctwa", "update": -0.5 - 1e-9},
        {**place, **turned, **errors, "algorithm": "still", "update": -0.4, "signal": 5e-12},
    ]
    assert turned_table(pandas.DataFrame(rows))["steps"].tolist() == [1] * 4


def test_a_set_that_another_contains_is_not_counted_twice(lab: Lab) -> None:
    found = {}
    for objectives, names in (("math", NAMES), ("alone", NAMES[:1])):
        cell = lab.expect("m", "linear", objectives=objectives, names=names, mixture="short")
        geometry = {"geometry/entropy": float(len(names))}
        found[cell] = Diagnosed(lab.expected[cell], {}, {}, geometry)
    lab.complete(next(iter(found)), (0.6, 0.5))
    cells = lab.collect().cells
    inner = cells[cells["objective"] == "a"].assign(objectives="alone")
    (row,) = model_table(found.values(), pandas.concat([cells, inner])).to_dict("records")
    assert (row["mixture"], row["runs"], row["entropy"]) == ("short", 1, 2.0)
    assert row["interference_rate"] == 0.5  # b of a and b; a alone is no further one


def test_samples_of_a_recipe_are_models_of_their_own(lab: Lab) -> None:
    found = {}
    for number, finals in ((1, (0.6, 0.5)), (2, (0.6, 0.7))):
        cell = lab.expect("m", "linear", seed=number * 1000, mixture="short")
        lab.complete(cell, finals)
        expected = replace(lab.expected[cell], sample=f"m.{number}")
        found[cell] = Diagnosed(expected, {}, {}, {"geometry/entropy": float(number)})
    table = model_table(found.values(), lab.collect().cells).set_index("model")
    assert table["entropy"].to_dict() == {"m.1": 1.0, "m.2": 2.0}
    assert table["interference_rate"].to_dict() == {"m.1": 0.5, "m.2": 0.0}
    assert table["mixture"].tolist() == ["short", "short"]


def test_relations_are_within_mixtures() -> None:
    rates = [0.0, 0.2, 0.1, 0.8, 1.0, 0.9]
    columns = {name: [3, 1, 2, 13, 11, 12] for name in QUANTITIES}
    outcomes = {"interference_rate": rates, "severity": rates}
    models = pandas.DataFrame({"mixture": list("aaabbb"), **outcomes, **columns})
    table = relation_table(models)
    assert table["correlation"].to_numpy() == pytest.approx(np.full(len(table), -1.0))
    assert (table["strata"] == 2).all()


def test_figures_lie_with_their_data(
    diagnosed: dict[str, Diagnosed], lab: Lab, tmp_path: Path
) -> None:
    predicted_and_realised(changes_table(diagnosed.values()), tmp_path)
    best_weights(steps_table(diagnosed.values()), tmp_path)
    curves = steps_table(diagnosed.values()).melt(
        ["algorithm", "step"], ["covariance/score/a", "covariance/score/b"], "metric"
    )
    traces(curves, ("a", "b"), tmp_path, "traces")
    steps = steps_table(diagnosed.values())
    pl_ratios(
        steps.assign(**{"geometry/pl_ratio/a": 0.1, "geometry/pl_ratio/a/low": 0.0}), tmp_path
    )
    interference_and_geometry(model_table(diagnosed.values(), lab.collect().cells), tmp_path)
    figures = ("predicted-and-realised", "best-weights", "traces", "pl-ratios")
    for name in (*figures, "interference-and-geometry"):
        assert {p.suffix for p in tmp_path.glob(f"{name}.*")} == {".svg", ".png", ".csv"}
