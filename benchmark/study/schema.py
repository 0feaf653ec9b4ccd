"""The schema of a study file, and the only home of its defaults.

Unknown keys and wrong types are refused everywhere; :mod:`benchmark.study.checks` checks names.
"""

import re
from collections import Counter
from random import Random
from typing import Annotated, Literal

from pydantic import (
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from benchmark.common.settings import LONGEST_NAME, NAME, Name, Positive, Section, Seed
from benchmark.models.policy.sampling import Evaluation, Sampling
from benchmark.study.tuning_schema import Overrides, Tuned, Tuning

TaskName = Annotated[str, Field(pattern=rf"{NAME[:-1]}(:[A-Za-z_]\w*)?$", max_length=LONGEST_NAME)]


class Clip(Section):
    """Bounds of the clipped surrogate: the probability ratio stays in [1 − low, 1 + high]."""

    low: Annotated[float, Field(gt=0)] = 0.2
    high: Annotated[float, Field(gt=0)] = 0.2


class TaskSpec(Section):
    """The task (of the package, an entry point, or ``module:Class``) and how much each split takes.

    ``path`` and ``revision``, the source of a task's data, are parameters that may also stand next
    to ``name``.
    """

    name: TaskName = "arithmetic"
    train: Positive = 1024
    validation: Positive = 64
    test: Positive = 256
    parameters: dict[str, JsonValue] = Field(default={})

    @model_validator(mode="before")
    @classmethod
    def _source_beside_the_name(cls, given: object) -> object:
        if not isinstance(given, dict) or not given.keys() & {"path", "revision"}:
            return given
        source = {key: given[key] for key in ("path", "revision") if key in given}
        rest = {key: value for key, value in given.items() if key not in source}
        parameters = rest.get("parameters", {})
        for key in source.keys() & (parameters if isinstance(parameters, dict) else {}):
            raise ValueError(f"{key}: expected once, got it here and among the parameters")
        return rest | {"parameters": source | parameters}


class Training(Section):
    """The one training budget that all cells of a study share.

    A step draws ``prompts_per_step`` × ``completions_per_prompt`` completions and makes
    ``minibatches`` × ``passes`` updates from them. ``rollouts`` is what draws them: the policy
    itself, an engine of vLLM beside it, or a server of vLLM. ``loss`` is TRL's ``loss_type``:
    ``dapo`` is the mean over the tokens of the rollout, and so the same for any micro-batches;
    ``grpo`` is the mean over completions of each one's mean over its tokens.
    """

    estimator: str = "grpo"
    rollouts: Literal["transformers", "vllm", "vllm-server"] = "transformers"
    steps: Positive = 60
    prompts_per_step: Positive = 16
    completions_per_prompt: Annotated[int, Field(ge=2)] = 8
    minibatches: Positive = 1
    passes: Positive = 1
    learning_rate: Annotated[float, Field(gt=0)] = 3e-4
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    clip: Clip | Literal["off"] = Clip()
    kl: Annotated[float, Field(ge=0)] = 0.0
    loss: Literal["grpo", "bnpo", "dapo", "dr_grpo"] = "dapo"
    validate_every: Positive = 10
    validation_samples: Positive = 2
    checkpoint_every: Positive = 20
    diagnose_every: Annotated[int, Field(ge=0)] = 10
    gramian_parameters: str = "all"

    @property
    def updates_per_step(self) -> int:
        """The optimizer steps made from one rollout batch."""
        return self.minibatches * self.passes

    @field_validator("clip", mode="before")
    @classmethod
    def _bounds_or_off(cls, clip: object) -> object:
        if clip != "off" and not isinstance(clip, dict | Clip):
            raise ValueError("expected off or bounds {low: 0.2, high: 0.2}")
        return clip

    @field_validator("gramian_parameters")
    @classmethod
    def _expression(cls, which: str) -> str:
        try:
            re.compile(which)
        except re.error as error:
            raise ValueError(f"expected all, lora or a regular expression ({error})") from error
        return which

    @model_validator(mode="after")
    def _divisible(self) -> "Training":
        completions = self.prompts_per_step * self.completions_per_prompt
        if completions % self.minibatches:
            raise ValueError(
                f"minibatches: expected a divisor of the {completions} completions of a step, "
                f"got {self.minibatches}"
            )
        return self


class Diagnosis(Section):
    """What ``crosstalk diagnose`` measures of a cell, off the training path.

    At each diagnosed step the update that training made there is made again from the checkpoint,
    and the objectives' changes are estimated on held-out prompts. Training keeps those checkpoints.

    Attributes:
        steps: How many steps are diagnosed, drawn at random among those that training saves
            (multiples of ``checkpoint_every``; all, if there are fewer), the same for all cells; or
            a list of them: training steps whose next update is diagnosed, 0 being the start.
        prompts: Held-out prompts that covariances are estimated on.
        samples: Completions a prompt.
        standard_error: The most that the standard error of an objective's realised change should
            be; decides on how many further prompts the changes are estimated.
        max_prompts: The most of those prompts.
        multiples: Step sizes tried, in multiples of the update made.
        directions: Whether steps that training did not make are measured too, along a plain
            gradient and from a larger batch: they tell why an update turned against its signal.
        seed: The seed of the steps drawn and of the common random numbers.
        probe: Whether the initial policies' geometry is measured too; its memory grows with the
            model (about 50 times the parameters in double precision).
        automatic: Whether ``crosstalk run`` diagnoses too.
    """

    steps: (
        Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(strict=False, min_length=1)]
        | Positive
    ) = 8
    prompts: Annotated[int, Field(ge=2)] = 64
    samples: Annotated[int, Field(ge=2)] = 16
    standard_error: Annotated[float, Field(gt=0)] = 0.01
    max_prompts: Annotated[int, Field(ge=2)] = 256
    multiples: tuple[Annotated[float, Field(gt=0)], ...] = Field((0.25, 1.0, 4.0), strict=False)
    directions: bool = True
    seed: Seed = 20_262
    probe: bool = True
    automatic: bool = False

    @field_validator("steps", mode="before")
    @classmethod
    def _number_or_list(cls, steps: object) -> object:
        number = isinstance(steps, int) and not isinstance(steps, bool) and steps > 0
        if not number and not isinstance(steps, list | tuple):
            raise ValueError("expected how many steps, at least 1, or a list of steps")
        return steps

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: int | tuple[int, ...]) -> int | tuple[int, ...]:
        return steps if isinstance(steps, int) else tuple(sorted(set(steps)))

    @field_validator("multiples")
    @classmethod
    def _with_the_update_itself(cls, multiples: tuple[float, ...]) -> tuple[float, ...]:
        if 1.0 not in multiples:
            raise ValueError("expected 1.0, the update as it was made, among them")
        return tuple(sorted(set(multiples)))


class ObjectiveSet(Section):
    """A set of objectives with preference weights (uniform if not given).

    ``objectives`` may be left out for a set the package names. Each is an id of the study's own
    ``objectives`` or an objective of the package. So are those of ``evaluation_only``: policies are
    tested by them and never trained on them, and they count in no score, verdict, rank or rate.
    """

    objectives: tuple[str, ...] | None = Field(default=None, strict=False, min_length=1)
    weights: tuple[float, ...] | None = Field(default=None, strict=False)
    evaluation_only: tuple[str, ...] = Field(default=(), strict=False)

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(
        self, serialize: SerializerFunctionWrapHandler
    ) -> dict[str, object]:
        """Return a set that is trained on alone as before there were others: digests hold it."""
        given: dict[str, object] = serialize(self)
        return {key: value for key, value in given.items() if key != "evaluation_only" or value}


class CellFilter(Section):
    """Picks cells by any of the four axes; an axis that is left out matches everything."""

    model: str | None = None
    objectives: str | None = None
    algorithm: str | None = None
    seed: int | None = None

    def matches(self, model: str, objectives: str, algorithm: str, seed: int) -> bool:
        """Return whether a cell agrees with every axis that is given."""
        found = (model, objectives, algorithm, seed)
        wanted = (self.model, self.objectives, self.algorithm, self.seed)
        return all(w is None or w == f for w, f in zip(wanted, found, strict=True))


class CellChoice(Section):
    """One extra cell outside the product of the axes."""

    model: str
    objectives: str
    algorithm: str
    seed: Seed


class StudyFile(Section):
    """The schema of a file in ``workflow/studies``.

    An entry of ``objectives`` or ``algorithms`` is an objective or a scalarizer with parameters
    under an id. Its keys are the parameters, and ``objective`` or ``scalarizer``, which names what
    the id stands for (the id itself if left out). ``objective_seconds`` is the time that an
    objective may take to score a batch, after which the job fails; null for no limit. No result
    depends on it, and so no hash. Nor does any cell of the study depend on ``tuning``, nor on
    ``tuned``, the record of how its settings were chosen. ``modules`` is the folder, from the
    file's own, that classes ``module:Class`` are looked for in; the file's own if left out.
    """

    description: str = ""
    task: TaskSpec = TaskSpec()
    models: dict[Name, Overrides | None] = Field(min_length=1)
    objectives: dict[Name, dict[str, JsonValue] | None] = Field(default={})
    objective_sets: dict[Name, ObjectiveSet | None] = Field(min_length=1)
    algorithms: dict[Name, dict[str, JsonValue] | None] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(min_length=1, strict=False)
    objective_seconds: Annotated[float, Field(gt=0)] | None = 3600.0
    training: Training = Training()
    sampling: Sampling = Sampling()
    evaluation: Evaluation = Evaluation()
    diagnosis: Diagnosis | None = None
    tuning: Tuning | None = None
    tuned: Tuned | None = None
    modules: str | None = None
    include: tuple[CellChoice, ...] = Field(default=(), strict=False)
    exclude: tuple[CellFilter, ...] = Field(default=(), strict=False)

    @field_validator("seeds")
    @classmethod
    def _each_seed_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        for seed, times in Counter(seeds).items():
            if times > 1:
                raise ValueError(f"expected each once ({seed} is there {times} times)")
        return seeds

    @model_validator(mode="after")
    def _fills_a_step(self) -> "StudyFile":
        if self.task.train < self.training.prompts_per_step:
            raise ValueError(
                "task.train: expected at least training.prompts_per_step "
                f"({self.training.prompts_per_step}), got {self.task.train}"
            )
        return self

    @model_validator(mode="after")
    def _diagnosed_where_checkpoints_are(self) -> "StudyFile":
        every, last = self.training.checkpoint_every, self.training.steps
        given = () if self.diagnosis is None else self.diagnosis.steps
        for step in () if isinstance(given, int) else given:
            if step % every or step >= last:
                raise ValueError(
                    f"diagnosis.steps: expected multiples of training.checkpoint_every ({every}) "
                    f"below training.steps ({last}), got {step}"
                )
        return self

    @property
    def diagnosed_steps(self) -> tuple[int, ...]:
        """The training steps whose next update is diagnosed, in order; those drawn, where drawn."""
        if self.diagnosis is None:
            return ()
        steps = self.diagnosis.steps
        if not isinstance(steps, int):
            return steps
        saved = range(0, self.training.steps, self.training.checkpoint_every)
        return tuple(sorted(Random(self.diagnosis.seed).sample(saved, min(steps, len(saved)))))
