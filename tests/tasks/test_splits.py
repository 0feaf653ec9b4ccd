import pytest
from datasets import Dataset

from benchmark.common.errors import CrosstalkError
from benchmark.tasks import Problem
from benchmark.tasks.splits import check_apart, cut, without


def problems(*prompts: str) -> list[Problem]:
    return [Problem(id=f"{number}", prompt=p, answer="") for number, p in enumerate(prompts)]


@pytest.mark.parametrize(("count", "share"), [(500, 0.4), (200, 0.5), (7, 0.3), (10, 0.01)])
def test_the_cut_is_that_of_the_library_datasets(count: int, share: float) -> None:
    numbered = problems(*map(str, range(count)))
    data = Dataset.from_dict({"number": [str(number) for number in range(count)]})
    expected = data.train_test_split(test_size=share, seed=42)
    kept, taken = cut(numbered, share)
    assert [problem.prompt for problem in kept] == expected["train"]["number"]
    assert [problem.prompt for problem in taken] == expected["test"]["number"]


def test_the_order_never_changes() -> None:
    kept, taken = cut(problems(*map(str, range(10))), 0.3)
    assert [problem.id for problem in taken] == ["5", "6", "0"]
    assert [problem.id for problem in kept] == ["7", "3", "2", "4", "9", "1", "8"]


def test_a_prompt_is_kept_once_and_not_where_it_is_known() -> None:
    known = {"a"}
    assert [p.prompt for p in without(problems("a", "b", "c", "b"), known)] == ["b", "c"]
    assert known == {"a", "b", "c"}


def test_splits_that_share_a_prompt_or_an_id_are_refused() -> None:
    check_apart({"train": problems("a", "b"), "test": []}, "task")
    with pytest.raises(CrosstalkError, match="task: '0' of train and '0' of test have the same id"):
        check_apart({"train": problems("a"), "test": problems("b")}, "task")
    with pytest.raises(CrosstalkError, match=r"'0' of train and '1' of train.* same prompt"):
        check_apart({"train": problems("a", "a"), "test": []}, "task")
