"""Which tracked runs count, and the tidy table made of them."""

import math
import sqlite3

import pandas
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.cells import Missing
from benchmark.leaderboard.results.table import Table
from benchmark.tracking.store import connect

from .lab import Lab


def row(results: Table, cell: str, objective: str) -> pandas.Series:
    wanted, cells = results.expected[cell], results.cells
    rows = cells[
        (cells["model"] == wanted.model)
        & (cells["algorithm"] == wanted.algorithm)
        & (cells["seed"] == wanted.seed)
        & (cells["objective"] == objective)
    ]
    assert len(rows) == 1
    return rows.iloc[0]


def test_a_row_holds_the_values_of_a_run_and_an_objective(results: Table) -> None:
    found = row(results, "m/pair/linear/seed0", "b")
    assert found["initial"] == pytest.approx(0.6)
    assert found["final"] == pytest.approx(0.5)
    assert found["delta"] == pytest.approx(-0.1)
    assert found["delta_se"] == pytest.approx(0.01)
    assert found["score_delta"] == pytest.approx((0.2 - 0.1) / 2)
    assert found["worst_change"] == pytest.approx(-0.1)
    assert found["hypervolume_gain"] == 0  # b fell
    assert (found["tokens"], found["tokens_initial"]) == (20, 30)


def test_interference_is_judged_by_paired_intervals(results: Table) -> None:
    flags = {
        (algorithm, objective): bool(
            row(results, f"m/pair/{algorithm}/seed0", objective).interfered
        )
        for algorithm in ("linear", "ctwa", "single-a", "single-b")
        for objective in ("a", "b")
    }
    assert [key for key, flag in flags.items() if flag] == [
        ("linear", "b"),
        ("single-a", "b"),
        ("single-b", "a"),
    ]


def test_fall_within_its_interval_is_no_interference(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    lab.complete(cell, (0.9, 0.58), se=0.0102)  # 0.02 < 1.984 * 0.0102
    assert not row(lab.collect(), cell, "b")["interfered"]


def test_failed_training_is_no_interference(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    lab.complete(cell, (0.41, 0.5))  # the score fell
    assert not row(lab.collect(), cell, "b")["interfered"]


def test_files_rates_and_marks_have_one_verdict(lab: Lab) -> None:
    """Of two seeds one fell for sure and one rose: by itself the first would be marked."""
    for seed, b in enumerate((0.5, 0.65)):
        lab.complete(lab.expect("m", "linear", seed=seed), (0.9, b))
    frames = Frames(lab.collect())
    assert not frames.results.cells["interfered"].any()
    assert not frames.summary["interfered"].any()
    assert frames.overall.table["interference_rate"].iloc[0] == 0
    assert list(frames.results.cells["fell_in_run"]) == [False, True, False, False]


def test_drop_from_best_comes_from_the_validation_curves(results: Table) -> None:
    assert row(results, "m/pair/linear/seed0", "a")["drop_from_best"] == pytest.approx(0.1)
    assert row(results, "m/pair/linear/seed0", "b")["drop_from_best"] == pytest.approx(0.1)
    assert row(results, "m/pair/ctwa/seed0", "b")["drop_from_best"] == 0


def test_run_without_curves_has_no_drop(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    run = lab.start(cell)
    lab.log(run, cell, (0.5, 0.7))
    run.end("complete")
    assert math.isnan(row(lab.collect(), cell, "a")["drop_from_best"])


def test_rows_follow_the_order_of_the_study(lab: Lab) -> None:
    first, second = lab.expect("m", "linear"), lab.expect("m", "ctwa")
    lab.complete(second, (0.5, 0.7))
    lab.complete(first, (0.5, 0.7))
    assert list(lab.collect().cells["algorithm"]) == ["linear", "linear", "ctwa", "ctwa"]


class TestWhichRunsCount:
    def test_every_missing_cell_has_a_reason(self, lab: Lab) -> None:
        algorithms = ["done", "never", "running", "trained", "failed", "killed", "older", "bare"]
        cells = {name: lab.expect("m", name) for name in algorithms}
        lab.complete(cells["done"], (0.5, 0.7))
        lab.start(cells["running"])
        for name in ("trained", "failed", "killed"):
            lab.start(cells[name]).end(name)
        lab.complete(cells["older"], (0.5, 0.7), cell_hash="before the edit")
        lab.start(cells["bare"]).end("complete")
        results = lab.collect()
        assert results.missing == (
            Missing(cells["never"], "never started"),
            Missing(cells["running"], "still running, or killed before it could report"),
            Missing(cells["trained"], "trained, not evaluated"),
            Missing(cells["failed"], "failed"),
            Missing(cells["killed"], "killed"),
            Missing(cells["older"], "only of older code or settings"),
            Missing(
                cells["bare"],
                "evaluated without test/a/initial, test/a, test/a/delta, test/b/initial, test/b, "
                "test/b/delta, test/score/delta, test/tokens, test/tokens/initial, test/prompts",
            ),
        )
        assert list(results.cells["algorithm"].unique()) == ["done"]

    def test_a_diverged_cell_says_what_diverged(self, lab: Lab) -> None:
        what = "diverged: after 7 of 9 updates: the loss is nan"
        cell = lab.expect("m", "linear")
        run = lab.start(cell)
        run.tag(diverged=what)
        run.end("failed")
        lab.complete(lab.expect("m", "ctwa"), (0.5, 0.7))
        assert lab.collect().missing == (Missing(cell, what),)

    def test_superseded_run_does_not_count(self, lab: Lab) -> None:
        cell, other = lab.expect("m", "linear"), lab.expect("m", "ctwa")
        lab.complete(other, (0.5, 0.7))
        lab.complete(cell, (0.5, 0.7))
        retry = lab.start(cell)
        retry.end("failed")
        assert lab.collect().missing == (Missing(cell, "failed"),)
        connect(lab.uri).delete_run(retry.run_id)
        assert lab.collect().missing == (Missing(cell, "superseded by a deleted run"),)

    def test_retry_counts_in_place_of_what_it_superseded(self, lab: Lab) -> None:
        cell = lab.expect("m", "linear")
        lab.start(cell).end("failed")
        lab.complete(cell, (0.5, 0.7))
        latest = lab.complete(cell, (0.9, 0.7))
        results = lab.collect()
        assert results.origins[cell].run_id == latest
        assert row(results, cell, "a")["final"] == pytest.approx(0.9)

    def test_latest_of_several_complete_runs_counts(self, lab: Lab) -> None:
        cell = lab.expect("m", "linear")
        first = lab.complete(cell, (0.5, 0.7))
        latest = lab.complete(cell, (0.9, 0.7))
        connect(lab.uri).set_tag(first, "status", "complete")  # a process died while superseding
        assert lab.collect().origins[cell].run_id == latest

    def test_the_later_attempt_counts_not_the_clock(self, lab: Lab) -> None:
        cell = lab.expect("m", "linear")
        first = lab.complete(cell, (0.5, 0.7))
        latest = lab.complete(cell, (0.9, 0.7))
        connect(lab.uri).set_tag(first, "status", "complete")
        with sqlite3.connect(lab.uri.removeprefix("sqlite:///")) as connection:  # three days on
            connection.execute(
                "UPDATE runs SET start_time = start_time + 259200000 WHERE run_uuid = ?", (first,)
            )
        assert lab.collect().origins[cell].run_id == latest

    def test_cells_outside_the_study_are_left_out(self, lab: Lab) -> None:
        cell, gone = lab.expect("m", "linear"), lab.expect("m", "gone")
        lab.complete(cell, (0.5, 0.7))
        lab.complete(gone, (0.5, 0.7))
        del lab.expected[gone]
        assert list(lab.collect().origins) == [cell]

    def test_nothing_finished_is_one_line_with_a_tally(self, lab: Lab) -> None:
        lab.expect("m", "ctwa")
        lab.expect("n", "ctwa")
        with pytest.raises(CrosstalkError, match="its 2 cells: 2 never started"):
            lab.collect()
        lab.start(lab.expect("m", "linear")).end("failed")
        with pytest.raises(CrosstalkError, match="3 cells: 2 never started; 1 failed"):
            lab.collect()

    def test_foreign_runs_are_left_out(self, lab: Lab) -> None:
        cell = lab.expect("m", "linear")
        lab.complete(cell, (0.5, 0.7))
        client = connect(lab.uri)
        client.create_run(client.get_experiment_by_name("quick").experiment_id)
        assert list(lab.collect().origins) == [cell]
