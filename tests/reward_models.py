"""Reward models of one layer, made on the spot, for tests of what reads them."""

from pathlib import Path
from typing import Any

import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    Qwen2Config,
    Qwen2ForSequenceClassification,
)

from benchmark.models.tiny.build import make_tokenizer

ARCHITECTURES = ("qwen2", "gpt2", "bert")
LONGEST = 64  # tokens these models read


def build_reward_model(
    folder: Path, architecture: str = "qwen2", *, chat: bool = False, seed: int = 0, **config: Any
) -> Path:
    """Write a model with random weights and the tiny models' tokenizer to ``folder``.

    Args:
        folder: Created.
        architecture: One of :data:`ARCHITECTURES`.
        chat: Whether the tokenizer has a chat template.
        seed: Fixes the weights.
        config: Changes to the configuration, such as ``num_labels`` (1 otherwise).
    """
    tokenizer = make_tokenizer(chat)
    common = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id, "num_labels": 1}
    common |= {"initializer_range": 0.3, **config}  # wide enough for scores to differ
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = {"qwen2": _qwen2, "gpt2": _gpt2, "bert": _bert}[architecture](common)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _qwen2(common: dict[str, Any]) -> Qwen2ForSequenceClassification:
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    shape |= {"num_attention_heads": 2, "num_key_value_heads": 2}
    return Qwen2ForSequenceClassification(
        Qwen2Config(**shape, max_position_embeddings=LONGEST, bos_token_id=None, **common)
    )


def _gpt2(common: dict[str, Any]) -> GPT2ForSequenceClassification:
    return GPT2ForSequenceClassification(
        GPT2Config(n_embd=16, n_layer=1, n_head=2, n_positions=LONGEST, **common)
    )


def _bert(common: dict[str, Any]) -> BertForSequenceClassification:
    shape = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1}
    return BertForSequenceClassification(
        BertConfig(**shape, num_attention_heads=2, max_position_embeddings=LONGEST, **common)
    )
