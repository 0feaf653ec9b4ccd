"""What ``crosstalk check`` says of a plan before it is run, and of a tuned study that is stale."""

from pathlib import Path
from typing import Any

import pytest
from studies import load_study, make_root

from benchmark.commands.budget import budget_lines, stale_lines
from benchmark.study import Study
from benchmark.study.costs import Assumptions
from benchmark.study.tuning import settings_of, trials_study, tuned_study
from benchmark.study.tuning_schema import Spent, Trial, Tuned, TunedAlgorithm

ALGORITHMS = {"linear": None, "gdpo": None, "single": {"objective": "each"}}
SPENT = Spent(runs=1, steps=1, tokens=1, backward_passes=1, hours=1)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


def planned(root: Path, **changes: Any) -> Study:
    plan: dict[str, Any] = {"tuning": {"trials": 4, "seeds": [7]}, "algorithms": ALGORITHMS}
    return load_study(root, **{"objective_sets": {"math3": None}, **plan, **changes})


def test_trials_and_steps_are_counted(root: Path) -> None:
    counts, hours = budget_lines(planned(root), Assumptions())
    # Of each of two models: four of linear, one of gdpo, three references; 60 steps each.
    assert counts == (
        "tuning: 4 settings of each of 1 algorithms, one of the 2 others; 16 cells, 6 of them "
        "references, 960 steps"
    )
    assert hours == "tuning: its hours are not known before a cell of lab is done here"
    assert not list(budget_lines(planned(root, tuning=None), Assumptions()))


def test_hours_are_those_that_cells_took_here(root: Path) -> None:
    study = planned(root)
    for algorithm, seconds in (("linear", 360), ("gdpo", 720)):
        folder = study.layout.cell(f"tiny-qwen2-base/math3/{algorithm}/seed0")
        folder.mkdir(parents=True)
        for stage, share in (("train", 0.75), ("evaluate", 0.25)):
            (folder / f"{stage}.benchmark.tsv").write_text(f"s\tcpu_time\n{seconds * share}\t1\n")
    _, hours = budget_lines(study, Assumptions())
    # 8 of linear of 0.1 h, 2 of gdpo of 0.2 h, 6 references of the mean, 0.15 h.
    assert hours.startswith("tuning: about 2.1 hours of jobs, one after another, from 2 cells of")


def test_trials_of_other_settings_are_warned_of(root: Path) -> None:
    study = planned(root)
    algorithms = {
        name: TunedAlgorithm(
            chosen=0,
            trials=tuple(Trial(worst_gain=0.5, spent=SPENT) for _ in settings_of(study, name)),
        )
        for name in ("linear", "gdpo")
    }
    record = Tuned(
        **{"study": "lab", "file": study.given_path, "trials": trials_study(study).results_hash},
        **{"criterion": "worst_gain", "split": "validation", "problems": 256, "models": ("m",)},
        **{"objective_sets": ("math3",), "seeds": (7,), "references": SPENT},
        algorithms=algorithms,
    )
    tuned = tuned_study(study, record)
    assert not list(stale_lines(tuned))
    planned(root, tuning={"trials": 5, "seeds": [7]})
    (line,) = stale_lines(tuned)
    assert line.startswith("warning: results/tuned/lab-tuned.yaml: tuned: its trials were of other")
