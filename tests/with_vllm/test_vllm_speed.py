"""How fast each backend draws an evaluation (with ``--benchmark-enable``)."""

from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.models.policy.answers import generate
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.tasks import make_task


@pytest.mark.parametrize("backend", ["transformers", "vllm"])
def test_an_evaluation(benchmark: BenchmarkFixture, tiny_model: Path, backend: Any) -> None:
    problems = make_task("arithmetic").split("test", 256)
    plan = Evaluation(backend=backend, samples=4)
    drawn = benchmark.pedantic(
        generate, (tiny_model, problems, Sampling(max_tokens=48), plan), rounds=3, warmup_rounds=1
    )
    assert len(drawn.ids) == 1024
