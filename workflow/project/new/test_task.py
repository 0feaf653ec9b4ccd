"""Does it keep the contract, and are its answers right?

Run: python -m pytest test_NAME.py
"""

from NAME import CLASS

from benchmark.testing import check_task


def test_it_keeps_the_contract() -> None:
    check_task("NAME:CLASS")


def test_a_problem_worked_out_by_hand() -> None:
    problem = CLASS().problem(41)
    assert (problem.prompt, problem.answer) == ("41 + 1 =", "42")
