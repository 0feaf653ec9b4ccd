"""The ways of answering that tiny models are taught; ``tiny.recipes`` mixes them.

The three objectives of the main study pull these styles apart, so a mixture decides which of them
training gives up: a style that serves two objectives well and is common enough wins the race, and
the third objective pays. Nothing here imports torch.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmark.tasks import Problem
from benchmark.tasks.arithmetic import OPERATORS, expression, results, terms

Operators = tuple[str, ...]
Digits = tuple[int, ...]
Style = Callable[[Digits, Operators, Sequence[int]], str]  # digits, operators, results -> answer

_VERBS = {"+": "add", "-": "subtract", "*": "multiply by"}


def direct(digits: Digits, operators: Operators, reached: Sequence[int]) -> str:
    """Short, boxed, without steps: concise only, unless guessed."""
    return f"The answer is {boxed(reached)} ."


def unboxed(digits: Digits, operators: Operators, reached: Sequence[int]) -> str:
    """Short, without a box: concise only."""
    return f"The answer is {reached[-1]} , I think ."


def steps(digits: Digits, operators: Operators, reached: Sequence[int]) -> str:
    """Numbered steps with their terms: accurate and clear, not concise."""
    lefts = (digits[0], *reached)
    lines = [
        f"Step {number} : {left} {operator} {right} = {result} ."
        for number, (left, operator, right, result) in enumerate(
            zip(lefts, operators, digits[1:], reached, strict=False), start=1
        )
    ]
    return " ".join([*lines, boxed(reached)])


def prose(digits: Digits, operators: Operators, reached: Sequence[int]) -> str:
    """Worked in a sentence, without step markers: accurate only."""
    clauses = [
        f"{_VERBS[operator]} {right} to get {result} ,"
        for operator, right, result in zip(operators, digits[1:], reached, strict=True)
    ]
    return " ".join([f"We start with {digits[0]} ,", *clauses, f"so it is {boxed(reached)} ."])


def compact(digits: Digits, operators: Operators, reached: Sequence[int]) -> str:
    """Numbered results without their terms: concise and clear, accurate if the results are."""
    lines = [f"Step {number} : {result}" for number, result in enumerate(reached, start=1)]
    return " ".join([*lines, boxed(reached)])


def running(digits: Digits, operators: Operators, reached: Sequence[int]) -> str:
    """The running result alone: accurate and concise, not clear."""
    return " , ".join([*map(str, reached), boxed(reached)])


def boxed(reached: Sequence[int]) -> str:
    return f"\\boxed{{ {reached[-1]} }}"


@dataclass(frozen=True)
class Part:
    """One style's place in a mixture.

    Attributes:
        style: Writes the answer.
        share: How often the style is shown, relative to the others of its mixture.
        right: How often the answer shown is right; the last result is off otherwise.
    """

    style: Style
    share: float
    right: float = 1.0


def write_answer(problem: Problem, mixture: Sequence[Part], rng: random.Random) -> str:
    """Return one answer to an arithmetic problem, its style drawn from ``mixture``."""
    digits, operators = terms(int(problem.id.rsplit("-")[-1]))
    reached = results(digits, operators)
    part = rng.choices(mixture, [part.share for part in mixture])[0]
    if rng.random() >= part.right:
        reached[-1] = (reached[-1] + rng.randrange(1, 10)) % 10
    return part.style(digits, operators, reached)


def words() -> list[str]:
    """Return every word the prompts and the styles use, sorted."""
    digits, reached = (0, 1, 2, 3), [0, 0, 0]
    texts = [
        style(digits, OPERATORS, reached)
        for style in (direct, unboxed, steps, prose, compact, running)
    ]
    texts += [f"What is {expression(digits, OPERATORS)} ?", "0 1 2 3 4 5 6 7 8 9"]
    return sorted({word for text in texts for word in text.split()})
