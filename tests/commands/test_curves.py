"""A cell's curves: every name the benchmark promises, at every step, as tracked."""

import math

import pytest
from projects import Project, logged
from tracked import tracked_runs

from benchmark.commands.jobs.curves import curve_points
from benchmark.commands.jobs.underway import UnderWay
from benchmark.commands.train import train
from benchmark.tracking.address import tracking_uri
from benchmark.tracking.reading import run_curves
from benchmark.training import MultiObjectiveGRPOTrainer

pytestmark = pytest.mark.slow  # real trainings

NAMES = ("accuracy", "conciseness", "clarity")
EACH_STEP = {
    *(f"train/reward/{name}/{moment}" for name in NAMES for moment in ("mean", "std")),
    *(
        f"covariance/{signal}/{name}"
        for name in NAMES
        for signal in ("score", "advantage", "unclipped_weight", "weight")
    ),
    *(f"correlation/{signal}/{name}" for name in NAMES for signal in ("score", "weight")),
    *(f"{statistic}/{name}" for name in NAMES for statistic in ("negative_fraction", "top_mean")),
    *(f"scalarizer/weight/{name}" for name in NAMES),
    *(f"time/{stage}" for stage in ("generation", "reward", "update")),
    *(
        f"train/{name}"
        for name in (
            "score",
            "unclipped_fraction",
            "grad_norm",
            "entropy",
            "completion_length",
            "tokens",
            "loss",
        )
    ),
}
EACH_VALIDATION = {"validation/tokens", *(f"validation/{name}" for name in NAMES)}


def points(trainer: MultiObjectiveGRPOTrainer, prefix: str) -> dict[int, dict[str, float]]:
    """Return the tracked points of each step whose names begin so."""
    found: dict[int, dict[str, float]] = {}
    for row in trainer.state.log_history:
        kept = {k: v for k, v in curve_points(row).items() if k.startswith(prefix)}
        found.setdefault(row["step"], {}).update(kept)
    return {step: values for step, values in found.items() if values}


@pytest.mark.parametrize("algorithm", ["linear", "tchebycheff", "lagrangian"])
def test_every_step_has_every_curve(project: Project, algorithm: str) -> None:
    trainer = project.trainer(project.cell(algorithm))
    trainer.train()
    by_step = points(trainer, "")
    assert sorted(by_step) == [0, 1, 2, 3]
    for step in (1, 2, 3):
        assert by_step[step].keys() >= EACH_STEP
        assert all(math.isfinite(value) for value in by_step[step].values())


def test_ctwa_tracks_its_state(project: Project) -> None:
    trainer = project.trainer(project.cell("ctwa"))
    trainer.train()
    for quantity in ("weight", "target_deficit", "average_covariance"):
        assert len(logged(trainer, f"scalarizer/{quantity}/clarity")) == 3


def test_the_first_and_the_last_policy_are_validated(
    project: Project,
) -> None:
    trainer = project.trainer(project.cell(training={"validate_every": 2, "steps": 5}))
    trainer.train()
    validated = points(trainer, "validation/")
    assert sorted(validated) == [0, 2, 4, 5]
    assert all(values.keys() == EACH_VALIDATION for values in validated.values())
    assert validated[0]["validation/tokens"] == trainer.initial_tokens


def test_means_of_rewards_lengths_and_scores_agree(project: Project) -> None:
    trainer = project.trainer(project.cell("linear"))
    trainer.train()
    for values in points(trainer, "train/").values():
        means = [values[f"train/reward/{name}/mean"] for name in NAMES]
        assert values["train/score"] == pytest.approx(sum(means) / 3, abs=1e-6)
    lengths = logged(trainer, "completions/mean_length")
    seen = [values["train/tokens"] for values in points(trainer, "train/").values()]
    prompt_tokens = seen[0] - 8 * lengths[0]
    assert prompt_tokens > 0
    assert seen[2] - seen[1] == pytest.approx(8 * lengths[2] + prompt_tokens)


def test_seconds_of_a_step_are_split_without_rest(project: Project) -> None:
    trainer = project.trainer(project.cell(training={"passes": 2}))
    trainer.train()
    seconds = list(points(trainer, "time/").values())
    assert all(min(values.values()) >= 0.0 for values in seconds)
    assert [values["time/generation"] > 0 for values in seconds] == [True, False] * 3
    assert all(values["time/update"] > 0 for values in seconds)


def test_rows_that_are_no_curve_give_no_points() -> None:
    row = {"train_runtime": 3.0, "epoch": 1.0, "step": 4, "reward": 0.5, "eval_loss": 0.1}
    assert curve_points(row) == {}


def test_a_value_that_is_missing_gives_no_point() -> None:
    assert curve_points({"score": None, "entropy": 1}) == {"train/entropy": 1.0}


def test_curves_reach_the_tracked_run(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[UnderWay] = []
    write = UnderWay.write
    monkeypatch.setattr(UnderWay, "write", lambda self, to: (told.append(self), write(self, to)))
    monkeypatch.setattr("benchmark.commands.jobs.underway.SECONDS", 0.0)
    cell = tracked_project.cell("ctwa")
    train(cell)
    assert [(each.step, set(each.rewards)) for each in told if each.rewards] == [
        (step, set(NAMES)) for step in (1, 2, 3)
    ]
    assert (told[0].step, told[0].seconds_per_step) == (0, None)
    assert all(each.seconds_per_step for each in told[1:])
    assert not (cell.folder / UnderWay.FILE).exists()
    uri = tracking_uri(tracked_project.root)
    (run_id,) = tracked_runs(uri, cell.study.name)["run_id"]
    frame = run_curves(uri, [run_id], "")
    steps = frame.groupby("metric").step.agg(list).to_dict()
    assert all(steps[name] == [1, 2, 3] for name in EACH_STEP)
    assert all(steps[name] == [0, 2, 3] for name in EACH_VALIDATION)
