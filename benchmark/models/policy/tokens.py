"""Turn prompts into the tokens that a policy reads, and say which tokens end a completion.

Training, validation, evaluation by either engine, probes and diagnosis all go through here, so that
a policy reads and stops alike everywhere. Importing this module is cheap.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common.settings import read_json
from benchmark.models.policy.lora import adapted_folder, is_adapter

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ids = list[int]
_QUESTION, _ANSWER = "question", "crosstalk"  # of a conversation that shows how a turn ends


# ---- what a policy reads -------------------------------------------------------------------------


def render_prompt(tokenizer: "PreTrainedTokenizerBase", prompt: str) -> str:
    """Return the text the model reads: the prompt as a user's turn, if there is a chat template."""
    if not tokenizer.chat_template:
        return prompt
    message = {"role": "user", "content": prompt}
    return str(tokenizer.apply_chat_template([message], tokenize=False, add_generation_prompt=True))


def encode_prompts(tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[str]) -> list[Ids]:
    """Return the token ids that a policy reads of each prompt, rendered by the chat template."""
    return encode(tokenizer, [render_prompt(tokenizer, prompt) for prompt in prompts])


def encode(tokenizer: "PreTrainedTokenizerBase", texts: Sequence[str]) -> list[Ids]:
    """Return the token ids of texts that a policy continues: begun once, and not ended."""
    return to_continue(tokenizer, tokenizer(list(texts))["input_ids"]) if texts else []


def to_continue(tokenizer: "PreTrainedTokenizerBase", rows: Sequence[Ids]) -> list[Ids]:
    """Return encoded texts without the special tokens that they have too many, or at their end.

    Many tokenizers begin every text with a token that the chat template has written already, and a
    few end every text.

    Args:
        tokenizer: What encoded the texts, adding its special tokens.
        rows: The token ids of each text.
    """
    opening, closing = added_tokens(tokenizer)
    width = len(opening)
    kept = []
    for ids in rows:
        twice = opening and ids[width : 2 * width] == opening
        ended = closing and ids[-len(closing) :] == closing
        kept.append(ids[width if twice else 0 : len(ids) - len(closing) if ended else len(ids)])
    return kept


def opens_itself(tokenizer: "PreTrainedTokenizerBase", text: str) -> bool:
    """Return whether a text begins with all that the tokenizer would begin it with."""
    opening, _ = added_tokens(tokenizer)
    ids: Ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids[: len(opening)] == opening


def added_tokens(tokenizer: "PreTrainedTokenizerBase") -> tuple[Ids, Ids]:
    """Return the token ids that a tokenizer puts before and after every text."""
    bare: Ids = tokenizer(_QUESTION, add_special_tokens=False)["input_ids"]
    whole: Ids = tokenizer(_QUESTION)["input_ids"]
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return [], []


# ---- what ends a completion ----------------------------------------------------------------------


def stop_tokens(tokenizer: "PreTrainedTokenizerBase", own: int | Sequence[int] | None) -> Ids:
    """Return the token ids that end a completion, the tokenizer's end of sequence first.

    Args:
        tokenizer: Its end of sequence is one, and the end of turn of its chat template, where that
            is a single special token.
        own: ``eos_token_id`` of the model's generation config.
    """
    turn = end_of_turn(tokenizer)
    found = [int(tokenizer.eos_token_id), *as_ids(own), *(turn if len(turn) == 1 else [])]
    return list(dict.fromkeys(found))


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> Ids:
    """Return the token ids with which the chat template ends the assistant's turn.

    A single one is a special token, or a mark of several characters. More are a text that no token
    stands for, and that stops nothing. There are none without a chat template, or if it writes
    nothing after an answer.
    """
    from jinja2 import TemplateError

    if not tokenizer.chat_template:
        return []
    turns = [{"role": "user", "content": _QUESTION}, {"role": "assistant", "content": _ANSWER}]
    try:
        text = str(tokenizer.apply_chat_template(turns, tokenize=False))
    except TemplateError:  # a template for users' turns alone
        return []
    ending = text.rpartition(_ANSWER)[2].strip()
    if not ending:
        return []
    ids: Ids = tokenizer(ending, add_special_tokens=False)["input_ids"]
    special = {i for i, token in tokenizer.added_tokens_decoder.items() if token.special}
    if ids[0] in special or ids[0] in tokenizer.all_special_ids:
        return ids[:1]
    return ids if len(ending) > 1 else []  # a full stop is no end of turn


def saved_stop_tokens(folder: Path) -> Ids:
    """Return ``eos_token_id`` of a model folder's generation config, as loading it would."""
    source = adapted_folder(folder) if is_adapter(folder) else folder
    own = source / "generation_config.json"
    if own.is_file():
        return as_ids(read_json(own).get("eos_token_id"))
    config = read_json(source / "config.json")
    return as_ids(config.get("eos_token_id", config.get("text_config", {}).get("eos_token_id")))


def as_ids(value: Any) -> Ids:
    """Return ``eos_token_id``, which may be a number, several or none, as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [int(value)]
