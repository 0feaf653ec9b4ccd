import random
import re
from collections import Counter
from pathlib import Path

import pytest
from tasks.files import json_lines

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import make_objective
from benchmark.tasks import Problem, make_task
from benchmark.tasks.words import Line
from benchmark.tasks.worked import (
    STYLES,
    Part,
    Worked,
    gsm8k_lines,
    worked,
    write_answer,
)

ONE, TWO = worked("words", {}, 2)
SOLUTION = (
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "She sold 48+24 = <<48+24=72>>72 clips in both months.\n#### 72"
)


def scores(answers: list[str], references: list[str]) -> dict[str, list[float]]:
    ids = [list(answer.encode()) for answer in answers]
    return {
        name: make_objective(name, name).rewards(
            completions=answers, completion_ids=ids, answer=references
        )
        for name in ("accuracy", "clarity")
    }


@pytest.mark.parametrize("solved", worked("words", {}, 14), ids=lambda each: each.problem.id)
def test_styles_pull_the_objectives_apart(solved: Worked) -> None:
    answer = solved.problem.answer
    written = {name: style(solved.lines, answer) for name, style in STYLES.items()}
    found = scores(list(written.values()), [answer] * len(written))
    accurate = dict(zip(written, found["accuracy"], strict=True))
    clear = dict(zip(written, found["clarity"], strict=True))
    assert accurate == {"boxed": 1, "steps": 1, "prose": 1, "plain": 0, "compact": 1}
    assert clear == {"boxed": 0, "steps": 1, "prose": 0, "plain": 0, "compact": 1}
    lengths = {name: len(text) for name, text in written.items()}
    assert max(lengths["boxed"], lengths["plain"], lengths["compact"]) < lengths["prose"]
    assert lengths["prose"] < lengths["steps"] + 20


def test_a_mixture_is_shown_in_its_shares() -> None:
    mixture = [Part("boxed", 3, 1.0), Part("plain", 1, 1.0)]
    rng = random.Random(0)
    shown = Counter(write_answer(ONE, mixture, rng)[0] for _ in range(2000))
    assert 0.71 < shown["\\"] / 2000 < 0.79


def test_wrong_answers_are_as_frequent_as_said() -> None:
    rng = random.Random(0)
    mixture = [Part("boxed", 1, 0.65)]
    answers = [write_answer(ONE, mixture, rng) for _ in range(2000)]
    right = answers.count(f"\\boxed{{{ONE.problem.answer}}}")
    assert 0.61 < right / 2000 < 0.69


@pytest.mark.parametrize("solved", worked("words", {}, 28), ids=lambda each: each.problem.id)
def test_a_wrong_answer_changes_the_last_result_alone(solved: Worked) -> None:
    rng = random.Random(0)
    text = write_answer(solved, [Part("steps", 1, 0.0)], rng)
    *before, last, final = text.split("\n")
    assert before == [f"{n}. {line.text}" for n, line in enumerate(solved.lines[:-1], start=1)]
    (boxed,) = re.findall(r"\\boxed\{(\d+)\}", final)
    assert boxed != solved.problem.answer
    assert f"= {boxed}" in last
    assert f"= {solved.problem.answer}" not in last


def test_answers_repeat_with_the_seed() -> None:
    mixture = [Part("steps", 1, 0.5), Part("boxed", 1, 0.5)]
    first, second = (
        [write_answer(each, mixture, random.Random(3)) for each in (ONE, TWO)] for _ in range(2)
    )
    assert first == second


def test_an_answer_that_is_no_number_cannot_be_made_wrong() -> None:
    solved = Worked(Problem("a", "?", "blue"), (Line("It is blue.", "blue"),))
    with pytest.raises(CrosstalkError, match="expected answers that are whole numbers, got 'blue'"):
        write_answer(solved, [Part("boxed", 1, 0.0)], random.Random(0))
    assert write_answer(solved, [Part("plain", 1, 1.0)], random.Random(0)) == "The answer is blue."


# gsm8k


def test_notes_of_calculations_are_left_out() -> None:
    assert gsm8k_lines(SOLUTION, "72") == (
        Line("Natalia sold 48/2 = 24 clips in May.", "24"),
        Line("She sold 48+24 = 72 clips in both months.", "72"),
    )


@pytest.mark.parametrize(
    ("solution", "answer", "last"),
    [
        ("He has $1,200 left.\n#### 1,200", "1200", Line("He has $1,200 left.", "1200")),
        ("Half of 10 is <<10/2=5>>5.\n#### 6", "6", Line("So the result is 6.", "6")),
        ("No number here.\n#### 6", "6", Line("So the result is 6.", "6")),
        ("#### 6", "6", Line("So the result is 6.", "6")),
    ],
)
def test_a_solution_ends_in_its_answer(solution: str, answer: str, last: Line) -> None:
    assert gsm8k_lines(solution, answer)[-1] == last


def test_gsm8k_is_worked_as_its_train_split_is_cut(tmp_path: Path) -> None:
    rows = [
        {"question": f"Q{n}?", "answer": f"It is <<{n}+1={n + 1}>>{n + 1}.\n#### {n + 1}"}
        for n in range(60)
    ]
    json_lines(tmp_path / "train.jsonl", rows[:50])
    json_lines(tmp_path / "test.jsonl", rows[50:])
    parameters = {"path": str(tmp_path)}
    found = worked("gsm8k", parameters, 45)
    assert [each.problem for each in found] == make_task("gsm8k", **parameters).split("train", 45)
    assert all(each.lines[-1].result == each.problem.answer for each in found)
    assert found[0].lines[0].text == f"It is {found[0].problem.answer}."


# what is refused


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("word", {}, "unknown task with worked answers 'word'; did you mean 'words'"),
        ("arithmetic", {}, "unknown task with worked answers 'arithmetic'"),
        ("words", {"size": 3}, "size"),
    ],
)
def test_a_task_without_workings_is_refused(
    name: str, parameters: dict[str, int], expected: str
) -> None:
    with pytest.raises(CrosstalkError, match=expected):
        worked(name, parameters, 1)
