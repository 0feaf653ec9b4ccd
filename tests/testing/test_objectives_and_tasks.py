"""The conformance suites of objectives and tasks: sound ones pass, and each fault is named."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import pytest
import torch

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import OBJECTIVES, Objective, completion_text
from benchmark.tasks import Problem, Split, Task
from benchmark.testing import OBJECTIVE_PROPERTIES, TASK_PROPERTIES, check_objective, check_task
from benchmark.testing.objectives import TEXTS

PARAMETERS: dict[str, dict[str, Any]] = {
    "length_penalty": {"target": 2, "limit": 6},
    "target_length": {"target": 2, "mode": "max"},
    "cosine_length": {"limit": 6, "wrong": [0.0, 0.2]},
    "conditioned": {"easy": "format", "hard": "accuracy"},
    "calibrated": {"reward": "format", "fit": [-1.0, 1.0], "kind": "logistic"},
}
CALL = '<tool_call>\n{"name": "add", "parameters": {"x": 1}}\n</tool_call>'
COLUMNS = {
    "countdown": {"answer": ["3 12 7 -> 43"] * len(TEXTS)},
    "tool_call": {"answer": [CALL] * len(TEXTS)},
}
SOUND = sorted(set(OBJECTIVES) - {"reward_model", "classifier"})  # which read a model
SIZES: dict[Split, int] = {"train": 4, "validation": 2, "test": 2}


class Short(Objective):
    """The share of a running mean of lengths that a completion stays below."""

    def __init__(self, mean: float = 10.0) -> None:
        self.mean = mean

    def rewards(
        self, *, completions: Sequence[Any], completion_ids: Sequence[Any], **columns: Any
    ) -> list[float]:
        return [max(0.0, 1 - len(completion_text(each)) / self.mean / 100) for each in completions]

    def observe(self, lengths: Sequence[int]) -> None:
        self.mean = (self.mean + sum(lengths) / len(lengths)) / 2

    def for_evaluation(self, initial_mean_tokens: float) -> Objective:
        return Fixed(initial_mean_tokens)

    def state_dict(self) -> dict[str, Any]:
        return {"mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.mean = state["mean"]


class Fixed(Short):
    name = "short"

    def observe(self, lengths: Sequence[int]) -> None:
        pass


Rewards = Callable[..., Any]


def changed(body: Rewards) -> type[Objective]:
    """Return :class:`Short` with other rewards, made by a function of the texts."""

    def rewards(self: Short, *, completions: Sequence[Any], **columns: Any) -> Any:
        return body(self, completions)

    return type("Wrong", (Short,), {"rewards": rewards})


def plain(objective: Any, completions: Sequence[Any]) -> list[float]:
    return [min(1.0, len(completion_text(each)) / 1000) for each in completions]


def counting(objective: Any, completions: Sequence[Any]) -> list[float]:
    objective.mean += 1
    return plain(objective, completions)


def emptying(objective: Any, completions: Any) -> list[float]:
    found = plain(objective, completions)
    completions[0] = ""
    return found


OBJECTIVE_FAULTS: dict[str, tuple[Rewards, str]] = {
    "too high": (lambda s, c: [2.0] * len(c), "at most upper_bound"),
    "too few": (lambda s, c: [1.0], "at most upper_bound"),
    "none at all": (lambda s, c: [None] * len(c), "at most upper_bound"),
    "of the batch": (lambda s, c: [i / len(c) for i in range(len(c))], "of its completion alone"),
    "of text alone": (lambda s, c: [float(isinstance(t, str)) for t in c], "worth its text"),
    "counts calls": (counting, "a call changes nothing"),
    "writes": (emptying, "a call changes nothing"),
    "draws": (lambda s, c: [float(torch.rand(()))] * len(c), "a call changes nothing"),
}


@pytest.mark.parametrize("name", SOUND)
def test_the_packages_objectives_pass(name: str) -> None:
    if name == "rouge":
        pytest.importorskip("rouge_score", reason="the package rouge-score is not here")
    check_objective(name, parameters=PARAMETERS.get(name), columns=COLUMNS.get(name))


def test_an_objective_of_ones_own_passes() -> None:
    check_objective(Short)
    check_objective(lambda mean: Short(mean), parameters={"mean": 5.0})
    with pytest.raises(CrosstalkError, match="did you mean 'accuracy'"):
        check_objective("acuracy")


@pytest.mark.parametrize("fault", OBJECTIVE_FAULTS)
def test_a_fault_of_an_objective_is_named(fault: str) -> None:
    body, told = OBJECTIVE_FAULTS[fault]
    with pytest.raises(AssertionError, match=rf"^Wrong: property '.*{told}.*' does not hold: "):
        check_objective(changed(body))


def test_what_an_objective_keeps_for_itself_is_named() -> None:
    forgetful = type("Wrong", (Short,), {"state_dict": lambda self: {"mean": 1.0}})
    with pytest.raises(AssertionError, match="state round trips"):
        check_objective(forgetful)
    moving = type("Wrong", (Short,), {"for_evaluation": Objective.for_evaluation})
    with pytest.raises(AssertionError, match="holds still for evaluation"):
        check_objective(moving)
    assert {"is deterministic", "is an objective"} < OBJECTIVE_PROPERTIES.keys()


class Counted(Task):
    name: ClassVar[str] = "counted"
    most: ClassVar[int] = 50

    def split(self, split: Split, size: int) -> list[Problem]:
        self.check(split, size, dict.fromkeys(SIZES, self.most))
        return [self.problem(split, number) for number in range(size)]

    def problem(self, split: Split, number: int) -> Problem:
        return Problem(f"{split}-{number}", f"What comes after {split} {number}?", str(number + 1))


def numbered(task: Any, split: Split, number: int) -> Problem:
    return Problem(str(number), f"{split} {number}", "1")


def leaking(task: Any, split: Split, number: int) -> Problem:
    return Problem(f"{split}-{number}", f"What comes after {number}?", "1")


def drawn(task: Any, split: Split, number: int) -> Problem:
    return Problem(f"{split}-{number}", f"{split} {random.random()}", "1")


def careless(task: Any, split: str, size: int) -> list[Problem]:
    return [Counted.problem(task, split, number) for number in range(min(size, 50))]  # type: ignore[arg-type]


def backwards(task: Any, split: Split, size: int) -> list[Problem]:
    return Counted.split(task, split, size)[::-1]


TASK_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "no name": ({"name": ""}, "is a task with a name"),
    "too few": ({"split": lambda task, split, size: []}, "as many problems"),
    "no text": ({"problem": lambda *_: Problem("1", " ", "1")}, "as many problems"),
    "an id twice": ({"problem": numbered}, "share no id"),
    "a shared prompt": ({"problem": leaking}, "share no id and no prompt"),
    "backwards": ({"split": backwards}, "fewer problems are the first"),
    "drawn": ({"problem": drawn}, "fewer problems are the first"),
    "takes any split": ({"split": careless}, "refuses splits"),
    "no digests": ({"contents": lambda task: {"a": 1}}, "digests its own files"),
}


def test_sound_tasks_pass() -> None:
    check_task("arithmetic", sizes=SIZES)
    check_task(Counted, sizes=SIZES)
    with pytest.raises(CrosstalkError, match="did you mean 'words'"):
        check_task("word")


@pytest.mark.parametrize("fault", TASK_FAULTS)
def test_a_fault_of_a_task_is_named(fault: str) -> None:
    body, told = TASK_FAULTS[fault]
    with pytest.raises(AssertionError, match=rf"^Wrong: property '.*{told}.*' does not hold: "):
        check_task(type("Wrong", (Counted,), body), sizes=SIZES)
    assert "is deterministic" in TASK_PROPERTIES
