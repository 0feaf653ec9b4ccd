"""``crosstalk law``: how far the covariance law holds, on policies that can be enumerated.

The same arguments give the same table, figures and data.
"""

from pathlib import Path

import numpy as np

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.diagnosis.exact.convergence import bounds, example, optimum
from benchmark.diagnosis.exact.figures import draw
from benchmark.diagnosis.exact.measures import clipping, disagreements, margins, orders
from benchmark.diagnosis.exact.problems import random_problems
from benchmark.diagnosis.exact.report import Results, report

FEWEST, MOST = 10, 20_000  # problems: intervals need some, memory allows so many
LARGEST_SEED = 2**32 - 1
BOUND_PROBLEMS = 10_000


def run(problems: str, seed: str, folder: Path) -> str:
    """Measure the law, write ``law.txt``, tables and figures into ``folder``; return the text.

    Args:
        problems: How many random problems, as the user wrote it.
        seed: Of the random generator, as the user wrote it.
        folder: Created if need be.

    Raises:
        CrosstalkError: A number is no whole number or out of its range, or the folder cannot be
            written to.
    """
    count = _whole("--problems", problems, FEWEST, MOST)
    start = _whole("--seed", seed, 0, LARGEST_SEED)
    if folder.exists() and not folder.is_dir():
        raise CrosstalkError(f"--out: {folder} is a file; allowed is a folder, or a new name")
    results = measure(count, start)
    text = report(results, count, start)
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


def _whole(option: str, text: str, least: int, most: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise CrosstalkError(
            f"{option}: {text!r}, allowed is a whole number from {least} to {most}"
        )
    return value
