"""Small tokenizers built like those of well-known families, and tiny models that read with them.

What is theirs: the names of the special tokens, what the post-processor adds, and the form of the
chat template. Words are single bytes.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from tokenizers import decoders as decoding
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


@dataclass(frozen=True)
class Family:
    """How a family writes texts.

    Attributes:
        bos: The token that begins a text; None where there is none.
        eos: The tokenizer's end of sequence.
        special: Further special tokens.
        template: The chat template; None for none.
        adds_bos: Whether the post-processor begins every text with ``bos``.
        end_of_turn: The token that the template ends the assistant's turn with.
    """

    bos: str | None
    eos: str
    special: tuple[str, ...] = ()
    template: str | None = None
    adds_bos: bool = False
    end_of_turn: str | None = None


LLAMA3 = Family(
    bos="<|begin_of_text|>",
    eos="<|end_of_text|>",
    special=("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    template=(
        "{{- bos_token }}{%- for message in messages %}"
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' }}"
        "{{- message['content'] | trim + '<|eot_id|>' }}{%- endfor %}"
        "{%- if add_generation_prompt %}"
        "{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{%- endif %}"
    ),
    adds_bos=True,
    end_of_turn="<|eot_id|>",
)
GEMMA3 = Family(
    bos="<bos>",
    eos="<eos>",
    special=("<start_of_turn>", "<end_of_turn>"),
    template=(
        "{{ bos_token }}{%- for message in messages -%}"
        "{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}"
        "{{ '<start_of_turn>' + role + '\\n' + message['content'] | trim }}{{ '<end_of_turn>\\n' }}"
        "{%- endfor -%}{%- if add_generation_prompt -%}{{ '<start_of_turn>model\\n' }}{%- endif -%}"
    ),
    adds_bos=True,
    end_of_turn="<end_of_turn>",
)
QWEN3 = Family(
    bos=None,
    eos="<|im_end|>",
    special=("<|im_start|>", "<|endoftext|>", "<think>", "</think>"),
    template=(
        "{%- for message in messages %}"
        "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
        "{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}"
        "{%- if enable_thinking is defined and enable_thinking is false %}"
        "{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}"
    ),
    end_of_turn="<|im_end|>",
)
GPT2 = Family(bos="<|endoftext|>", eos="<|endoftext|>")
FAMILIES = {"llama3": LLAMA3, "gemma3": GEMMA3, "qwen3": QWEN3, "gpt2": GPT2}


def family_tokenizer(family: Family) -> PreTrainedTokenizerFast:
    """Return a tokenizer of the family, byte by byte; it pads on the left."""
    special = list(dict.fromkeys(filter(None, (family.bos, family.eos, *family.special))))
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate((*special, *alphabet))}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.pre_tokenizer, inner.decoder = byte_level, decoding.ByteLevel()
    inner.add_special_tokens(special)
    if family.adds_bos:
        assert family.bos is not None
        inner.post_processor = processors.TemplateProcessing(
            single=f"{family.bos} $A",
            pair=f"{family.bos} $A {family.bos} $B",
            special_tokens=[(family.bos, vocabulary[family.bos])],
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token=family.bos,
        eos_token=family.eos,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = family.template
    return tokenizer


def write_family(
    family: Family, folder: Path, eos: list[int] | int | None = None, vocabulary: int | None = None
) -> Path:
    """Write a model of random weights with the family's tokenizer, and return its folder.

    Args:
        family: Whose tokenizer.
        folder: Where it is written.
        eos: ``eos_token_id`` of the generation config; None for the tokenizer's.
        vocabulary: The embedding's rows; None for as many as the tokenizer needs.
    """
    tokenizer = family_tokenizer(family)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocabulary or len(tokenizer),
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            tie_word_embeddings=True,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.eos_token_id,
        )
    )
    model.generation_config.eos_token_id = tokenizer.eos_token_id if eos is None else eos
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
