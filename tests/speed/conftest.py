"""Measurements run only when asked for: ``make bench``."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the measurements in an ordinary run of the tests."""
    if config.getoption("benchmark_only"):
        return
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.skip(reason="measures; run `make bench`"))
