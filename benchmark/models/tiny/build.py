"""Make tiny language models: real architectures, taught a task by its worked answers.

A recipe (``tiny.recipes``) is built from its seed alone, so that a machine makes the
same weights every time; no hub and no download take part. What comes out is an ordinary
``transformers`` folder.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import AddedToken
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen2Tokenizer,
    Qwen3Config,
    Qwen3ForCausalLM,
    get_cosine_schedule_with_warmup,
)

from benchmark.models.tiny.recipes import Recipe
from benchmark.models.tiny.styles import words, write_answer
from benchmark.tasks.arithmetic import Arithmetic

PAD, END, START_TURN, END_TURN = "<|pad|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{% endif %}"
)
BATCH = 64  # sequences an optimiser step
MAX_NEW_TOKENS = 40
_IGNORED = -100  # the label of a token without a loss


def build(name: str, recipe: Recipe, folder: Path, base: Path | None = None) -> None:
    """Make the model of a recipe and save it to ``folder``.

    Args:
        name: What the model's card calls it.
        recipe: How to make it.
        folder: Created; holds weights (safetensors), tokenizer, generation config and model card.
        base: The folder of the model the recipe is tuned from, if it names one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the sums, hence the weights, depend on the number of threads
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            tokenizer = make_tokenizer(recipe.chat)
            model = _initial_model(recipe, tokenizer, base)
            _teach(model, recipe, tokenizer)
    finally:
        torch.set_num_threads(threads)
    model.generation_config = GenerationConfig(
        do_sample=True,
        max_new_tokens=MAX_NEW_TOKENS,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(_model_card(name, recipe, model), encoding="utf-8")


def make_tokenizer(chat: bool) -> Qwen2Tokenizer:
    """Return a tokenizer whose tokens are the recipes' words, each with the space before it.

    It is of Qwen's own class, since ``transformers`` loads a Qwen2 folder's tokenizer as that class
    whatever the folder says. Text outside the recipes falls back to single ASCII characters;
    what is not ASCII is dropped.
    """
    characters = [*map(chr, range(ord("!"), ord("~") + 1)), "\u0120", "\u010a"]  # space, newline
    vocabulary = [PAD, END, START_TURN, END_TURN, *characters]
    tokenizer = Qwen2Tokenizer(
        vocab={token: number for number, token in enumerate(vocabulary)},
        merges=[],
        unk_token=None,
        pad_token=PAD,
        eos_token=END_TURN if chat else END,
        extra_special_tokens=[END, START_TURN, END_TURN],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    whole = ["What", "user", "assistant", *(f" {word}" for word in words())]
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in whole])
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _initial_model(recipe: Recipe, tokenizer: Qwen2Tokenizer, base: Path | None) -> PreTrainedModel:
    special = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    if recipe.base is not None:
        model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
        model.config.update(special)
        return model
    settings = {
        **special,
        "bos_token_id": None,
        "vocab_size": len(tokenizer),
        "hidden_size": recipe.width,
        "intermediate_size": 2 * recipe.width,
        "num_hidden_layers": recipe.layers,
        "num_attention_heads": recipe.heads,
        "num_key_value_heads": recipe.heads,
        "head_dim": recipe.width // recipe.heads,
        "initializer_range": 0.06,  # the default 0.02 learns slowly at these widths
        "max_position_embeddings": 128,
        "tie_word_embeddings": recipe.tied,
    }
    if recipe.architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**settings))
    return Qwen2ForCausalLM(Qwen2Config(**settings))


def _teach(model: PreTrainedModel, recipe: Recipe, tokenizer: Qwen2Tokenizer) -> None:
    """Train on fresh worked answers, one pass, with a loss on the answers only."""
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), fused=True
    )
    schedule = get_cosine_schedule_with_warmup(optimizer, recipe.steps // 20, recipe.steps)
    for tokens, labels in _corpus(recipe, tokenizer):
        hidden = model.model(input_ids=tokens[:, :-1], use_cache=False).last_hidden_state
        scored = labels[:, 1:] != _IGNORED  # (BATCH, T - 1), N of them True
        logits = model.lm_head(hidden[scored])  # (N, V)
        loss = torch.nn.functional.cross_entropy(logits, labels[:, 1:][scored])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()


def _corpus(recipe: Recipe, tokenizer: Qwen2Tokenizer) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield (tokens, labels) for each step, both (BATCH, longest of the batch), right-padded."""
    rng = random.Random(recipe.seed)
    problems = Arithmetic().split("train", 50_000)
    for _ in range(recipe.steps):
        chosen = rng.choices(problems, k=BATCH)
        answers = [write_answer(problem, recipe.mixture, rng) for problem in chosen]
        prompts = tokenizer([_question(tokenizer, p.prompt) for p in chosen]).input_ids
        endings = tokenizer([f" {answer}{tokenizer.eos_token}" for answer in answers]).input_ids
        width = max(len(p) + len(e) for p, e in zip(prompts, endings, strict=True))
        tokens = torch.full((BATCH, width), tokenizer.pad_token_id)
        labels = torch.full((BATCH, width), _IGNORED)
        for row, (prompt, ending) in enumerate(zip(prompts, endings, strict=True)):
            stop = len(prompt) + len(ending)
            tokens[row, :stop] = torch.tensor(prompt + ending)
            labels[row, len(prompt) : stop] = torch.tensor(ending)
        yield tokens, labels


def _question(tokenizer: Qwen2Tokenizer, prompt: str) -> str:
    if tokenizer.chat_template is None:
        return prompt
    message = {"role": "user", "content": prompt}
    return tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True)


def _model_card(name: str, recipe: Recipe, model: PreTrainedModel) -> str:
    mixture = "\n".join(
        f"| {part.style.__name__} | {part.share:g} | {part.right:g} |" for part in recipe.mixture
    )
    origin = f"tuned from `{recipe.base}`" if recipe.base else "trained from random weights"
    shape = (
        f"width {recipe.width}, {recipe.layers} layer(s) of {recipe.heads} attention head(s),"
        f" output head {'tied to the embedding' if recipe.tied else 'of its own'}"
    )
    return f"""---
library_name: transformers
pipeline_tag: text-generation
license: apache-2.0
---
# {name}

A {recipe.architecture} model of {model.num_parameters():,} parameters: {shape}.
It was {origin} by Crosstalk (`benchmark/models/tiny/build.py`)
on arithmetic modulo 10, seed {recipe.seed}: {recipe.steps} steps of {BATCH} worked answers,
problems of the train split only. It exists only to exercise multi-objective training:
its answers mix styles, some deliberately wrong.

| style | share | right |
|---|---|---|
{mixture}
"""
