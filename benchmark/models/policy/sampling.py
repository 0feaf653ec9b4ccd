"""Declare the settings by which completions are drawn, in training and in evaluation."""

from typing import Annotated, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from benchmark.common.settings import Positive, Section, Seed


class Sampling(Section):
    """How completions are drawn, both in training and in evaluation.

    Attributes:
        temperature: Of the softmax over the vocabulary.
        top_p: The probability mass that is drawn from.
        max_tokens: The longest completion, in tokens.
        max_prompt_tokens: The longest prompt, its chat template included; a longer one is refused,
            since cutting it would alter the problem.
    """

    temperature: Annotated[float, Field(gt=0)] = 1.0
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Positive = 48
    max_prompt_tokens: Positive = 1024


class Evaluation(Section):
    """How a policy is evaluated: every test prompt × ``samples`` completions.

    ``backend`` draws them: ``auto`` is vLLM where it is installed. A trained cell is evaluated with
    the backend of its initial policy. ``split`` is whose problems the test prompts are, as many as
    ``task.test``: ``validation`` for trials of settings, which must not see the test problems.
    """

    backend: Literal["transformers", "vllm", "auto"] = "transformers"
    samples: Positive = 4
    seed: Seed = 20_260
    batch_size: Positive = 256
    split: Literal["test", "validation"] = "test"

    @model_serializer(mode="wrap")
    def _as_before_there_were_two(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, object]:
        """Return an evaluation on test problems without saying so: digests hold it."""
        given: dict[str, object] = serialize(self)
        return {key: value for key, value in given.items() if (key, value) != ("split", "test")}
