"""Algorithms against `linear` on the same seeds, computed by hand."""

import shutil
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy import stats

from benchmark.leaderboard.frames.against import against_baseline

from .lab import Lab

# Final values of objective b by seed, whose initial value is 0.6; a rises throughout.
WORST = {
    "linear": (0.50, 0.52, 0.48),
    "ctwa": (0.60, 0.63, 0.60),  # 0.10, 0.11 and 0.12 above linear's
    "mgda": (0.50, 0.49, 0.54),  # 0, -0.03 and 0.06
}


@pytest.fixture(scope="module")
def seeded(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A store of these runs. Only read it."""
    store = tmp_path_factory.mktemp("against") / "mlflow.db"
    shutil.copy(empty_store, store)
    lab = Lab(f"sqlite:///{store}")
    for algorithm, finals in WORST.items():
        for seed, final in enumerate(finals):
            lab.complete(lab.expect("m", algorithm, seed=seed), (0.9, final))
    lab.complete(lab.expect("m", "single-a"), (0.9, 0.1))
    return lab


def test_differences_are_paired_by_seed_and_references_are_left_out(seeded: Lab) -> None:
    table = against_baseline(seeded.collect().cells).set_index("algorithm")
    assert list(table.index) == ["ctwa", "mgda"]
    error = 0.01 / np.sqrt(3)
    assert table.loc["ctwa", "difference"] == pytest.approx(0.11)
    assert table.loc["ctwa", "difference_high"] == pytest.approx(0.11 + 4.302653 * error)
    assert table.loc["ctwa", "p"] == pytest.approx(2 * stats.t.sf(0.11 / error, 2))
    assert table.loc["mgda", "difference"] == pytest.approx(0.01)
    assert (table["places"] == 1).all()
    assert (table["seeds"] == 3).all()


def test_p_values_are_corrected_for_their_number(seeded: Lab) -> None:
    table = against_baseline(seeded.collect().cells).set_index("algorithm")
    assert table.loc["ctwa", "p_adjusted"] == pytest.approx(2 * table.loc["ctwa", "p"])
    assert table.loc["mgda", "p_adjusted"] == table.loc["mgda", "p"]


def test_a_detectable_difference_is_found_as_often_as_it_says(seeded: Lab) -> None:
    found = against_baseline(seeded.collect().cells).set_index("algorithm").loc["ctwa"]
    generator = np.random.default_rng(0)  # studies of 3 seeds whose differences spread by 0.01
    studies = generator.normal(found["detectable"], 0.01, size=(4000, 3))
    seen = stats.ttest_1samp(studies, 0, axis=1).pvalue < 0.05
    assert seen.mean() == pytest.approx(0.8, abs=0.02)


def test_one_seed_leaves_the_difference_alone_and_no_table(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.9, 0.5))
    lab.complete(lab.expect("m", "ctwa"), (0.9, 0.6))
    row = against_baseline(lab.collect().cells).iloc[0]
    assert row["difference"] == pytest.approx(0.1)
    assert row[["difference_low", "p", "p_adjusted", "detectable"]].isna().all()
    assert "Against linear" not in lab.page()


def test_without_a_baseline_the_table_is_empty(lab: Lab) -> None:
    lab.complete(lab.expect("m", "ctwa"), (0.9, 0.6))
    table = against_baseline(lab.collect().cells)
    assert table.empty
    assert isinstance(table, pandas.DataFrame)


def test_what_is_significant_is_marked_on_the_page(seeded: Lab) -> None:
    text = seeded.page()
    (ctwa,) = [line for line in text.splitlines() if line.startswith("| ctwa") and "0.110" in line]
    (mgda,) = [line for line in text.splitlines() if line.startswith("| mgda") and "0.010" in line]
    assert "\\*" in ctwa
    assert "\\*" not in mgda
