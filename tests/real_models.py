"""The study's architectures, small: classes, ratios and the kind of tokenizer are theirs.

A sixteenth as wide, two layers, random weights. What is left as published: the numbers of heads and
of key-value heads, tied embeddings, the base of the rotary embedding, the norm's epsilon, the
special tokens, and a byte-level BPE tokenizer of Qwen's class.
"""

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Config, Qwen2ForCausalLM, Qwen2Tokenizer, Qwen3Config
from transformers import Qwen3ForCausalLM as Qwen3

END, START_TURN, END_TURN = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
NARROWER = 16
PUBLISHED = {
    "qwen2": {
        "hidden_size": 1536,
        "intermediate_size": 8960,
        "num_attention_heads": 12,
        "num_key_value_heads": 2,
    },
    "qwen3": {
        "hidden_size": 2048,
        "intermediate_size": 6144,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
    },
}
HEAD = 128  # the size of a head in both
TEXT = [
    "What is the value of $x$ if $3x + 4 = 19$? Let's think step by step",
    "and output the final answer within \\boxed{}. Step 1: Find the sum of",
    "the first ten positive integers. The answer is \\boxed{5}.",
]


def write_model(kind: str, folder: Path) -> None:
    """Write a model of ``qwen2`` or ``qwen3``, as a download from the hub would lie there."""
    tokenizer = make_tokenizer()
    published = PUBLISHED[kind]
    settings = {
        **{key: value for key, value in published.items() if key.startswith("num")},
        "hidden_size": published["hidden_size"] // NARROWER,
        "intermediate_size": published["intermediate_size"] // NARROWER,
        "num_hidden_layers": 2,
        "vocab_size": len(tokenizer),
        "tie_word_embeddings": True,
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 32768,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
        "bos_token_id": tokenizer.eos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    torch.manual_seed(0)
    if kind == "qwen3":
        policy = Qwen3(Qwen3Config(**settings, head_dim=HEAD // NARROWER))
    else:
        policy = Qwen2ForCausalLM(Qwen2Config(**settings))
    policy.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def make_tokenizer() -> Qwen2Tokenizer:
    """Return a byte-level BPE tokenizer with some merges, and the family's special tokens."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(TEXT, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet))
    learned = json.loads(bpe.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    return Qwen2Tokenizer(
        vocab=learned["vocab"],
        merges=merges,
        unk_token=None,
        eos_token=END,
        pad_token=END,
        extra_special_tokens=[START_TURN, END_TURN],
    )
