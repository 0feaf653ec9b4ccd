"""A made-up study with everything the page shows: models, sets, seeds, curves, traces.

As a program it writes that study's page: ``python -m tests.leaderboard.gallery FOLDER``.
"""

import math
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.writing import write_leaderboard
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import prepare_store

from .lab import PROMPTS, Lab

OBJECTIVES = ("accuracy", "conciseness", "clarity")
START = (0.45, 0.5, 0.33)
MODELS = ("small-base", "small-instruct")
EVIL = '<img src=x onerror="alert(1)">&</script>'
ALGORITHMS = ("linear", "ctwa", EVIL, "single-accuracy", "single-conciseness", "single-clarity")
STEPS = range(0, 61, 5)
DESCRIPTION = "Made up, to look at the page."


class Gallery(Lab):
    """Logs runs whose objectives rise or fall smoothly, a little differently for every seed."""

    def fill(self, models: Sequence[str], algorithms: Sequence[str], seeds: Sequence[int]) -> None:
        for model, algorithm, seed in product(models, algorithms, seeds):
            cell = self.expect(model, algorithm, seed=seed, names=OBJECTIVES, objectives="math3")
            place = MODELS.index(model), ALGORITHMS.index(algorithm)
            self.train(cell, [self.end(*place, j, seed) for j in range(3)])

    def end(self, model: int, algorithm: int, objective: int, seed: int) -> float:
        """Return an objective's final value: one of the three falls, another on each model."""
        own = algorithm - 3  # of the three references, which stand last
        given_up = (own + 1) % 3 if own >= 0 else (model + algorithm // 2) % 3
        wobble = 0.02 * math.sin(7 * seed + 3 * algorithm + objective + model)
        reached = (0.85, 0.7, 0.9)[objective] - 0.03 * algorithm
        return (
            max(0.0, START[objective] - 0.3 - wobble) if objective == given_up else reached + wobble
        )

    def train(self, cell: str, finals: Sequence[float]) -> None:
        run = self.start(cell)
        for step in STEPS:
            done = 1 - math.exp(-step / 15)
            moves = 0.0 if "/linear/" in cell else 0.1  # fixed weights
            run.log(step, self.point(step, done, finals, moves))
        self.result(run, finals)
        run.end("complete")

    def point(
        self, step: int, done: float, finals: Sequence[float], moves: float
    ) -> dict[str, float]:
        found = {"validation/tokens": 25.0, "scalarizer/multiplier": done}
        for j, (name, start, final) in enumerate(zip(OBJECTIVES, START, finals, strict=True)):
            found[f"validation/{name}"] = start + done * (final - start)
            found[f"covariance/score/{name}"] = (final - start) * math.exp(-step / 20) / 5
            if step % 10 == 0:
                found[f"covariance/weight/{name}"] = (final - start) * math.exp(-step / 25) / 4
            found[f"scalarizer/weight/{name}"] = 1 / 3 + moves * done * (j - 1)
        return found

    def result(self, run: CellRun, finals: Sequence[float]) -> None:
        changes = [final - start for final, start in zip(finals, START, strict=True)]
        found = {
            "test/score/delta": sum(changes) / 3,
            "test/score/delta_se": 0.01,
            "test/tokens": 21.5,
            "test/tokens/initial": 30.0,
            "test/prompts": float(PROMPTS),
        }
        for name, start, final in zip(OBJECTIVES, START, finals, strict=True):
            found |= {f"test/{name}": final, f"test/{name}/initial": start}
            found |= {f"test/{name}/delta": final - start, f"test/{name}/delta_se": 0.015}
        run.log(STEPS[-1], found)


def write(gallery: Gallery, folder: Path) -> None:
    """Write the gallery's leaderboard."""
    frames = Frames(gallery.collect())
    write_leaderboard(frames, folder, store=gallery.uri, description=DESCRIPTION)


if __name__ == "__main__":
    place = Path(sys.argv[1]).absolute()
    place.mkdir(parents=True)
    store = f"sqlite:///{place}/mlflow.db"
    prepare_store(store, "quick")
    made = Gallery(store)
    made.fill(MODELS, ALGORITHMS, (0, 1, 2))
    write(made, place / "page")
