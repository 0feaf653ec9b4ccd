"""Policies of a few thousand parameters with random weights, and batches of random tokens."""

import torch
from torch import Tensor
from transformers import (
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

VOCABULARY = 23
KINDS = [("qwen2", True), ("qwen2", False), ("qwen3", True), ("qwen3", False)]


def make_policy(kind: str = "qwen2", tied: bool = True, hidden: int = 16) -> PreTrainedModel:
    """Return a model of two layers, tied or not to its embedding."""
    settings = {
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": hidden // 2,
        "vocab_size": VOCABULARY,
        "initializer_range": 0.2,
        "tie_word_embeddings": tied,
        "max_position_embeddings": 64,
    }
    with torch.random.fork_rng():
        torch.manual_seed(7)
        if kind == "qwen3":
            return Qwen3ForCausalLM(Qwen3Config(**settings)).eval()
        return Qwen2ForCausalLM(Qwen2Config(**settings)).eval()


def make_batch(rows: int = 5, prompt: int = 3, tokens: int = 6, seed: int = 0) -> dict[str, Tensor]:
    """Return prompts padded on the left and completions padded on the right, of all lengths."""
    generator = torch.Generator().manual_seed(seed)
    prompt_mask = torch.ones(rows, prompt, dtype=torch.long)
    prompt_mask[::2, 0] = 0
    lengths = 1 + torch.arange(rows) % tokens
    completion_mask = (torch.arange(tokens) < lengths[:, None]).long()
    shape = {"prompt_ids": (rows, prompt), "completion_ids": (rows, tokens)}
    ids = {k: torch.randint(1, VOCABULARY, s, generator=generator) for k, s in shape.items()}
    return {**ids, "prompt_mask": prompt_mask, "completion_mask": completion_mask}


def random_direction(model: PreTrainedModel, seed: int = 1) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p)
        for name, p in model.named_parameters()
    }
