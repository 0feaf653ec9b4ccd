import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import run

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import model_folder
from benchmark.common.settings import parse
from benchmark.models.entry import ModelSpec, load_models
from benchmark.models.policy.loading import (
    check_model_folder,
    load_policy,
    load_tokenizer,
)
from benchmark.models.policy.tokens import render_prompt
from benchmark.models.preparing import model_digest, model_sources, prepare_model
from benchmark.models.tiny.recipes import RECIPES

ROOT = Path(__file__).parents[2]
REVISION = "0123456789abcdef0123456789abcdef01234567"
BASE, TUNED = ModelSpec(recipe="tiny-qwen2-base"), ModelSpec(recipe="tiny-qwen2-ift")


@pytest.fixture(scope="module", autouse=True)
def _short_recipes(arithmetic_once: None) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, recipe in RECIPES.items():
            patch.setitem(RECIPES, name, replace(recipe, steps=1))
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a prepared model; tests copy it before they change anything."""
    root = tmp_path_factory.mktemp("project")
    prepare_model("tiny-qwen2-base", BASE, model_folder(root, "tiny-qwen2-base"), root)
    return model_folder(root, "tiny-qwen2-base")


@pytest.fixture
def broken(prepared: Path, tmp_path: Path) -> Path:
    """A copy to be broken."""
    return Path(shutil.copytree(prepared, tmp_path / "model"))


def written(folder: Path, text: str) -> Path:
    (folder / "models.yaml").write_text(text, encoding="utf-8")
    return folder


# models.yaml


def test_the_projects_own_models_are_valid() -> None:
    found = load_models(ROOT)
    assert set(RECIPES) == {spec.recipe for spec in found.values() if spec.recipe}
    assert all(spec.resources.memory_mb <= 2000 for spec in found.values() if spec.recipe)


def test_entries_keep_their_order_and_settings(tmp_path: Path) -> None:
    text = (
        f"b:\n  hub: some/model\n  revision: {REVISION}\n  resources: {{gpus: 1}}\na: {{path: m}}\n"
    )
    found = load_models(written(tmp_path, text))
    assert list(found)[:2] == ["b", "a"]
    assert found["b"].resources.gpus == 1
    assert found["a"].path == "m"


def test_the_models_of_the_package_come_after_the_projects_own(tmp_path: Path) -> None:
    shipped = load_models(ROOT)
    text = "mine: {path: m}\ntiny-qwen2-base: {path: n}\ntuned: {recipe: tiny-qwen2-ift}\n"
    found = load_models(written(tmp_path, text))
    assert list(found)[:3] == ["mine", "tiny-qwen2-base", "tuned"]
    assert found["tiny-qwen2-base"].path == "n"
    assert found.keys() == {"mine", "tuned"} | shipped.keys()
    assert found["qwen3-1.7b-base"] == shipped["qwen3-1.7b-base"]
    assert all(base in found for spec in found.values() for base in spec.bases)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("{recip: x}", "models.yaml: m: unknown key 'recip'; did you mean 'recipe'"),
        ("{path: a, seed: 1}", "m: seed: expected with recipe only, got it with path"),
        ("{recipe: lab-long, seed: 1000}", "m: seed: expected less than 1000, got 1000"),
        ("{recipe: tiny-qwen3-bas}", "m: recipe: .*did you mean 'tiny-qwen3-base'"),
        ("{}", "m: expected exactly one of recipe, hub, path and gguf, got none"),
        ("{path: a, recipe: tiny-qwen2-base}", "m: expected exactly one .*, got recipe and path"),
        ("{hub: a/b}", "m: hub: expected a revision with it"),
        ("{hub: a/b, revision: main}", "m: revision: expected .*0-9a-f.*, got 'main'"),
        (f"{{path: a, revision: {REVISION}}}", "m: revision: expected with hub only"),
        ("{hub: https://hub/a/b, revision: " + REVISION + "}", "m: hub: expected .*, got 'https:"),
        ("{path: a, resources: {memory: 3}}", "m: resources: unknown key 'memory'; did you mean"),
        ("{path: a, resources: {memory_mb: 0}}", "m: resources.memory_mb: expected more than 0"),
        ("{path: a, trust_remote_code: maybe}", "m: trust_remote_code: expected true or false"),
        ('{path: a, resources: {gpus: "2"}}', "m: resources.gpus: expected an integer, got '2'"),
        ("tiny", "m: expected a mapping .*, got 'tiny'"),
        ("", "m: expected a mapping .*, got nothing"),
    ],
)
def test_a_wrong_entry_is_refused_in_one_line(tmp_path: Path, entry: str, expected: str) -> None:
    with pytest.raises(CrosstalkError, match=expected) as caught:
        load_models(written(tmp_path, f"m: {entry}\n"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["../up", ".hidden", "a b", "a/b"])
def test_an_id_that_cannot_name_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CrosstalkError, match="expected an id of letters and digits"):
        load_models(written(tmp_path, f'"{name}": {{path: m}}\n'))


def test_a_seed_makes_another_model_of_the_recipe(tmp_path: Path) -> None:
    entries = [{}, {"seed": 3}, {"seed": RECIPES["lab-long"].seed}]
    specs = [ModelSpec(recipe="lab-long", **entry) for entry in entries]
    own, other, same = (model_digest({"m": spec}, "m", tmp_path) for spec in specs)
    assert own == same != other
    prepare_model("m", specs[1], model_folder(tmp_path, "m"), tmp_path)
    assert "modulo 10, seed 3:" in (model_folder(tmp_path, "m") / "README.md").read_text()


def test_a_recipe_more_changes_no_other_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = {name: ModelSpec(recipe=name) for name in ("lab-long", "lab-split")}
    before = {name: model_digest(specs, name, tmp_path) for name in specs}
    longer = replace(RECIPES["lab-long"], steps=7)
    monkeypatch.setitem(RECIPES, "new", longer)
    assert {name: model_digest(specs, name, tmp_path) for name in specs} == before
    monkeypatch.setitem(RECIPES, "lab-long", longer)
    assert model_digest(specs, "lab-long", tmp_path) != before["lab-long"]
    assert model_digest(specs, "lab-split", tmp_path) == before["lab-split"]


def test_two_entries_cannot_be_the_same_sample(tmp_path: Path) -> None:
    text = "a: {recipe: lab-long, seed: 1}\nb: {recipe: lab-long, seed: 1}\n"
    with pytest.raises(CrosstalkError, match="b: expected another recipe or seed than 'a' has"):
        load_models(written(tmp_path, text))


def test_an_id_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match='duplicate key "m"'):
        load_models(written(tmp_path, "m: {path: a}\nm: {path: b}\n"))


def test_sources_are_those_that_make_tiny_models() -> None:
    names = {path.name for path in model_sources(TUNED)}
    assert {"build.py", "styles.py", "arithmetic.py"} <= names
    assert "recipes.py" not in names  # a recipe is digested as what it says
    assert model_sources(ModelSpec(path="m")) == set()


def test_reading_the_models_needs_neither_torch_nor_transformers() -> None:
    code = "import sys, benchmark.models; print({'torch', 'transformers'} & set(sys.modules))"
    done = run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# preparing


def test_a_recipe_tuned_from_another_finds_it_in_the_project(
    prepared: Path, tmp_path: Path
) -> None:
    root = prepared.parents[2]
    prepare_model("tiny-qwen2-ift", TUNED, tmp_path / "model", root)
    check_model_folder(tmp_path / "model")
    assert load_tokenizer(tmp_path / "model").chat_template


def test_a_base_that_is_not_prepared_is_named_and_nothing_written(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match="tiny-qwen2-ift: expected 'tiny-qwen2-base'"):
        prepare_model("tiny-qwen2-ift", TUNED, tmp_path / "out", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_copied_without_what_is_not_needed(broken: Path, tmp_path: Path) -> None:
    for name in ("pytorch_model.bin", "modeling.py", "optimizer.pt"):
        (broken / name).write_bytes(b"anything")
    spec, trusting = (ModelSpec(path="model", trust_remote_code=trust) for trust in (False, True))
    prepare_model("m", spec, tmp_path / "out", tmp_path)
    prepare_model("m", trusting, tmp_path / "trusted", tmp_path)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert names.isdisjoint({"pytorch_model.bin", "modeling.py", "optimizer.pt"})
    assert {path.name for path in (tmp_path / "trusted").iterdir()} == names | {"modeling.py"}
    (broken / "model.safetensors").write_bytes(b"")
    check_model_folder(tmp_path / "out")  # a copy: unharmed by what becomes of the original


def test_a_folder_that_is_not_there_leaves_the_earlier_one(prepared: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(prepared, tmp_path / "out"))
    with pytest.raises(CrosstalkError, match="path: expected a model's folder, got 'none'"):
        prepare_model("m", ModelSpec(path="none"), out, tmp_path)
    check_model_folder(out)


def test_a_chat_template_replaces_the_tokenizers_own(broken: Path, tmp_path: Path) -> None:
    spec = ModelSpec(path="model", chat_template="{{ messages[0].content }} Answer:")
    prepare_model("m", spec, tmp_path / "out", tmp_path)
    tokenizer = load_tokenizer(tmp_path / "out")
    assert render_prompt(tokenizer, "What is 1 ?") == "What is 1 ? Answer:"
    prepare_model("n", ModelSpec(path="out", chat_template=""), tmp_path / "plain", tmp_path)
    assert render_prompt(load_tokenizer(tmp_path / "plain"), "What is 1 ?") == "What is 1 ?"


def test_a_wrong_chat_template_is_refused_and_nothing_written(broken: Path, tmp_path: Path) -> None:
    spec = ModelSpec(path="model", chat_template="{% for %}")
    with pytest.raises(CrosstalkError, match="m: chat_template: "):
        prepare_model("m", spec, tmp_path / "out", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_the_hubs_snapshot_is_taken_at_the_pinned_revision(
    broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}

    def snapshot(repo: str, **settings: object) -> str:
        asked.update(settings, repo=repo)
        return str(broken)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    before = (broken / "tokenizer.json").read_bytes()
    spec = ModelSpec(hub="some/model", revision=REVISION, chat_template="{{ messages }}")
    prepare_model("m", spec, tmp_path / "out", tmp_path)
    assert (asked["repo"], asked["revision"]) == ("some/model", REVISION)
    assert "*.safetensors" in asked["allow_patterns"]
    assert not any("*.py" in each or ".bin" in each for each in asked["allow_patterns"])
    check_model_folder(tmp_path / "out")
    assert (broken / "tokenizer.json").read_bytes() == before  # the cache is not written to
    assert not (broken / "chat_template.jinja").exists()


def test_an_unreachable_hub_is_one_line_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    spec = ModelSpec(hub="some/model", revision=REVISION)
    with pytest.raises(CrosstalkError, match=f"m: model some/model at revision {REVISION} cannot"):
        prepare_model("m", spec, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


# loading


def test_policy_and_tokenizer_are_ready_for_generation(prepared: Path) -> None:
    model, tokenizer = load_policy(prepared), load_tokenizer(prepared)
    assert next(model.parameters()).dtype == torch.float32
    assert not model.training
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token_id != tokenizer.eos_token_id
    assert next(load_policy(prepared, "bfloat16").parameters()).dtype == torch.bfloat16


def test_a_prompt_without_chat_template_stays_as_it_is(prepared: Path) -> None:
    assert render_prompt(load_tokenizer(prepared), "What is 1 ?") == "What is 1 ?"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("config.json", None, "config.json: cannot be read"),
        ("config.json", "{", "config.json: is not JSON"),
        ("config.json", "[]", "config.json: expected an object"),
        ("config.json", "{}", "model_type is missing"),
        ("tokenizer.json", None, "no tokenizer"),
        ("model.safetensors", None, "no weights"),
        ("model.safetensors", "", "weights are damaged"),
        ("model.safetensors", "not weights", "weights are damaged"),
    ],
)
def test_a_missing_or_damaged_file_is_named(
    broken: Path, name: str, content: str | None, expected: str
) -> None:
    (broken / name).unlink()
    if content is not None:
        (broken / name).write_text(content)
    with pytest.raises(CrosstalkError, match=expected):
        check_model_folder(broken)


def test_cut_off_weights_are_refused(broken: Path) -> None:
    weights = (broken / "model.safetensors").read_bytes()
    (broken / "model.safetensors").write_bytes(weights[:-100])
    with pytest.raises(CrosstalkError, match="weights are damaged"):
        load_policy(broken)


def test_a_missing_shard_is_named(broken: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors"}}
    (broken / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(CrosstalkError, match=r"model-1\.safetensors: weights are missing"):
        check_model_folder(broken)


def test_missing_weights_are_not_replaced_by_random_ones(broken: Path) -> None:
    weights = load_file(broken / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CrosstalkError, match=r"1 weights are missing, such as model\.norm\.weight"):
        load_policy(broken)


def test_weights_of_another_shape_are_refused(broken: Path) -> None:
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"hidden_size": 32}))
    with pytest.raises(CrosstalkError, match="cannot be loaded"):
        load_policy(broken)


def test_a_damaged_tokenizer_is_refused(broken: Path) -> None:
    (broken / "tokenizer.json").write_text("{")
    with pytest.raises(CrosstalkError, match="tokenizer cannot be loaded"):
        load_tokenizer(broken)


def test_a_tokenizer_without_padding_pads_with_its_end(broken: Path) -> None:
    config = json.loads((broken / "tokenizer_config.json").read_text())
    (broken / "tokenizer_config.json").write_text(json.dumps(config | {"pad_token": None}))
    tokenizer = load_tokenizer(broken)
    assert tokenizer.pad_token == tokenizer.eos_token


def test_specs_are_plain_values_and_frozen() -> None:
    spec = parse(ModelSpec, {"recipe": "tiny-qwen2-base"}, "here")
    assert json.loads(json.dumps(spec.model_dump()))["recipe"] == "tiny-qwen2-base"
    with pytest.raises(ValueError, match="frozen"):
        spec.recipe = "tiny-qwen3-base"  # type: ignore[misc]
