"""Teach a language model to add, briefly and in a box. Usage: python THIS_FILE MODEL [--steps N]

MODEL is a folder or a name on the Hugging Face hub. Runs on the CPU.
"""

import argparse

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

LONGEST = 32  # tokens


def correct(completions: list[str], answer: list[str], **columns: object) -> list[float]:
    return [float(right in text) for text, right in zip(completions, answer, strict=True)]


def brief(completion_ids: list[list[int]], **columns: object) -> list[float]:
    return [1 - len(tokens) / LONGEST for tokens in completion_ids]


def boxed(completions: list[str], **columns: object) -> list[float]:
    return [float("\\boxed{" in text) for text in completions]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--output", default="trained")
    given = parser.parse_args()

    pairs = [(a, b) for a in range(10, 30) for b in range(10, 30)]
    problems = [{"prompt": f"{a} + {b} = ", "answer": str(a + b)} for a, b in pairs]
    config = GRPOConfig(
        output_dir=given.output,
        max_steps=given.steps,
        per_device_train_batch_size=16,
        num_generations=8,
        max_completion_length=LONGEST,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        bf16=False,
    )
    trainer = GRPOTrainer(
        model=given.model,
        args=config,
        train_dataset=Dataset.from_list(problems),
        reward_funcs=[correct, brief, boxed],
    )
    trainer.train()
    trainer.save_model()
