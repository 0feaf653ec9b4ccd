"""Configure LoRA adapters, and merge those of a checkpoint into their model.

Importing this module is cheap; peft is imported where it is used.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import read_json
from benchmark.models.training import Lora

if TYPE_CHECKING:
    from peft import LoraConfig
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
