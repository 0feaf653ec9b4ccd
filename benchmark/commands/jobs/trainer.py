"""Make a cell's trainer: TRL's configuration, data and policy from the study's one budget."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from benchmark.commands.jobs.rollouts import longest_sequence, rollout_config
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import model_folder
from benchmark.models.policy.loading import load_policy, load_tokenizer
from benchmark.models.policy.lora import lora_config
from benchmark.models.policy.tokens import encode, render_prompt, stop_tokens
from benchmark.study.schema import Training
from benchmark.study.study import Cell
from benchmark.tasks import Split
from benchmark.training import GRPOConfig, MultiObjectiveGRPOTrainer

CLIPPING_OFF = 1e6  # a ratio bound no update reaches
WITHOUT_GRAPH = 4  # micro-batches that fit into memory at once where no gradients are kept


def make_trainer(cell: Cell, folder: Path) -> MultiObjectiveGRPOTrainer:
    """Return the trainer of a cell, which writes its checkpoints below ``folder``."""
    model = model_folder(cell.study.layout.root, cell.model)
    tokenizer = load_tokenizer(model)
    own = cell.study.models[cell.model].training
    train, validation = (_dataset(cell, split, tokenizer) for split in ("train", "validation"))
    config = make_config(cell, folder)
    policy = load_policy(model, own.frozen_dtype, own.attention)
    stops = stop_tokens(tokenizer, policy.generation_config.eos_token_id)
    # The trainer samples and cuts by these, and saves them with every checkpoint.
    policy.generation_config.eos_token_id = stops if len(stops) > 1 else stops[0]
    if config.use_vllm:
        config.vllm_max_model_length = longest_sequence(cell, tokenizer, train, validation)
        config.generation_kwargs = {"stop_token_ids": stops}
    return MultiObjectiveGRPOTrainer(
        model=policy,
        reward_funcs=cell.study.make_objectives(cell.objective_set),
        args=config,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        peft_config=None if own.lora is None else lora_config(own.lora),
        scalarizer=cell.make_scalarizer(),
        estimator=cell.study.file.training.estimator,
        diagnose_every=cell.study.file.training.diagnose_every,
        gramian_parameters=cell.study.file.training.gramian_parameters,
    )


def make_config(cell: Cell, folder: Path) -> GRPOConfig:
    """Return TRL's configuration of a cell.

    Cells differ only in seed, learning rate and how their model fits on the hardware.
    """
    study, own = cell.study.file, cell.study.models[cell.model].training
    training, sampling = study.training, study.sampling
    updates = training.updates_per_step
    completions = training.prompts_per_step * training.completions_per_prompt
    share = completions // training.minibatches // cell.processes
    at_once = own.completions_at_once(share)
    passes = share // at_once
    return GRPOConfig(
        output_dir=str(folder),
        seed=cell.seed,
        learning_rate=cell.learning_rate,
        max_steps=training.steps * updates,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=passes,
        steps_per_generation=training.minibatches * passes,
        num_iterations=training.passes,
        num_generations=training.completions_per_prompt,
        num_generations_eval=training.validation_samples,
        per_device_eval_batch_size=_validation_batch(cell, _validated_at_once(cell, completions)),
        max_grad_norm=training.max_grad_norm,
        loss_type=training.loss,
        beta=training.kl,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        top_k=0,
        max_completion_length=sampling.max_tokens,
        eval_on_start=True,
        eval_strategy="steps",
        eval_steps=training.validate_every * updates,
        save_strategy="steps",
        # A rollout batch is not saved: only a checkpoint at the end of one resumes bit for bit.
        save_steps=training.checkpoint_every * updates,
        gradient_checkpointing=own.gradient_checkpointing,
        cache_implementation="static" if own.rollout_cache == "static" else None,
        bf16=own.precision == "bf16" or (own.precision == "auto" and torch.cuda.is_available()),
        **_clipping(training),
        **rollout_config(cell),
        **_FIXED,
    )


def _validated_at_once(cell: Cell, completions: int) -> int:
    """Return how many completions all processes validate at once.

    The trainer puts all of them through the model in one pass, for any size of micro-batch.
    """
    at_once = cell.study.models[cell.model].training.micro_batch
    if at_once is None:
        return completions
    return min(completions, WITHOUT_GRAPH * at_once * cell.processes)


def _validation_batch(cell: Cell, most: int) -> int:
    """Return the validation completions that a process makes at once, about ``most`` over all.

    Several processes get equal parts: one with a shorter part would be given some rows twice.
    """
    training = cell.study.file.training
    samples, processes = training.validation_samples, cell.processes
    if processes == 1:
        return max(1, most // samples) * samples
    part = cell.study.file.task.validation * samples // processes
    fitting = (size for size in range(1, part + 1) if not part % size and not size % samples)
    return max((size for size in fitting if size * processes <= most), default=samples)


def _clipping(training: Training) -> dict[str, float]:
    if training.clip == "off":
        return {"epsilon": CLIPPING_OFF, "epsilon_high": CLIPPING_OFF}
    return {"epsilon": training.clip.low, "epsilon_high": training.clip.high}


_FIXED: dict[str, Any] = {
    "lr_scheduler_type": "constant",
    "use_bias_correction_kl": False,
    "disable_dropout": True,  # the updated policy's probabilities are compared with the old one's
    "save_total_limit": None,  # the train stage removes what nothing needs any more
    "logging_steps": 1,
    "report_to": [],  # the MLflow run is ours, not the trainer's
    "disable_tqdm": True,
    "use_cpu": not torch.cuda.is_available(),
    "dataloader_pin_memory": False,
}


def _dataset(cell: Cell, split: Split, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    problems = cell.study.task.split(split, getattr(cell.study.file.task, split))
    prompts = [render_prompt(tokenizer, problem.prompt) for problem in problems]
    _check_lengths(cell, [p.id for p in problems], encode(tokenizer, prompts))
    return Dataset.from_list(
        [
            {
                "prompt": prompt,
                "question": p.prompt,  # for objectives, which read it without chat template
                "answer": p.answer,
            }
            for p, prompt in zip(problems, prompts, strict=True)
        ]
    )


def _check_lengths(cell: Cell, names: Sequence[str], ids: Sequence[Sequence[int]]) -> None:
    longest = max(range(len(ids)), key=lambda number: len(ids[number]))
    found, allowed = len(ids[longest]), cell.study.file.sampling.max_prompt_tokens
    if found > allowed:
        raise CrosstalkError(
            f"{cell.study.where}: sampling.max_prompt_tokens: expected at least {found}, the "
            f"tokens of problem {names[longest]} as {cell.model} reads it, got {allowed}"
        )
