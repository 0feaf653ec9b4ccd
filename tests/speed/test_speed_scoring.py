"""Scoring completions of MATH-500's kind by accuracy, the verifier's limits on."""

import os
import time

import psutil
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.objectives import make_objectives
from benchmark.objectives.verifier import all_equivalent, outcome

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
    all_equivalent((f"{number} + x", "x") for number in range(2))  # a child is there
    outcome.cache_clear()
    before, start = processor_seconds(), time.perf_counter()
    rewards = benchmark.pedantic(
        accuracy,
        kwargs={"completions": texts, "completion_ids": [[1]] * COMPLETIONS, "answer": references},
        rounds=1,
    )
    seconds, asked = time.perf_counter() - start, outcome.cache_info().misses
    spent = processor_seconds() - before
    benchmark.extra_info |= {"asked": asked, "processor_seconds": spent}
    assert sum(rewards) == ANSWERS
    with capsys.disabled():
        print(
            f"\n{COMPLETIONS} completions, {asked} for the verifier: {seconds:.1f} s on the clock, "
            f"{spent:.1f} s of processor time; load {os.getloadavg()[0]:.1f}",
            end="",
        )


BATCH = 512
ADVERSARIAL = {
    "double superscripts": lambda k: "7" + "^{2}" * (60 + k % 16) + "+1" * (k // 16),
    "towers": lambda k: "9^{" * (k % 39 + 1) + str(k) + "}" * (k % 39 + 1),
    "digits": lambda k: str(k) + "1" * 900,
    "sines": lambda k: "+".join(rf"\sin({k + i})" for i in range(45)),
    "products": lambda k: f"(x+{k})" * 45,
    "fractions": lambda k: r"\frac{1}{1+" * 38 + str(k) + "}" * 38,
    "lists": lambda k: ",".join(str(i + k) for i in range(180)),
    "tuples": lambda k: "(1," * 38 + str(k) + ")" * 38,
    "right by an identity": lambda k: rf"6+\sin^2({k + 1}x)+\cos^2({k + 1}x)",
    "right by nested roots": lambda k: rf"7+\sqrt{{{k + 2}+2\sqrt{{{k + 1}}}}}-1-\sqrt{{{k + 1}}}",
}


@pytest.mark.parametrize("kind", ["benign", *ADVERSARIAL])
def test_a_batch_of_one_kind(
    benchmark: BenchmarkFixture, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (accuracy,) = make_objectives(["accuracy"])
    boxed = [ADVERSARIAL.get(kind, lambda k: answer(k, k % 2))(k) for k in range(BATCH)]
    references = ["7" if kind in ADVERSARIAL else answer(k, 0) for k in range(BATCH)]
    texts = [rf"{PROSE} So it is $\boxed{{{each}}}$." for each in boxed]
    outcome.cache_clear()
    before = processor_seconds()
    benchmark.pedantic(
        accuracy,
        kwargs={"completions": texts, "completion_ids": [[1]] * BATCH, "answer": references},
        rounds=1,
    )
    spent, asked = processor_seconds() - before, outcome.cache_info().misses
    benchmark.extra_info |= {"asked": asked, "processor_seconds": spent}
    with capsys.disabled():
        print(
            f"\n{BATCH} completions, {kind}: {spent:.1f} s of processor time, {asked} asked", end=""
        )


def processor_seconds() -> float:
    """Return the processor time of this process and of its children that still run."""
    here = psutil.Process()
    times = [each.cpu_times() for each in (here, *here.children(recursive=True))]
    ended = here.cpu_times()
    dead = ended.children_user + ended.children_system
    return dead + sum(time.user + time.system for time in times)
