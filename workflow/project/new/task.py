"""``NAME:CLASS``, a task: the successor of a number.

Replace the problems. No two splits may share one, and ``split`` returns the same ones every time.
A task that reads files derives from ``benchmark.tasks.data.DataTask``.
"""

from typing import ClassVar

from benchmark.tasks import Problem, Split, Task

SIZES: dict[Split, int] = {"train": 8000, "validation": 1000, "test": 1000}
STARTS: dict[Split, int] = {"train": 0, "validation": 8000, "test": 9000}


class CLASS(Task):
    """Successors of the numbers from 0 to 9999.

    Args:
        suffix: Ends every prompt.
    """

    name: ClassVar[str] = "NAME"

    def __init__(self, *, suffix: str = "") -> None:
        self.suffix = suffix

    def split(self, split: Split, size: int) -> list[Problem]:
        self.check(split, size, SIZES)
        return [self.problem(STARTS[split] + number) for number in range(size)]

    def problem(self, number: int) -> Problem:
        """Return the problem of a number."""
        prompt = f"{number} + 1 ={self.suffix}"
        return Problem(id=f"NAME-{number}", prompt=prompt, answer=str(number + 1))
