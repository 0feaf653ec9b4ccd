import subprocess
import sys
from pathlib import Path

import matplotlib
import pandas
import pytest
from matplotlib.figure import Figure
from PIL import Image

from benchmark.common.errors import CrosstalkError
from benchmark.common.figures import STYLE, escape, panels, save, series_style, styled

DATA = pandas.DataFrame({"x": [1, 2], "y": [0.123456789, 1.0]})


def draw(label: str = "linear") -> Figure:
    with styled():
        figure, (left, right) = panels(1, 2)
        left.plot(DATA["x"], DATA["y"], label=escape(label), **series_style(0))
        right.set_title(escape(label))
        left.legend()
    return figure


def test_a_figure_is_saved_with_its_data(tmp_path: Path) -> None:
    paths = save(draw(), tmp_path / "new", "curve", DATA)
    assert [path.name for path in paths] == ["curve.svg", "curve.png", "curve.csv"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(
        path.name for path in paths
    )
    assert paths[0].read_text().startswith("<?xml")
    assert Image.open(paths[1]).size == (1152, 464)  # 2 x 3.6 by 2.9 inches, 160 an inch
    assert paths[2].read_text() == "x,y\n1,0.123457\n2,1\n"


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (save(draw(), tmp_path / name, "curve", DATA) for name in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert "<dc:date>" not in first[0].read_text()


@pytest.mark.parametrize(
    "label", ["$x^2$", "cost $1 to $2", "_hidden", "a_b^c", r"\alpha $", "<b>"]
)
def test_text_from_data_is_shown_as_it_is(label: str, tmp_path: Path) -> None:
    with styled():
        matplotlib.rcParams["svg.fonttype"] = "none"  # text as text, to be read here
        figure, (axis,) = panels()
        axis.plot([0, 1], [0, 1], label=escape(label))
        shown = axis.legend().get_texts()[0]
        figure.savefig(tmp_path / "text.svg")
    svg = (tmp_path / "text.svg").read_text().replace("&lt;", "<").replace("&gt;", ">")
    assert f"{label}</text>" in svg.replace("\N{ZERO WIDTH SPACE}", ">")
    assert shown.get_parse_math()


def test_the_style_ends_with_its_block() -> None:
    before = dict(matplotlib.rcParams)
    with styled():
        assert matplotlib.rcParams["svg.hashsalt"] == STYLE["svg.hashsalt"]
    assert dict(matplotlib.rcParams) == before


def test_series_differ_by_colour_marker_and_line() -> None:
    styles = [series_style(index) for index in range(35)]
    assert len({(style["color"], str(style["linestyle"])) for style in styles}) == 35
    for key in ("color", "marker"):
        assert len({style[key] for style in styles[:7]}) == 7


def test_the_palette_is_told_apart_in_grey() -> None:
    """Neighbouring series differ in lightness or, where they do not, in marker and line."""
    for one, other in zip(range(6), range(1, 7), strict=True):
        first, second = series_style(one), series_style(other)
        assert first["marker"] != second["marker"]
        assert first["linestyle"] != second["linestyle"]


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CrosstalkError, match="cannot be written"):
        save(draw(), tmp_path / "file", "curve", DATA)


@pytest.mark.slow
def test_pyplot_is_not_loaded() -> None:
    code = (
        "import sys, benchmark.leaderboard.pages.figures; print('matplotlib.pyplot' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
