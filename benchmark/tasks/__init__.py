"""The tasks, by name. A new task is one file and one entry here."""

from typing import Any

from benchmark.errors import CrosstalkError, unknown
from benchmark.tasks.arithmetic import Arithmetic
from benchmark.tasks.base import Problem, Split, Task

__all__ = ["TASKS", "Problem", "Split", "Task", "make_task"]

TASKS: dict[str, type[Task]] = {
    "arithmetic": Arithmetic,
}


def make_task(name: str, **params: Any) -> Task:
    """Return the task called ``name``, made with its own parameters.

    Raises:
        CrosstalkError: There is no such task, or it does not take these parameters.
    """
    if name not in TASKS:
        raise unknown("task", name, TASKS)
    try:
        return TASKS[name](**params)
    except TypeError as error:
        raise CrosstalkError(f"task {name!r} with parameters {params}: {error}") from error
