"""What hours are foretold from: measured cards, and stages measured on this machine."""

import pytest
from projects import Project

from benchmark.models.shape import Shape
from benchmark.study import Cell
from benchmark.study.costs import Assumptions, cell_hours
from benchmark.study.rates import CARDS, CPU, FORKED, Stages, card_rates, told_seconds

SMOLLM = Shape(
    parameters=134_515_008, layers=30, hidden=576, intermediate=1536, kv_width=192, vocabulary=49152
)
PLAN = {"steps": 40, "prompts_per_step": 16, "completions_per_prompt": 8, "validate_every": 20}


def stages(cell: Cell, *, on_gpu: bool = False) -> Stages:
    return Stages(
        cell=cell,
        start=3.0,
        imports=10.0,
        generation=1.0,
        reward=0.5,
        update=2.0,
        validation=4.0,
        checkpoint=0.25,
        evaluation=6.0,
        memory_gb=1.0,
        checkpoint_gb=0.5,
        device="a card",
        on_gpu=on_gpu,
    )


def test_a_known_card_has_its_rates_and_another_the_measured_ones() -> None:
    assert card_rates("NVIDIA H200") is CARDS["H200"]
    assert card_rates("NVIDIA T4") is card_rates(None) is next(iter(CARDS.values()))
    assert "H200" in card_rates(None).source


def test_the_table_gives_back_what_was_measured_on_the_card(project: Project) -> None:
    file = {"sampling": {"max_tokens": 96}, "task": {"train": 64, "validation": 64, "test": 400}}
    cell = project.cell(training=PLAN, evaluation={"samples": 4}, **file)
    assert 150 < cell_hours(cell, SMOLLM, CARDS["H200"]) * 3600 < 227
    assert cell_hours(cell, SMOLLM, Assumptions()) * 3600 < 20  # what tokens alone would say


def test_an_engine_waits_less_for_each_token(project: Project) -> None:
    def hours(**training: object) -> float:
        cell = project.cell(training=PLAN | training, task={"train": 64})
        return cell_hours(cell, SMOLLM, CARDS["H200"])

    saved = 40 * 12 * (0.03 - 0.003) / 3600  # steps × tokens × seconds
    assert hours() - hours(rollouts="vllm") == pytest.approx(saved)


def test_measured_stages_add_up_to_a_cell(project: Project) -> None:
    training = {"steps": 10, "validate_every": 5, "checkpoint_every": 2}
    cell = project.cell(training=training)
    whole = 3.0 + 10 * 3.5 + (3 + 1) * 4.0 + 5 * 0.25 + 6.0
    assert stages(cell).seconds(cell) == pytest.approx(whole + 2 * FORKED)
    # Each job of a GPU imports its libraries: training and evaluation.
    assert stages(cell, on_gpu=True).seconds(cell) == pytest.approx(whole + 2 * 10.0)
    mgda = project.cell("mgda", training=training)  # three backward passes of two thirds each
    update = 10 * 2.0 * (7 / 3 - 1)
    assert stages(cell).seconds(mgda) == pytest.approx(whole + 2 * FORKED + update)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.032, "0.032 seconds"),
        (42.4, "42 seconds"),
        (100.0, "2 minutes"),
        (59 * 60.0, "59 minutes"),
        (2.54 * 3600, "2.5 hours"),
        (2521 * 3600.0, "2,521 hours"),
    ],
)
def test_small_times_are_told_in_small_units(seconds: float, told: str) -> None:
    assert told_seconds(seconds) == told
    assert told_seconds(seconds, "GPU-") == told.replace(" ", " GPU-")


def test_the_processor_of_the_table_says_what_it_is() -> None:
    assert "AMD EPYC" in CPU.source
