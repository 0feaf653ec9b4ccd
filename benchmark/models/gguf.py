"""Make an ordinary model folder from a GGUF file, the user's own or one that a package holds.

The weights are dequantised: rounded as the file's are, and as exact as it gives them. Tokens that
begin, end and pad come from the file's metadata, since ``transformers`` takes others for them.
Importing this module is cheap; what reads the file is imported where it is used.
"""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import content_digest
from benchmark.models.policy.tokens import added_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_WHOLE = {"F16", "BF16", "F32", "F64"}  # types that hold what a model is published in
_TOKENS = {"bos": "bos", "eos": "eos", "pad": "padding", "unk": "unknown"}  # ours: the file's


class Metadata(NamedTuple):
    """What a GGUF file says of itself.

    Attributes:
        fields: Its keys and values, but for the vocabulary.
        types: How many tensors it has of each type, the most frequent first.
    """

    fields: dict[str, Any]
    types: dict[str, int]

    @property
    def rounded(self) -> bool:
        """Whether weights are stored in a type that rounds them."""
        return not self.types.keys() <= _WHOLE

    def token(self, kind: str) -> int | None:
        """Return the id of a special token, such as ``eos``."""
        return self.fields.get(f"tokenizer.ggml.{kind}_token_id")


def convert(name: str, file: Path, package: str | None, folder: Path) -> None:
    """Write the model of a GGUF file as an ordinary folder of safetensors, in float32.

    Args:
        name: The model's id.
        file: The GGUF file.
        package: The package that holds it, if one does; for the card.
        folder: Created.

    Raises:
        CrosstalkError: The file cannot be read, or holds a model or tokenizer that
            ``transformers`` does not make from GGUF.
    """
    from transformers import GenerationConfig

    where = f"models.yaml: {name}: gguf"
    try:
        metadata = read_metadata(file)
        model, tokenizer = _model(file), _tokenizer(file, metadata)
    except CrosstalkError as error:
        raise CrosstalkError(f"{where}: {error}") from error
    except Exception as error:  # readers of a damaged or unknown file raise anything
        reason = str(error).partition("\n")[0]
        raise CrosstalkError(f"{where}: {file.name}: cannot be read: {reason}") from error
    stops = [metadata.token(kind) for kind in ("eos", "eot")]
    ids = {
        "bos_token_id": metadata.token("bos"),
        "eos_token_id": list(dict.fromkeys(id_ for id_ in stops if id_ is not None)),
        "pad_token_id": tokenizer.pad_token_id,
    }
    model.config.update(ids | {"eos_token_id": metadata.token("eos")})
    model.generation_config = GenerationConfig(**ids)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").write_text(_card(name, package, file, metadata), encoding="utf-8")


def read_metadata(file: Path) -> Metadata:
    """Return what a GGUF file says of itself."""
    from gguf import GGUFReader

    reader = GGUFReader(file)
    vocabulary = ("tokens", "token_type", "merges", "scores")
    left_out = {f"tokenizer.ggml.{key}" for key in vocabulary}
    fields = {key: each.contents() for key, each in reader.fields.items() if key not in left_out}
    types = Counter(tensor.tensor_type.name for tensor in reader.tensors)
    return Metadata(fields, dict(types.most_common()))


def _model(file: Path) -> "PreTrainedModel":
    """Return the model with its weights in float32, freed of what marks it as quantised."""
    from transformers import AutoModelForCausalLM

    read = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype="float32")
    config = read.config
    if hasattr(config, "quantization_config"):
        del config.quantization_config
    model = AutoModelForCausalLM.from_config(config, dtype="float32")
    model.load_state_dict(read.state_dict())
    return model.eval()


def _tokenizer(file: Path, metadata: Metadata) -> "PreTrainedTokenizerBase":
    """Return the tokenizer with the special tokens of the file's metadata."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name, padding_side="left")
    tokenizer.clean_up_tokenization_spaces = False  # it would take spaces out of what is decoded
    if metadata.token("eos") is None:
        raise CrosstalkError(f"{file.name}: tokenizer.ggml.eos_token_id: expected an id, got none")
    for ours, theirs in _TOKENS.items():
        id_ = metadata.token(theirs)
        token = None if id_ is None else tokenizer.convert_ids_to_tokens(id_)
        setattr(tokenizer, f"{ours}_token", token)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    _check_opening(tokenizer, file, metadata)
    return tokenizer


def _check_opening(tokenizer: "PreTrainedTokenizerBase", file: Path, metadata: Metadata) -> None:
    """Refuse a tokenizer that begins texts otherwise than the file says."""
    told = metadata.fields.get("tokenizer.ggml.add_bos_token")
    opening, _ = added_tokens(tokenizer)
    if told is not None and bool(told) != (opening == [metadata.token("bos")]):
        raise CrosstalkError(
            f"{file.name}: tokenizer.ggml.add_bos_token: expected texts to begin as it says, "
            f"{told}, got a tokenizer that begins them with {opening or 'nothing'}"
        )


def _card(name: str, package: str | None, file: Path, metadata: Metadata) -> str:
    fields = metadata.fields
    license_ = fields.get("general.license")
    types = ", ".join(f"{count} of {type_}" for type_, count in metadata.types.items())
    rounded = (
        "**These weights are rounded**: they are not those of the published model, and results "
        "with them are of the rounded model."
        if metadata.rounded
        else "These types round nothing of a model published in them."
    )
    held = f" of the package {package}" if package is not None else ""
    return f"""---
library_name: transformers
pipeline_tag: text-generation
{f"license: {license_}" if license_ else ""}
---
# {name}

{fields.get("general.name", "A model")}, converted by Crosstalk (`benchmark/models/gguf.py`) from
`{file.name}`{held}, SHA-256 `{content_digest(file.resolve())}`.

The file has {sum(metadata.types.values())} tensors: {types}. They were dequantised to float32.
{rounded}
"""
