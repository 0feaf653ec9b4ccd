"""What of this folder needs vLLM is skipped where it is not installed: see ``make test-vllm``.

The folder is not called vllm: the folder above is on the path, where libraries would find it.
"""

from pathlib import Path

import pytest

from benchmark.models.policy.engines import vllm_version

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    missing = vllm_version() is None
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.vllm)
            item.add_marker(pytest.mark.xdist_group("vllm"))
            if missing:
                item.add_marker(pytest.mark.skip(reason="vLLM is not installed"))
