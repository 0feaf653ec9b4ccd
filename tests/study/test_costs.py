"""Memory and hours by the stated formula, and what is said where a GPU does not do."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from projects import Project

from benchmark.commands.check import check_gpu, report
from benchmark.commands.train import train
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import model_folder
from benchmark.models.policy.loading import parameters
from benchmark.models.shape import Shape
from benchmark.study import load_study
from benchmark.study.costs import (
    LIBRARIES_GB,
    Assumptions,
    cell_hours,
    disk_bytes,
    estimates,
    memory_gb,
    study_disk,
    study_shape,
)

ROOT = Path(__file__).parents[2]
SHAPE = Shape(
    parameters=10**9, layers=10, hidden=1000, intermediate=4000, kv_width=100, vocabulary=50_000
)


def with_entry(project: Project, **entry: Any) -> Project:
    given = {"tiny": {"path": "model"} | entry}
    (project.root / "models.yaml").write_text(yaml.safe_dump(given))
    return project


def test_weights_gradients_optimizer_and_reference_by_hand(project: Project) -> None:
    plain = memory_gb(project.cell(), SHAPE)
    # 8 completions of 1,024 + 12 tokens; activations of 10 layers and log-probabilities.
    activations = 10 * 2 * 8 * 1036 * (8 * 1000 + 4 * 100 + 3 * 4000)
    logps = 12 * 4096 * 32768
    assert plain == pytest.approx(16 + (activations + logps) / 1e9 + LIBRARIES_GB)
    assert memory_gb(project.cell(training={"kl": 0.1}), SHAPE) == pytest.approx(plain + 4)


def test_lora_trains_little_and_needs_no_reference(project: Project) -> None:
    settings = {"lora": {"rank": 8}, "precision": "bf16", "micro_batch": 1}
    cell = with_entry(project, training=settings).cell(training={"kl": 0.1})
    adapters = 10 * 8 * (2 * 2000 + 2 * 1100 + 3 * 5000)
    assert SHAPE.lora_parameters(8) == adapters
    without = 2 + 16 * adapters / 1e9 + LIBRARIES_GB
    assert without < memory_gb(cell, SHAPE) < without + 3


def test_each_setting_that_saves_memory_does(project: Project) -> None:
    def taken(training: dict[str, Any]) -> float:
        return memory_gb(with_entry(project, training=training).cell(), SHAPE)

    one = {"micro_batch": 1}
    assert taken(one | {"gradient_checkpointing": True}) < taken(one) < taken({})
    assert taken(one | {"precision": "bf16"}) < taken(one | {"precision": "fp32"})
    assert taken(one | {"lora": {}}) < taken(one)


def test_rollouts_by_the_policy_keep_a_cache_and_an_engine_takes_its_share(
    project: Project,
) -> None:
    large = {"prompts_per_step": 8, "completions_per_prompt": 64, "minibatches": 512}
    wide = SHAPE.model_copy(update={"kv_width": 10_000})
    alone = memory_gb(project.cell(training=large), wide)
    cache = 512 * (1036 * 10 * 2 * 10_000 * 2 + 8 * 50_000)
    assert alone == pytest.approx(16 + cache / 1e9 + LIBRARIES_GB)
    beside = memory_gb(project.cell(training=large | {"rollouts": "vllm"}), wide)
    server = {"vllm_server": "http://localhost:8000"}
    engine = {"resources": server}
    served = memory_gb(
        with_entry(project, **engine).cell(training=large | {"rollouts": "vllm-server"}), wide
    )
    assert beside == pytest.approx(served / 0.7)
    assert served < alone


def test_methods_of_gradients_keep_what_they_compare(project: Project) -> None:
    score = memory_gb(project.cell("linear"), SHAPE)
    whole = memory_gb(project.cell("mgda"), SHAPE)
    assert whole == pytest.approx(score + 4 * 3)
    part = memory_gb(
        project.cell("mgda", training={"gramian_parameters": r"layers\.[0-4]\."}), SHAPE
    )
    assert part == pytest.approx(score + 4e-9 * 3 * 5 * SHAPE.layer_parameters)


def test_hours_are_tokens_by_throughput(project: Project) -> None:
    cell = project.cell(training={"steps": 10, "validate_every": 5, "validation_samples": 2})
    assumed = Assumptions(generation_rate=100, training_rate=50, filled=0.5, prompt_tokens=4)
    drawn, held_out = 10 * 8, 3 * 4 * 2 + 6 * 2
    seconds = (drawn + held_out) * 6 / 100 + drawn * (6 + 4) / 50
    shape = SHAPE.model_copy(update={"parameters": 1_500_000_000})
    assert cell_hours(cell, shape, assumed) == pytest.approx(seconds / 3600)
    assert cell_hours(cell, SHAPE, assumed) == pytest.approx(seconds / 3600 / 1.5)
    short = {"steps": 10, "validate_every": 5}
    gradients = project.cell("mgda", training=short)
    assert cell_hours(gradients, shape, assumed) > cell_hours(cell, shape, assumed)
    halves = project.cell("modo", {"scalarizer": "torchjd:MoDo"}, training=short)
    assert cell_hours(halves, shape, assumed) > cell_hours(gradients, shape, assumed)
    assert memory_gb(halves, SHAPE) - memory_gb(gradients, SHAPE) == pytest.approx(4 * 3)


def test_disk_is_twelve_bytes_a_parameter_but_at_the_end(project: Project) -> None:
    cell = project.cell(diagnosis={"steps": [0]}, seeds=[0, 1, 2])
    # The last one, which has no optimizer, the one before and step 0's.
    assert disk_bytes(cell, 10**9, training=False) == (4 + 12 + 12) * 10**9
    assert disk_bytes(cell, 10**9, training=True) == 4 * 12 * 10**9
    each = 28 * parameters(project.root / "model")
    extra = 20 * parameters(project.root / "model")
    assert study_disk(cell.study) == 3 * each + extra
    cell.folder.mkdir(parents=True)
    (cell.folder / "train.json").write_text("{}")  # its checkpoints are on the disk already
    assert study_disk(cell.study) == 2 * each + extra


def test_adapters_take_little_disk(project: Project) -> None:
    full = study_disk(project.study())
    small = study_disk(with_entry(project, training={"lora": {"rank": 2}}).study())
    assert 0 < small < full / 10


def test_a_disk_too_small_for_a_study_is_told(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = project.study(seeds=[0, 1])
    free = study_disk(study) - 1
    disk = SimpleNamespace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: disk)
    (said,) = report(study, Assumptions())
    needed = f"{study_disk(study) / 1e9:.3g}"
    assert said.startswith(f"warning: {study.where}: the checkpoints of its cells need about ")
    assert f"about {needed} GB, and the disk of results/runs/lab has {free / 1e9:.3g} GB" in said
    disk.free = study_disk(study)
    assert report(study, Assumptions()) == []


def test_much_disk_is_told_where_there_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10**15))
    said = report(load_study("paper", ROOT), Assumptions())
    assert any(line.startswith("disk: about ") and "1e+06 GB are free" in line for line in said)


def test_the_paper_studies_fit_a_card_of_80_gb_and_the_short_one_a_day() -> None:
    for name in ("paper", "paper-reinforce", "paper-quick", "gsm8k"):
        found = list(estimates(load_study(name, ROOT), Assumptions()))
        assert len(found) == 3
        assert all(each.memory_gb is not None and each.memory_gb < 80 for each in found)
    short = estimates(load_study("paper-quick", ROOT), Assumptions())
    assert sum(each.hours or 0 for each in short) < 24


def test_the_report_names_downloads_hours_and_a_missing_gpu(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    text = "\n".join(report(load_study("paper", ROOT), Assumptions(generation_rate=5000)))
    assert "HuggingFaceH4/MATH-500 at revision 6e4ed1a2a79af7d8630a6b768ec859cb5af4d3be" in text
    assert "Qwen/Qwen3-1.7B-Base at revision ea980cb0a6c2ae4b936e82123acc929f1cec04c1" in text
    assert "assuming 5,000 tokens/s generated" in text
    assert "warning: " in text
    assert "needs a GPU, and there is none here" in text


def test_a_study_of_tiny_models_has_nothing_to_report() -> None:
    assert report(load_study("quick", ROOT), Assumptions()) == []


@pytest.mark.parametrize(
    ("memory", "expected"),
    [
        (None, "tiny: needs a GPU, and there is none here"),
        (
            10**9,
            "needs about 2 GB of GPU memory, this GPU has 1 GB; in models.yaml, tiny",
        ),
    ],
)
def test_a_job_that_cannot_run_here_says_so_in_one_line(
    project: Project, monkeypatch: pytest.MonkeyPatch, memory: int | None, expected: str
) -> None:
    cell = with_entry(project, resources={"gpus": 1}).cell()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: memory is not None)
    card = SimpleNamespace(total_memory=memory)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: card)
    with pytest.raises(CrosstalkError, match=expected) as caught:
        check_gpu(cell.study, "tiny")
    assert "\n" not in str(caught.value)
    with pytest.raises(CrosstalkError, match=expected):
        train(cell)
    assert not (cell.folder / "checkpoints").exists()


def test_out_of_memory_names_the_settings_to_change(
    tracked_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmark.training import MultiObjectiveGRPOTrainer

    def full(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2 GiB")

    monkeypatch.setattr(MultiObjectiveGRPOTrainer, "compute_loss", full)
    cell = with_entry(tracked_project, training={"micro_batch": 4}).cell()
    expected = "out of GPU memory; in models.yaml, tiny: training.micro_batch below 4, or"
    with pytest.raises(CrosstalkError, match=expected) as caught:
        train(cell)
    assert "\n" not in str(caught.value)
    assert not (cell.folder / "train.json").exists()


def test_a_job_starts_while_another_model_is_made(project: Project) -> None:
    entries = {"tiny": {"path": "model"}, "later": {"path": "model"}}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entries))
    cell = project.cell(models={"tiny": None, "later": None})
    made = model_folder(project.root, "later")
    made.mkdir(parents=True)  # as the workflow does before it prepares the model
    check_gpu(cell.study, "tiny")
    assert study_shape(cell.study, "later") == study_shape(cell.study, "tiny")
    (made / "config.json").write_text("{}")  # and now it is half there
    check_gpu(cell.study, "tiny")
