"""From a cell to TRL's configuration: one budget, spelled out."""

from pathlib import Path
from typing import Any

import pytest
from projects import Project

from benchmark.commands.jobs.trainer import CLIPPING_OFF, make_config
from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import CTWA


def test_a_step_is_its_minibatches_times_passes_updates(project: Project) -> None:
    training = {"minibatches": 2, "passes": 3, "steps": 4, "validate_every": 2}
    config = make_config(project.cell(training=training), Path("x"))
    assert config.max_steps == 24
    assert (config.eval_steps, config.save_steps) == (12, 18)
    assert config.per_device_train_batch_size == 4
    assert config.generation_batch_size == 8
    assert (config.steps_per_generation, config.num_iterations) == (2, 3)


def test_the_settings_of_the_study_reach_the_configuration(project: Project) -> None:
    training = {"kl": 0.1, "loss": "dapo", "max_grad_norm": 0.5, "learning_rate": 2e-4}
    sampling = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 5}
    cell = project.cell(training=training, sampling=sampling, seeds=[7])
    config = make_config(cell, Path("x"))
    assert (config.beta, config.loss_type, config.max_grad_norm) == (0.1, "dapo", 0.5)
    assert (config.learning_rate, config.seed) == (2e-4, 7)
    assert (config.temperature, config.top_p, config.max_completion_length) == (0.8, 0.9, 5)
    assert (config.report_to, config.disable_dropout) == ([], True)


def test_a_model_may_have_its_own_learning_rate(project: Project) -> None:
    cell = project.cell(models={"tiny": {"learning_rate": 5e-4}})
    assert make_config(cell, Path("x")).learning_rate == 5e-4


@pytest.mark.parametrize(
    ("clip", "low", "high"),
    [
        ({"low": 0.1, "high": 0.3}, 0.1, 0.3),
        ({}, 0.2, 0.2),
        ("off", CLIPPING_OFF, CLIPPING_OFF),
    ],
)
def test_clipping_is_set_apart_from_the_estimator(
    project: Project, clip: Any, low: float, high: float
) -> None:
    config = make_config(project.cell(training={"clip": clip}), Path("x"))
    assert (config.epsilon, config.epsilon_high) == (low, high)


@pytest.mark.parametrize(("samples", "size"), [(2, 8), (3, 6), (10, 10)])
def test_validation_batches_hold_whole_groups(project: Project, samples: int, size: int) -> None:
    config = make_config(project.cell(training={"validation_samples": samples}), Path("x"))
    assert config.per_device_eval_batch_size == size
    assert config.num_generations_eval == samples


@pytest.mark.parametrize(
    ("micro_batch", "gpus", "samples", "size"),
    [(1, 0, 2, 4), (1, 0, 3, 3), (1, 0, 8, 8), (8, 0, 2, 8), (1, 2, 2, 4), (1, 2, 4, 4)],
)
def test_a_micro_batch_bounds_what_is_validated_at_once(
    project: Project, micro_batch: int, gpus: int, samples: int, size: int
) -> None:
    entry = (
        f"{{path: model, training: {{micro_batch: {micro_batch}}}, resources: {{gpus: {gpus}}}}}"
    )
    (project.root / "models.yaml").write_text(f"tiny: {entry}\n")
    cell = project.cell(training={"validation_samples": samples})
    assert make_config(cell, Path("x")).per_device_eval_batch_size == size


def test_what_is_evaluated_later_has_no_part_in_training(project: Project) -> None:
    cells = [project.cell(evaluation={"samples": n, "batch_size": 5 * n}) for n in (2, 3)]
    assert cells[0].training_hash == cells[1].training_hash
    assert cells[0].hash != cells[1].hash
    first, second = (make_config(cell, Path("x")).to_dict() for cell in cells)
    assert first == second


def test_the_batch_of_an_evaluation_is_in_its_hash_since_draws_depend_on_it(
    project: Project,
) -> None:
    small, large = (project.study(evaluation={"batch_size": size}) for size in (4, 256))
    assert small.baseline_hash("tiny", "math3") != large.baseline_hash("tiny", "math3")


def test_a_trainer_has_the_cells_own_parts(project: Project) -> None:
    training = {"estimator": "rloo", "diagnose_every": 5}
    cell = project.cell("ctwa", {"targets": [0.1, 0.2, 0.3]}, training=training)
    trainer = project.trainer(cell)
    assert isinstance(trainer.scalarizer, CTWA)
    assert trainer.scalarizer.targets.tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert trainer.reward_func_names == list(trainer.scalarizer.objectives) == list(cell.objectives)
    assert (trainer.estimator, trainer.after_update.diagnose_every) == ("rloo", 5)
    assert len(trainer.train_dataset) == 8
    assert len(trainer.eval_dataset) == 4
    prompts = (set(data["prompt"]) for data in (trainer.train_dataset, trainer.eval_dataset))
    assert not set.intersection(*prompts)


def test_a_split_that_does_not_fill_a_step_is_refused(project: Project) -> None:
    with pytest.raises(CrosstalkError) as caught:
        project.study(task={"train": 1})
    assert str(caught.value) == (
        "workflow/studies/lab.yaml: task.train: expected at least training.prompts_per_step (2), got 1"
    )
