"""Check, before anything is trained, that a model's folder, tokenizer and template fit together.

Importing this module is cheap; transformers is imported where it is used.
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import read_json
from benchmark.models.entry import ModelSpec
from benchmark.models.gguf_source import NotInstalled, gguf_file
from benchmark.models.policy.loading import load_tokenizer
from benchmark.models.policy.tokens import as_ids, end_of_turn, saved_stop_tokens
from benchmark.models.warming import check_warm_up

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_NEEDING_CODE = ("AutoConfig", "AutoModelForCausalLM", "AutoModelForSequenceClassification")


def check_source(name: str, spec: ModelSpec, root: Path) -> None:
    """Refuse an entry whose ``path``, ``gguf`` or ``warm_up`` names what is not there.

    Raises:
        CrosstalkError: There is no such folder or task, or not the file; the message names the
            entry.
    """
    if spec.warm_up is not None:
        check_warm_up(name, spec.warm_up)
    if spec.gguf is not None:
        with suppress(NotInstalled):  # as what is not downloaded yet: said by those that need it
            gguf_file(name, spec.gguf, root)
    if spec.path is not None and not (root / spec.path).is_dir():
        raise CrosstalkError(
            f"models.yaml: {name}: path: expected a model's folder, got {spec.path!r}, "
            "which does not exist"
        )


def check_code(name: str, spec: ModelSpec, folder: Path) -> None:
    """Refuse a model that only its own Python code can load, unless its entry trusts the code.

    Raises:
        CrosstalkError: ``transformers`` does not know its type, and the code is not trusted.
    """
    config = read_json(folder / "config.json")
    needed = [kind for kind in _NEEDING_CODE if kind in config.get("auto_map", {})]
    if spec.trust_remote_code or not needed:
        return
    from transformers import CONFIG_MAPPING

    if config.get("model_type") not in CONFIG_MAPPING:
        raise CrosstalkError(
            f"models.yaml: {name}: trust_remote_code: expected true, got false: the model "
            f"(model_type {config.get('model_type')!r}) can be loaded only by Python code of its "
            "own, which would be run"
        )


def check_vocabulary(name: str, folder: Path) -> None:
    """Refuse a tokenizer with more tokens than the model has embeddings.

    Raises:
        CrosstalkError: Its largest token is beyond the model's vocabulary.
    """
    file, rows = folder / "tokenizer.json", _rows(read_json(folder / "config.json"))
    if rows is None or not file.is_file():
        return
    from tokenizers import Tokenizer

    try:
        vocabulary = Tokenizer.from_file(str(file)).get_vocab()
    except Exception as error:  # the Rust library raises bare exceptions on a damaged file
        raise CrosstalkError(f"models.yaml: {name}: {file}: cannot be read: {error}") from error
    largest = max(vocabulary.values(), default=-1)
    if largest >= rows:
        raise CrosstalkError(
            f"models.yaml: {name}: expected a tokenizer for the model's {rows} embeddings "
            f"(vocab_size), got one with a token {largest}: it belongs to another model"
        )


def check_policy_tokenizer(name: str, folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer of a policy, which has to fit the model and to end texts.

    Raises:
        CrosstalkError: It cannot be loaded, has no end of sequence, or does not fit.
    """
    check_vocabulary(name, folder)
    try:
        return load_tokenizer(folder)
    except CrosstalkError as error:
        raise CrosstalkError(f"models.yaml: {name}: {error}") from error


def stop_difference(folder: Path, tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """Return how the sources of stop tokens differ; None if they agree."""
    turn, own = end_of_turn(tokenizer), saved_stop_tokens(folder)
    sources = {
        "generation config": own,
        "tokenizer": as_ids(tokenizer.eos_token_id),
        "chat template": turn if len(turn) == 1 else [],
    }
    given = {source: ids for source, ids in sources.items() if ids}
    if len({frozenset(ids) for ids in given.values()}) == 1:
        return None
    told = ", ".join(f"{source} {_named(tokenizer, ids)}" for source, ids in given.items())
    return f"stop tokens differ: {told}; completions end at any of them, everywhere"


def idle_end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> str | None:
    """Return why the chat template's end of turn stops nothing; None if it stops completions."""
    turn = end_of_turn(tokenizer)
    if not tokenizer.chat_template or len(turn) == 1:
        return None
    wrote = f"{tokenizer.decode(turn)!r}, {len(turn)} tokens," if turn else "nothing"
    return (
        f"chat_template: expected a turn that ends with one token, got {wrote} after an answer: it "
        "stops nothing, and completions may go on with turns of their own"
    )


def _named(tokenizer: "PreTrainedTokenizerBase", ids: Any) -> str:
    return " and ".join(map(str, tokenizer.convert_ids_to_tokens(sorted(ids))))


def _rows(config: Mapping[str, Any]) -> int | None:
    rows = config.get("vocab_size", config.get("text_config", {}).get("vocab_size"))
    return rows if isinstance(rows, int) else None
