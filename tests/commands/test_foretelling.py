"""What `crosstalk check` foretells of time and money, by a table and by measuring."""

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from projects import Project

from benchmark.commands.check import report
from benchmark.commands.foretelling import (
    gpu_summary,
    processor_summary,
    rates_here,
    total,
)
from benchmark.commands.measuring import measured
from benchmark.common.errors import CrosstalkError
from benchmark.study import Study, load_study
from benchmark.study.costs import Assumptions
from benchmark.study.rates import CARDS, CPU, Stages

ROOT = Path(__file__).parents[2]
NONE = {"generation_rate": None, "training_rate": None, "filled": None}


def given_resources(project: Project, **resources: object) -> Study:
    entry = {"tiny": {"path": "model", "resources": resources}}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entry))
    return project.study(seeds=[0, 1])


def stages(study: Study, *, on_gpu: bool) -> Stages:
    return Stages(
        cell=study.cells[0],
        start=0.0,
        imports=0.0,
        generation=600.0,
        reward=0.0,
        update=0.0,
        validation=0.0,
        checkpoint=0.0,
        evaluation=900.0,
        memory_gb=1.0,
        checkpoint_gb=0.5,
        device="a card",
        on_gpu=on_gpu,
    )


def test_rates_are_those_of_the_card_or_of_the_processor(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rates_here(project.study(), NONE) == CPU
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200 NVL")
    study = given_resources(project, gpus=1)
    assert rates_here(study, NONE) == CARDS["H200"]
    own = rates_here(study, NONE | {"generation_rate": 99.0})
    assert (own.generation_rate, own.token_seconds, own.engine_token_seconds) == (99.0, 0, 0)
    assert own.update_seconds == CARDS["H200"].update_seconds


def test_a_short_study_is_told_in_minutes_and_costs_a_little(project: Project) -> None:
    said = gpu_summary(given_resources(project, gpus=1), CARDS["H200"], 4.0)
    assert said.startswith("about 89 GPU-seconds (0.10 at 4 an hour)")
    assert "by rates of one NVIDIA H200" in said


def test_a_study_without_gpus_is_told_by_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    (said,) = processor_summary(load_study("quick", ROOT), CPU, 0.5)
    assert "of one core, " in said
    assert " on 2 of them (0.0" in said  # the README: ten minutes of processor time
    minutes = int(said.removeprefix("about ").split()[0])
    assert 7 < minutes < 14
    assert processor_summary(load_study("paper", ROOT), CPU, None) == []


def test_measured_stages_make_hours_and_money(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    study = given_resources(project)
    # Two cells of 3 × 600 + 900 s, the evaluation before training, 0.9 s a job: 6,305 s.
    said = total(study, [stages(study, on_gpu=False)], 2.0)
    assert said.startswith(
        "foretold: about 1.8 hours of one core, 53 minutes on 2 of them (1.75 at 2 an hour)"
    )
    study = given_resources(project, gpus=1)
    said = total(study, [stages(study, on_gpu=True)], 2.0)
    assert said.startswith("foretold: about 1.8 GPU-hours (3.50 at 2 an hour)")


def test_measuring_refuses_a_machine_without_the_gpu(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    study = given_resources(project, gpus=1)
    with pytest.raises(CrosstalkError, match="tiny: needs a GPU, and there is none here"):
        list(measured(study, None))


def test_checkpointing_that_the_gpu_does_not_need_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry: dict[str, object] = {"path": "model", "resources": {"gpus": 1}}
    entry["training"] = {"gradient_checkpointing": True}
    (project.root / "models.yaml").write_text(yaml.safe_dump({"tiny": entry}))
    study, card = project.study(), SimpleNamespace(total_memory=8e10)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)

    def told() -> list[str]:
        return [line for line in report(study, Assumptions()) if "is not needed" in line]

    (said,) = told()
    assert "models.yaml: tiny: training.gradient_checkpointing is not needed on 80 GB" in said
    card.total_memory = 1.6e9  # it hardly fits without
    assert told() == []


@pytest.mark.slow
def test_measuring_runs_two_steps_and_leaves_nothing(project: Project) -> None:
    study = project.study(training={"minibatches": 2, "steps": 50, "checkpoint_every": 5})
    before = {file for file in project.root.rglob("*") if "__pycache__" not in file.parts}
    stage_line, cells, foretold = measured(study, None)
    assert "measured on this machine's processor with tiny/math3/linear/seed0" in stage_line
    for part in ("generation ", "reward ", "update ", "a validation ", "a checkpoint "):
        assert float(stage_line.split(part)[1].split()[0]) > 0
    assert cells.startswith("  1 cells of ")
    assert foretold.startswith("foretold: about ")
    after = {file for file in project.root.rglob("*") if "__pycache__" not in file.parts}
    assert after == before


def test_several_processes_are_not_measured_by_one(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    card = SimpleNamespace(total_memory=10**12)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    study = given_resources(project, gpus=2)
    with pytest.raises(CrosstalkError, match="expected at most 1 to measure with, got 2"):
        list(measured(study, None))


def test_assumed_rates_say_no_source(project: Project) -> None:
    said = gpu_summary(given_resources(project, gpus=1), Assumptions(), None)
    assert "by rates of" not in said
    assert "assuming 10,000 tokens/s generated" in said
