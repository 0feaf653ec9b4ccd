"""Load a policy and a tokenizer from a model folder, with clear errors for what is missing.

Importing this module is cheap; torch and transformers are imported where they are used.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import read_json
from benchmark.models.policy.lora import adapted_folder, is_adapter, merged

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt")  # any of them


def check_model_folder(folder: Path) -> None:
    """Check that a folder holds a config, a tokenizer and whole safetensors weights."""
    if not folder.is_dir():
        raise CrosstalkError(f"{folder}: no such model folder")
    if "model_type" not in read_json(folder / "config.json"):
        raise CrosstalkError(f"{folder / 'config.json'}: model_type is missing")
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise CrosstalkError(f"{folder}: no tokenizer; one of {', '.join(TOKENIZERS)} is needed")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        files = [folder / name for name in sorted(set(read_json(index)["weight_map"].values()))]
    else:
        files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CrosstalkError(f"{folder}: no weights; *.safetensors is needed, nothing else is read")
    for file in files:
        _check_weights(file)


def _check_weights(file: Path) -> None:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np"):  # reads the header and compares sizes
            pass
    except FileNotFoundError as error:
        raise CrosstalkError(f"{file}: weights are missing; the index names this file") from error
    except (SafetensorError, OSError) as error:
        raise CrosstalkError(f"{file}: weights are damaged: {error}") from error


def load_policy(
    folder: Path, dtype: str = "float32", attention: str | None = None
) -> "PreTrainedModel":
    """Return the causal language model in a folder (prepared model or checkpoint), to evaluate.

    LoRA adapters are merged into their model.

    Args:
        folder: Where it lies.
        dtype: Torch's name of the weights' type.
        attention: Transformers' name of what computes attention; None for its own choice.

    Raises:
        CrosstalkError: The folder holds no whole model, or what it needs is not installed.
    """
    if is_adapter(folder):
        return merged(load_policy(adapted_folder(folder), dtype, attention), folder)
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    check_model_folder(folder)
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=dtype,
            attn_implementation=attention,
            trust_remote_code=holds_code(folder),
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise CrosstalkError(f"{folder}: the model cannot be loaded: {error}") from error
    if report["missing_keys"]:  # transformers would train on random numbers in their place
        missing = sorted(report["missing_keys"])
        raise CrosstalkError(f"{folder}: {len(missing)} weights are missing, such as {missing[0]}")
    return model


@contextmanager
def whole_model(folder: Path) -> Iterator[Path]:
    """Yield a folder with the whole model, for an engine that reads it by itself.

    That is ``folder`` itself, unless it holds only adapters: then it is a temporary copy of their
    model with the adapters merged.
    """
    if not is_adapter(folder):
        check_model_folder(folder)
        yield folder
        return
    with TemporaryDirectory(prefix="crosstalk-") as name:
        load_policy(folder).save_pretrained(name)
        load_tokenizer(folder).save_pretrained(name)
        for code in adapted_folder(folder).glob("*.py"):
            shutil.copy(code, name)
        yield Path(name)


def load_tokenizer(folder: Path) -> "PreTrainedTokenizerBase":
    """Return the tokenizer in a folder; it pads on the left, for generation.

    A tokenizer without a padding token pads with its end-of-sequence token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, padding_side="left", trust_remote_code=holds_code(folder)
        )
    except Exception as error:  # the Rust library raises bare exceptions on a damaged file
        raise CrosstalkError(f"{folder}: the tokenizer cannot be loaded: {error}") from error
    if tokenizer.eos_token is None:
        raise CrosstalkError(f"{folder}: the tokenizer has no end-of-sequence token")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def holds_code(folder: Path) -> bool:
    """Return whether the model has Python files, kept only where its entry trusts them."""
    return any(folder.glob("*.py"))


def parameters(folder: Path) -> int:
    """Return a model's number of weights, read from the headers of its files."""
    from math import prod

    from safetensors import safe_open

    check_model_folder(folder)
    total = 0
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="np") as tensors:
            total += sum(prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
    return total
