"""What modules load with them, and what the workflow calls. Who may import whom: `make lint`."""

import os
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest
import typer.main

from benchmark.commands.cli import app
from benchmark.study import study_names

ROOT = Path(__file__).parents[1]
STAGES = {"transformers", "trl", "mlflow", "datasets", "pandas", "math_verify", "accelerate"}
LIGHT = [
    "common.errors",
    "common.files",
    "common.fingerprint",
    "common.paths",
    "common.records",
    "common.settings",
    "common.termination",
    "commands.cli",
    "commands.jobs.gpus",
    "diagnosis.exact.bounds",
    "interference",
    "tracking.address",
]


def loaded(*modules: str) -> set[str]:
    """Return the modules that a new process holds once it has imported these of ours."""
    names = ", ".join(f"benchmark.{module}" for module in modules)
    code = f"import sys, {names}; print(*sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return set(done.stdout.split())


@pytest.mark.slow
def test_light_modules_load_no_heavy_library() -> None:
    assert not loaded(*LIGHT) & (STAGES | {"torch"})


@pytest.mark.slow
def test_reading_a_study_loads_no_library_of_the_stages() -> None:
    found = loaded("study", "scalarizers", "commands.listing")
    assert "torch" in found
    assert not found & (STAGES | {"scipy", "moocore", "snakemake"})


@pytest.mark.slow
def test_only_writing_a_page_loads_what_draws_it() -> None:
    assert "vl_convert" not in loaded("leaderboard", "leaderboard.writing", "commands.leaderboard")


@pytest.mark.parametrize("file", [*(ROOT / "workflow").rglob("*.smk")], ids=lambda file: file.stem)
def test_rules_call_commands_that_exist(file: Path) -> None:
    commands = typer.main.get_group(app).commands
    text = file.read_text()
    called = re.findall(r"\bexec crosstalk (?:(?:--[a-z-]+|\{[\w.:]+\}) )*([\w-]+)(.*)", text)
    assert len(called) == text.count("shell:")
    for name, rest in called:
        known = {option for each in commands[name].params for option in each.opts}
        assert set(re.findall(r"--[a-z-]+", rest)) <= known


def test_no_folder_of_tests_hides_a_library() -> None:
    # pytest puts tests/ on the path, where a library that is not installed would be found there.
    graph = grimp.build_graph("benchmark", include_external_packages=True)
    libraries = {module for module in graph.modules if "." not in module} - {"benchmark"}
    assert "vllm" in libraries
    assert not libraries & {path.stem for path in (ROOT / "tests").iterdir()}


def test_studies_that_the_documents_name() -> None:
    assert {"quick", "smoke"} <= set(study_names(ROOT))
