"""Reports of a diagnosis, from made-up tracked runs: what counts, and what the tables say."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.diagnosis.samples import KINDS, StepSample, prompt_covariances, to_frame
from benchmark.leaderboard.frames.geometry import model_table, relation_table
from benchmark.leaderboard.pages.diagnosis import diagnosis_page
from benchmark.leaderboard.pages.figures import (
    avoidability,
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
    law_table,
    steps_table,
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
    columns = [prompt_covariances(rewards, rewards[..., column]) for column in range(len(NAMES))]
    true = predictors["update", 1.0].mean(axis=0)[:2]
    noise = 0.01 * generator.normal(size=(prompts, 2))
    realised = {m: slope * m * true + noise for m in (1.0, 2.0)}
    return StepSample(predictors, np.stack(columns, axis=2), realised, {1.0: 0.0, 2.0: 0.3})


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
    table = law_table(diagnosed.values(), resamples=50)
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
        "law": law_table(diagnosed.values(), resamples=50),
        "steps": steps_table(diagnosed.values()),
        "attribution": attribution,
        "models": models,
        "relation": relation_table(models),
    }
    page = diagnosis_page("<i>quick", tables, {"m/x": "not diagnosed"})
    assert "0 models have both values, 3 are needed" in page  # this one was not probed
    assert "# Diagnosis of the study &lt;i&gt;quick" in page
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


def test_figures_lie_with_their_data(
    diagnosed: dict[str, Diagnosed], lab: Lab, tmp_path: Path
) -> None:
    predicted_and_realised(changes_table(diagnosed.values()), tmp_path)
    avoidability(steps_table(diagnosed.values()), tmp_path)
    curves = steps_table(diagnosed.values()).melt(
        ["algorithm", "step"], ["covariance/score/a", "covariance/score/b"], "metric"
    )
    traces(curves, ("a", "b"), tmp_path, "traces")
    steps = steps_table(diagnosed.values())
    pl_ratios(
        steps.assign(**{"geometry/pl_ratio/a": 0.1, "geometry/pl_ratio/a/low": 0.0}), tmp_path
    )
    interference_and_geometry(model_table(diagnosed.values(), lab.collect().cells), tmp_path)
    figures = ("predicted-and-realised", "avoidability", "traces", "pl-ratios")
    for name in (*figures, "interference-and-geometry"):
        assert {p.suffix for p in tmp_path.glob(f"{name}.*")} == {".svg", ".png", ".csv"}
