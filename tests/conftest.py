"""Fixtures of more than one test file. Nothing heavy is imported here: light tests stay light."""

import gc
import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from once import made_once, prepared_store

from benchmark.commands.cli import quiet

# Read on import: one thread, so that sums are the same everywhere, and no network.
os.environ |= {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
quiet()  # what the command line does first

if TYPE_CHECKING:
    from called import Call
    from forked import Crosstalk
    from projects import Make, Project

LONGEST = ("workflow", "site", "wheel")  # groups, each minutes of one worker


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a file's quick tests to one worker, which makes once what they share, the longest first.

    The slow ones come last, one by one, so that the workers end together.
    """
    sizes = Counter(item.path for item in items)

    def place(item: pytest.Item) -> tuple[int, int, str]:
        group = item.get_closest_marker("xdist_group")
        if group is not None:
            name = str(group.args[0])
            return (LONGEST.index(name) if name in LONGEST else len(LONGEST), 0, name)
        if item.get_closest_marker("slow") is not None:
            return (len(LONGEST) + 2, 0, "")
        item.add_marker(pytest.mark.xdist_group(item.path.stem))
        return (len(LONGEST) + 1, -sizes[item.path], str(item.path))

    places = {item: place(item) for item in items}
    items.sort(key=places.__getitem__)


def pytest_collection_finish() -> None:
    """Keep the collector off all that was imported: each training ends with a full collection."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model taught for two seconds: enough for each objective to vary."""
    from benchmark.models.tiny import build as tiny_models
    from benchmark.models.tiny import recipes as tiny_recipes
    from benchmark.models.tiny import styles as tiny_styles

    mixture = (
        tiny_styles.Part(tiny_styles.compact, 0.4, right=0.5),
        tiny_styles.Part(tiny_styles.direct, 0.4, right=0.5),
        tiny_styles.Part(tiny_styles.unboxed, 0.2),
    )
    base = tiny_recipes.RECIPES["tiny-qwen2-base"]
    recipe = replace(base, mixture=mixture, steps=30, learning_rate=1e-2)
    return made_once(tmp_path_factory, "tiny", partial(tiny_models.build, "hasty", recipe))


@pytest.fixture(scope="session")
def empty_tracking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking store with the test study's experiment, to copy."""
    from projects import STUDY

    return prepared_store(tmp_path_factory, STUDY)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Take away what a command has told the package's logger, whose stream ends with its test."""
    logger = logging.getLogger("benchmark")
    handlers, level, propagates = logger.handlers, logger.level, logger.propagate
    yield
    logger.handlers, logger.propagate = handlers, propagates
    logger.setLevel(level)


@pytest.fixture
def project(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Project":
    """A project root, entered: ``models.yaml`` with the tiny model, no tracking store."""
    from projects import make_project

    return make_project(tmp_path, tiny_model, monkeypatch)


@pytest.fixture
def tracked_project(project: "Project", empty_tracking: Path) -> "Project":
    """The same with its tracking store."""
    from projects import add_store

    add_store(project, empty_tracking)
    return project


@pytest.fixture
def make(tiny_model: Path, tmp_path: Path) -> "Make":
    """Makes trainers as a plain script does: :func:`projects.multi_objective`."""
    from projects import multi_objective

    return partial(multi_objective, tiny_model, tmp_path)


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> "Call":
    """Calls ``crosstalk`` in this process: :func:`called.caller`."""
    from called import caller

    return caller(monkeypatch, capfd)


@pytest.fixture(scope="session")
def crosstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Crosstalk"]:
    """Calls ``crosstalk`` in a process of its own, forked: for the group "workflow" to share."""
    from forked import ready

    with ready(tmp_path_factory.mktemp("forked")) as start:
        yield start
