import random
from itertools import combinations_with_replacement
from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objective
from benchmark.objectives.countdown import solves
from benchmark.tasks import make_task
from benchmark.tasks.countdown import Countdown, _multiset, _parts, _plain, _stride
from benchmark.tasks.data import BOXED

SPLITS = ("train", "validation", "test")
WHOLE = comb(52, 3)  # multisets of three numbers from 1 to 50


@pytest.mark.parametrize("split", SPLITS)
def test_every_puzzle_can_be_solved(split: str) -> None:
    task = Countdown(numbers=[2, 3, 4, 5, 6], largest=20)
    for puzzle in task.puzzles(split, 50):
        assert solves(puzzle.expression, puzzle.numbers, puzzle.target)
        assert 1 <= puzzle.target <= 100
        assert all(1 <= number <= 20 for number in puzzle.numbers)


@given(st.lists(st.integers(1, 99), min_size=2, max_size=6))
def test_every_multiset_makes_a_puzzle(numbers: list[int]) -> None:
    puzzle = _plain(tuple(sorted(numbers)))
    assert 1 <= puzzle.target <= 99
    assert solves(puzzle.expression, puzzle.numbers, puzzle.target)


def test_the_objective_accepts_a_solution_and_the_problem_tells_all() -> None:
    task = Countdown()
    problems, puzzles = task.split("train", 300), task.puzzles("train", 300)
    texts = [rf"So \boxed{{{puzzle.expression}}}" for puzzle in puzzles]
    answers = [problem.answer for problem in problems]
    ids = [[1]] * len(texts)
    countdown = make_objective("countdown")
    assert countdown(completions=texts, completion_ids=ids, answer=answers) == [1] * 300
    assert (
        sum(countdown(completions=texts, completion_ids=ids, answer=answers[1:] + answers[:1])) < 3
    )
    for problem, puzzle in zip(problems, puzzles, strict=True):
        *some, last = puzzle.numbers
        told = f"numbers {', '.join(map(str, some))} and {last} once"
        assert told in problem.prompt
        assert f"to make {puzzle.target}. {BOXED}" in problem.prompt


def test_splits_share_no_numbers() -> None:
    task = Countdown(numbers=[3], largest=50)
    sizes = {"train": WHOLE - 2 * (WHOLE // 10), "validation": WHOLE // 10, "test": WHOLE // 10}
    found = [
        {tuple(sorted(puzzle.numbers)) for puzzle in task.puzzles(split, min(1500, sizes[split]))}
        for split in SPLITS
    ]
    assert [len(each) for each in found] == [1500] * 3  # no numbers twice in one split either
    assert len(set.union(*found)) == 4500
    for split, size in sizes.items():
        with pytest.raises(CrosstalkError, match=f"{split}: expected 1 to {size} problems"):
            task.split(split, size + 1)


@given(st.integers(1, 400))
def test_the_order_visits_every_place_once(whole: int) -> None:
    visited = {place * _stride(whole) % whole for place in range(whole)}
    assert visited == set(range(whole))
    parts = _parts(whole)
    assert [*parts["test"], *parts["validation"], *parts["train"]] == list(range(whole))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_an_index_stands_for_one_multiset(count: int) -> None:
    expected = set(combinations_with_replacement(range(1, 7), count))
    assert {_multiset(index, count) for index in range(len(expected))} == expected


@given(sizes=st.tuples(st.integers(1, 20), st.integers(1, 20)))
@settings(max_examples=20)
def test_a_larger_size_only_adds_problems(sizes: tuple[int, int]) -> None:
    small, large = sorted(sizes)
    assert Countdown().split("test", large)[:small] == Countdown().split("test", small)


def test_counts_take_turns() -> None:
    assert [len(p.numbers) for p in Countdown(numbers=[4, 3]).puzzles("test", 4)] == [4, 3, 4, 3]


def test_the_first_test_problems_never_change() -> None:
    first, second = Countdown(suffix="").split("test", 2)
    assert first.prompt == (
        "Use each of the numbers 29, 43 and 10 once, with +, -, *, / and parentheses, to make 24."
    )
    assert (first.id, first.answer) == ("countdown-10-29-43", "29 43 10 -> 24")
    assert (second.id, second.answer) == ("countdown-2-5-25-45", "2 25 45 5 -> 67")


def test_global_generators_are_left_alone() -> None:
    random.seed(0)
    before = random.getstate()
    Countdown().split("validation", 50)
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"numbers": 3}, "numbers: expected a list of counts from 2 to 6, got 3"),
        ({"numbers": []}, "numbers: expected a list of counts from 2 to 6, got []"),
        ({"numbers": [1]}, "numbers: expected an integer of at least 2, got 1"),
        ({"numbers": [7]}, "numbers: expected at most 6, got 7"),
        ({"largest": 100}, "largest: expected at most 99, got 100"),
        ({"largest": 1}, "largest: expected an integer of at least 2, got 1"),
        ({"suffix": 3}, "suffix: expected text, got 3"),
    ],
)
def test_parameters_that_do_not_fit_are_told(parameters: dict[str, object], reason: str) -> None:
    with pytest.raises(CrosstalkError) as caught:
        make_task("countdown", **parameters)
    assert str(caught.value) == reason
