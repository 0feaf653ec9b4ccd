"""The study's architectures and settings through every stage, without the hub's weights."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from projects import Project
from real_models import END, write_model

from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.evaluate import evaluate
from benchmark.commands.prepare import prepare_study
from benchmark.commands.train import train
from benchmark.common.paths import model_folder
from benchmark.models.entry import load_models
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.tokens import render_prompt
from benchmark.study import Cell, load_study

pytestmark = pytest.mark.slow  # real trainings

ROOT = Path(__file__).parents[2]
ENTRIES = {"qwen2": "qwen2.5-1.5b", "qwen3": "qwen3-1.7b-base"}
SIZES = {"train": 4, "validation": 2, "test": 3}


def problems(folder: Path) -> None:
    folder.mkdir()
    number = 0
    for split, size in SIZES.items():
        rows = []
        for _ in range(size):
            number += 1
            problem = f"What is $x$ if $3x + 4 = {3 * number + 4}$?"
            rows.append({"problem": problem, "answer": str(number), "unique_id": f"own/{number}"})
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / f"{split}.jsonl").write_text(text)


def paper_cell(project: Project, kind: str, algorithm: str, **training: Any) -> Cell:
    """Return a cell of the paper study, with a small model and small numbers in its place."""
    name = ENTRIES[kind]
    own = yaml.safe_load((ROOT / "models.yaml").read_text())[name]
    write_model(kind, project.root / kind)
    problems(project.root / "data")
    kept = {"chat_template": own["chat_template"], "training": own["training"] | training}
    entry = {name: {"path": kind} | kept}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entry))
    paper = yaml.safe_load((ROOT / "workflow" / "studies" / "paper.yaml").read_text())
    paper |= {
        "task": {"name": "math500", "path": "data", **SIZES},
        "models": {name: None},
        "algorithms": {algorithm: paper["algorithms"][algorithm]},
        "seeds": [0],
        "evaluation": {"samples": 2},
    }
    paper["training"] |= {
        "rollouts": "transformers",
        "steps": 2,
        "prompts_per_step": 4,
        "completions_per_prompt": 4,
        "validate_every": 2,
        "checkpoint_every": 2,
        "learning_rate": 1e-3,
        "gramian_parameters": "all",
    }
    paper["sampling"] |= {"max_tokens": 16}
    file = project.root / "workflow" / "studies" / "paper.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(yaml.safe_dump(paper))
    return load_study("paper", project.root).cells[0]


@pytest.mark.parametrize(
    ("kind", "algorithm", "training"),
    [
        ("qwen2", "linear", {}),
        ("qwen2", "ctwa", {"lora": {"rank": 4, "alpha": 8}}),
        ("qwen3", "mgda", {"lora": {"rank": 4, "alpha": 8, "targets": ["q_proj", "v_proj"]}}),
        ("qwen3", "ctwa", {}),
    ],
    ids=["qwen2-full", "qwen2-lora", "qwen3-lora-gradients", "qwen3-full"],
)
def test_a_paper_cell_passes_every_stage(
    project: Project, kind: str, algorithm: str, training: dict[str, Any]
) -> None:
    cell = paper_cell(project, kind, algorithm, **training)
    prepare_study(cell.study)
    evaluate_initial(cell.study, cell.model, cell.objective_set)
    train(cell)
    evaluate(cell)
    result = json.loads((cell.folder / "evaluation.json").read_text())
    assert result["metrics"]["test/prompts"] == SIZES["test"]
    assert 0 <= result["metrics"]["test/accuracy"] <= 1
    record = json.loads((cell.folder / "train.json").read_text())
    start = load_policy(model_folder(project.root, cell.model)).state_dict()
    final = load_policy(cell.folder / record["checkpoint"]).state_dict()
    assert type(load_policy(cell.folder / record["checkpoint"])).__name__.lower().startswith(kind)
    assert final.keys() == start.keys()
    assert all(value.isfinite().all() for value in final.values())
    if algorithm != "mgda":  # the shortest sum of gradients may be 0 where one of them is
        assert any(not torch.equal(start[key], final[key]) for key in start)


def test_base_models_read_the_documented_turns(
    project: Project,
) -> None:
    cell = paper_cell(project, "qwen2", "linear")
    prepare_study(cell.study)
    tokenizer = load_tokenizer(model_folder(project.root, cell.model))
    text = render_prompt(tokenizer, "What is 2 + 2?")
    assert text == "<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n"
    assert tokenizer.eos_token == END
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert ids.count(tokenizer.convert_tokens_to_ids("<|im_start|>")) == 2


def test_both_base_models_share_a_template() -> None:
    models = load_models(ROOT)
    assert models["qwen2.5-1.5b"].chat_template == models["qwen3-1.7b-base"].chat_template
    assert models["qwen2.5-1.5b-instruct"].chat_template is None
