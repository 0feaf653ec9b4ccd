"""Steps per second against plain ``GRPOTrainer``, and what gradients by objective cost."""

from pathlib import Path
from statistics import median
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from runs import interleaved

Runs = dict[str, list[dict[str, Any]]]


def test_steps_per_second_against_plain_grpo(
    benchmark: BenchmarkFixture, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    methods = ("plain", "linear", "ctwa", "foresight")
    runs = interleaved(benchmark, methods, model, tmp_path, rounds=6)
    for clock, kind in enumerate(("wall", "processor")):
        middle = {
            method: median(step[clock] for done in runs[method] for step in done["seconds"])
            for method in methods
        }
        speed = {method: middle["plain"] / middle[method] for method in methods}
        benchmark.extra_info |= {f"{kind}_seconds_per_step": middle, f"{kind}_speed": speed}
        with capsys.disabled():
            shown = (f"{m} {middle[m]:.3f} s a step ({speed[m]:.3f})" for m in methods)
            print(f"\n{kind:>9} time (of plain's speed): {', '.join(shown)}", end="")


def test_update_by_gradients_against_that_of_linear(
    benchmark: BenchmarkFixture, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three objectives; generation and rewards are left out, and generation is shown apart."""
    methods = ("linear", "exact", "last layer", "apart")
    runs = interleaved(benchmark, methods, model, tmp_path, rounds=4)
    update, generation = (_middle(runs, stage) for stage in ("update", "generation"))
    times = {method: update[method] / update["linear"] for method in methods}
    faster = {method: update["apart"] / update[method] for method in methods}
    benchmark.extra_info |= {"update": update, "generation": generation, "times_linear": times}
    with capsys.disabled():
        for method in methods:
            print(
                f"\n{method:>10}: update {update[method]:.4f} s, {times[method]:.2f} of linear's, "
                f"{faster[method]:.2f} times as fast as apart; "
                f"generation {generation[method]:.4f} s",
                end="",
            )


def _middle(runs: Runs, stage: str) -> dict[str, float]:
    return {m: median(value for done in runs[m] for value in done[stage]) for m in runs}
