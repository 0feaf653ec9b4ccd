"""``crosstalk law``: measure how far the covariance law holds, on policies small enough to list.

The same arguments give the same table, figures and data.
"""

from pathlib import Path

from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.common.tables import csv_text
from benchmark.diagnosis.exact.experiment import measure
from benchmark.diagnosis.exact.figures import draw
from benchmark.diagnosis.exact.report import report


def law(problems: int, seed: int, folder: Path) -> str:
    """Measure the law, write ``law.txt``, tables and figures into ``folder``; return the text."""
    results = measure(problems, seed)
    text = report(results, problems, seed)
    write_text(folder / "law.txt", text)
    for name, table in results.tables().items():
        write_text(folder / f"{name}.csv", csv_text(table))
    draw(results, folder)
    return f"{text}\nFigures and data: {relative(folder)}"
