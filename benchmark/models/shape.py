"""Read how large a model is from its files: what memory and time depend on."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from benchmark.common.settings import Positive, Section, read_json
from benchmark.models.policy.loading import parameters


class Shape(Section):
    """The measures of a decoder that memory and time depend on.

    Attributes:
        parameters: How many it has; tied embeddings count once.
        layers: Its decoder layers.
        hidden: The width between them.
        intermediate: The width inside their feed-forward part.
        kv_width: Key-value heads × their size: what the cache holds twice a token and layer.
        vocabulary: The size of the output.
        download_gb: What the hub's files weigh.
    """

    parameters: Positive
    layers: Positive
    hidden: Positive
    intermediate: Positive
    kv_width: Positive
    vocabulary: Positive
    download_gb: Annotated[float, Field(gt=0)] | None = None

    @property
    def layer_parameters(self) -> int:
        """The parameters of one decoder layer's matrices; queries are as wide as the layer."""
        attention = 2 * self.hidden * self.hidden + 2 * self.hidden * self.kv_width
        return attention + 3 * self.hidden * self.intermediate

    def lora_parameters(self, rank: int) -> int:
        """Return how many parameters adapters of all linear layers have."""
        attention = 2 * 2 * self.hidden + 2 * (self.hidden + self.kv_width)
        return self.layers * rank * (attention + 3 * (self.hidden + self.intermediate))


def shape_of(config: Mapping[str, Any], parameters: int) -> Shape | None:
    """Return the shape in a model's configuration; None if it is not a decoder of this kind.

    Args:
        config: The content of ``config.json``.
        parameters: How many numbers its weights hold.
    """
    try:
        heads = config["num_attention_heads"]
        size = config.get("head_dim") or config["hidden_size"] // heads
        return Shape(
            parameters=parameters,
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            intermediate=config["intermediate_size"],
            kv_width=config.get("num_key_value_heads", heads) * size,
            vocabulary=config["vocab_size"],
        )
    except (KeyError, TypeError, ValueError):
        return None


def model_shape(declared: Shape | None, folders: Iterable[Path]) -> Shape | None:
    """Return the shape of a model in the first folder that tells it, else the one declared.

    A folder may be there for a model that is still being prepared.
    """
    for folder in folders:
        if (folder / "config.json").is_file():
            found = shape_of(read_json(folder / "config.json"), parameters(folder))
            if found is not None:
                return found
    return declared
