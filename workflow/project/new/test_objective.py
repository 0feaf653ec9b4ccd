"""Does it keep the contract, and does it reward what it should?

Run: python -m pytest test_NAME.py
"""

from NAME import CLASS

from benchmark.testing import check_objective


def test_it_keeps_the_contract() -> None:
    check_objective("NAME:CLASS")
    check_objective("NAME:CLASS", parameters={"lines": 1})


def test_rewards_worked_out_by_hand() -> None:
    texts = ["one line", "one\ntwo\nthree", "one\ntwo\nthree\nfour"]
    rewards = CLASS(lines=3).rewards(completions=texts, completion_ids=[[1]] * 3)
    assert rewards == [1.0, 1.0, 0.0]
