"""Made-up tracked runs, whose leaderboard can be computed by hand."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmark.leaderboard.files import PAGE
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.table import Table, collect
from benchmark.leaderboard.writing import contents
from benchmark.tracking.run import CellRun

NAMES = ("a", "b")
INITIAL = (0.4, 0.6)
PROMPTS = 101  # Student's quantile with 100 degrees of freedom is 1.984
ENVIRONMENT = {"python": "3.11.7", "torch": "2.13.0"}

# Final values of the made-up study. On model m, linear raises a by 0.2 and lowers b by 0.1.
FINALS = {
    ("m", "single-a"): (0.7, 0.4),
    ("m", "single-b"): (0.3, 0.8),
    ("m", "linear"): (0.6, 0.5),
    ("m", "ctwa"): (0.5, 0.65),
    ("n", "single-a"): (0.8, 0.6),
    ("n", "single-b"): (0.4, 0.9),
    ("n", "linear"): (0.5, 0.7),
    ("n", "ctwa"): (0.6, 0.8),
}


@dataclass
class Lab:
    """Logs made-up runs as training and evaluation would, and keeps what a study expects."""

    uri: str
    expected: dict[str, ExpectedCell] = field(default_factory=dict)

    def expect(
        self,
        model: str,
        algorithm: str,
        *,
        seed: int = 0,
        names: Sequence[str] = NAMES,
        objectives: str = "pair",
        mixture: str = "",
    ) -> str:
        cell = f"{model}/{objectives}/{algorithm}/seed{seed}"
        alone = algorithm.removeprefix("single-")  # the one objective a reference trains
        equal = (1 / len(names),) * len(names)
        weights = tuple(float(name == alone) for name in names) if alone in names else equal
        self.expected[cell] = ExpectedCell(
            cell_hash=f"hash of {cell}",
            model=model,
            objectives=objectives,
            algorithm=algorithm,
            seed=seed,
            names=tuple(names),
            weights=weights,
            reference=algorithm.startswith("single"),
            mixture=mixture,
        )
        return cell

    def start(
        self,
        cell: str,
        *,
        cell_hash: str | None = None,
        environment: Mapping[str, str] = ENVIRONMENT,
        commit: str = "c0ffee",
        limit: int | None = None,
        model_digest: str = "",
    ) -> CellRun:
        wanted = self.expected[cell]
        tags = {
            "study": "quick",
            "model": cell.split("/")[0],
            "algorithm": wanted.algorithm,
            "objectives": wanted.objectives,
            "seed": str(wanted.seed),
            "cell": cell,
            "cell_hash": cell_hash or wanted.cell_hash,
            "git_commit": commit,
            "environment_hash": "-".join(environment.values()),
        }
        params = {f"environment.{name}": value for name, value in environment.items()}
        params |= {"hardware.cpu": "abacus"}
        params |= {
            "objectives.names": json.dumps(wanted.names),
            "objectives.weights": json.dumps(wanted.weights),
            "algorithm.scalarizer": "single" if wanted.reference else wanted.algorithm,
        }
        params |= {"sampling.max_tokens": str(limit)} if limit else {}
        params |= {"model": model_digest} if model_digest else {}
        return CellRun.start(self.uri, "quick", tags, params)

    def finish(
        self, cell: str, finals: Sequence[float], *, tokens: float = 20.0, limit: int | None = None
    ) -> None:
        """Log a finished run that has no curves."""
        run = self.start(cell, limit=limit)
        self.log(run, cell, finals, tokens=tokens)
        run.end("complete")

    def log(
        self,
        run: CellRun,
        cell: str,
        finals: Sequence[float],
        se: float = 0.01,
        tokens: float = 20.0,
    ) -> None:
        wanted = self.expected[cell]
        changes = [after - before for after, before in zip(finals, INITIAL, strict=True)]
        score = sum(w * change for w, change in zip(wanted.weights, changes, strict=True))
        metrics = {
            "test/score/delta": score,
            "test/score/delta_se": se,
            "test/tokens": tokens,
            "test/tokens/initial": 30.0,
            "test/prompts": float(PROMPTS),
        }
        for name, before, after in zip(wanted.names, INITIAL, finals, strict=True):
            metrics |= {f"test/{name}": after, f"test/{name}/initial": before}
            metrics |= {f"test/{name}/delta": after - before, f"test/{name}/delta_se": se}
        run.log(20, metrics)

    def complete(self, cell: str, finals: Sequence[float], se: float = 0.01, **start: str) -> str:
        """Log a finished run of the cell, whose first objective was at its best half-way."""
        run = self.start(cell, **start)
        first = self.expected[cell].names[0]
        for step, value in ((0, INITIAL[0]), (10, finals[0] + 0.1), (20, finals[0])):
            run.log(step, {f"validation/{first}": value, "validation/tokens": 25.0})
        for name, before, after in list(
            zip(self.expected[cell].names, INITIAL, finals, strict=True)
        )[1:]:
            run.log(0, {f"validation/{name}": before})
            run.log(10, {f"validation/{name}": min(before, after)})
            run.log(20, {f"validation/{name}": after})
        self.log(run, cell, finals, se)
        run.end("complete")
        return run.run_id

    def collect(self, *, allow_mixed: bool = False) -> Table:
        return collect(self.uri, "quick", self.expected, allow_mixed=allow_mixed)

    def page(self, *, allow_mixed: bool = False) -> str:
        """Return the Markdown page of the runs so far."""
        return contents(Frames(self.collect(allow_mixed=allow_mixed)), ["md"])[PAGE]
