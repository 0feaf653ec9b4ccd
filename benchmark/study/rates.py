"""Foretell what a study takes: from a table of measured hardware, or from stages measured here."""

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.models.shape import Shape
from benchmark.study.costs import Assumptions, update_passes, validations
from benchmark.study.study import Cell

# Fitted to what was measured, one run each: a first look. A GPU's card by a word of its name.
CARDS: Mapping[str, Assumptions] = {
    # 1.54 billion parameters, 128 completions of 256 tokens, checkpointing: rollout by transformers
    # 8.8 s, update 3.4 s; 135 million, 128 of up to 96 tokens, six cells side by side: 2.1 to 3.4 s
    # and 0.85 s. With vLLM in the training process: a step of the smaller model 1 s.
    "H200": Assumptions(
        generation_rate=30_000,
        training_rate=15_000,
        token_seconds=0.03,
        engine_token_seconds=0.003,
        update_seconds=0.7,
        start_seconds=20.0,
        source="one NVIDIA H200, models of 0.135 and 1.54 billion parameters, 128 completions a "
        "step",
    ),
}
# 0.1 million parameters, 128 completions of up to 48 tokens: rollout 0.18 to 0.29 s, update 0.17 to
# 0.24 s (the published costs of the study `quick`). The two rates, of larger models, are assumed.
CPU = Assumptions(
    generation_rate=15,
    training_rate=8,
    prompt_tokens=30,
    token_seconds=0.0045,
    update_seconds=0.15,
    start_seconds=1.5,
    source="one core of an AMD EPYC, models of 0.1 million parameters, 128 completions a step",
)
TINY = Shape(  # about that of the tiny models
    parameters=100_000, layers=2, hidden=64, intermediate=128, kv_width=64, vocabulary=128
)
# What a forked job takes besides its stages (the study, its hashes, tracking): 0.8 and 1 s of
# processor time of the study `smoke` on an AMD EPYC.
FORKED = 0.9
SECOND, MINUTE, HOUR = 1.0, 60.0, 3600.0


def card_rates(name: str | None) -> Assumptions:
    """Return the rates of a card: its own, or else those of the card that was measured.

    Args:
        name: What the driver calls it; None where there is none.
    """
    known = (rates for word, rates in CARDS.items() if name is not None and word in name)
    return next(known, next(iter(CARDS.values())))


@dataclass(frozen=True)
class Stages:
    """What the stages of one cell took where they were measured; seconds unless said otherwise.

    Attributes:
        cell: The cell that was measured.
        start: From the start of a job to the first step, imports left out.
        imports: What importing the libraries took.
        generation: A step's rollout.
        reward: Its rewards.
        update: Its updates.
        validation: One validation.
        checkpoint: Writing one checkpoint.
        evaluation: The evaluation of a policy on all test prompts, scored; from one batch.
        memory_gb: The most memory of the GPU that was reserved, else of the process.
        checkpoint_gb: The size of a checkpoint.
        device: The GPU's name, or the processor's.
        on_gpu: Whether it was a GPU.
    """

    cell: Cell
    start: float
    imports: float
    generation: float
    reward: float
    update: float
    validation: float
    checkpoint: float
    evaluation: float
    memory_gb: float
    checkpoint_gb: float
    device: str
    on_gpu: bool

    def seconds(self, cell: Cell) -> float:
        """Return what training and evaluating a cell of the same model is foretold to take."""
        plan = cell.study.file.training
        relative = update_passes(cell) / update_passes(self.cell)
        step = self.generation + self.reward + self.update * relative
        kept = plan.steps // plan.checkpoint_every
        held_out = (validations(cell) + 1) * self.validation  # the first one is made twice
        training = plan.steps * step + held_out + kept * self.checkpoint
        return self.started(2) + self.start + training + self.evaluation

    def started(self, jobs: int) -> float:
        """Return what jobs take before and after their stages.

        Where there are no GPUs they are forked from a process that has imported the libraries.
        """
        return jobs * (self.imports if self.on_gpu else FORKED)


def told_seconds(seconds: float, unit: str = "") -> str:
    """Return a time in words, small ones in seconds and minutes.

    Args:
        seconds: The time.
        unit: What goes before the unit, ``GPU-`` say.
    """
    if seconds < 99.5 * SECOND:
        digits = f"{seconds:.2g}" if seconds < 10 else f"{seconds:.0f}"
        return f"{digits} {unit}seconds"
    if seconds < 99.5 * MINUTE:
        return f"{seconds / MINUTE:.0f} {unit}minutes"
    hours = seconds / HOUR
    return f"{hours:.1f} {unit}hours" if hours < 10 else f"{hours:,.0f} {unit}hours"
