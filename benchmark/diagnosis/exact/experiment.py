"""``crosstalk law``: how far the covariance law holds, on policies that can be enumerated.

The same arguments give the same table, figures and data.
"""

from pathlib import Path

import numpy as np

from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.diagnosis.exact.convergence import bounds, example, optimum
from benchmark.diagnosis.exact.figures import draw
from benchmark.diagnosis.exact.measures import clipping, disagreements, margins, orders
from benchmark.diagnosis.exact.problems import random_problems
from benchmark.diagnosis.exact.report import Results, report

BOUND_PROBLEMS = 10_000


def run(problems: int, seed: int, folder: Path) -> str:
    """Measure the law, write ``law.txt``, tables and figures into ``folder``; return the text.

    Args:
        problems: How many random problems.
        seed: Of the random generator.
        folder: Created if need be.

    Raises:
        CrosstalkError: The folder cannot be written to.
    """
    results = measure(problems, seed)
    text = report(results, problems, seed)
    write_text(folder / "law.txt", text)
    for name, table in results.tables().items():
        csv: str = table.to_csv(index=False, float_format="%.6g", lineterminator="\n")
        write_text(folder / f"{name}.csv", csv)
    draw(results, folder)
    return f"{text}\nFigures and data: {relative(folder)}"


def measure(count: int, seed: int) -> Results:
    """Return every measurement on ``count`` random problems."""
    generator = np.random.default_rng(seed)
    problems = random_problems(count, generator)
    return Results(
        orders=orders(problems, generator),
        margins=margins(problems),
        disagreements=disagreements(count, generator),
        clipping=clipping(count, generator),
        bounds=bounds(BOUND_PROBLEMS, generator),
        optimum=optimum(count, generator),
        example=example(),
    )
