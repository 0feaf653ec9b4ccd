"""Which module may import which: what DESIGN calls one direction, as tests on the source."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import typer.main
import yaml

from benchmark.commands.cli import app
from benchmark.common.paths import PACKAGE
from benchmark.scalarizers import SCALARIZERS

ROOT = PACKAGE.parent
FILES = sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))
STUDIES = sorted((ROOT / "workflow" / "studies").glob("*.yaml"))


def module(file: str) -> str:
    """Return the dotted name of a file below the package."""
    parts = ["benchmark", *Path(file).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(file): file for file in FILES}


def statements(node: ast.AST, *, loading: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the import statements; ``loading``: those alone that run when the module is loaded."""
    for child in ast.iter_child_nodes(node):
        late = isinstance(child, ast.FunctionDef) and loading
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child
        elif not late and not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child)):
            yield from statements(child, loading=loading)


@cache
def imports(file: str, *, loading: bool = False) -> frozenset[str]:
    """Return the modules a file imports, those of other packages by their top level."""
    found = set()
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    for node in statements(tree, loading=loading):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.module is not None
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [part if part in MODULES else node.module for part in parts]
        found |= {n if n.split(".")[0] == "benchmark" else n.split(".")[0] for n in names}
    return frozenset(found - {"benchmark"})


@cache
def loaded(file: str) -> frozenset[str]:
    """Return every module, the package's and others', that loading a file brings along."""
    found: set[str] = set()
    pending = [file]
    while pending:
        for name in imports(pending.pop(), loading=True):
            parents = [".".join(name.split(".")[: i + 1]) for i in range(name.count(".") + 1)]
            new = {part for part in parents if part not in found}
            found |= new
            pending += [MODULES[part] for part in new if part in MODULES]
    return frozenset(found)


def importers(*targets: str) -> set[str]:
    """Return the files that import one of these modules, or a part of it, anywhere."""
    return {
        file
        for file in FILES
        if any(n == t or n.startswith(f"{t}.") for n in imports(file) for t in targets)
    }


def folder(name: str) -> list[str]:
    return [file for file in FILES if file.startswith(f"{name}/")]


def third_party(names: frozenset[str]) -> set[str]:
    return {n for n in names if not n.startswith("benchmark") and n not in sys.stdlib_module_names}


# --- the tests' own eyes ---------------------------------------------------------------------


def test_the_reading_of_imports_sees_what_is_there() -> None:
    assert "trl" in imports("training.py")
    assert "benchmark.scalarizers.base" in imports("training.py")
    assert "benchmark.commands.train" in imports("cli.py")
    assert "benchmark.commands.train" not in imports("cli.py", loading=True)
    assert {"torch", "benchmark.scalarizers.ctwa"} <= loaded("study.py")


@pytest.mark.parametrize("file", FILES)
def test_imports_name_the_package_and_each_thing(file: str) -> None:
    tree = ast.parse((PACKAGE / file).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):  # what the cells' hashes follow
            assert node.level == 0
            assert [alias.name for alias in node.names] != ["*"]


# --- who may import what ---------------------------------------------------------------------


@pytest.mark.parametrize("file", folder("scalarizers"))
def test_scalarizers_stand_on_torch_and_the_covariance_law_alone(file: str) -> None:
    own = {n for n in imports(file) if n.startswith("benchmark.")}
    allowed = {"benchmark.common.errors", "benchmark.covariance"}
    assert all(n in allowed or n.startswith("benchmark.scalarizers") for n in own)
    assert third_party(imports(file)) <= {"torch", "torchjd", "scipy", "moocore"}
    assert third_party(imports(file, loading=True)) <= {"torch", "torchjd"}  # others when needed


@pytest.mark.parametrize("file", ["advantages.py", "covariance.py"])
def test_the_mathematics_of_training_stands_on_torch_alone(file: str) -> None:
    assert third_party(imports(file)) == {"torch"}
    assert {n for n in imports(file) if n.startswith("benchmark")} <= {"benchmark.common.errors"}


# From the bottom up: each imports those before it alone.
METRICS = ["intervals", "bootstrap", "statistics", "interference", "conflicts", "comparisons"]
METRICS += ["coverage", "relation", "gradient_geometry"]


@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_pure(name: str) -> None:
    assert third_party(imports(f"{name}.py")) <= {"numpy", "scipy", "moocore"}
    own = {n for n in imports(f"{name}.py") if n.startswith("benchmark")}
    below = {f"benchmark.{other}" for other in METRICS[: METRICS.index(name)]}
    assert own <= {"benchmark.common.errors"} | below
    source = (PACKAGE / f"{name}.py").read_text(encoding="utf-8")
    drawn = set(re.findall(r"np\.random\.(\w+)", source))
    assert drawn <= {"Generator", "default_rng"}  # an explicit generator, never the global one


@pytest.mark.parametrize("file", ["tabular.py", "tabular_steps.py", "tabular_pl.py"])
def test_the_enumerated_world_is_pure(file: str) -> None:
    assert third_party(imports(file)) <= {"numpy", "scipy"}
    own = {n for n in imports(file) if n.startswith("benchmark")}
    assert own <= {"benchmark.diagnosis.exact.problems", "benchmark.diagnosis.exact.steps"}


def test_figures_are_drawn_without_the_global_state_of_pyplot() -> None:
    assert not importers("matplotlib.pyplot", "pylab", "seaborn")
    for file in importers("matplotlib"):
        assert "matplotlib.pyplot" not in (PACKAGE / file).read_text()
        assert file == "figures.py" or "benchmark.common.figures" in imports(file)


def test_only_training_imports_trl() -> None:
    assert importers("trl") == {"training.py"}


def test_only_the_engine_imports_vllm_and_only_when_it_draws() -> None:
    assert importers("vllm") == {"vllm_engine.py"}
    assert "vllm" not in imports("vllm_engine.py", loading=True)


def test_no_folder_of_tests_hides_a_library() -> None:
    # pytest puts tests/ on the path, where a library that is not installed would be found there.
    libraries = {name for file in FILES for name in third_party(imports(file))}
    assert "vllm" in libraries
    assert not libraries & {path.stem for path in (ROOT / "tests").iterdir()}


def test_only_the_store_imports_mlflow() -> None:
    assert importers("mlflow") == {"store.py"}


def test_only_the_command_line_and_the_workflow_import_stages() -> None:
    allowed = {"cli.py", "cli_leaderboard.py", "workflow.py", *folder("stages")}
    assert importers("benchmark.stages") <= allowed


def test_nothing_imports_the_command_line_but_its_own_entry() -> None:
    assert importers("benchmark.commands.cli") == {"__main__.py"}
    assert importers("benchmark.workflow") == {"cli.py"}


@pytest.mark.parametrize("file", folder("leaderboard"))
def test_leaderboards_are_built_from_tracked_runs_alone(file: str) -> None:
    forbidden = ("study", "stages", "training", "evaluation", "models", "objectives", "tasks")
    own = {n for n in loaded(file) if n.startswith("benchmark.")}
    assert not {n for n in own if n.split(".")[1] in forbidden}


def test_only_who_writes_a_page_loads_what_it_is_made_with() -> None:
    assert importers("vl_convert") == {"leaderboard/site/charts.py"}
    for file in folder("leaderboard"):
        assert not {"vl_convert", "jinja2"} & loaded(file)


@pytest.mark.parametrize("part", ["objectives", "tasks", "scalarizers"])
def test_what_a_study_is_made_of_does_not_know_the_study(part: str) -> None:
    for file in folder(part):
        assert not {"benchmark.study", "benchmark.study.schema", "benchmark.training"} & loaded(
            file
        )


def test_imports_go_round_in_no_circle_not_even_late_ones() -> None:
    graph = {name: imports(file) & MODULES.keys() for name, file in MODULES.items()}
    order = list(TopologicalSorter(graph).static_order())  # raises on a circle, and names it
    assert order.index("benchmark.common.errors") < order.index("benchmark.study")
    assert order.index("benchmark.study") < order.index("benchmark.commands.train")


LIGHT = ["errors.py", "files.py", "project.py", "fingerprint.py", "termination.py", "cli.py"]
LIGHT += ["cli_leaderboard.py", "gpu_leases.py"]
LIGHT += ["validation.py", "schema.py", "store_address.py"]
LIGHT += ["tabular.py", "tabular_steps.py", "tabular_pl.py"]
LIGHT += [f"{name}.py" for name in METRICS]


@pytest.mark.parametrize("file", LIGHT)
def test_light_modules_load_nothing_heavy(file: str) -> None:
    heavy = {"torch", "transformers", "trl", "mlflow", "datasets", "pandas", "math_verify"}
    assert not heavy & loaded(file)


def test_reading_a_study_loads_no_library_of_the_stages() -> None:
    heavy = {"transformers", "trl", "mlflow", "datasets", "pandas", "scipy", "math_verify"}
    assert not heavy & (loaded("study.py") | loaded("listing.py") | loaded("stages/probe.py"))


# --- the workflow ----------------------------------------------------------------------------


def test_every_rule_calls_a_command_that_exists() -> None:
    commands = set(typer.main.get_group(app).commands)
    called = set()
    for file in (ROOT / "workflow").rglob("*.smk"):
        shells = re.findall(r"\bcrosstalk ((?:(?:--[a-z-]+|\{[\w.]+\}) )*)(\w+)", file.read_text())
        called |= {command for _, command in shells}
    assert {"train", "evaluate", "leaderboard"} <= called
    assert called <= commands


@pytest.mark.parametrize("file", STUDIES, ids=lambda file: file.stem)
def test_every_study_uses_methods_of_the_package(file: Path) -> None:
    algorithms = yaml.safe_load(file.read_text())["algorithms"]
    for name, given in algorithms.items():
        scalarizer = (given or {}).get("scalarizer", name)
        assert scalarizer in SCALARIZERS or scalarizer.startswith("torchjd:")


def test_the_studies_that_the_documents_name_are_there() -> None:
    assert {"quick", "smoke"} <= {file.stem for file in STUDIES}
