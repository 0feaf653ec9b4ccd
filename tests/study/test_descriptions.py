"""What a study of made-up models says of itself."""

import pytest

from benchmark.study import load_study


@pytest.mark.parametrize("name", ["quick", "geometry", "tiny", "laboratory", "causes"])
def test_a_study_of_taught_models_says_that_conflicts_are_planted(name: str) -> None:
    description = load_study(name).file.description
    assert "plant" in description or "taught" in description
