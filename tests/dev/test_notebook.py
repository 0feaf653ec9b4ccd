"""The notebook is the example, and runs from the first cell to the last."""

from pathlib import Path

import nbformat
import pytest
from notebook import NOTEBOOK, SCRIPT, as_markdown, executed, of_script, sources


def test_the_notebook_is_that_of_the_example() -> None:
    made = of_script(SCRIPT.read_text())
    assert sources(made) == sources(nbformat.read(NOTEBOOK, as_version=4)), "run dev/notebook.py"


def test_magics_are_for_the_notebook_alone() -> None:
    (text, code) = of_script(
        "# %% [markdown]\n# # Title\n#\n# Words.\n\n# %%\n# %magic\nx = 1\n"
    ).cells
    assert text.source == "# Title\n\nWords."
    assert code.source == "%magic\nx = 1"


def test_a_page_shows_what_the_cells_gave() -> None:
    page = as_markdown(NOTEBOOK)
    assert "![What the cell draws](data:image/png;base64," in page
    assert "ctwa loses less than linear with probability" in page


@pytest.mark.slow
def test_the_notebook_runs(tmp_path: Path) -> None:
    made = executed(of_script(SCRIPT.read_text()), tmp_path)
    assert (tmp_path / "gain-and-loss.svg").stat().st_size
    kinds = {
        kind for cell in made.cells for o in cell.get("outputs", []) for kind in o.get("data", {})
    }
    assert "image/png" in kinds
    last = "".join(output.get("text", "") for output in made.cells[-1]["outputs"])
    assert "ctwa" in last
