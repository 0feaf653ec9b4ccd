"""A tracking store with thousands of runs: one is logged through MLflow, the others are its copies.

Logging a run costs some 44 ms, so the rows of one are cloned in the database, with other tags and
values of their own. For measurements alone.
"""

import json
import re
import sqlite3
import time
from itertools import product
from pathlib import Path

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.table import collect
from benchmark.leaderboard.writing import write_leaderboard
from benchmark.tracking.run import CellRun
from benchmark.tracking.store import prepare_store

STUDY = "many"
NAMES = ("accuracy", "conciseness", "clarity")
ALGORITHMS = ("linear", *(f"method-{k}" for k in range(16)), *(f"single-{name}" for name in NAMES))
SEEDS = 5
PER_MODEL = len(ALGORITHMS) * SEEDS
STEPS = 60
COPIED = {  # a run's rows: table -> columns beside the run's id
    "params": "key, value",
    "latest_metrics": "key, value, timestamp, step, is_nan",
    "metrics": "key, value, timestamp, step, is_nan",
}


def make_store(database: Path, runs: int) -> None:
    """Make a store of a study with so many finished runs, a multiple of 100."""
    uri = f"sqlite:///{database}"
    prepare_store(uri, STUDY)
    expected = {cell.cell_hash.removeprefix("hash of "): cell for cell in _cells(runs)}
    template, *others = expected.items()
    first = _log(uri, *template)
    with sqlite3.connect(database, isolation_level=None) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for number, (name, cell) in enumerate(others):
            _clone(connection, first, f"{number:032x}", name, cell, 0.2 * (number % 97) / 97)
        connection.execute("COMMIT")


def write_tables(database: Path, runs: int, folder: Path) -> tuple[int, float, float]:
    """Write the leaderboard of :func:`make_store`'s study, all but the page to look at.

    Returns:
        Number of runs that count, seconds of the processor, and the process's largest resident
        memory in MiB.
    """
    expected = {cell.cell_hash.removeprefix("hash of "): cell for cell in _cells(runs)}
    began = time.process_time()
    results = collect(f"sqlite:///{database}", STUDY, expected)
    write_leaderboard(Frames(results), folder)
    seconds = time.process_time() - began
    return len(results.origins), seconds, _peak_memory()


def _peak_memory() -> float:
    """Return this process's largest resident memory in MiB, on Linux.

    ``getrusage`` would count what the process that started this one held.
    """
    (line,) = re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    return int(line) / 1024


def _cells(runs: int) -> list[ExpectedCell]:
    models = [f"model-{k}" for k in range(runs // PER_MODEL)]
    return [
        ExpectedCell(
            cell_hash=f"hash of {model}/math3/{algorithm}/seed{seed}",
            model=model,
            objectives="math3",
            algorithm=algorithm,
            seed=seed,
            names=NAMES,
            weights=(1 / 3,) * 3,
            reference=algorithm.startswith("single"),
        )
        for model, algorithm, seed in product(models, ALGORITHMS, range(SEEDS))
    ]


def _tags(name: str, cell: ExpectedCell) -> dict[str, str]:
    return {
        "study": STUDY,
        "model": cell.model,
        "algorithm": cell.algorithm,
        "objectives": cell.objectives,
        "seed": str(cell.seed),
        "cell": name,
        "cell_hash": cell.cell_hash,
        "git_commit": "c0ffee",
        "environment_hash": "e",
    }


def _log(uri: str, name: str, cell: ExpectedCell) -> str:
    """Log a run of as many parameters, metrics and validations as one of the quick study."""
    params = {f"environment.package-{k}": "1.0" for k in range(16)}
    params |= {f"hardware.{part}": "one" for part in ("cpu", "cores", "gpus", "memory_gib")}
    params |= {f"training.setting_{k}": str(k) for k in range(15)}
    params |= {"training.estimator": "grpo", "training.steps": str(STEPS)}
    params |= {"objectives.names": json.dumps(NAMES), "task.name": "arithmetic"}
    with CellRun.start(uri, STUDY, _tags(name, cell), params) as run:
        for step in range(0, STEPS + 1, 10):
            run.log(step, {f"validation/{each}": 0.5 + step / 1000 for each in NAMES})
        for step in range(1, STEPS + 1):
            run.log(step, {f"time/{s}": 0.1 for s in ("generation", "reward", "update")})
        run.log(STEPS, {f"train/curve_{k}": 0.5 for k in range(20)})
        run.log(STEPS, {"train/tokens": 1e5, "memory/peak_mb": 800.0, "test/tokens": 20.0})
        run.log(STEPS, {"test/tokens/initial": 30.0, "test/prompts": 256.0})
        run.log(STEPS, {"test/score/delta": 0.1, "test/score/delta_se": 0.01})
        for each in NAMES:
            run.log(STEPS, {f"test/{each}": 0.6, f"test/{each}/initial": 0.5})
            run.log(STEPS, {f"test/{each}/delta": 0.1, f"test/{each}/delta_se": 0.01})
        run.end("complete")
    return run.run_id


def _clone(
    connection: sqlite3.Connection,
    source: str,
    run_id: str,
    name: str,
    cell: ExpectedCell,
    shift: float,
) -> None:
    """Copy a run under another id, with another cell's tags, its results shifted."""
    columns = [row[1] for row in connection.execute("PRAGMA table_info(runs)")]
    kept = ", ".join(column for column in columns if column != "run_uuid")
    connection.execute(
        f"INSERT INTO runs (run_uuid, {kept}) SELECT ?, {kept} FROM runs WHERE run_uuid = ?",
        (run_id, source),
    )
    for table, copied in COPIED.items():
        connection.execute(
            f"INSERT INTO {table} (run_uuid, {copied}) SELECT ?, {copied} FROM {table} "
            "WHERE run_uuid = ?",
            (run_id, source),
        )
    connection.execute(
        "UPDATE latest_metrics SET value = value + ? WHERE run_uuid = ? AND key GLOB 'test/*' "
        "AND key NOT GLOB '*initial' AND key NOT GLOB '*_se' AND key != 'test/prompts'",
        (shift, run_id),
    )
    tags = _tags(name, cell) | {"status": "complete", "attempt": "1", "host": "h", "pid": "1"}
    rows = [(key, value, run_id) for key, value in tags.items()]
    connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", rows)
