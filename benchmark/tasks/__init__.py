"""The tasks, by name. A new task is one file and one entry here; or it is kept outside.

One outside is named ``module:Class`` or by an entry point of the group ``crosstalk.tasks``.
"""

import inspect
from typing import Any

from benchmark.common.errors import check_parameter_names
from benchmark.common.plugins import Plugins
from benchmark.tasks.arithmetic import Arithmetic
from benchmark.tasks.base import Problem, Split, Task
from benchmark.tasks.cnn_dailymail import CnnDailyMail
from benchmark.tasks.countdown import Countdown
from benchmark.tasks.gsm8k import Gsm8k
from benchmark.tasks.helpsteer2 import HelpSteer2
from benchmark.tasks.hh_rlhf import HelpfulHarmless
from benchmark.tasks.math500 import Math500
from benchmark.tasks.math_lighteval import MathLighteval
from benchmark.tasks.paradetox import ParaDetox
from benchmark.tasks.pku_saferlhf import PkuSafeRlhf
from benchmark.tasks.rlla import Rlla
from benchmark.tasks.table import Table
from benchmark.tasks.ultrafeedback import UltraFeedback
from benchmark.tasks.words import Words

__all__ = ["PLUGINS", "TASKS", "Problem", "Split", "Task", "make_task", "task_class"]

TASKS: dict[str, type[Task]] = {
    "arithmetic": Arithmetic,
    "cnn-dailymail": CnnDailyMail,
    "countdown": Countdown,
    "gsm8k": Gsm8k,
    "helpsteer2": HelpSteer2,
    "hh-rlhf": HelpfulHarmless,
    "math": MathLighteval,
    "math500": Math500,
    "paradetox": ParaDetox,
    "pku-saferlhf": PkuSafeRlhf,
    "rlla": Rlla,
    "table": Table,
    "ultrafeedback": UltraFeedback,
    "words": Words,
}


PLUGINS = Plugins("task", "crosstalk.tasks", (Task,))


def task_class(name: str) -> type[Task]:
    """Return the class of a key of :data:`TASKS`, an entry point, or ``module:Class``.

    Raises:
        CrosstalkError: The name is unknown, cannot be imported, or is not a task.
    """
    return PLUGINS.find(name, TASKS)


def make_task(name: str, **params: Any) -> Task:
    """Return the task called ``name``, made with its own parameters.

    Raises:
        CrosstalkError: There is no such task, or it does not take these parameters.
    """
    cls = task_class(name)
    own = list(inspect.signature(cls).parameters.values())
    check_parameter_names(own, params, f"task {name!r}")
    return cls(**params)
