"""From a cell to its trainer: the study's one budget as TRL's configuration, data and policy."""

from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedTokenizerBase

from benchmark.policies import load_policy, load_tokenizer, render_prompt
from benchmark.project import model_folder
from benchmark.schema import Training
from benchmark.stages.rollouts import longest_sequence, rollout_config
from benchmark.study import Cell
from benchmark.tasks import Split, make_task
from benchmark.training import GRPOConfig, MultiObjectiveGRPOTrainer

CLIPPING_OFF = 1e6  # a ratio bound no update reaches


def make_trainer(cell: Cell, folder: Path) -> MultiObjectiveGRPOTrainer:
    """Return the trainer of a cell, which writes its checkpoints below ``folder``."""
    model = model_folder(cell.study.layout.root, cell.model)
    tokenizer = load_tokenizer(model)
    train, validation = (_dataset(cell, split, tokenizer) for split in ("train", "validation"))
    config = make_config(cell, folder)
    if config.use_vllm:
        config.vllm_max_model_length = longest_sequence(cell, tokenizer, train, validation)
    return MultiObjectiveGRPOTrainer(
        model=load_policy(model),
        reward_funcs=cell.study.make_objectives(cell.objective_set),
        args=config,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=tokenizer,
        scalarizer=cell.make_scalarizer(),
        estimator=cell.study.file.training.estimator,
        diagnose_every=cell.study.file.training.diagnose_every,
        gramian_parameters=cell.study.file.training.gramian_parameters,
    )


def make_config(cell: Cell, folder: Path) -> GRPOConfig:
    """Return TRL's configuration of a cell; only seed and learning rate are the cell's own."""
    study = cell.study.file
    training, sampling = study.training, study.sampling
    updates = training.updates_per_step
    completions = training.prompts_per_step * training.completions_per_prompt
    samples = training.validation_samples
    return GRPOConfig(
        output_dir=str(folder),
        seed=cell.seed,
        learning_rate=cell.learning_rate,
        max_steps=training.steps * updates,
        per_device_train_batch_size=completions // training.minibatches,
        gradient_accumulation_steps=1,
        steps_per_generation=training.minibatches,
        num_iterations=training.passes,
        num_generations=training.completions_per_prompt,
        num_generations_eval=samples,
        per_device_eval_batch_size=max(1, completions // samples) * samples,
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
        **_clipping(training),
        **rollout_config(cell),
        **_FIXED,
    )


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
    "bf16": torch.cuda.is_available(),
    "use_cpu": not torch.cuda.is_available(),
    "gradient_checkpointing": False,
    "dataloader_pin_memory": False,
}


def _dataset(cell: Cell, split: Split, tokenizer: PreTrainedTokenizerBase) -> Dataset:
    spec = cell.study.file.task
    problems = make_task(spec.name, **spec.parameters).split(split, getattr(spec, split))
    return Dataset.from_list(
        [
            {
                "prompt": render_prompt(tokenizer, p.prompt),
                "question": p.prompt,  # for objectives that read it otherwise than the policy does
                "answer": p.answer,
            }
            for p in problems
        ]
    )
