"""Measure the covariance law on random enumerated problems."""

import numpy as np

from benchmark.diagnosis.exact.convergence import bounds, example, optimum
from benchmark.diagnosis.exact.measures import clipping, disagreements, margins, orders
from benchmark.diagnosis.exact.problems import random_problems
from benchmark.diagnosis.exact.report import Results

BOUND_PROBLEMS = 10_000


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
