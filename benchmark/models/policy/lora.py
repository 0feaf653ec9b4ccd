"""Configure LoRA adapters, and merge those of a checkpoint into their model.

Importing this module is cheap; peft is imported where it is used.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import read_json
from benchmark.models.training import Lora

if TYPE_CHECKING:
    from peft import LoraConfig
    from torch import Tensor, nn
    from transformers import PreTrainedModel

WEIGHTS = "adapter_model.safetensors"
ADAPTER = "adapter_config.json"  # in a checkpoint of adapters, which does not hold the model


def lora_config(lora: Lora) -> "LoraConfig":
    """Return peft's configuration of the adapters, without dropout."""
    from peft import LoraConfig

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=targets,
        lora_dropout=0.0,  # the updated policy's probabilities are compared with the old one's
        task_type="CAUSAL_LM",
    )


class FrozenBase:
    """Keeps the weights that adapters are merged into, to put them back bit for bit.

    Merging adapters into weights of low precision and taking them out again rounds twice: in
    bfloat16 it changes about a tenth of the weights each time.
    """

    def __init__(self, model: "nn.Module") -> None:
        self._model = model
        self._kept: list[tuple[Tensor, Tensor]] = []

    def around(self, weights: Callable[[], Iterator[tuple[str, "Tensor"]]]) -> Callable[[], Any]:
        """Return what yields the same as ``weights``, and then restores the base."""

        def restoring() -> Iterator[tuple[str, "Tensor"]]:
            if not self._kept:
                self._keep()
            try:
                yield from weights()
            finally:
                self.restore()

        return restoring

    def _keep(self) -> None:
        """Copy the weights to main memory: they are as large as the model, and never change."""
        frozen = {p for layer in self._layers() for p in layer.get_base_layer().parameters()}
        local = [getattr(p, "_local_tensor", p).detach() for p in frozen]  # a shard's own part
        self._kept = [(part, part.to("cpu", copy=True)) for part in local]

    def restore(self) -> None:
        """Put the weights back as they were, without adapters in them."""
        for parameter, value in self._kept:
            parameter.copy_(value)
        for layer in self._layers():
            layer.merged_adapters.clear()

    def _layers(self) -> list[Any]:
        from peft.tuners.tuners_utils import BaseTunerLayer

        return [module for module in self._model.modules() if isinstance(module, BaseTunerLayer)]


def is_adapter(folder: Path) -> bool:
    """Return whether a checkpoint holds only adapters."""
    return (folder / ADAPTER).is_file()


def adapted_folder(folder: Path) -> Path:
    """Return the folder of the model that a checkpoint's adapters belong to."""
    file = folder / ADAPTER
    base = read_json(file).get("base_model_name_or_path")
    if not isinstance(base, str) or not Path(base).is_dir():
        raise CrosstalkError(
            f"{file}: base_model_name_or_path: expected the folder of the adapters' model, "
            f"got {base!r}"
        )
    return Path(base)


def merged(model: "PreTrainedModel", folder: Path) -> "PreTrainedModel":
    """Return the model with a checkpoint's adapters merged into its weights."""
    from peft import PeftModel
    from safetensors import SafetensorError

    if not (folder / WEIGHTS).is_file():
        raise CrosstalkError(f"{folder}: no adapters; {WEIGHTS} is needed, nothing else is read")
    try:
        adapted = PeftModel.from_pretrained(model, folder)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise CrosstalkError(f"{folder}: the adapters cannot be loaded: {error}") from error
    return adapted.merge_and_unload()
