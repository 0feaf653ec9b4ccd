"""The published tables: what their cells hold, and that every writer shows the same ones."""

import math
from html.parser import HTMLParser

import pytest

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages import markdown
from benchmark.leaderboard.pages.markdown import minus
from benchmark.leaderboard.pages.sheet import Cell, Flag, Sheet, podium
from benchmark.leaderboard.pages.sheets import BY_MODEL, all_sheets
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.writing import contents

from .lab import Lab

pytestmark = pytest.mark.xdist_group("site")


@pytest.fixture(scope="module")
def sheets(results: Table) -> dict[str, Sheet]:
    return {sheet.name: sheet for sheet in all_sheets(Frames(results))}


def cell(sheet: Sheet, row: str, column: str) -> Cell:
    (found,) = [cells for cells in sheet.rows if cells[0].text == row]
    return found[sheet.header.index(column)]


def test_tables_stand_in_the_order_of_a_page(sheets: dict[str, Sheet]) -> None:
    comparisons = ["overall", "gain-and-loss", "by-model", "dependence"]
    assert list(sheets) == [*comparisons, "m-pair", "matrix-m-pair", "n-pair", "matrix-n-pair"]


def test_a_value_is_held_with_its_interval(sheets: dict[str, Sheet]) -> None:
    rank = cell(sheets["gain-and-loss"], "linear", "mean rank")
    assert (rank.text, rank.value) == ("1.75", 1.75)
    assert rank.bounds == f"{rank.low:.2f}–{rank.high:.2f}"
    rate = cell(sheets["overall"], "linear", "interference rate")
    assert rate.words == f"25.0% ({100 * rate.low:.1f}–{100 * rate.high:.1f})"
    assert rate.value == 0.25


def test_an_objective_is_held_with_its_change(sheets: dict[str, Sheet]) -> None:
    lost = cell(sheets["m-pair"], "linear", "b")
    assert (lost.text, lost.flag) == ("0.500", Flag.INTERFERED)
    assert lost.value == pytest.approx(0.5)
    assert lost.change is not None
    assert (lost.change.text, lost.change.bounds) == ("-0.100", "± 0.020")
    assert lost.change.high - lost.change.value == pytest.approx(0.01984, abs=1e-5)
    assert lost.words == "0.500, -0.100 ± 0.020"
    assert sheets["m-pair"].details["b"] == ["weight 0.5", "start 0.600"]
    assert sheets["m-pair"].lead == "Weights: a 0.5, b 0.5."


def test_the_best_of_a_column_are_told(sheets: dict[str, Sheet]) -> None:
    group = sheets["m-pair"]
    places = {row: cell(group, row, "a").place for row in ("linear", "ctwa", "single-a")}
    assert places == {"linear": 1, "ctwa": 2, "single-a": 0}
    assert cell(sheets["overall"], "ctwa", "worst gain").place == 1
    assert cell(sheets["overall"], "linear", "worst gain").place == 0  # it gained with a loss


@pytest.mark.parametrize(
    ("values", "lower", "places"),
    [
        ([1.0, 3.0, 2.0, 9.0], False, [0, 1, 2, 0]),  # the last is a reference
        ([1.0, 3.0, 2.0, 9.0], True, [1, 0, 2, 0]),
        (
            [2.0, 2.0004, 1.0, 9.0],
            False,
            [1, 1, 0, 0],
        ),  # alike as far as shown
        ([1.0, 1.0, 1.0, 9.0], False, [0, 0, 0, 0]),
        ([1.0, float("nan"), float("nan"), 9.0], False, [0, 0, 0, 0]),
        ([1.0, float("nan"), 2.0, 9.0], False, [2, 0, 1, 0]),
    ],
)
def test_the_podium_is_for_competitors(values: list[float], lower: bool, places: list[int]) -> None:
    assert podium(values, [True, True, True, False], lower=lower) == places


class Cells(HTMLParser):
    """The words of a page's table cells, without spaces."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("td", "th"):
            self.texts.append("")
            self.inside = True

    def handle_endtag(self, tag: str) -> None:
        self.inside &= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.texts[-1] += "".join(data.split())


def on_the_page(cell: Cell) -> str:
    """Return what a cell says on the web page, without spaces."""
    told = "".join([cell.text, cell.bounds, "reference" if cell.flag == Flag.REFERENCE else ""])
    if cell.change:
        mark = "▼interferedwith" if cell.flag == Flag.INTERFERED else ""
        told = minus(f"{told}{mark}{cell.change.text}{cell.change.bounds}")
    return "".join((told if math.isnan(cell.value) else minus(told)).split())


def test_every_writer_shows_every_cell(study_lab: Lab, sheets: dict[str, Sheet]) -> None:
    files = contents(Frames(study_lab.collect()), store=study_lab.uri)
    shown = set(Cells(files["index.html"]).texts)
    for sheet in sheets.values():
        cells = [cell for row in sheet.rows for cell in row]
        signs = ("$+$", "+"), ("$-$", "-"), ("{-}", "-"), (r"$\pm$", "±"), ("--", "–"), (r"\%", "%")
        tex = files["tables.tex"]
        for sign, plain in signs:
            tex = tex.replace(sign, plain)
        assert all(cell.words in tex for cell in cells)
        if sheet.name != BY_MODEL:
            assert all(markdown.escape(cell.words) in files["leaderboard.md"] for cell in cells)
            assert {on_the_page(cell) for cell in cells} <= shown
