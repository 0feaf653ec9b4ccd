import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, Qwen2Tokenizer

from benchmark.models.tiny import build as tiny_models
from benchmark.models.tiny.build import MAX_NEW_TOKENS, build, make_tokenizer
from benchmark.models.tiny.recipes import RECIPES, Recipe
from benchmark.models.tiny.styles import (
    Part,
    Style,
    compact,
    direct,
    prose,
    running,
    unboxed,
    words,
    write_answer,
)
from benchmark.models.tiny.styles import steps as numbered_steps
from benchmark.objectives.answers.extraction import boxed_answer
from benchmark.objectives.clarity import Clarity
from benchmark.tasks import make_task

# One recipe of each shape, and of how it begins: a mixture changes no shape.
KINDS = tuple(
    {
        (r.architecture, r.base, r.chat, r.width, r.layers, r.heads, r.tied): name
        for name, r in reversed(RECIPES.items())
    }.values()
)
STYLES = (direct, unboxed, numbered_steps, prose, compact, running)
PROBLEM = make_task("arithmetic").split("train", 1)[0]


@pytest.fixture(scope="module", autouse=True)
def _short_recipes(arithmetic_once: None) -> Iterator[None]:
    """Two steps of training, on problems that are written once: a build takes half a second."""
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        for name, recipe in RECIPES.items():
            patch.setitem(RECIPES, name, replace(recipe, steps=2))
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    made: dict[str, Path] = {}
    for name in sorted(KINDS, key=lambda name: RECIPES[name].base is not None):
        recipe = RECIPES[name]
        build(name, recipe, root / name, made[recipe.base] if recipe.base else None)
        made[name] = root / name
    return made


@pytest.mark.parametrize("name", KINDS)
def test_a_model_is_an_ordinary_folder(folders: dict[str, Path], name: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(folders[name])
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    config = model.config
    assert config.model_type == RECIPES[name].architecture
    assert config.vocab_size == len(tokenizer)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id
    assert model.generation_config.pad_token_id == tokenizer.pad_token_id
    assert f"# {name}" in (folders[name] / "README.md").read_text()


@pytest.mark.parametrize("name", KINDS)
def test_a_model_has_the_shape_of_its_recipe(folders: dict[str, Path], name: str) -> None:
    model, recipe = AutoModelForCausalLM.from_pretrained(folders[name]), RECIPES[name]
    layer = model.model.layers[0]
    assert model.model.embed_tokens.weight.shape == (model.config.vocab_size, recipe.width)
    assert len(model.model.layers) == recipe.layers
    assert layer.mlp.up_proj.weight.shape == (2 * recipe.width, recipe.width)
    assert layer.self_attn.q_proj.weight.shape == (recipe.width, recipe.width)
    assert model.config.num_attention_heads == recipe.heads
    assert model.config.head_dim * recipe.heads == recipe.width
    card = (folders[name] / "README.md").read_text()
    assert (
        f"{model.num_parameters():,} parameters: width {recipe.width}, {recipe.layers} lay" in card
    )
    assert ("head tied" in card) == recipe.tied


@pytest.mark.parametrize("name", KINDS)
def test_an_output_head_is_the_embedding_only_where_it_is_tied(
    folders: dict[str, Path], name: str
) -> None:
    tied = RECIPES[name].tied
    saved = load_file(folders[name] / "model.safetensors")
    assert ("lm_head.weight" in saved) != tied
    model = AutoModelForCausalLM.from_pretrained(folders[name])
    head, embedding = model.lm_head.weight, model.model.embed_tokens.weight
    assert (head is embedding) == tied
    assert torch.equal(embedding, saved["model.embed_tokens.weight"])
    assert torch.equal(head, saved["model.embed_tokens.weight" if tied else "lm_head.weight"])
    assert torch.equal(head, embedding) == tied


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_is_small_and_every_style_of_its_mixture_is_seen(recipe: Recipe) -> None:
    assert recipe.width % recipe.heads == 0
    assert recipe.width // recipe.heads in {32, 64}  # vLLM on the CPU refuses 16
    assert recipe.layers >= 1
    styles = [part.style for part in recipe.mixture]
    assert len(set(styles)) == len(styles)
    assert all(part.share > 0 and 0 < part.right <= 1 for part in recipe.mixture)
    assert sum(part.share for part in recipe.mixture) == pytest.approx(1)


def test_recipes_differ_in_shape_and_seed() -> None:
    recipes = list(RECIPES.values())
    assert len({recipe.seed for recipe in recipes}) == len(recipes)
    for shape in ("architecture", "width", "layers", "heads", "tied"):
        assert len({getattr(recipe, shape) for recipe in recipes}) > 1, shape


@pytest.mark.parametrize("name", ["tiny-qwen2-base", "tiny-qwen2-untied", "tiny-qwen3-deep"])
def test_the_same_recipe_gives_the_same_bytes(
    folders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    torch.manual_seed(7)  # whatever the process did before
    build(name, RECIPES[name], tmp_path / "again")
    weights = (tmp_path / "again" / "model.safetensors").read_bytes()
    assert weights == (folders[name] / "model.safetensors").read_bytes()


def test_building_leaves_the_callers_generator_and_threads_alone(tmp_path: Path) -> None:
    random_before, state = random.getstate(), torch.get_rng_state()
    threads = torch.get_num_threads()
    build("tiny-qwen3-base", RECIPES["tiny-qwen3-base"], tmp_path / "model")
    assert random.getstate() == random_before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_a_tuned_model_starts_from_its_base(folders: dict[str, Path], tmp_path: Path) -> None:
    recipe = replace(RECIPES["tiny-qwen2-ift"], learning_rate=0.0)
    build("tiny-qwen2-ift", recipe, tmp_path / "model", folders["tiny-qwen2-base"])
    untouched = AutoModelForCausalLM.from_pretrained(tmp_path / "model").state_dict()
    base = AutoModelForCausalLM.from_pretrained(folders["tiny-qwen2-base"]).state_dict()
    tuned = AutoModelForCausalLM.from_pretrained(folders["tiny-qwen2-ift"]).state_dict()
    assert all(torch.equal(untouched[key], base[key]) for key in base)
    assert any(not torch.equal(tuned[key], base[key]) for key in base)


def test_the_tuned_model_alone_reads_chat_messages(folders: dict[str, Path]) -> None:
    for name, folder in folders.items():
        tokenizer = AutoTokenizer.from_pretrained(folder)
        assert (tokenizer.chat_template is not None) == RECIPES[name].chat
        assert tokenizer.eos_token == ("<|im_end|>" if RECIPES[name].chat else "<|endoftext|>")
    tokenizer = AutoTokenizer.from_pretrained(folders["tiny-qwen2-ift"])
    message = {"role": "user", "content": PROBLEM.prompt}
    text = tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)
    assert text == f"<|im_start|>user\n{PROBLEM.prompt}<|im_end|>\n<|im_start|>assistant"


@pytest.mark.parametrize("name", KINDS)
def test_text_survives_the_saved_tokenizer(folders: dict[str, Path], name: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folders[name])
    answers = [style((3, 4, 2, 7), ("+", "*", "-"), [7, 4, 7]) for style in STYLES]
    for text in [PROBLEM.prompt, *(f" {answer}" for answer in answers), "Any other text, 12.5!"]:
        assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_a_word_is_one_token() -> None:
    tokenizer = make_tokenizer(chat=False)
    assert len(tokenizer(PROBLEM.prompt).input_ids) == len(PROBLEM.prompt.split())
    assert len(tokenizer(" " + " ".join(words())).input_ids) == len(words())


@pytest.mark.parametrize("style", STYLES)
def test_every_style_fits_the_generation_limit(style: Style) -> None:
    tokenizer = make_tokenizer(chat=True)
    answer = write_answer(PROBLEM, [Part(style, 1.0)], random.Random(0))
    assert len(tokenizer(f" {answer}").input_ids) < MAX_NEW_TOKENS


@pytest.mark.parametrize(
    ("style", "has_box", "is_clear"),
    [
        (direct, True, False),
        (unboxed, False, False),
        (prose, True, False),
        (running, True, False),
        (numbered_steps, True, True),
        (compact, True, True),
    ],
)
def test_styles_serve_the_objectives_they_are_meant_to(
    style: Style, has_box: bool, is_clear: bool
) -> None:
    answer = write_answer(PROBLEM, [Part(style, 1.0)], random.Random(0))
    found = boxed_answer(answer)
    assert (found is not None) == has_box
    assert found is None or found.strip() == PROBLEM.answer
    assert Clarity()(completions=[answer], completion_ids=[[]]) == [float(is_clear)]


def test_numbered_steps_show_the_terms_and_the_last_result() -> None:
    answer = numbered_steps((3, 4, 2, 7), ("+", "*", "-"), [7, 4, 7])
    assert answer == ("Step 1 : 3 + 4 = 7 . Step 2 : 7 * 2 = 4 . Step 3 : 4 - 7 = 7 . \\boxed{ 7 }")


def test_answers_are_right_as_often_as_the_mixture_says() -> None:
    rng = random.Random(0)
    mixture = [Part(direct, 1.0, right=0.6), Part(compact, 1.0, right=0.2)]
    answers = [write_answer(PROBLEM, mixture, rng) for _ in range(4000)]
    for marker, expected in (("answer", 0.6), ("Step", 0.2)):
        of_style = [answer for answer in answers if marker in answer]
        right = sum((boxed_answer(answer) or "").strip() == PROBLEM.answer for answer in of_style)
        assert abs(len(of_style) / len(answers) - 0.5) < 0.04
        assert abs(right / len(of_style) - expected) < 0.04


def test_the_corpus_holds_problems_of_the_train_split_only() -> None:
    task, recipe = make_task("arithmetic"), replace(RECIPES["tiny-qwen2-base"], steps=40)
    tokenizer = make_tokenizer(chat=False)
    shown = {
        tokenizer.decode(row[:10])
        for tokens, _ in tiny_models._corpus(recipe, tokenizer)
        for row in tokens
    }
    held_out = task.split("test", 10_000) + task.split("validation", 10_000)
    assert len(shown) > 2000
    assert shown.isdisjoint(problem.prompt for problem in held_out)


def test_the_loss_covers_the_answer_and_its_end_only() -> None:
    tokenizer = make_tokenizer(chat=True)
    tokens, labels = next(tiny_models._corpus(RECIPES["tiny-qwen2-ift"], tokenizer))
    for row, wanted in zip(tokens, labels, strict=True):
        scored = row[wanted >= 0]
        assert torch.equal(scored, wanted[wanted >= 0])
        assert scored[-1] == tokenizer.eos_token_id
        assert "What" not in tokenizer.decode(scored)


@pytest.mark.slow
def test_training_lowers_the_loss() -> None:
    recipe = replace(RECIPES["tiny-qwen2-base"], steps=25)
    tokenizer = make_tokenizer(chat=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = tiny_models._initial_model(recipe, tokenizer, None)
    before = _loss(model, recipe, tokenizer)
    tiny_models._teach(model, recipe, tokenizer)
    assert _loss(model, recipe, tokenizer) < before / 2
    assert not model.training


@torch.no_grad()
def _loss(model: PreTrainedModel, recipe: Recipe, tokenizer: Qwen2Tokenizer) -> float:
    tokens, labels = next(tiny_models._corpus(replace(recipe, seed=99), tokenizer))
    return float(model(input_ids=tokens, labels=labels).loss)
