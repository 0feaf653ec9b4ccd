"""Make the notebook of ``examples/results.py``: ``python dev/notebook.py`` runs it and writes it.

A cell of the script begins at ``# %%``, one of text at ``# %% [markdown]``; a line ``# %magic`` is
for the notebook alone. ``--check`` says whether the notebook is that of the script.
"""

import re
import sys
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parents[1]
SCRIPT, NOTEBOOK = ROOT / "examples" / "results.py", ROOT / "examples" / "results.ipynb"
SECONDS = 600  # that a cell may take
_CELL = re.compile(r"^# %%(.*)\n", re.M)


def of_script(text: str) -> nbformat.NotebookNode:
    """Return the notebook of a script, without outputs."""
    _, *parts = _CELL.split(text)
    cells = []
    for number, (kind, body) in enumerate(zip(parts[::2], parts[1::2], strict=True)):
        if kind.strip() == "[markdown]":
            cell = nbformat.v4.new_markdown_cell(re.sub(r"^# ?", "", body.strip(), flags=re.M))
        else:
            cell = nbformat.v4.new_code_cell(re.sub(r"^# (?=%\w)", "", body.strip(), flags=re.M))
        cell["id"] = f"cell-{number}"
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def executed(notebook: nbformat.NotebookNode, folder: Path) -> nbformat.NotebookNode:
    """Run a notebook in a folder; a cell that raises ends it."""
    from nbclient import NotebookClient

    NotebookClient(
        notebook, timeout=SECONDS, kernel_name="python3", resources={"metadata": {"path": folder}}
    ).execute()
    for cell in notebook["cells"]:
        cell["metadata"].pop("execution", None)  # when it was run
    return notebook


def sources(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    return [(cell["cell_type"], cell["source"]) for cell in notebook["cells"]]


def as_markdown(file: Path) -> str:
    """Return a notebook with its outputs as a page."""
    parts = []
    for cell in nbformat.read(file, as_version=4)["cells"]:
        if cell["cell_type"] == "markdown":
            parts.append(cell["source"])
        else:
            parts += [f"```python\n{cell['source']}\n```", *map(_shown, cell["outputs"])]
    return "\n\n".join(parts) + "\n"


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "image/png" in data:
        return f"![What the cell draws](data:image/png;base64,{data['image/png'].strip()})"
    text = output.get("text") or data.get("text/plain", "")
    return f"```text\n{text.rstrip()}\n```"


def main() -> int:
    made = of_script(SCRIPT.read_text(encoding="utf-8"))
    if "--check" in sys.argv:
        return int(sources(made) != sources(nbformat.read(NOTEBOOK, as_version=4)))
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(executed(made, Path(folder)), NOTEBOOK)
    return 0


if __name__ == "__main__":
    sys.exit(main())
