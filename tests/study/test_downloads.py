"""What a study downloads, and that no job starts while something of it is missing."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import constants
from projects import Project

from benchmark.commands.check import report
from benchmark.commands.prepare import prepare, prepare_study
from benchmark.commands.run import run_study
from benchmark.common.errors import CrosstalkError
from benchmark.models.entry import check_pinned, load_models
from benchmark.models.policy.loading import parameters
from benchmark.models.shape import shape_of
from benchmark.study import Study, check, load_study
from benchmark.study.costs import Assumptions, study_shape
from benchmark.study.downloads import check_downloaded, study_needs

ROOT = Path(__file__).parents[2]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SHAPE = {
    "parameters": 10,
    "layers": 1,
    "hidden": 2,
    "intermediate": 4,
    "kv_width": 2,
    "vocabulary": 8,
    "download_gb": 1.5,
}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache, empty."""
    folder = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    return folder


def of_hub(project: Project, **entry: Any) -> Study:
    """Return the project's study, its model being one of the hub."""
    given = {"tiny": {"hub": "some/model", "revision": COMMIT, "shape": SHAPE} | entry}
    study = project.study()
    (project.root / "models.yaml").write_text(yaml.safe_dump(given))
    return load_study(study.name, project.root)


def put(cache: Path, model: Path) -> None:
    """Put a model into the cache as if it had been downloaded."""
    snapshot = cache / "models--some--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    for file in model.iterdir():
        (snapshot / file.name).symlink_to(file.resolve())


def test_what_is_missing_is_listed_and_stops_the_run_before_any_job(
    project: Project, cache: Path
) -> None:
    study = of_hub(project)
    (need,) = study_needs(study)
    assert (need.there, need.gigabytes) == (False, 1.5)
    message = f"not downloaded yet: model some/model at revision {COMMIT}: run `crosstalk prepare"
    with pytest.raises(CrosstalkError, match=message) as caught:
        run_study(study)
    assert "\n" not in str(caught.value)
    assert not study.layout.runs.exists()


def test_after_the_download_a_study_needs_no_hub(project: Project, cache: Path) -> None:
    put(cache, project.root / "model")
    study = of_hub(project)
    assert study_needs(study)[0].there
    prepare_study(study)  # offline: the tests forbid the hub
    check_downloaded(study)
    (cache / "models--some--model").rename(cache / "gone")
    check_downloaded(study)  # the prepared model is enough


def test_a_download_that_was_cut_short_is_not_there(project: Project, cache: Path) -> None:
    put(cache, project.root / "model")
    for file in (cache / "models--some--model" / "snapshots" / COMMIT).glob("*.safetensors"):
        file.unlink()
    assert not study_needs(of_hub(project))[0].there


def test_a_model_without_a_chosen_commit_is_refused_where_it_is_used(
    project: Project, cache: Path
) -> None:
    study = of_hub(project, revision="unset")
    expected = "models.yaml: tiny: revision: expected the commit of some/model"
    for use in (study_needs, prepare_study, run_study):
        with pytest.raises(CrosstalkError, match=expected):
            use(study)
    with pytest.raises(CrosstalkError, match=expected):
        prepare(project.root, "tiny")
    assert not study.layout.runs.exists()


def test_the_size_of_a_model_is_read_from_its_files(project: Project) -> None:
    study = project.study()
    config = json.loads((project.model / "config.json").read_text())
    shape = study_shape(study, "tiny")
    assert shape is not None
    assert shape.parameters == parameters(project.model)
    assert (shape.layers, shape.hidden) == (config["num_hidden_layers"], config["hidden_size"])


def test_the_shapes_of_the_projects_models_are_those_of_their_configurations() -> None:
    models = load_models(ROOT)
    common = {"num_hidden_layers": 28, "vocab_size": 151936}
    base = {"hidden_size": 1536, "num_attention_heads": 12, "num_key_value_heads": 2}
    other = {"hidden_size": 2048, "num_attention_heads": 16, "num_key_value_heads": 8}
    for name, config in {
        "qwen2.5-1.5b": common | base | {"intermediate_size": 8960},
        "qwen2.5-1.5b-instruct": common | base | {"intermediate_size": 8960},
        "qwen3-1.7b-base": common | other | {"intermediate_size": 6144, "head_dim": 128},
    }.items():
        own = models[name].shape
        assert own is not None
        found = shape_of(config, own.parameters)
        assert found == own.model_copy(update={"download_gb": None})
        matrices = own.layers * own.layer_parameters + own.vocabulary * own.hidden
        assert matrices < own.parameters < 1.001 * matrices  # norms and biases are the rest
        check_pinned(name, models[name])


def test_a_configuration_of_another_kind_has_no_shape() -> None:
    assert shape_of({"model_type": "gpt2", "n_layer": 36}, 10) is None


def of_package(project: Project, package: str) -> Study:
    """Return the project's study, its model being a GGUF file of a package."""
    study = project.study()
    own = {"file": "a.gguf", "sha256": "0" * 64, "package": package}
    (project.root / "models.yaml").write_text(yaml.safe_dump({"tiny": {"gguf": own}}))
    return load_study(study.name, project.root)


def test_a_package_that_is_not_installed_is_told_and_stops_the_run(project: Project) -> None:
    study = of_package(project, "no-such-package==1.2")
    check(study)  # nothing is wrong with it
    expected = "models.yaml: tiny: gguf.package: no-such-package==1.2 is not installed: run `pip "
    assert any(expected in line for line in report(study, Assumptions()))
    for use in (run_study, prepare_study):
        with pytest.raises(CrosstalkError, match=expected):
            use(study)


def test_a_package_without_the_file_is_refused_at_once(project: Project) -> None:
    with pytest.raises(CrosstalkError, match=r"tiny: gguf\.file: expected a file of numpy"):
        check(of_package(project, "numpy"))


def test_what_a_warm_up_teaches_is_a_download(project: Project, cache: Path) -> None:
    study = project.study()
    taught = {"task": "gsm8k", "parameters": {"revision": COMMIT}, "steps": 1}
    warm_up = taught | {"styles": {"steps": {"share": 1.0}}}
    entries = {"tiny": {"path": "model", "warm_up": warm_up}}
    (project.root / "models.yaml").write_text(yaml.safe_dump(entries))
    study = load_study(study.name, project.root)
    check(study)
    (need,) = study_needs(study)
    assert f"dataset openai/gsm8k at revision {COMMIT}" in need.what
    assert not need.there
    with pytest.raises(CrosstalkError, match="not downloaded yet: dataset openai/gsm8k"):
        check_downloaded(study)
