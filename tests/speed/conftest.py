"""Measurements run only when asked for: ``make bench``."""

from pathlib import Path

import pytest

from benchmark.models.tiny import build as tiny_models
from benchmark.models.tiny.recipes import RECIPES


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the measurements in an ordinary run of the tests."""
    if config.getoption("benchmark_only"):
        return
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason="measures; run `make bench`"))


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The default study's first model; a minute to make."""
    folder = tmp_path_factory.mktemp("model")
    tiny_models.build("tiny-qwen2-base", RECIPES["tiny-qwen2-base"], folder)
    return folder
