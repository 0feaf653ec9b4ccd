"""What several builds of tiny models share."""

from collections.abc import Iterator
from functools import cache

import pytest

from benchmark.tasks import Problem, Split
from benchmark.tasks.arithmetic import Arithmetic


@pytest.fixture(scope="module")
def arithmetic_once() -> Iterator[None]:
    """Write the problems of a split once for all builds: 50,000 take most of a short one's time."""
    split = Arithmetic.split

    @cache
    def problems(name: Split, size: int) -> list[Problem]:
        return split(Arithmetic(), name, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Arithmetic, "split", lambda self, name, size: list(problems(name, size)))
        yield
