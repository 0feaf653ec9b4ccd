import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import make_task
from benchmark.tasks.data import BOXED
from benchmark.tasks.word_kinds import KINDS
from benchmark.tasks.words import Words

SPLITS = ("train", "validation", "test")
LARGEST = {"train": 896_000, "validation": 109_760, "test": 96_320}
MARKS = re.compile(r"words-([a-z-]+)-([\d-]+)-\d+")
SUMS = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+)")


def essence(id_: str) -> tuple[str, str]:
    """Return a problem's kind and numbers: what is left without its people and things."""
    found = MARKS.fullmatch(id_)
    assert found is not None
    return found[1], found[2]


def calculated(left: str, sign: str, right: str) -> int:
    first, second = int(left), int(right)
    if sign == "/":
        assert first % second == 0
    return {
        "+": first + second,
        "-": first - second,
        "*": first * second,
        "/": first // second,
    }[sign]


def test_splits_share_no_kind_with_the_same_numbers() -> None:
    found = [{essence(p.id) for p in Words().split(split, 15_000)} for split in SPLITS]
    assert all(len(each) > 1_500 for each in found)
    assert len(set.union(*found)) == sum(map(len, found))


def test_a_whole_split_has_no_prompt_twice() -> None:
    problems = Words().split("test", LARGEST["test"])
    assert len({problem.prompt for problem in problems}) == LARGEST["test"]
    assert len({problem.id for problem in problems}) == LARGEST["test"]


@pytest.mark.parametrize("split", SPLITS)
@given(sizes=st.tuples(st.integers(1, 90), st.integers(1, 90)))
def test_a_larger_size_only_adds_problems(split: str, sizes: tuple[int, int]) -> None:
    small, large = sorted(sizes)
    assert Words().split(split, large)[:small] == Words().split(split, small)


@pytest.mark.parametrize("split", SPLITS)
def test_workings_are_right_and_end_in_the_answer(split: str) -> None:
    task = Words()
    problems, workings = task.split(split, 700), task.workings(split, 700)
    for problem, lines in zip(problems, workings, strict=True):
        for line in lines:
            ((left, sign, right, result),) = SUMS.findall(line.text)
            assert calculated(left, sign, right) == int(result) == int(line.result) > 1
        assert lines[-1].result == problem.answer


@pytest.mark.parametrize("split", SPLITS)
def test_workings_start_from_the_prompts_numbers(split: str) -> None:
    task = Words()
    for problem, lines in zip(task.split(split, 280), task.workings(split, 280), strict=True):
        known = re.findall(r"\d+", problem.prompt)
        for line in lines:
            ((left, _, right, result),) = SUMS.findall(line.text)
            assert left in known
            assert right in known
            known.append(result)


def test_kinds_come_in_turn_with_one_and_two_steps() -> None:
    problems, workings = Words().split("train", 140), Words().workings("train", 140)
    assert [essence(p.id)[0] for p in problems[14:28]] == [kind.name for kind in KINDS]
    assert sorted({len(lines) for lines in workings}) == [1, 2]
    assert sum(len(lines) == 1 for lines in workings) == 60


def test_people_in_one_problem_have_different_names() -> None:
    from benchmark.tasks.word_kinds import NAMES

    named = re.compile("|".join(rf"\b{name}\b" for name in NAMES))
    for problem in Words().split("train", 2_000):
        two = "{m}" in next(k.text for k in KINDS if k.name == essence(problem.id)[0])
        assert len(set(named.findall(problem.prompt))) == (2 if two else 1)


def test_the_first_test_problems_never_change() -> None:
    first, second = Words(suffix="").split("test", 2)
    assert first.prompt == "Eva has 34 eggs and gets 29 more. How many eggs does Eva have now?"
    assert first.answer == "63"
    assert second.prompt == (
        "Ben had 44 marbles, lost 16 and got 7 new ones. How many marbles does Ben have now?"
    )
    assert second.answer == "35"


def test_the_suffix_ends_every_prompt() -> None:
    assert all(p.prompt.endswith(f"? {BOXED}") for p in make_task("words").split("test", 20))
    assert all(p.prompt.endswith("? Box it.") for p in Words(suffix="Box it.").split("test", 20))
    with pytest.raises(CrosstalkError, match="suffix: expected text, got 3"):
        make_task("words", suffix=3)


def test_global_generators_are_left_alone() -> None:
    random.seed(0)
    before = random.getstate()
    Words().split("validation", 100)
    assert random.getstate() == before


@pytest.mark.parametrize("split", SPLITS)
def test_a_size_a_split_does_not_have_is_refused(split: str) -> None:
    for size in (0, LARGEST[split] + 1):
        with pytest.raises(CrosstalkError, match=f"{split}: expected 1 to {LARGEST[split]} prob"):
            Words().split(split, size)
    with pytest.raises(CrosstalkError, match=f"{split}: expected 1 to {LARGEST[split]} prob"):
        Words().workings(split, LARGEST[split] + 1)
