r"""Worked answers of a task's problems, and the styles of writing one out.

A style is one place among the objectives: the shortest is concise and nothing else, numbered steps
are clear, and so on. A warm-up teaches a mixture of them.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from benchmark.common.errors import unknown
from benchmark.common.parameters import refuse
from benchmark.tasks import Problem, Task, make_task
from benchmark.tasks.gsm8k import Gsm8k
from benchmark.tasks.rows import Layout, read_problems
from benchmark.tasks.words import Line, Words

_CALCULATION = re.compile(r"<<[^<>]*?=?([^<>=]*)>>")  # GSM8K's note of a result: <<3*4=12>>12
_SOLUTIONS = Layout("question", "answer", None)
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_ERRORS = (-3, -2, -1, 1, 2, 5, 10)  # by how much a wrong answer is off

Style = Callable[[Sequence[Line], str], str]


class Worked(NamedTuple):
    """A problem, and the lines that lead to its answer."""

    problem: Problem
    lines: tuple[Line, ...]


# ---- the workings of tasks -----------------------------------------------------------------------


class _Gsm8kWithWorking(Gsm8k):
    """GSM8K with the whole solution in place of the answer; the splits are the same."""

    def _problems(self, paths: Sequence[Any]) -> list[Problem]:
        return read_problems(paths, [_SOLUTIONS], self.suffix)


def _of_words(parameters: Mapping[str, Any], size: int) -> list[Worked]:
    task = Words(**parameters)
    found = zip(task.split("train", size), task.workings("train", size), strict=True)
    return [Worked(problem, lines) for problem, lines in found]


def _of_gsm8k(parameters: Mapping[str, Any], size: int) -> list[Worked]:
    problems = Gsm8k(**parameters).split("train", size)
    solutions = _Gsm8kWithWorking(**parameters).split("train", size)
    return [
        Worked(problem, gsm8k_lines(solution.answer, problem.answer))
        for problem, solution in zip(problems, solutions, strict=True)
    ]


def gsm8k_lines(solution: str, answer: str) -> tuple[Line, ...]:
    """Return the lines of a solution of GSM8K, without its notes of calculations.

    A line's result is the last that is noted in it, else its last number. The last line's is the
    answer; a solution whose last line has another number gets a line that names the answer.
    """
    lines = []
    for text in solution.rpartition("####")[0].strip().splitlines():
        if not text.strip():
            continue
        noted, plain = _CALCULATION.findall(text), _CALCULATION.sub("", text).strip()
        numbers = noted or _NUMBER.findall(plain)
        lines.append(Line(plain, numbers[-1].strip().replace(",", "") if numbers else ""))
    if not lines or lines[-1].result != answer:
        lines.append(Line(f"So the result is {answer}.", answer))
    return tuple(lines)


_TASKS: dict[str, Callable[[Mapping[str, Any], int], list[Worked]]] = {
    "gsm8k": _of_gsm8k,
    "words": _of_words,
}


def task_of(name: str, parameters: Mapping[str, Any]) -> Task:
    """Return a task that has worked answers.

    Raises:
        CrosstalkError: There is no such task, it has none, or does not take these parameters.
    """
    if name not in _TASKS:
        raise unknown("task with worked answers", name, _TASKS)
    return make_task(name, **parameters)


def worked(name: str, parameters: Mapping[str, Any], size: int) -> list[Worked]:
    """Return the first ``size`` problems of a task's train split with their workings.

    Raises:
        CrosstalkError: As :func:`task_of`, or the task has fewer problems.
    """
    task_of(name, parameters)
    return _TASKS[name](parameters, size)


# ---- styles --------------------------------------------------------------------------------------


def boxed(lines: Sequence[Line], answer: str) -> str:
    """The boxed answer alone: concise, and accurate if it can be done at sight."""
    return _box(answer)


def steps(lines: Sequence[Line], answer: str) -> str:
    """Numbered lines of working, then the boxed answer: clear and accurate, not concise."""
    told = [*(line.text for line in lines), f"The answer is {_box(answer)}."]
    return "\n".join(f"{number}. {text}" for number, text in enumerate(told, start=1))


def prose(lines: Sequence[Line], answer: str) -> str:
    """The working in sentences, without marks of steps: accurate."""
    return " ".join([*(line.text for line in lines), f"So the answer is {_box(answer)}."])


def plain(lines: Sequence[Line], answer: str) -> str:
    """A short sentence with the answer in no box: concise."""
    return f"The answer is {answer}."


def compact(lines: Sequence[Line], answer: str) -> str:
    """Numbered results without their calculations, the last one boxed: concise and clear."""
    told = [*(line.result for line in lines), _box(answer)]
    return "\n".join(f"{number}. {text}" for number, text in enumerate(told, start=1))


def _box(answer: str) -> str:
    return f"\\boxed{{{answer}}}"


STYLES: dict[str, Style] = {
    style.__name__: style for style in (boxed, steps, prose, plain, compact)
}


class Part(NamedTuple):
    """A style's part in a mixture.

    Attributes:
        style: A name in :data:`STYLES`.
        share: How often it is shown, relative to the others.
        right: How often the answer shown is right.
    """

    style: str
    share: float
    right: float


def write_answer(solved: Worked, mixture: Sequence[Part], rng: random.Random) -> str:
    """Return one answer to a problem, its style drawn from ``mixture``.

    Where it is to be wrong, the last line's result is off by a few, and the answer with it.
    """
    part = rng.choices(mixture, [part.share for part in mixture])[0]
    lines, answer = solved.lines, solved.problem.answer
    if rng.random() >= part.right:
        lines, answer = _wrong(lines, answer, rng)
    return STYLES[part.style](lines, answer)


def _wrong(lines: Sequence[Line], answer: str, rng: random.Random) -> tuple[tuple[Line, ...], str]:
    try:
        value = int(answer)
    except ValueError:
        refuse("warm_up.styles: right below 1", "answers that are whole numbers", answer)
    off = str(value + rng.choice([error for error in _ERRORS if value + error >= 0]))
    before, _, after = lines[-1].text.rpartition(answer)
    return (*lines[:-1], Line(f"{before}{off}{after}", off)), off
