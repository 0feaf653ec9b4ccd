"""The contract of a task, as properties of one under test."""

from collections.abc import Callable, Mapping
from typing import Any, get_args

import torch

from benchmark.common.errors import CrosstalkError
from benchmark.common.randomness import separate_stream
from benchmark.tasks import Problem, Split, Task, make_task
from benchmark.testing.faults import require, upheld

Make = Callable[[], Task]
Sizes = Mapping[Split, int]
SPLITS: tuple[Split, ...] = get_args(Split)
SIZES: Sizes = {"train": 32, "validation": 8, "test": 16}


def check_task(
    task: str | Callable[..., Task],
    *,
    parameters: Mapping[str, Any] | None = None,
    sizes: Sizes = SIZES,
) -> None:
    """Check that a task keeps every property of :data:`TASK_PROPERTIES`.

    What it reads from the hub has to be there.

    Args:
        task: A name as studies use it (``"module:Class"`` too), a class, or a function of the
            parameters that returns one.
        parameters: Its parameters.
        sizes: How many problems of each split to look at: as many as a study would take.

    Raises:
        AssertionError: A property does not hold.
        CrosstalkError: There is no task of that name, or no such parameter.
    """
    given, label = dict(parameters or {}), getattr(task, "__name__", str(task))

    def make() -> Task:
        return make_task(task, **given) if isinstance(task, str) else task(**given)

    make()
    for name, holds in TASK_PROPERTIES.items():
        with upheld(label, name):
            holds(make, sizes)


def _all(task: Task, sizes: Sizes) -> dict[Split, list[Problem]]:
    return {split: task.split(split, sizes[split]) for split in SPLITS}


def _is_a_task(make: Make, sizes: Sizes) -> None:
    task = make()
    require(isinstance(task, Task), f"{task!r} is no Task")
    name = getattr(task, "name", "")
    require(isinstance(name, str) and name, f"name is {name!r}")


def _gives_problems(make: Make, sizes: Sizes) -> None:
    for split, problems in _all(make(), sizes).items():
        found = len(problems)
        require(found == sizes[split], f"{split}: {found} problems, not {sizes[split]}")
        for each in problems:
            fits = isinstance(each, Problem) and all(
                isinstance(text, str) for text in (each.id, each.prompt, each.answer)
            )
            require(fits and each.id and each.prompt.strip(), f"{split}: {each!r} is no problem")


def _keeps_splits_apart(make: Make, sizes: Sizes) -> None:
    ids: dict[str, Split] = {}
    prompts: dict[str, Split] = {}
    for split, problems in _all(make(), sizes).items():
        for each in problems:
            require(each.id not in ids, f"the id {each.id!r} comes twice")
            ids[each.id] = split
            other = prompts.setdefault(each.prompt, split)
            require(other == split, f"{split} and {other} share the prompt {each.prompt!r}")


def _begins_alike(make: Make, sizes: Sizes) -> None:
    task = make()
    for split, problems in _all(task, sizes).items():
        fewer = task.split(split, max(1, sizes[split] // 2))
        require(fewer == problems[: len(fewer)], f"{split}: fewer problems are not the first ones")


def _is_deterministic(make: Make, sizes: Sizes) -> None:
    with separate_stream(1):
        first = _all(make(), sizes)
    with separate_stream(2):
        before = torch.get_rng_state()
        require(_all(make(), sizes) == first, "another one has other problems")
        require(torch.equal(torch.get_rng_state(), before), "it drew from torch's global stream")


def _refuses_what_is_not_there(make: Make, sizes: Sizes) -> None:
    wrong: list[tuple[Any, int]] = [("rest", 1), ("train", 0), ("test", 10**12)]
    for split, size in wrong:
        try:
            make().split(split, size)
        except CrosstalkError:
            continue
        raise AssertionError(f"split({split!r}, {size}) is no CrosstalkError")


def _digests_its_files(make: Make, sizes: Sizes) -> None:
    contents = make().contents()
    texts = [text for pair in contents.items() for text in pair]
    require(all(isinstance(text, str) for text in texts), f"contents() is {contents!r}")
    require(make().contents() == contents, "another one has other contents()")


TASK_PROPERTIES: dict[str, Callable[[Make, Sizes], None]] = {
    "is a task with a name": _is_a_task,
    "gives as many problems as it is asked for": _gives_problems,
    "splits share no id and no prompt": _keeps_splits_apart,
    "fewer problems are the first ones": _begins_alike,
    "is deterministic": _is_deterministic,
    "refuses splits and sizes that are not there": _refuses_what_is_not_there,
    "digests its own files": _digests_its_files,
}
