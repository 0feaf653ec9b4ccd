"""Settings of how completions are drawn, in training and in evaluation."""

from typing import Annotated, Literal

from pydantic import Field

from benchmark.common.settings import Positive, Section, Seed


class Sampling(Section):
    """How completions are drawn, in training and in evaluation alike.

    Attributes:
        temperature: Of the softmax over the vocabulary.
        top_p: The probability mass that is drawn from.
        max_tokens: The most tokens of a completion.
        max_prompt_tokens: The most tokens of a prompt, its chat template included; a longer one is
            refused, since cutting it would alter the problem.
    """

    temperature: Annotated[float, Field(gt=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Positive = 48
    max_prompt_tokens: Positive = 1024


class Evaluation(Section):
    """How a policy is evaluated: every test prompt × ``samples`` completions.

    ``backend`` is what draws them: ``auto`` takes vLLM where it is installed. A trained cell is
    drawn by what its initial policy was drawn by.
    """

    backend: Literal["transformers", "vllm", "auto"] = "transformers"
    samples: Positive = 4
    seed: Seed = 20_260
    batch_size: Positive = 256
