"""What does not fit is said before anything is trained: folders, code, tokenizers, templates."""

import json
import shutil
from pathlib import Path

import pytest
from families import FAMILIES, GPT2, LLAMA3, family_tokenizer, write_family
from projects import Project

from benchmark.commands.check import report
from benchmark.common.errors import CrosstalkError
from benchmark.models.entry import ModelSpec
from benchmark.models.fitting import idle_end_of_turn, stop_difference
from benchmark.models.policy.loading import load_tokenizer
from benchmark.models.policy.tokens import encode_prompts, render_prompt
from benchmark.models.preparing import model_digest, prepare_model
from benchmark.study import load_study
from benchmark.study.checks import check
from benchmark.study.costs import Assumptions


def lines(project: Project, entry: str = "{path: model}") -> list[str]:
    """Return what `crosstalk check` says of the project's study with this entry."""
    (project.root / "models.yaml").write_text(f"tiny: {{path: {project.root / 'model'}}}\n")
    project.study()
    (project.root / "models.yaml").write_text(f"tiny: {entry}\n")
    study = load_study("lab", project.root)
    check(study)
    return report(study, Assumptions())


def replaced(project: Project, **settings: object) -> Path:
    shutil.rmtree(project.root / "model")
    return write_family(LLAMA3, project.root / "model", **settings)


def test_a_model_that_fits_has_no_remarks(project: Project) -> None:
    assert lines(project) == []


def test_a_path_that_does_not_exist_is_refused(project: Project, tmp_path: Path) -> None:
    expected = "models.yaml: tiny: path: expected a model's folder, got 'nowhere', which does not"
    with pytest.raises(CrosstalkError, match=expected):
        lines(project, "{path: nowhere}")
    with pytest.raises(CrosstalkError, match=expected):
        prepare_model("tiny", ModelSpec(path="nowhere"), tmp_path / "out", project.root)


def test_check_says_where_stop_tokens_differ(project: Project) -> None:
    replaced(project, eos=[1, 2])
    (line,) = lines(project)
    assert line == (
        "tiny: stop tokens differ: generation config <|end_of_text|> and <|start_header_id|>, "
        "tokenizer <|end_of_text|>, chat template <|eot_id|>; completions end at any of them, "
        "everywhere"
    )


@pytest.mark.parametrize(
    ("ending", "wrote"), [("", "nothing"), ("</turn>", "'</turn>', 7 tokens,")]
)
def test_check_warns_of_an_idle_end_of_turn(project: Project, ending: str, wrote: str) -> None:
    template = f"{{% for m in messages %}}A: {{{{ m.content }}}}{ending}{{% endfor %}}"
    shutil.rmtree(project.root / "model")
    write_family(GPT2, project.root / "model")
    entry = json.dumps({"path": "model", "chat_template": template})
    (line,) = lines(project, entry)
    assert line.startswith("warning: models.yaml: tiny: chat_template: expected a turn that ends")
    assert f"got {wrote} after an answer: it stops nothing" in line


@pytest.mark.parametrize("name", ["qwen3", "gpt2"])
def test_families_that_agree_have_no_remarks(name: str, tmp_path: Path) -> None:
    folder, tokenizer = write_family(FAMILIES[name], tmp_path), family_tokenizer(FAMILIES[name])
    assert stop_difference(folder, tokenizer) is None
    assert idle_end_of_turn(tokenizer) is None


def test_a_tokenizer_of_another_model_is_refused(project: Project, tmp_path: Path) -> None:
    replaced(project, vocabulary=260)
    expected = "expected a tokenizer for the model's 260 embeddings .* got one with a token 260"
    with pytest.raises(CrosstalkError, match=expected):
        lines(project)
    with pytest.raises(CrosstalkError, match=f"models.yaml: tiny: {expected}"):
        prepare_model("tiny", ModelSpec(path="model"), tmp_path / "out", project.root)
    replaced(project, vocabulary=261)
    prepare_model("tiny", ModelSpec(path="model"), tmp_path / "out", project.root)


def test_a_policys_tokenizer_has_to_end_texts(project: Project) -> None:
    folder = replaced(project)
    file = folder / "tokenizer_config.json"
    config = json.loads(file.read_text()) | {"eos_token": None}
    file.write_text(json.dumps(config))
    with pytest.raises(CrosstalkError, match=r"models.yaml: tiny: .*no end-of-sequence token"):
        lines(project)


def test_a_model_that_needs_its_own_code_is_refused(project: Project, tmp_path: Path) -> None:
    folder = replaced(project)
    file = folder / "config.json"
    config = json.loads(file.read_text())
    own = {"AutoConfig": "own.OwnConfig", "AutoModelForCausalLM": "own.OwnModel"}
    file.write_text(json.dumps(config | {"auto_map": own}))
    prepare_model("tiny", ModelSpec(path="model"), tmp_path / "out", project.root)  # also built in
    file.write_text(json.dumps(config | {"auto_map": own, "model_type": "own"}))
    (folder / "own.py").write_text("raise SystemExit('was run')\n")
    expected = "models.yaml: tiny: trust_remote_code: expected true, got false: the model "
    with pytest.raises(CrosstalkError, match=expected):
        prepare_model("tiny", ModelSpec(path="model"), tmp_path / "other", project.root)
    assert not (tmp_path / "other").exists()
    trusting = ModelSpec(path="model", trust_remote_code=True)
    prepare_model("tiny", trusting, tmp_path / "other", project.root)
    assert (tmp_path / "other" / "own.py").is_file()


# ---- variables of the chat template --------------------------------------------------------------

THINKING_OFF = "<|im_start|>assistant\n<think>\n\n</think>\n\n"


def test_thinking_is_turned_off_wherever_text_is_rendered(tmp_path: Path) -> None:
    write_family(FAMILIES["qwen3"], tmp_path / "model")
    rendered = {}
    for name, given in (("off", {"enable_thinking": False}), ("on", {"enable_thinking": True})):
        spec = ModelSpec(path="model", chat_template_kwargs=given)
        prepare_model("m", spec, tmp_path / name, tmp_path)
        rendered[name] = render_prompt(load_tokenizer(tmp_path / name), "What is 2 ?")
    own = render_prompt(load_tokenizer(tmp_path / "model"), "What is 2 ?")
    assert rendered["on"] == own
    assert rendered["off"] == own.removesuffix("<|im_start|>assistant\n") + THINKING_OFF
    tokenizer = load_tokenizer(tmp_path / "off")
    tokenizer.save_pretrained(tmp_path / "checkpoint")  # as a trainer does
    assert render_prompt(load_tokenizer(tmp_path / "checkpoint"), "What is 2 ?") == rendered["off"]
    messages = [{"role": "user", "content": "What is 2 ?"}]
    ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]
    assert [ids] == encode_prompts(tokenizer, ["What is 2 ?"])


@pytest.mark.parametrize("value", ['it\'s "so" äé 😀 {{ x }} %}\n', 3, 1.5, True])
def test_values_reach_the_template_as_they_are(tmp_path: Path, value: object) -> None:
    write_family(GPT2, tmp_path / "model")
    template = "\n{{ style }}|{% if style is string %}text{% endif %}|{{ messages[0].content }}"
    spec = ModelSpec(path="model", chat_template=template, chat_template_kwargs={"style": value})
    prepare_model("m", spec, tmp_path / "out", tmp_path)
    text = "text" if isinstance(value, str) else ""
    assert render_prompt(load_tokenizer(tmp_path / "out"), "a") == f"\n{value}|{text}|a"


def test_a_variable_that_is_not_read_is_refused(project: Project, tmp_path: Path) -> None:
    write_family(FAMILIES["qwen3"], tmp_path / "qwen3")
    expected = r"models.yaml: tiny: chat_template_kwargs.thinking: expected a variable"
    entry = "{path: qwen3, chat_template_kwargs: {thinking: false}}"
    with pytest.raises(CrosstalkError, match=expected):
        lines(project, entry)
    spec = ModelSpec(path="model", chat_template_kwargs={"thinking": False})
    with pytest.raises(CrosstalkError, match="which it does not: there is none"):
        prepare_model("tiny", spec, tmp_path / "out", project.root)


@pytest.mark.parametrize(
    "given", ["{messages: x}", "{a-b: 1}", "{a: [1]}", "{a: null}", "{a: .nan}", "[a]"]
)
def test_values_of_a_wrong_form_are_refused(project: Project, given: str) -> None:
    with pytest.raises(CrosstalkError, match=r"models.yaml: tiny: chat_template_kwargs"):
        lines(project, f"{{path: model, chat_template_kwargs: {given}}}")


def test_values_are_part_of_the_models_digest(tmp_path: Path) -> None:
    write_family(FAMILIES["qwen3"], tmp_path / "model")
    given = [{}, {"enable_thinking": False}, {"enable_thinking": True}]
    specs = [ModelSpec(path="model", chat_template_kwargs=each) for each in given]
    found = [model_digest({"m": spec}, "m", tmp_path) for spec in specs]
    assert len(set(found)) == 3
