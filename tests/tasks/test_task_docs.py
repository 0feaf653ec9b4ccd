"""docs/tasks.md says what the code has."""

import re
from pathlib import Path

import pytest
import yaml
from studies import SETTINGS, load_study, make_root
from tasks.files import json_lines, sums

from benchmark.common.paths import PACKAGE
from benchmark.tasks import TASKS
from benchmark.tasks.data import BOXED, DataTask

TEXT = (PACKAGE.parent / "docs" / "tasks.md").read_text()
SECTIONS = dict(re.findall(r"^## `([\w-]+)`\n(.*?)(?=^## )", TEXT, flags=re.M | re.S))


def test_every_section_is_of_a_task() -> None:
    assert SECTIONS.keys() == TASKS.keys()
    assert BOXED in TEXT


def test_sections_name_what_is_read_from_the_hub() -> None:
    for name, cls in TASKS.items():
        if issubclass(cls, DataTask):
            assert cls.repo in SECTIONS[name]
            assert (cls.pinned or "`revision`") in SECTIONS[name] or not cls.repo


def test_the_example_of_a_table_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```yaml\n(task: \{name: table.*?)^```$", TEXT, flags=re.M | re.S)
    (tmp_path / "data").mkdir()
    rows = json_lines(tmp_path / "data" / "mine.jsonl", sums(500))
    told = yaml.safe_load(example.replace("mine.csv", rows.name))
    study = load_study(make_root(tmp_path), **(SETTINGS | told))
    assert len(study.task.split("train", 200)) == 200


def test_the_study_of_tool_calls_is_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"^```yaml\n(description: Calls.*?)^```$", TEXT, flags=re.M | re.S)
    told = yaml.safe_load(example)
    (tmp_path / told["task"]["path"]).mkdir(parents=True)
    for part, count in (("train", 3920), ("test", 80)):  # as many as the repository has
        rows = [
            {
                "prompt": [
                    {"role": "system", "content": part},
                    {"role": "user", "content": f"Add {n}."},
                ],
                "reward_model": {"ground_truth": "<think>a</think>"},
            }
            for n in range(count)
        ]
        json_lines(tmp_path / told["task"]["path"] / f"{part}.jsonl", rows)
    root = make_root(tmp_path)
    with (root / "models.yaml").open("a") as file:
        file.write("qwen2.5-1.5b-instruct: {recipe: tiny-qwen2-ift}\n")
    assert len(load_study(root, **told).cells) == 3 * (5 + 3)
