"""Tiny language models, made on the spot: real architectures, taught a task by its worked answers.

A recipe (:mod:`benchmark.tiny_styles`) is built from its seed alone, so that a machine makes the
same weights every time; no hub and no download take part. What comes out is an ordinary
``transformers`` folder.
"""

import random
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from benchmark.tasks.arithmetic import Arithmetic
from benchmark.tiny_styles import RECIPES, Recipe, words, write_answer

PAD, END, START_TURN, END_TURN, UNKNOWN = (
    "<|pad|>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|unknown|>",
)
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|> {{ message.role }} {{ message.content }} <|im_end|> "
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant{% endif %}"
)
BATCH = 64  # sequences an optimiser step
MAX_NEW_TOKENS = 40
_SHAPE = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 128,
    "tie_word_embeddings": True,
}
_IGNORED = -100  # the label of a token without a loss


def build(name: str, folder: Path, base: Path | None = None) -> None:
    """Make the model of recipe ``name`` and save it to ``folder``.

    Args:
        name: A key of ``RECIPES``.
        folder: Created; holds weights (safetensors), tokenizer, generation config and model card.
        base: The folder of the model the recipe is tuned from, if it names one.
    """
    recipe = RECIPES[name]
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


def make_tokenizer(chat: bool) -> PreTrainedTokenizerFast:
    """Return the word-level tokenizer: one token a word, text decoded with a space between two."""
    vocabulary = [PAD, END, START_TURN, END_TURN, UNKNOWN, "user", "assistant", *words()]
    core = Tokenizer(
        WordLevel({word: i for i, word in enumerate(vocabulary)}, unk_token=UNKNOWN)
    )
    core.pre_tokenizer = WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token=PAD,
        eos_token=END_TURN if chat else END,
        unk_token=UNKNOWN,
        additional_special_tokens=[START_TURN, END_TURN],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    if chat:
        tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _initial_model(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast, base: Path | None
) -> PreTrainedModel:
    special = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    if recipe.base is not None:
        model = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
        model.config.update(special)
        return model
    settings = {**_SHAPE, **special, "vocab_size": len(tokenizer), "bos_token_id": None}
    if recipe.architecture == "qwen3":
        return Qwen3ForCausalLM(Qwen3Config(**settings))
    return Qwen2ForCausalLM(Qwen2Config(**settings))


def _teach(model: PreTrainedModel, recipe: Recipe, tokenizer: PreTrainedTokenizerFast) -> None:
    """Train on fresh worked answers, one pass, with a loss on the answers only."""
    model.train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.01
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.05
    )
    for tokens, labels in _corpus(recipe, tokenizer):
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits  # (BATCH, T - 1, V)
        loss = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=_IGNORED
        )
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    model.eval()


def _corpus(
    recipe: Recipe, tokenizer: PreTrainedTokenizerFast
) -> list[tuple[Tensor, Tensor]]:
    """Return one (tokens, labels) pair a step, both (BATCH, longest of the batch), right-padded."""
    rng = random.Random(recipe.seed)
    numbers = [int(p.id.rsplit("-")[-1]) for p in Arithmetic().split("train", 50_000)]
    vocabulary = tokenizer.get_vocab()
    pad, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    batches = []
    for _ in range(recipe.steps):
        rows = []
        for _ in range(BATCH):
            terms, answer = write_answer(rng.choice(numbers), recipe.mixture, rng)
            question = f"What is {terms} ?"
            if recipe.chat:
                question = f"{START_TURN} user {question} {END_TURN} {START_TURN} assistant"
            prompt = [vocabulary[word] for word in question.split()]
            rows.append((prompt, [*(vocabulary[word] for word in answer.split()), end]))
        width = max(len(prompt) + len(answer) for prompt, answer in rows)
        tokens = torch.full((BATCH, width), pad)
        labels = torch.full((BATCH, width), _IGNORED)
        for k, (prompt, answer) in enumerate(rows):
            stop = len(prompt) + len(answer)
            tokens[k, :stop] = torch.tensor(prompt + answer)
            labels[k, len(prompt) : stop] = torch.tensor(answer)
        batches.append((tokens, labels))
    return batches


def _model_card(name: str, recipe: Recipe, model: PreTrainedModel) -> str:
    mixture = "\n".join(
        f"| {part.style.__name__} | {part.share:g} | {part.right:g} |" for part in recipe.mixture
    )
    origin = f"tuned from `{recipe.base}`" if recipe.base else "trained from random weights"
    return f"""---
library_name: transformers
pipeline_tag: text-generation
license: apache-2.0
---
# {name}

A {recipe.architecture} model of {model.num_parameters():,} parameters, {origin} by Crosstalk
(`benchmark/tiny_models.py`) on arithmetic modulo 10: {recipe.steps} steps of {BATCH} worked
answers, problems of the train split only. It is a test animal for multi-objective training: its
answers mix styles, some of them with wrong results on purpose. It is of no other use.

| style | share | right |
|---|---|---|
{mixture}
"""
