"""docs/objectives.md says what the code has, and its examples work."""

import re
import runpy
from pathlib import Path

import jinja2
import yaml

from benchmark.common.paths import PACKAGE
from benchmark.objectives import OBJECTIVE_SETS, OBJECTIVES
from benchmark.study import load_study

TEXT = (PACKAGE.parent / "docs" / "objectives.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.M | re.S)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCKS if found == language]


def test_sections_are_the_objectives_with_their_papers() -> None:
    sections = dict(re.findall(r"^## `(\w+)`\n(.*?)(?=^## )", TEXT, flags=re.M | re.S))
    assert sections.keys() == OBJECTIVES.keys()
    for name, cls in OBJECTIVES.items():
        for paper in re.findall(r"arxiv\.org/abs/([\d.]+\d)", cls.__doc__ or ""):
            assert paper in sections[name] or paper == "2602.06869"  # "the study"


def test_every_set_is_named() -> None:
    section = TEXT.partition("## Sets and parameters")[2]
    assert all(f"`{name}`" in section for name in OBJECTIVE_SETS)


def test_the_study_of_six_objectives_is_valid(tmp_path: Path) -> None:
    (study,) = [text for text in blocks("yaml") if text.startswith("description: Six")]
    path = tmp_path / "workflow" / "studies" / "six.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(study)
    (tmp_path / "models.yaml").write_text("tiny-qwen2-base: {recipe: tiny-qwen2-base}\n")
    loaded = load_study("six", tmp_path)
    assert len(loaded.make_objectives("math6")) == 6
    assert len(loaded.cells) == (1 + 3) + (1 + 6)


def test_the_study_with_objectives_for_evaluation_alone_is_valid(tmp_path: Path) -> None:
    (study,) = [text for text in blocks("yaml") if text.startswith("description: Concise")]
    path = tmp_path / "workflow" / "studies" / "gate.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(study)
    (tmp_path / "models.yaml").write_text("tiny-qwen2-base: {recipe: tiny-qwen2-base}\n")
    loaded = load_study("gate", tmp_path)
    assert loaded.evaluated_names("gate") == ("accuracy", "gated", "conciseness", "clarity")
    assert len(loaded.cells) == 1 + 2


def test_the_example_of_a_reward_model_is_valid(tmp_path: Path) -> None:
    models, parts, _ = [text for text in blocks("yaml") if not text.startswith("description")]
    path = tmp_path / "workflow" / "studies" / "hh.yaml"
    path.parent.mkdir(parents=True)
    axes = {"models": {"tiny": None}, "algorithms": {"linear": None}, "seeds": [0]}
    path.write_text(yaml.safe_dump(axes) + parts)
    (tmp_path / "models.yaml").write_text(f"tiny: {{recipe: tiny-qwen2-base}}\n{models}")
    assert load_study("hh", tmp_path).objective_models("hh") == ("helpful-rm",)


def test_the_example_of_a_chat_template_marks_the_turns() -> None:
    (entry,) = [text for text in blocks("yaml") if "chat_template" in text]
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]
    template = jinja2.Template(yaml.safe_load(entry)["chat_template"])
    assert template.render(messages=turns) == "\n\nHuman: ?\n\nAssistant: !"


def test_the_example_of_ones_own_objective_works(tmp_path: Path) -> None:
    (source,) = [text for text in blocks("python") if "class FewLines" in text]
    (tmp_path / "few_lines.py").write_text(source)
    objective = runpy.run_path(str(tmp_path / "few_lines.py"))["FewLines"](lines=2)
    assert objective(completions=["a\nb", "a\nb\nc"], completion_ids=[[1], [1]]) == [1, 0]
