"""What a model's entry may say of its warm-up: supervised training before anything is compared."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, field_validator

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.settings import Positive, Section, Seed, read_json
from benchmark.tasks.base import Task
from benchmark.tasks.worked import STYLES, Part, Worked, task_of, worked

BUDGET = "warm_up.json"  # in a model's folder: what its warm-up took
TRACKED = "warm_up."  # what tracked parameters of it begin with


class StyleShare(Section):
    """A style's part in what is taught.

    Attributes:
        share: How often the style is shown, relative to the others.
        right: How often the answer shown is right.
    """

    share: Annotated[float, Field(gt=0)]
    right: Annotated[float, Field(ge=0, le=1)] = 1.0


class WarmUp(Section):
    """Supervised training of a whole model on a task's own worked answers, in mixed styles.

    Attributes:
        task: A task whose problems have workings, ``words`` or ``gsm8k``.
        parameters: The task's parameters.
        problems: How many of its train split are taught.
        steps: Optimiser steps.
        batch: Answers a step; each is drawn anew, problem, style and error.
        learning_rate: Of AdamW, constant.
        seed: Of what is drawn.
        styles: The mixture, by the names of :data:`benchmark.tasks.worked.STYLES`.
    """

    task: str
    parameters: dict[str, Any] = Field(default_factory=dict)
    problems: Positive = 2000
    steps: Positive
    batch: Positive = 32
    learning_rate: Annotated[float, Field(gt=0)] = 2e-5
    seed: Seed = 0
    styles: Annotated[dict[str, StyleShare], Field(min_length=1)]

    @field_validator("styles")
    @classmethod
    def _are_known(cls, styles: dict[str, StyleShare]) -> dict[str, StyleShare]:
        for name in styles:
            if name not in STYLES:
                raise ValueError(str(unknown("style", name, STYLES)))
        return styles

    @property
    def mixture(self) -> list[Part]:
        """The styles with their shares, in the order of their names."""
        return [Part(name, each.share, each.right) for name, each in sorted(self.styles.items())]

    def made_task(self) -> Task:
        """Return the task, made with its parameters.

        Raises:
            CrosstalkError: It has no worked answers, or does not take these parameters.
        """
        return task_of(self.task, self.parameters)

    def lessons(self) -> list[Worked]:
        """Return the problems that are taught, with their workings."""
        return worked(self.task, self.parameters, self.problems)


def warm_up_budget(folder: Path) -> dict[str, Any]:
    """Return what the warm-up of a prepared model took; nothing of one without."""
    file = folder / BUDGET
    return read_json(file) if file.is_file() else {}


def check_warm_up(name: str, plan: WarmUp) -> None:
    """Refuse a warm-up whose task does not fit; data not downloaded yet are not looked at.

    Raises:
        CrosstalkError: The message names the entry.
    """
    from benchmark.common.hub import missing

    try:
        task = plan.made_task()
        if not missing(task.needs()):
            plan.lessons()
    except CrosstalkError as error:
        raise CrosstalkError(f"models.yaml: {name}: warm_up: {error}") from error
