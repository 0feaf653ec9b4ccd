"""Completions written to stall the scoring: each is wrong, and the next one is judged as ever."""

import time

import pytest

from benchmark.objectives import make_objectives
from benchmark.objectives.verifier import MAX_CHARACTERS, Verifier

COSTLY = {
    "a tower of powers": "9^{9^{9^{9}}}",
    "a tower without braces": "9^9^9^9",
    "a factorial": r"(10^{9})!",
    "a long sum": r"\sum_{i=1}^{10^{12}} i^{i}",
    "nested roots": r"\sqrt{" * 140 + "7" + "}" * 140,
    "nested brackets": r"\left(" * 70 + "7" + r"\right)" * 70,
    "nested fractions": r"\frac{1}{1+" * 80 + "1" + "}" * 80,
    "a long product": "(x+1)" * 190,
    "a large power of a sum": "(x+y+z)^{100000}",
}
ODD = ["7\x008", "\ud800", "7" * MAX_CHARACTERS, "\\" * 500, "^" * 500, "&" * 500, "\n8\n"]


@pytest.fixture(scope="module")
def verifier() -> Verifier:
    return Verifier(cpu_seconds=0.5)


@pytest.mark.parametrize("found", COSTLY.values(), ids=COSTLY.keys())
def test_costly_answer_is_wrong_and_the_next_is_judged(verifier: Verifier, found: str) -> None:
    assert len(found) <= MAX_CHARACTERS  # it does reach the verifier
    assert not verifier.equivalent("8", found)
    assert verifier.equivalent("8", "3 + 5")


def test_odd_characters_are_wrong_answers_and_no_error(verifier: Verifier) -> None:
    assert [found for found in ODD if verifier.equivalent("9", found)] == []
    assert verifier.equivalent("9", "4 + 5")


@pytest.mark.parametrize(
    "text",
    [
        r"\boxed{" * 100_000,
        r"\boxed{" * 50_000 + "8" + "}" * 49_999,
        "{" * 500_000 + r"\boxed{8}" + "}" * 500_000,
        "\\" * 1_000_001 + r"boxed{7",
        r"\boxed{8}" * 100_000 + r"\boxed{}",
        r"\boxed{" + " " * 1_000_000 + "8}",
        r"\boxed{" + "$" * 1_000_000 + "8}",
    ],
    ids=["open", "unclosed", "braces", "escapes", "many", "blanks", "dollars"],
)
def test_a_long_completion_is_read_in_one_pass(text: str) -> None:
    accuracy, *others = make_objectives(["accuracy", "clarity", "format"])
    assert accuracy(completions=[text], completion_ids=[[1]], answer=["7"]) == [0]
    for objective in others:
        (reward,) = objective(completions=[text], completion_ids=[[1]], answer=["7"])
        assert reward in (0, 1)


@pytest.mark.parametrize(
    "part",
    [" ", "\n", "*", "#", "# ", "\n#", "step ", "step 1", "i", "1) ", "1. ", ". ", ". (", "(", "\\",
     r"\boxed{", r"\boxed{}", r"\boxed ", "{", "\\item", "-", " .", "<|", r"\end{", "$.", "</s>"],
)  # fmt: skip
@pytest.mark.parametrize("name", ["clarity", "format"])
def test_time_is_linear_in_the_text(name: str, part: str) -> None:
    (objective,) = make_objectives([name])
    text = r"\boxed{7}" + (part * 100_000)[:100_000]  # an answer, so that all is read
    start = time.process_time()
    objective(completions=[text], completion_ids=[[1]])
    # About 0.05 s; a search that were quadratic in the text would take minutes.
    assert time.process_time() - start < 5
