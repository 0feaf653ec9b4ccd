import pytest

from benchmark.tracking.names import objective_metric, split_metric


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("test", "clarity", ""), "test/clarity"),
        (("test", "clarity", "delta_se"), "test/clarity/delta_se"),
        (("covariance/score", "clarity", ""), "covariance/score/clarity"),
        (("test", "delta", ""), "test/delta"),
        (("test", "initial", "delta"), "test/initial/delta"),
    ],
)
def test_metric_names_are_made_and_taken_apart(parts: tuple[str, str, str], name: str) -> None:
    assert objective_metric(*parts) == name
    assert split_metric(name) == parts
