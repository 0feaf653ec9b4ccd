"""Warm a model up: TRL's supervised trainer on a task's worked answers, in mixed styles.

A pretrained model often neither boxes nor gets right an answer that it samples, so that training on
rewards has nothing to begin with. The warm-up shows it how; what it learns to prefer is then up to
the algorithms.
"""

import json
import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from math import isfinite
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase, PrinterCallback
from trl import SFTConfig, SFTTrainer

from benchmark.common.errors import CrosstalkError
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.tokens import encode_prompts
from benchmark.models.training import ModelTraining
from benchmark.models.warming import BUDGET, WarmUp
from benchmark.tasks.worked import write_answer

IGNORED = -100  # the label of a token without a loss


@dataclass(frozen=True)
class Budget:
    """What a warm-up took, and how it ended.

    Attributes:
        steps: Optimiser steps.
        examples: Answers shown.
        tokens: Tokens read, prompts included.
        answer_tokens: Those of the answers, which the loss is of.
        seconds: On the clock.
        loss: The mean loss of a token over the last tenth of the steps, in nats.
        device: What it ran on.
    """

    steps: int
    examples: int
    tokens: int
    answer_tokens: int
    seconds: float
    loss: float
    device: str


def warm_up(source: Path, folder: Path, plan: WarmUp, training: ModelTraining) -> Budget:
    """Train the model of one folder, write it to another, and say what it took.

    All weights are trained, whatever ``training`` says of LoRA. On the CPU one core is used, since
    sums depend on their number.

    Args:
        source: A prepared model.
        folder: Created; weights in float32, tokenizer, generation config.
        plan: What is taught, and how long.
        training: How the model fits on the hardware: precision, pieces of a batch.

    Raises:
        CrosstalkError: The loss is no number.
    """
    tokenizer = load_tokenizer(source)
    rows = examples(plan, tokenizer)
    with _one_core(), TemporaryDirectory(prefix="crosstalk-") as scratch:
        trainer = SFTTrainer(
            model=load_policy(source),
            args=_config(plan, training, Path(scratch)),
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
        trainer.remove_callback(PrinterCallback)
        start = time.monotonic()
        trainer.train()
        seconds = time.monotonic() - start
        losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
        if not all(map(isfinite, losses)):
            raise CrosstalkError(f"warm_up: expected losses that are numbers, got {losses[-1]}")
        trainer.accelerator.unwrap_model(trainer.model).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    last = losses[-max(1, len(losses) // 10) :]
    budget = Budget(
        steps=plan.steps,
        examples=len(rows),
        tokens=sum(len(row["input_ids"]) for row in rows),
        answer_tokens=sum(label != IGNORED for row in rows for label in row["labels"]),
        seconds=round(seconds, 1),
        loss=sum(last) / len(last),
        device=_device(),
    )
    _complete(source, folder, plan, budget)
    return budget


def examples(plan: WarmUp, tokenizer: PreTrainedTokenizerBase) -> list[dict[str, list[int]]]:
    """Return what each step shows, in order: ``input_ids``, and ``labels`` of the answers alone.

    Prompts are those that training reads; an answer ends with the end of sequence.
    """
    rng = random.Random(plan.seed)
    chosen = rng.choices(plan.lessons(), k=plan.steps * plan.batch)
    answers = [write_answer(solved, plan.mixture, rng) for solved in chosen]
    prompts = encode_prompts(tokenizer, [solved.problem.prompt for solved in chosen])
    endings = tokenizer(answers, add_special_tokens=False)["input_ids"]
    return [
        {
            "input_ids": [*prompt, *ending, tokenizer.eos_token_id],
            "labels": [IGNORED] * len(prompt) + [*ending, tokenizer.eos_token_id],
        }
        for prompt, ending in zip(prompts, endings, strict=True)
    ]


def _complete(source: Path, folder: Path, plan: WarmUp, budget: Budget) -> None:
    """Add what the source has besides weights, the budget, and a section of the card.

    The generation config is the source's own: the supervised trainer sets stop tokens in it.
    """
    for file in source.iterdir():
        missing = ".safetensors" not in file.name and not (folder / file.name).exists()
        if file.is_file() and (missing or file.name == "generation_config.json"):
            shutil.copyfile(file, folder / file.name)
    (folder / BUDGET).write_text(json.dumps(asdict(budget), indent=1) + "\n", encoding="utf-8")
    card = folder / "README.md"
    before = card.read_text(encoding="utf-8") if card.is_file() else ""
    mixture = "\n".join(
        f"| {part.style} | {part.share:g} | {part.right:g} |" for part in plan.mixture
    )
    text = f"""
## Warm-up

It was then trained by Crosstalk (`benchmark/training/warm_up.py`) on worked answers of the task
`{plan.task}`, problems of the train split only: {plan.steps} steps of {plan.batch} answers,
{budget.answer_tokens:,} tokens of answers, on {budget.device}. Answers mix styles, some may be
wrong on purpose.

| style | share | right |
|---|---|---|
{mixture}
"""
    card.write_text(before + text, encoding="utf-8")


def _config(plan: WarmUp, training: ModelTraining, scratch: Path) -> SFTConfig:
    at_once = training.completions_at_once(plan.batch)
    on_gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(scratch),
        seed=plan.seed,
        max_steps=plan.steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=plan.batch // at_once,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="constant",
        max_grad_norm=1.0,
        max_length=None,  # nothing is cut
        bf16=training.precision == "bf16" or (training.precision == "auto" and on_gpu),
        gradient_checkpointing=training.gradient_checkpointing,
        save_strategy="no",
        logging_steps=1,
        report_to=[],
        disable_tqdm=True,
        use_cpu=not on_gpu,
        dataloader_pin_memory=False,
    )


@contextmanager
def _one_core() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(threads if torch.cuda.is_available() else 1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _device() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
