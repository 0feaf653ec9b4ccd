import random

import numpy as np
import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import TASKS, make_task
from benchmark.tasks.arithmetic import SIZE, Arithmetic, results, shuffled, terms

SPLITS = ("train", "validation", "test")
LARGEST = {"train": 250_000, "validation": 10_000, "test": 10_000}


def solved(prompt: str) -> str:
    """Work a prompt out anew, from its text."""
    words = prompt.removeprefix("What is ").removesuffix(" ?").split()
    value = int(words[0])
    for operator, digit in zip(words[1::2], words[2::2], strict=True):
        after = {"+": value + int(digit), "-": value - int(digit), "*": value * int(digit)}
        value = after[operator]
    return str(value % 10)


def test_the_shuffle_is_one_to_one_on_all_problems() -> None:
    assert sorted(map(shuffled, range(SIZE))) == list(range(SIZE))


def test_numbers_name_different_problems() -> None:
    assert len({terms(number) for number in range(SIZE)}) == SIZE


def test_whole_splits_share_no_prompt_and_cover_the_task() -> None:
    prompts = [
        {problem.prompt for problem in Arithmetic().split(split, size)}
        for split, size in LARGEST.items()
    ]
    assert [len(each) for each in prompts] == list(LARGEST.values())
    assert len(set.union(*prompts)) == SIZE


@pytest.mark.parametrize("split", SPLITS)
def test_answers_are_right(split: str) -> None:
    for problem in Arithmetic().split(split, 300):
        assert problem.answer == solved(problem.prompt)


def test_operations_are_taken_left_to_right_modulo_ten() -> None:
    assert results((3, 4, 2, 7), ("+", "*", "-")) == [7, 4, 7]


def test_a_larger_size_only_adds_problems() -> None:
    task = Arithmetic()
    assert task.split("train", 50)[:20] == task.split("train", 20)


def test_the_first_test_problems_never_change() -> None:
    problems = Arithmetic().split("test", 3)
    assert [(problem.prompt, problem.answer) for problem in problems] == [
        ("What is 9 - 7 + 6 * 2 ?", "6"),
        ("What is 7 * 6 * 2 - 8 ?", "6"),
        ("What is 3 - 7 + 0 - 4 ?", "2"),
    ]


def test_global_generators_are_left_alone() -> None:
    random.seed(0)
    np.random.seed(0)
    before = random.getstate(), np.random.get_state()[1].tolist()
    first = Arithmetic().split("train", 10)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    random.seed(1)
    assert Arithmetic().split("train", 10) == first


def test_digits_and_operators_are_spread_evenly() -> None:
    numbers = [int(p.id.removeprefix("arithmetic-")) for p in Arithmetic().split("test", 2000)]
    drawn = [terms(number) for number in numbers]
    for place in range(4):
        counts = np.bincount([digits[place] for digits, _ in drawn], minlength=10)
        assert counts.min() > 150
        assert counts.max() < 250
    for place in range(3):
        signs = [operators[place] for _, operators in drawn]
        assert all(560 < signs.count(sign) < 780 for sign in "+-*")


@pytest.mark.parametrize("size", [0, -1, 10_001])
def test_a_size_a_split_does_not_have_is_refused(size: int) -> None:
    with pytest.raises(CrosstalkError, match=f"test: expected 1 to 10000 problems, got {size}"):
        Arithmetic().split("test", size)


def test_an_unknown_split_is_refused_with_the_closest_name() -> None:
    with pytest.raises(CrosstalkError, match="did you mean 'validation'"):
        Arithmetic().split("validaton", 1)  # type: ignore[arg-type]


def test_tasks_are_made_by_name() -> None:
    assert isinstance(make_task("arithmetic"), Arithmetic)
    assert all(cls.name == name for name, cls in TASKS.items())


def test_an_unknown_task_is_refused_with_the_closest_name() -> None:
    with pytest.raises(CrosstalkError, match="did you mean 'arithmetic'"):
        make_task("arithmetics")


def test_parameters_a_task_does_not_take_are_refused() -> None:
    with pytest.raises(CrosstalkError, match="digits"):
        make_task("arithmetic", digits=3)
