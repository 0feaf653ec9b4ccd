"""How a model's own settings reach its training: what fits on the hardware, not what is trained."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from projects import Project

from benchmark.commands.jobs.trainer import make_config
from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse
from benchmark.models.entry import load_models
from benchmark.models.policy.loading import load_policy, load_tokenizer, whole_model
from benchmark.models.preparing import model_digest
from benchmark.models.training import ModelTraining

LORA = {"lora": {"rank": 4, "alpha": 8}}


def given(project: Project, **training: Any) -> Project:
    """Give the project's model these settings."""
    entry = {"tiny": {"path": "model", "training": training}}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entry))
    return project


@pytest.mark.parametrize(
    ("limit", "completions", "expected"),
    [(None, 256, 256), (8, 256, 8), (300, 256, 256), (6, 8, 4), (5, 7, 1)],
)
def test_passes_are_as_large_as_allowed_and_equal(
    limit: int | None, completions: int, expected: int
) -> None:
    assert ModelTraining(micro_batch=limit).completions_at_once(completions) == expected


def test_weights_that_are_trained_are_never_held_in_bfloat16() -> None:
    assert ModelTraining(precision="bf16").frozen_dtype == "float32"
    adapters = parse(ModelTraining, LORA | {"precision": "bf16"}, "here")
    assert adapters.frozen_dtype == "bfloat16"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"precision": "fp16"}, "precision: expected 'auto', 'bf16' or 'fp32', got 'fp16'"),
        ({"micro_batch": 0}, "micro_batch: expected more than 0, got 0"),
        ({"micro_batch": "2"}, "micro_batch: expected an integer, got '2'"),
        ({"lora": {"ranks": 8}}, "unknown key 'ranks'; did you mean 'rank'"),
        ({"lora": {"targets": []}}, "targets"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(
    project: Project, settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(CrosstalkError, match=expected) as caught:
        load_models(given(project, **settings).root)
    assert "models.yaml: tiny" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_settings_a_cell_is_what_it_was(project: Project) -> None:
    cell = project.cell()
    config = make_config(cell, Path("x"))
    assert "model_training" not in cell.specification
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (8, 1)
    assert not config.gradient_checkpointing
    assert config.bf16 == torch.cuda.is_available()


def test_settings_change_the_cell_but_not_the_prepared_model(project: Project) -> None:
    plain, digest = project.cell(), model_digest(load_models(project.root), "tiny", project.root)
    cell = given(project, precision="bf16", micro_batch=2, gradient_checkpointing=True).cell()
    assert cell.training_hash != plain.training_hash
    assert model_digest(load_models(project.root), "tiny", project.root) == digest
    config = make_config(cell, Path("x"))
    assert config.bf16
    assert config.gradient_checkpointing
    assert (config.per_device_train_batch_size, config.gradient_accumulation_steps) == (2, 4)
    assert (config.generation_batch_size, config.max_steps) == (8, 3)


def trained(project: Project, name: str, **changes: Any) -> dict[str, torch.Tensor]:
    trainer = project.trainer(project.cell(**changes), name)
    trainer.train()
    return {key: value.detach().clone() for key, value in trainer.model.state_dict().items()}


@pytest.mark.slow
@pytest.mark.parametrize("minibatches", [1, 2])
def test_micro_batches_and_checkpointing_train_the_same_policy(
    project: Project, minibatches: int
) -> None:
    changes = {"training": {"steps": 2, "minibatches": minibatches, "kl": 0.1}}
    whole = trained(project, "whole", **changes)
    settings = {"micro_batch": 2, "gradient_checkpointing": True}
    pieces = trained(given(project, **settings), "pieces", **changes)
    assert all(torch.allclose(whole[key], pieces[key], atol=3e-5) for key in whole)
    start = load_policy(project.model).state_dict()
    assert max((whole[key] - start[key]).abs().max() for key in whole) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["linear", "dynamic"])
def test_a_checkpoint_of_adapters_is_the_policy_that_was_trained(
    project: Project, algorithm: str
) -> None:
    cell = given(project, **LORA).cell(algorithm, training={"kl": 0.05})
    trainer = project.trainer(cell)
    trainer.train()
    updated = [name for name, value in trainer.model.named_parameters() if value.requires_grad]
    assert updated
    assert all("lora_" in name for name in updated)
    checkpoint = project.root / "run" / "checkpoint-3"
    ids = load_tokenizer(checkpoint)("What is 3 + 4 ?", return_tensors="pt")["input_ids"]
    saved, start = load_policy(checkpoint).eval(), load_policy(project.model).eval()
    with torch.inference_mode():
        ours, theirs = saved(ids).logits, trainer.model.eval()(ids).logits
        before = start(ids).logits
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    assert (ours - before).abs().max() > 1e-2


def test_an_engine_that_reads_folders_is_given_the_whole_model(project: Project) -> None:
    project.trainer(given(project, **LORA).cell(training={"steps": 1})).train()
    with whole_model(project.model) as folder:
        assert folder == project.model
    checkpoint = project.root / "run" / "checkpoint-1"
    with whole_model(checkpoint) as folder:
        found, expected = load_policy(folder).state_dict(), load_policy(checkpoint).state_dict()
        assert load_tokenizer(folder).get_vocab() == load_tokenizer(checkpoint).get_vocab()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert not folder.exists()
    assert (checkpoint / "adapter_config.json").is_file()


@pytest.mark.slow
def test_a_resumed_run_of_adapters_equals_an_unbroken_one(project: Project) -> None:
    cell = given(project, **LORA).cell(training={"checkpoint_every": 2, "steps": 4})
    unbroken = project.trainer(cell)
    unbroken.train()
    resumed = project.trainer(cell)
    resumed.train(resume_from_checkpoint=str(project.root / "run" / "checkpoint-2"))
    pairs = zip(unbroken.model.parameters(), resumed.model.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_adapters_whose_model_is_gone_are_refused(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "adapters"
    folder.mkdir()
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "some/model"}')
    with pytest.raises(CrosstalkError, match=r"expected the folder .* got 'some/model'"):
        load_policy(folder)


def test_adapters_in_anything_but_safetensors_are_not_read(project: Project) -> None:
    cell = given(project, **LORA).cell(training={"steps": 1, "checkpoint_every": 1})
    project.trainer(cell).train()
    checkpoint = project.root / "run" / "checkpoint-1"
    file = checkpoint / "adapter_model.safetensors"
    file.rename(checkpoint / "adapter_model.bin")
    with pytest.raises(CrosstalkError, match=r"adapter_model\.safetensors is needed"):
        load_policy(checkpoint)
    file.write_bytes(b"no weights")
    with pytest.raises(CrosstalkError, match="the adapters cannot be loaded"):
        load_policy(checkpoint)
