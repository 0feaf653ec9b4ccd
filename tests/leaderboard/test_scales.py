"""What tables say of objectives whose scale was fitted before training."""

from benchmark.leaderboard.results.origins import Origin, differing
from benchmark.leaderboard.results.scales import scale_notes


def origin(run: str, low: str = "-4.03125", objective: str = "helpful") -> Origin:
    tracked = {
        "policy": "small",
        "kind": "affine",
        "completions": "512",
        "low.quantile": "0.01",
        "low.reward": low,
        "high.quantile": "0.99",
        "high.reward": "4.53125",
    }
    settings = {f"calibration.{objective}.{key}": value for key, value in tracked.items()}
    rest = {"task.name": "hh-rlhf"}
    return Origin(run, "hash", 0, "c0ffee", "e", {}, {}, "", "", settings | rest)


def test_each_scale_is_told_once() -> None:
    assert scale_notes([origin("1"), origin("2"), origin("3", objective="kind")]) == (
        "helpful is calibrated (affine): -4.031 at its 0.01-quantile and 4.531 at its "
        "0.99-quantile of 512 completions of training prompts by the initial policy of small.",
        "kind is calibrated (affine): -4.031 at its 0.01-quantile and 4.531 at its "
        "0.99-quantile of 512 completions of training prompts by the initial policy of small.",
    )
    assert scale_notes([]) == ()


def test_runs_on_other_scales_differ() -> None:
    found = differing([origin("1"), origin("2", low="-3"), origin("3")])
    assert {name: dict(tally) for name, tally in found.items()} == {
        "calibration.helpful.low.reward": {"-4.03125": 2, "-3": 1}
    }
