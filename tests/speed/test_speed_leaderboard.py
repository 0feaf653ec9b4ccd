"""What the tables of thousands of tracked runs cost: time in proportion to runs, and memory."""

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from stores import make_store, write_tables

MEMORY = 1536  # MiB that the largest may take


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return the database of a store with so many runs; each is made once."""

    @cache
    def made(runs: int) -> Path:
        file = tmp_path_factory.mktemp(f"runs-{runs}") / "mlflow.db"
        make_store(file, runs)
        return file

    return made


@pytest.mark.parametrize("runs", [1000, 10_000])
def test_tables_of_thousands_of_runs(
    benchmark: BenchmarkFixture,
    database: Callable[[int], Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    runs: int,
) -> None:
    """Read, compare and write in a process of its own, imports included; the aim is 30 s."""
    file = database(runs)

    def measured() -> tuple[int, float, float]:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            return pool.submit(write_tables, file, runs, tmp_path).result()

    counted, seconds, memory = benchmark.pedantic(measured)
    benchmark.extra_info |= {"processor_seconds": seconds, "peak_mib": memory}
    with capsys.disabled():
        print(f"\n{runs:>9} runs: {seconds:.1f} s of the processor, {memory:.0f} MiB", end="")
    assert counted == runs
    assert memory < MEMORY
