"""Objectives of the evaluation alone: shown and marked in the tables, and counted nowhere."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.files import APART, DICTIONARY
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.dictionary import COLUMNS
from benchmark.leaderboard.pages.sheet import Flag, Sheet
from benchmark.leaderboard.pages.sheets import all_sheets
from benchmark.leaderboard.results.joining import join
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.writing import contents, csv_frames, write_leaderboard

from .lab import FINALS, PROMPTS, Lab

pytestmark = pytest.mark.xdist_group("site")
FELL = 0.3  # c of model m under linear, from 0.8


def fill(lab: Lab, *, apart: bool) -> Table:
    """Log the made-up study, its runs evaluated by c as well."""
    for (model, algorithm), finals in FINALS.items():
        cell = lab.expect(model, algorithm)
        if apart:
            lab.expected[cell] = replace(lab.expected[cell], evaluation_only=("c",))
        run = lab.start(cell)
        lab.log(run, cell, finals)
        after = FELL if (model, algorithm) == ("m", "linear") else 0.9
        metrics = {"test/c": after, "test/c/initial": 0.8, "test/c/delta": after - 0.8}
        run.log(20, metrics | {"test/c/delta_se": 0.01})
        run.end("complete")
    return lab.collect()


@pytest.fixture(scope="module")
def table(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Table:
    """The made-up study's results. Only read them."""
    store = tmp_path_factory.mktemp("apart") / "mlflow.db"
    shutil.copy(empty_store, store)
    return fill(Lab(f"sqlite:///{store}"), apart=True)


def place(table: Table) -> Sheet:
    return next(sheet for sheet in all_sheets(Frames(table)) if sheet.name == "m-pair")


def test_its_column_is_marked_and_has_no_place(table: Table) -> None:
    sheet = place(table)
    assert sheet.header[:4] == ["algorithm", "a", "b", "c (evaluation only)"]
    assert sheet.lead.endswith("For evaluation only, in no score, verdict, rank or rate: c.")
    assert sheet.details["c (evaluation only)"] == ["start 0.800"]
    cells = {row[0].text: row[3] for row in sheet.rows}
    assert cells["linear"].words == "0.300, -0.500 ± 0.020"
    assert all((cell.place, cell.flag) == (0, Flag.NONE) for cell in cells.values())


def test_every_other_table_is_as_without_it(table: Table) -> None:
    plain = replace(
        table,
        expected={name: replace(c, evaluation_only=()) for name, c in table.expected.items()},
        apart=pandas.DataFrame(),
    )
    with_it, without = contents(Frames(table)), contents(Frames(plain))
    assert with_it.keys() - without.keys() == {APART}
    changed = {name for name in without if with_it[name] != without[name]}
    assert changed == {DICTIONARY, "leaderboard.md", "tables.tex"}
    shown = [
        [repr(sheet) for sheet in all_sheets(Frames(each)) if sheet.kind != "group"]
        for each in (table, plain)
    ]
    assert shown[0] == shown[1]


def test_its_file_holds_a_row_an_algorithm_and_place(table: Table) -> None:
    frames = csv_frames(Frames(table))
    rows = frames[APART].set_index(["model", "algorithm"])
    assert len(rows) == len(FINALS)
    row = rows.loc[("m", "linear")]
    assert row[["objective", "seeds", "interval"]].tolist() == ["c", 1, "prompts"]
    assert (row["initial"], row["final"]) == pytest.approx((0.8, FELL))
    assert row["delta_high"] - row["delta"] == pytest.approx(1.984 * 0.01, abs=1e-5)
    assert set(frames[APART].columns) <= set(COLUMNS)
    assert PROMPTS == 101  # of which the quantile is


def test_a_run_evaluated_without_it_does_not_count(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    lab.complete(cell, (0.6, 0.5))
    assert len(lab.collect().cells) == 2
    lab.expected[cell] = replace(lab.expected[cell], evaluation_only=("c",))
    with pytest.raises(CrosstalkError, match="1 evaluated without test/c/initial, test/c, test/"):
        lab.collect()


def test_joined_studies_keep_it(table: Table) -> None:
    other = replace(table, study="other", expected={}, cells=table.cells[:0], origins={})
    other = replace(other, costs=table.costs[:0], apart=table.apart[:0])
    joined = join([table, other], allow_mixed=True)
    assert len(joined.apart) == len(table.apart)
    assert set(joined.apart["objectives"]) == set(joined.cells["objectives"])


def test_its_file_goes_when_it_does(table: Table, tmp_path: Path) -> None:
    write_leaderboard(Frames(table), tmp_path, ["csv"])
    assert (tmp_path / APART).is_file()
    write_leaderboard(Frames(replace(table, apart=pandas.DataFrame())), tmp_path, ["csv"])
    assert not (tmp_path / APART).exists()
