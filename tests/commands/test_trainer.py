"""From a cell to TRL's configuration: one budget, spelled out."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from families import LLAMA3, family_tokenizer, write_family
from projects import Project

from benchmark.commands.jobs import trainer as making
from benchmark.commands.jobs.trainer import CLIPPING_OFF, make_config
from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.answers import generate, prompt_ids
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.sampling import Evaluation
from benchmark.models.policy.tokens import encode, saved_stop_tokens, stop_tokens
from benchmark.scalarizers import CTWA
from benchmark.training import MultiObjectiveGRPOTrainer


def test_updates_per_step(project: Project) -> None:
    training = {"minibatches": 2, "passes": 3, "steps": 4, "validate_every": 2}
    config = make_config(project.cell(training=training), Path("x"))
    assert config.max_steps == 24
    assert (config.eval_steps, config.save_steps) == (12, 18)
    assert config.per_device_train_batch_size == 4
    assert config.generation_batch_size == 8
    assert (config.steps_per_generation, config.num_iterations) == (2, 3)


def test_settings_reach_the_configuration(project: Project) -> None:
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
def test_micro_batches_bound_validation_batches(
    project: Project, micro_batch: int, gpus: int, samples: int, size: int
) -> None:
    entry = (
        f"{{path: model, training: {{micro_batch: {micro_batch}}}, resources: {{gpus: {gpus}}}}}"
    )
    (project.root / "models.yaml").write_text(f"tiny: {entry}\n")
    cell = project.cell(training={"validation_samples": samples})
    assert make_config(cell, Path("x")).per_device_eval_batch_size == size


def test_evaluation_settings_do_not_touch_training(project: Project) -> None:
    cells = [project.cell(evaluation={"samples": n, "batch_size": 5 * n}) for n in (2, 3)]
    assert cells[0].training_hash == cells[1].training_hash
    assert cells[0].hash != cells[1].hash
    first, second = (make_config(cell, Path("x")).to_dict() for cell in cells)
    assert first == second


def test_evaluation_batch_size_is_in_the_hash(
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
    assert (trainer.estimator, trainer.diagnose_every) == ("rloo", 5)
    assert len(trainer.train_dataset) == 8
    assert len(trainer.eval_dataset) == 4
    prompts = (set(data["prompt"]) for data in (trainer.train_dataset, trainer.eval_dataset))
    assert not set.intersection(*prompts)


def test_a_split_smaller_than_a_step_is_refused(project: Project) -> None:
    with pytest.raises(
        CrosstalkError, match=r"task.train: expected .*prompts_per_step \(2\), got 1"
    ):
        project.study(task={"train": 1})


# ---- tokens --------------------------------------------------------------------------------------


def llama_project(project: Project, training: str = "{}") -> list[int]:
    """Give the project a model like Llama 3's that stops at letters, too; return its stop tokens.

    It begins every text with a token that its chat template has written already.
    """
    tokenizer = family_tokenizer(LLAMA3)
    letters = tokenizer("abcdefghij", add_special_tokens=False)["input_ids"]
    shutil.rmtree(project.root / "model")
    write_family(LLAMA3, project.root / "model", eos=letters)
    (project.root / "models.yaml").write_text(f"tiny: {{path: model, training: {training}}}\n")
    return [1, *letters, tokenizer.convert_tokens_to_ids("<|eot_id|>")]


def recorded(trainer: MultiObjectiveGRPOTrainer) -> tuple[list[list[int]], list[list[int]]]:
    """Train; return the prompts and completions of all rollouts and validations, as token ids."""
    prompts: list[list[int]] = []
    completions: list[list[int]] = []
    single_turn = trainer._generate_single_turn

    def record(ids: list[list[int]], *args: Any, **kwargs: Any) -> Any:
        output = single_turn(ids, *args, **kwargs)
        prompts.extend(ids)
        completions.extend(output[0])
        return output

    trainer._generate_single_turn = record
    trainer.train()
    return prompts, completions


@pytest.mark.slow
@pytest.mark.parametrize("training", ["{}", "{lora: {rank: 2}}"])
def test_training_reads_and_stops_like_evaluation(project: Project, training: str) -> None:
    stops = llama_project(project, training)
    cell = project.cell(training={"steps": 1, "checkpoint_every": 1}, sampling={"max_tokens": 24})
    prompts, completions = recorded(project.trainer(cell))
    assert len(completions) > 16  # of rollouts and of validations
    assert all(ids[0] == 0 and 0 not in ids[1:] for ids in prompts)
    assert {ids[-1] for ids in completions} & set(stops[1:-1])
    assert all(not set(stops) & set(ids[:-1]) for ids in completions)
    assert all(len(ids) == 24 or ids[-1] in stops for ids in completions)

    checkpoint = project.root / "run" / "checkpoint-1"
    problems = cell.study.task.split("test", 4)
    plan = Evaluation(samples=4, seed=3)
    found = generate(checkpoint, problems, cell.study.file.sampling, plan)
    assert prompt_ids(load_tokenizer(checkpoint), found)[0][:2] == prompts[0][:2]
    assert {ids[-1] for ids in found.ids} & set(stops[1:-1])
    assert all(not set(stops) & set(ids[:-1]) for ids in found.ids)
    saved = stop_tokens(load_tokenizer(checkpoint), saved_stop_tokens(checkpoint))
    assert set(saved) == set(stops)
    if training == "{}":
        own = load_policy(checkpoint).generation_config.eos_token_id
        assert set(own) == set(stops)


def test_a_model_that_stops_at_one_token_stays_as_it_is(project: Project) -> None:
    trainer = project.trainer(project.cell())
    assert isinstance(trainer.model.generation_config.eos_token_id, int)
    assert trainer.eos_token_ids == [trainer.processing_class.eos_token_id]


def test_the_engine_of_vllm_gets_all_stop_tokens(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = llama_project(project)
    cell = project.cell()
    config = make_config(cell, project.root / "run")
    config.use_vllm = True
    made: dict[str, Any] = {}
    monkeypatch.setattr(making, "make_config", lambda cell, folder: config)
    monkeypatch.setattr(making, "MultiObjectiveGRPOTrainer", lambda **kwargs: made.update(kwargs))
    making.make_trainer(cell, project.root / "run")
    assert set(made["args"].generation_kwargs["stop_token_ids"]) == set(stops)
    assert set(made["model"].generation_config.eos_token_id) == set(stops)
    longest = max(
        len(ids) for ids in encode(made["processing_class"], made["train_dataset"]["prompt"])
    )
    assert config.vllm_max_model_length >= longest + 12


def test_a_models_attention_and_cache_reach_training(project: Project) -> None:
    entry = "tiny: {path: model, training: {attention: eager, rollout_cache: static}}"
    (project.root / "models.yaml").write_text(entry)
    cell = project.cell(training={"steps": 1})
    trainer = project.trainer(cell)
    assert trainer.model.config._attn_implementation == "eager"
    assert trainer.generation_config.cache_implementation == "static"
    trainer.train()
    assert trainer.state.global_step == 1
    (project.root / "models.yaml").write_text("tiny: {path: model}")
    assert project.cell(training={"steps": 1}).hash != cell.hash


def test_attention_that_is_not_installed_is_told(project: Project) -> None:
    with pytest.raises(CrosstalkError, match=r"model: the model cannot be loaded: .*Flash"):
        load_policy(project.root / "model", attention="flash_attention_2")
