"""What a study file says of tuning: what to try, and in a tuned study, what was tried."""

from typing import Annotated, Literal

from pydantic import Field, JsonValue, field_validator

from benchmark.common.settings import Name, Positive, Section, Seed
from benchmark.study.spaces import Dimension


class Overrides(Section):
    """What a study changes for one model."""

    learning_rate: Annotated[float, Field(gt=0)] | None = None
    memory_mb: Positive | None = None


class Tuning(Section):
    """How ``crosstalk tune`` tries settings of the study's algorithms before the study runs.

    Attributes:
        trials: K, the settings tried of an algorithm, the study's own among them.
        seeds: Training seeds of the trials; none of the study's.
        models: What the trials train; the study's own if None.
        objective_sets: Which of the study's sets they are tried on; all if None.
        problems: On how many problems of the validation split trials are evaluated; as many as the
            study tests on if None.
        seed: Of the quasi-random points.
        spaces: The space of an algorithm in place of the published one, by the algorithm's id;
            without any parameter, the algorithm is not tuned.
    """

    trials: Annotated[int, Field(ge=2)]
    seeds: tuple[Seed, ...] = Field(min_length=1, strict=False)
    models: dict[Name, Overrides | None] | None = None
    objective_sets: tuple[str, ...] | None = Field(default=None, strict=False, min_length=1)
    problems: Positive | None = None
    seed: Seed = 20_263
    spaces: dict[Name, dict[str, Dimension]] = Field(default={})

    @field_validator("models")
    @classmethod
    def _some_model(
        cls, models: dict[str, Overrides | None] | None
    ) -> dict[str, Overrides | None] | None:
        if models is not None and not models:
            raise ValueError("expected at least one entry")
        return models

    @field_validator("seeds")
    @classmethod
    def _each_once(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("expected each seed once")
        return seeds


class Spent(Section):
    """What some runs took: null where a run did not track it."""

    runs: int
    steps: int | None
    tokens: float | None
    backward_passes: float | None
    hours: float | None


class Trial(Section):
    """A setting that was tried.

    Attributes:
        parameters: What of the algorithm's entry it changed.
        worst_gain: Its worst normalised gain on the validation split; null if a run diverged.
        low: The lower bound of its 95% interval.
        high: The upper bound.
        spent: What its runs took.
    """

    parameters: dict[str, JsonValue] = Field(default={})
    worst_gain: float | None
    low: float | None = None
    high: float | None = None
    spent: Spent


class TunedAlgorithm(Section):
    """The settings tried of one algorithm, the study's own first, and which was chosen."""

    chosen: Annotated[int, Field(ge=0)]
    trials: tuple[Trial, ...] = Field(min_length=1, strict=False)


class Tuned(Section):
    """Where a tuned study comes from; ``crosstalk tune`` writes it.

    Attributes:
        study: The name of the study that was tuned.
        file: Its file, from the project's root; its name if the package ships it.
        trials: The digest of all trials' hashes.
        criterion: By what settings were chosen.
        split: Of which problems.
        problems: How many.
        models: What was trained.
        objective_sets: On which sets.
        seeds: With which seeds.
        algorithms: Every algorithm but the references.
        references: What the references' runs took.
        notes: What else a reader has to know.
    """

    study: Name
    file: str
    trials: str
    criterion: Literal["worst_gain"]
    split: Literal["validation"]
    problems: int
    models: tuple[str, ...] = Field(strict=False)
    objective_sets: tuple[str, ...] = Field(strict=False)
    seeds: tuple[Seed, ...] = Field(strict=False)
    algorithms: dict[Name, TunedAlgorithm]
    references: Spent
    notes: tuple[str, ...] = Field(default=(), strict=False)
