"""Scoring completions of MATH-500's kind by accuracy, the verifier's limits on."""

import os
import time

import psutil
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.objectives import make_objectives
from benchmark.objectives.verifier import all_equivalent, equivalent

COMPLETIONS = 10_000
ANSWERS = 500
PROSE = "First , we expand the square and collect terms in $x$ . Step 2 : \\frac{{a}}{{b}} . " * 20
# Two in three answers of MATH-500 are whole numbers; these are as many, and of the other kinds.
KINDS = (
    r"{n}", r"-{n}", r"{n}", r"{n}", r"{n}", r"{n}", r"{n}", r"{n}",
    r"\frac{{{n}}}{{7}}",
    r"\left( {n}, \frac{{\pi}}{{2}} \right)",
    r"{n}\sqrt{{3}}",
    r"x^2 - {n}x + 4",
)  # fmt: skip


def answer(number: int, change: int) -> str:
    """Return the answer of a problem, or with a change another of the same kind."""
    return KINDS[number % len(KINDS)].format(n=2 * number + 1 + 2000 * change)


def completions() -> tuple[list[str], list[str]]:
    """Return completions and references; no wrong answer comes twice, so that no cache helps."""
    texts, references = [], []
    for index in range(COMPLETIONS):
        number, attempt = index % ANSWERS, index // ANSWERS
        texts.append(rf"{PROSE} So it is $\boxed{{{answer(number, attempt)}}}$.")
        references.append(answer(number, 0))
    return texts, references


def test_accuracy_of_ten_thousand_completions(
    benchmark: BenchmarkFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    texts, references = completions()
    (accuracy,) = make_objectives(["accuracy"])
    all_equivalent((f"{number} + x", "x") for number in range(200))  # the children are there
    equivalent.cache_clear()
    before, start = processor_seconds(), time.perf_counter()
    rewards = benchmark.pedantic(
        accuracy,
        kwargs={"completions": texts, "completion_ids": [[1]] * COMPLETIONS, "answer": references},
        rounds=1,
    )
    seconds, asked = time.perf_counter() - start, equivalent.cache_info().misses
    spent = processor_seconds() - before
    benchmark.extra_info |= {"asked": asked, "processor_seconds": spent}
    assert sum(rewards) == ANSWERS
    with capsys.disabled():
        print(
            f"\n{COMPLETIONS} completions, {asked} for the verifier: {seconds:.1f} s on the clock, "
            f"{spent:.1f} s of processor time; load {os.getloadavg()[0]:.1f}",
            end="",
        )


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that still run."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    return sum(time.user + time.system for time in times)
