"""Score pairs of texts with a sequence-classification model and its tokenizer.

Importing this module is cheap; torch and transformers are imported where they are used.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.loading import check_model_folder
from benchmark.models.policy.tokens import opens_itself

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Ids = tuple[int, ...]
_UNLIMITED = 10**9  # tokenizers that know no limit give an absurd one


class Scorer:
    """The model and its tokenizer, ready for use.

    Texts are padded on the right with the token that the model itself looks for to find their end.

    ``labels`` has the names of the K outputs by their index.
    """

    def __init__(self, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.labels: dict[int, str] = model.config.id2label
        self._pad: int = model.config.get_text_config().pad_token_id
        # Models whose positions are relative have no such entry.
        positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._longest = min(tokenizer.model_max_length, positions or _UNLIMITED, _UNLIMITED)

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Ids]:
        """Return the tokens of each (question, completion), cut off at the end where too long."""
        template = bool(self.tokenizer.chat_template)
        texts = [self._conversation(*pair) if template else "".join(pair) for pair in pairs]
        texts = [_encodable(text) for text in texts]
        written = template and opens_itself(self.tokenizer, texts[0])
        return self._tokens(texts, special=not written)

    def encode_alone(self, texts: Sequence[str]) -> list[Ids]:
        """Return the tokens of texts by themselves, without the chat template."""
        return self._tokens([_encodable(text) for text in texts], special=True)

    def _tokens(self, texts: Sequence[str], special: bool) -> list[Ids]:
        encoded = self.tokenizer(
            list(texts),
            add_special_tokens=special,
            truncation=True,
            max_length=self._longest,
        )
        return [tuple(ids) or (self._pad,) for ids in encoded["input_ids"]]

    def _conversation(self, question: str, completion: str) -> str:
        turns = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": completion},
        ]
        return str(self.tokenizer.apply_chat_template(turns, tokenize=False))

    def logits(self, texts: Sequence[Ids], batch_size: int) -> "Tensor":
        """Return the outputs (n, K) for n encoded texts, in double precision on the CPU."""
        import torch

        outputs = []
        for start in range(0, len(texts), batch_size):
            batch = texts[start : start + batch_size]
            width = max(map(len, batch))
            ids = torch.tensor([[*row, *[self._pad] * (width - len(row))] for row in batch])
            lengths = torch.tensor([len(row) for row in batch])
            mask = (torch.arange(width) < lengths[:, None]).long()
            inputs = {"input_ids": ids, "attention_mask": mask}  # both (batch, width)
            with torch.inference_mode():
                output = self.model(**{k: v.to(self.model.device) for k, v in inputs.items()})
            outputs.append(output.logits.double().cpu())
        return torch.cat(outputs)


@cache
def load_scorer(folder: Path, device: str, dtype: str, trust_remote_code: bool) -> Scorer:
    """Return the model in a folder of config, tokenizer and safetensors weights, loaded once."""
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from benchmark.common.randomness import separate_stream

    check_model_folder(folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(
            folder, truncation_side="right", trust_remote_code=trust_remote_code
        )
    except Exception as error:  # the Rust library raises bare exceptions on a damaged file
        raise CrosstalkError(f"{folder}: the tokenizer cannot be loaded: {error}") from error
    try:
        with separate_stream(0):  # whatever loading draws, the training's stream stays as it was
            model, report = AutoModelForSequenceClassification.from_pretrained(
                folder,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=trust_remote_code,
                output_loading_info=True,
            )
        if device == "auto" and torch.cuda.is_available():
            model = model.to("cuda")
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise CrosstalkError(f"{folder}: the reward model cannot be loaded: {error}") from error
    if report["missing_keys"]:  # random numbers would stand in their place
        missing = sorted(report["missing_keys"])
        raise CrosstalkError(f"{folder}: {len(missing)} weights are missing, such as {missing[0]}")
    _set_padding(folder, model, tokenizer)
    return Scorer(model.eval().requires_grad_(False), tokenizer)


def _set_padding(
    folder: Path, model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase"
) -> None:
    """Give the model a padding token if it has none: the tokenizer's, or its end of sequence."""
    config = model.config.get_text_config()
    config.use_cache = False
    for token in (config.pad_token_id, tokenizer.pad_token_id, tokenizer.eos_token_id):
        if token is not None:
            config.pad_token_id = token
            return
    raise CrosstalkError(f"{folder}: neither a padding nor an end-of-sequence token to pad with")


def _encodable(text: str) -> str:
    """Return the text without half characters (lone surrogates), which tokenizers refuse."""
    return text.encode("utf-8", "replace").decode("utf-8")
