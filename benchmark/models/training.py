"""Settings of how one model is trained: fully or by LoRA, precision, pieces of a batch.

They stand in ``models.yaml``, since they fit a model to the hardware. What all cells of a study
share is in the study's ``training``.
"""

from typing import Annotated, Literal

from pydantic import Field

from benchmark.common.settings import Positive, Section

Attention = Literal["eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3"]
Names = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]  # a list in YAML


class Lora(Section):
    """Adapters of low rank in place of the whole model (Hu et al., https://arxiv.org/abs/2106.09685).

    Attributes:
        rank: Their rank.
        alpha: The numerator of their scale, ``alpha / rank``.
        targets: The names of the modules that get one, or ``all-linear`` for every linear layer but
            the output's.
    """

    rank: Positive = 64
    alpha: Positive = 128
    targets: Literal["all-linear"] | Names = "all-linear"


class ModelTraining(Section):
    """How one model is trained.

    Attributes:
        lora: Train adapters alone; without it, the whole model is trained.
        precision: ``bf16`` computes in bfloat16 by autocast and keeps the trained weights in
            float32, since a step of 1e-6 is below what bfloat16 resolves; weights that LoRA leaves
            frozen are held in bfloat16. ``fp32`` computes in float32. ``auto`` is ``bf16`` where
            there is a GPU, with frozen weights in float32, and ``fp32`` where there is none.
        gradient_checkpointing: Compute activations again in the backward pass instead of keeping
            them: less memory, about a third more time.
        attention: What computes attention, by transformers' name; without it, what transformers
            takes by itself, ``sdpa`` for most models. Those of ``flash_attention`` need a package
            of their own and a GPU.
        rollout_cache: How the policy itself holds keys and values of a rollout. ``dynamic`` grows
            with the completions; ``static`` has its full size at once, with which transformers
            compiles the step of a token on a GPU.
        micro_batch: The most completions in one forward and backward pass; gradients of several are
            accumulated. Without it, an update's completions go through in one pass.
    """

    lora: Lora | None = None
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    gradient_checkpointing: bool = False
    attention: Attention | None = None
    rollout_cache: Literal["dynamic", "static"] = "dynamic"
    micro_batch: Positive | None = None

    @property
    def frozen_dtype(self) -> str:
        """The type that weights are loaded in; those that are trained stay in float32."""
        return "bfloat16" if self.lora is not None and self.precision == "bf16" else "float32"

    def completions_at_once(self, completions: int) -> int:
        """Return how many of an update's completions go through the model in one pass.

        The largest divisor of their number that ``micro_batch`` allows: passes have equal shares.
        """
        if self.micro_batch is None:
            return completions
        allowed = range(min(self.micro_batch, completions), 0, -1)
        return next(size for size in allowed if completions % size == 0)
