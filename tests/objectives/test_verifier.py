import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import verifier as verifier_module
from benchmark.objectives.verifier import (
    QUESTIONS_A_CHILD,
    Outcome,
    Verifier,
    Verifiers,
    all_equivalent,
)

LIMIT = 0.5  # seconds of processor time an answer


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    limited = Verifier(cpu_seconds=LIMIT)
    yield limited
    limited.close()


def child_of(verifier: Verifier) -> "subprocess.Popen[str]":
    assert verifier._child is not None
    return verifier._child


@pytest.mark.parametrize("found", ["10^{10^{10}}", "{" * 400 + "7" + "}" * 400])
def test_endless_answer_is_wrong_and_the_next_is_judged(verifier: Verifier, found: str) -> None:
    assert not verifier.equivalent("7", found)
    assert verifier.equivalent("7", "3 + 4")


def test_processor_time_is_counted_anew_for_each_answer(verifier: Verifier) -> None:
    verifier.equivalent("7", "3 + 4")
    first = child_of(verifier)
    for number in range(75):  # together well over the limit of one answer
        verifier.equivalent("7", rf"\sqrt{{{number}}} + \frac{{x}}{{{number + 1}}} + y")
    assert child_of(verifier) is first


def test_threads_get_their_own_answers(verifier: Verifier) -> None:
    numbers = list(range(40))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: verifier.equivalent(str(n), f"{n - n % 2} + 0"), numbers))
    assert found == [n % 2 == 0 for n in numbers]


def test_questions_asked_at_once_get_their_own_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(verifier_module, "_CORES", 2)
    pool = Verifiers()
    monkeypatch.setattr(verifier_module, "_VERIFIERS", pool)
    pairs = [(str(n), f"{n - n % 2} + 0") for n in range(1000, 1000 + 2 * QUESTIONS_A_CHILD)]
    found = all_equivalent([*pairs, *pairs])
    assert found == {(answer, other): int(answer) % 2 == 0 for answer, other in pairs}
    assert len(pool._idle) == 2
    for verifier in pool._idle:
        verifier.close()


def test_interrupt_does_not_wait_for_questions_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def interrupted(answer: str, found: str) -> Outcome:
        asked.append(answer)
        time.sleep(0.001)
        raise KeyboardInterrupt

    monkeypatch.setattr(verifier_module, "outcome", interrupted)
    with pytest.raises(KeyboardInterrupt):
        all_equivalent((str(n), "x") for n in range(10_000))
    assert len(asked) < 5_000


@pytest.mark.parametrize("children", [1, 3])
def test_questions_beyond_the_budget_are_no_in_any_order(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, children: int
) -> None:
    """Each takes a second of 1.6: of 100, short ones first, the third begins after the budget."""
    monkeypatch.setattr(verifier_module, "_CORES", children)
    monkeypatch.setattr(verifier_module, "outcome", lambda answer, found: Outcome(True, 1.0))
    pairs = [("7", "x" * length) for length in range(1, 101)]
    found = all_equivalent(pairs)
    assert found == all_equivalent(pairs[::-1])
    assert [pair for pair, equal in found.items() if equal] == pairs[:2]
    assert "98 of 100 answers not judged" in caplog.text


def test_a_dead_child_costs_its_limit_and_a_start(verifier: Verifier) -> None:
    assert verifier.outcome("7", "10^{10^{10}}") == (False, LIMIT + verifier_module.START_SECONDS)
    assert 0 < verifier.outcome("7", "3 + 4").seconds < 1


def test_a_killed_child_is_replaced(verifier: Verifier) -> None:
    verifier.equivalent("7", "3 + 4")
    child_of(verifier).kill()
    child_of(verifier).wait()
    assert verifier.equivalent("7", "3 + 4")


@pytest.mark.slow
def test_the_child_ends_with_its_parent() -> None:
    script = (
        "from benchmark.objectives.verifier import Verifier\n"
        "verifier = Verifier(); verifier.equivalent('7', '3 + 4')\n"
        "print(verifier._child.pid, flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)  # it is there
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    deadline = time.monotonic() + 20
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"  # a zombie nobody has collected yet is dead
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_verifier_that_cannot_start_is_an_error() -> None:
    broken = Verifier()
    broken._command = [sys.executable, "-c", "raise SystemExit(1)"]
    with pytest.raises(CrosstalkError, match="does not start"):
        broken.equivalent("7", "3 + 4")


@pytest.mark.slow
def test_asking_imports_neither_math_verify_nor_torch_here() -> None:
    script = (
        "import sys; from benchmark.objectives import make_objectives\n"
        "make_objectives(['accuracy'])[0](completions=[r'\\boxed{3+4}'], completion_ids=[[1]],"
        " answer=['7'])\n"
        "print(sorted({'math_verify', 'sympy', 'torch', 'transformers'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    assert run.stderr == ""
