"""The conformance suite: sound scalarizers of each kind pass, and each fault is named."""

import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Linear,
    Scalarizer,
    ScoreScalarizer,
    Signal,
)
from benchmark.scalarizers.base import weighted_sum
from benchmark.testing import PROPERTIES, check_scalarizer

# ---- sound ---------------------------------------------------------------------------------------


class Rising(ScoreScalarizer):
    """Weights that follow the mean rewards and, where there is one, the latest validation."""

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.VALIDATION})
    source = "a test"

    def __init__(
        self, objectives: Sequence[str], weights: Sequence[float] | None = None, step: float = 0.1
    ) -> None:
        super().__init__(objectives, weights)
        self.step = step
        self.state["log_weights"] = self.weights.log()

    def score(self, rewards: Tensor) -> Tensor:
        return weighted_sum(rewards, self.state["log_weights"].softmax(dim=0))

    def update(self, feedback: Feedback) -> None:
        moved = feedback.rewards.double().nanmean(dim=0).nan_to_num(nan=0.0)
        if feedback.validation is not None:
            moved = moved + feedback.validation.nan_to_num(nan=0.0)
        self.state["log_weights"] = self.state["log_weights"] - self.step * moved.float().clamp(
            -1, 1
        )

    def metrics(self) -> dict[str, float]:
        return self.by_objective("weight", self.state["log_weights"].softmax(dim=0))


class Mean(AdvantageScalarizer):
    source = "a test"

    def combine(self, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
        return advantages.mean(dim=1)


class Balanced(GradientScalarizer):
    """Weights inverse to the norms of the gradients, times the share of the loss that is left."""

    requires: ClassVar[frozenset[Signal]] = frozenset({Signal.GRAMIAN, Signal.LOSSES})
    estimators: ClassVar[frozenset[str] | None] = frozenset({"rloo"})
    source = "a test"

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        super().__init__(objectives, weights)
        self.state["losses"] = torch.ones(len(self.objectives), dtype=torch.float64)

    def weigh(self, gramian: Tensor, losses: Tensor) -> Tensor:
        norms = gramian.diagonal().clamp(min=0.0).sqrt()
        return torch.where(norms > 0, self.state["losses"] / norms, 0.0)

    def update(self, feedback: Feedback) -> None:
        assert feedback.losses_after is not None
        self.state["losses"] = feedback.losses_after.clamp(0, 1).nan_to_num(nan=0.0)


@pytest.mark.parametrize("sound", [Rising, Mean, Balanced])
def test_a_sound_scalarizer_of_each_kind_passes(sound: type[Scalarizer]) -> None:
    check_scalarizer(sound)


def test_function_or_name_with_parameters_passes() -> None:
    check_scalarizer(lambda objectives, weights: Rising(objectives, weights), objectives=[2])
    check_scalarizer(Rising, parameters={"step": 0.5}, objectives=[2])
    check_scalarizer("tchebycheff", parameters={"rho": 0.5}, objectives=[2])
    check_scalarizer("single", parameters=lambda names: {"objective": names[-1]}, objectives=[1, 4])


def test_parameters_that_are_refused_are_told() -> None:
    with pytest.raises(AssertionError, match=r"tchebycheff: .*objectives: 3.*TypeError: .*'roh'"):
        check_scalarizer("tchebycheff", parameters={"roh": 0.5}, objectives=[3])


def test_a_name_that_nothing_has_is_refused() -> None:
    with pytest.raises(CrosstalkError, match="did you mean 'linear'"):
        check_scalarizer("liner")


def test_the_suite_itself_leaves_the_random_stream_alone() -> None:
    before = torch.get_rng_state()
    check_scalarizer("random", objectives=[2])
    assert torch.equal(torch.get_rng_state(), before)


# ---- faults --------------------------------------------------------------------------------------


def linear(scalarizer: Any, rewards: Tensor) -> Tensor:
    return Linear.score(scalarizer, rewards)


def filled(scalarizer: Any, rewards: Tensor) -> Tensor:
    """Score as Linear, but write zeros into the rewards."""
    absent = rewards.isnan().all(dim=1)
    rewards[rewards.isnan()] = 0.0
    return linear(scalarizer, rewards).masked_fill(absent, math.nan)


def drawn(scalarizer: Any, rewards: Tensor) -> Tensor:
    """Draw from a stream of its own that no seed fixes."""
    generator = torch.Generator()
    generator.seed()
    return linear(scalarizer, rewards) * torch.rand((), generator=generator)


SEEN: list[float] = []  # shared by all instances


def remembered(scalarizer: Any, rewards: Tensor) -> Tensor:
    SEEN.append(1.0)
    return len(SEEN) * linear(scalarizer, rewards)


def z_scores(scalarizer: Any, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
    """Give NaN in a group of equal rewards."""
    centred = (rewards - rewards.nanmean(dim=0)).masked_fill(rewards.isnan(), 0.0)
    return (centred / centred.square().mean(dim=0).sqrt()).sum(dim=1)


def clipped(scalarizer: Any, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
    return advantages.clamp_(min=0).mean(dim=1)


def shared(scalarizer: Any, advantages: Tensor, rewards: Tensor, groups: Tensor) -> Tensor:
    """Give all completions the mean of what is above 0."""
    return advantages.clamp(min=0).mean().expand(len(advantages)).clone()


class Poisoned(Linear):
    """A batch without a reward leaves NaN behind for all batches after it."""

    def __init__(self, objectives: Sequence[str], weights: Sequence[float] | None = None) -> None:
        super().__init__(objectives, weights)
        self.state["mean"] = torch.zeros_like(self.weights)

    def score(self, rewards: Tensor) -> Tensor:
        return super().score(rewards) - self.state["mean"].sum()

    def update(self, feedback: Feedback) -> None:
        self.state["mean"] = feedback.rewards.double().nanmean(dim=0).float()


class Unsaved(Rising):
    """Keeps its state where no checkpoint finds it."""

    seen = 1.0

    def score(self, rewards: Tensor) -> Tensor:
        return self.seen * super().score(rewards)

    def update(self, feedback: Feedback) -> None:
        self.seen += 1.0


class Unpickled(Linear):
    def state_dict(self) -> dict[str, Any]:
        return {"lambda": {1, 2}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class KeepsLoadedState(Rising):
    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.state = dict(state)


class TakesAnyState(Rising):
    def load_state_dict(self, state: dict[str, Any]) -> None:
        if isinstance(state, dict) and "log_weights" in state:
            self.state = {"log_weights": state["log_weights"].clone()}


Bodies = dict[str, Callable[..., Any]]

SCORE: Bodies = {  # of Linear
    "WrongShape": lambda self, r: r * self.weights,
    "DropsMissing": lambda self, r: linear(self, r[~r.isnan().all(dim=1)]),
    "Integers": lambda self, r: (100 * linear(self, r).nan_to_num()).long(),
    "ScoresEverything": lambda self, r: linear(self, r).nan_to_num(),
    "OrderDependent": lambda self, r: linear(self, r) + torch.arange(len(r)),
    "Draws": lambda self, r: linear(self, r) * torch.rand(()),
    "DrawsOnceMade": drawn,
    "FillsMissing": filled,
    "Remembers": remembered,
    "OneType": lambda self, r: r.nan_to_num() @ self.weights,
    "OneTooFew": lambda self, r: linear(self, r)[len(self.objectives) == 5 :],  # with five alone
}
INIT: Bodies = {  # of Linear
    "AnyWeights": lambda self, names, weights=None: Linear.__init__(self, names),
    "Renamed": lambda self, names, weights=None: Linear.__init__(
        self, [name.upper() for name in names], weights
    ),
}
METRICS: Bodies = {  # of Linear
    "InfiniteMetric": lambda self: Linear.metrics(self) | {f"ratio/{self.objectives[0]}": math.inf},
    "NoWeight": lambda self: self.by_objective("share", self.weights),
    "ForeignMetric": lambda self: Linear.metrics(self) | {"temperature": 1.0},
}
LINEAR_UPDATE: Bodies = {
    "Shuffles": lambda self, feedback: torch.randperm(3),
    "Undeclared": lambda self, feedback: feedback.completion_weights.mean(),
}
RISING_UPDATE: Bodies = {
    "Impatient": lambda self, feedback: feedback.validation.mean(),
    "LearnsFromTheFirst": lambda self, feedback: self.state.update(
        log_weights=feedback.rewards[0].nan_to_num()
    ),
}
WEIGH: Bodies = {
    "Normalising": lambda self, gramian, losses: 1 / gramian.diagonal(),
    "Inverting": lambda self, gramian, losses: torch.linalg.solve(gramian, 0 * losses + 1),
    "LossRatios": lambda self, gramian, losses: losses / losses.sum(),
    "Rescales": lambda self, gramian, losses: gramian.div_(2).diagonal(),
}


def variants(
    base: type[Scalarizer], attribute: str, values: Mapping[str, object]
) -> dict[str, type[Scalarizer]]:
    """Return ``base`` with one method or attribute replaced, by name."""
    own = {"source": "a test"}
    return {name: type(name, (base,), own | {attribute: value}) for name, value in values.items()}


FAULTY: dict[str, type[Scalarizer]] = {
    **variants(Linear, "score", SCORE),
    **variants(Linear, "metrics", METRICS),
    **variants(Linear, "__init__", INIT),
    **variants(Linear, "update", LINEAR_UPDATE),
    **variants(Rising, "update", RISING_UPDATE),
    **variants(GradientScalarizer, "weigh", WEIGH),
    **variants(
        AdvantageScalarizer,
        "combine",
        {"ZScores": z_scores, "Clips": clipped, "Shares": shared},
    ),
    **variants(Rising, "state_dict", {"SharesState": lambda self: dict(self.state)}),
    **variants(Rising, "requires", {"QuietlyUndeclared": frozenset()}),
    **variants(Linear, "estimators", {"UnknownEstimator": frozenset({"gropo"})}),
    **variants(Linear, "source", {"NoSource": ""}),
    **variants(Linear, "update_every", {"Yearly": "year"}),
    **variants(Balanced, "update_every", {"WeighsRollouts": "rollout"}),
    **variants(Scalarizer, "source", {"OfNoKind": "a test"}),
}
for each in (Poisoned, Unsaved, Unpickled, KeepsLoadedState, TakesAnyState):
    FAULTY[each.__name__] = each

FINITE = "gives finite signals of the right shape"
FAULTS = [
    ("WrongShape", FINITE, r"groups of 4\).*\(12, 1\)"),
    ("DropsMissing", FINITE, r"missing\).*\(\(\d+,\), True\), not \(18,\)"),
    ("Integers", FINITE, r"\(\(12,\), False\)"),
    ("ZScores", FINITE, r"(one completion|all rewards 0)\): .*nan"),
    ("Normalising", FINITE, "inf"),
    ("Inverting", FINITE, "singular"),
    ("LossRatios", FINITE, "nan"),
    ("Poisoned", FINITE, r"all rewards NaN\): in batch 2 of 3"),
    ("InfiniteMetric", FINITE, "metrics are .*inf"),
    ("OneTooFew", FINITE, r", batches: groups of 4\): in batch 1 of 3"),
    (
        "OneType",
        "takes any floating types",
        r"of torch\.float32 and a batch of torch\.float64, Run",
    ),
    ("ScoresEverything", "no reward, no score", "its score is 0"),
    ("Shares", "no reward, no effect", r"its advantage is 0\.\d+"),
    ("OrderDependent", "order of completions does not matter", "the signal depends on it"),
    ("LearnsFromTheFirst", "order of completions does not matter", "depends on it"),
    ("Unsaved", "state round trips through a file", "restored, it gives another signal"),
    ("Unpickled", "state is CPU tensors", r"'lambda' is \{1, 2\}"),
    ("SharesState", "state_dict is a copy", r"changing state_dict\(\) changed"),
    ("KeepsLoadedState", "state_dict is a copy", "a state that was loaded"),
    ("TakesAnyState", "refuses foreign states", "it took .*stranger"),
    ("Draws", "leaves the random stream alone", "drew from torch's global stream"),
    ("Shuffles", "leaves the random stream alone", "drew from torch's global stream"),
    ("DrawsOnceMade", "is deterministic", "another one gives other signals"),
    ("Remembers", "is deterministic", "another one gives other signals"),
    ("FillsMissing", "leaves its inputs unchanged", "it changed rewards"),
    ("Rescales", "leaves its inputs unchanged", "it changed gramian"),
    ("Clips", "leaves the advantages unchanged", "it changed them"),
    ("Undeclared", "declared signals suffice", "with no signal, which is what it declares, Attr"),
    ("QuietlyUndeclared", "undeclared signals change nothing", "others result"),
    ("Impatient", "declared signals suffice", "AttributeError: 'NoneType'"),
    ("NoWeight", "reports a weight per objective", r"no weight/<objective> for \['objective0'\]"),
    ("ForeignMetric", "reports a weight per objective", r"\['temperature'\] are not named"),
    ("NoSource", "declares source, signals and estimators", "source is empty"),
    (
        "Yearly",
        "declares source, signals and estimators",
        "update_every: expected one of rollout, s",
    ),
    (
        "WeighsRollouts",
        "declares source, signals and estimators",
        "update_every: expected step with",
    ),
    ("UnknownEstimator", "declares source, signals and estimators", "gropo.*known are"),
    ("AnyWeights", "refuses wrong weights", r"it took the weights \[1.0, 1.0\] for 1"),
    ("Renamed", "is a scalarizer of a kind", "OBJECTIVE0"),
    ("OfNoKind", "is a scalarizer of a kind", "is none of"),
]


@pytest.mark.parametrize(("faulty", "name", "detail"), FAULTS, ids=[name for name, *_ in FAULTS])
def test_a_fault_is_named(faulty: str, name: str, detail: str) -> None:
    message = rf"(?s){faulty}: property '{name}' does not hold \(objectives: \d.*{detail}"
    with pytest.raises(AssertionError, match=message):
        check_scalarizer(FAULTY[faulty])


def test_every_property_catches_a_fault() -> None:
    assert {name for _, name, _ in FAULTS} == PROPERTIES.keys()
    assert {faulty for faulty, *_ in FAULTS} == FAULTY.keys()


def test_a_method_may_need_a_number_of_objectives() -> None:
    check_scalarizer(FAULTY["OneTooFew"], objectives=[1, 2, 3, 4, 6])
    with pytest.raises(AssertionError, match="objectives: 5"):
        check_scalarizer(FAULTY["OneTooFew"], objectives=range(4, 7))


def test_a_module_of_the_current_directory_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "from benchmark.scalarizers import Linear\n\nclass Mine(Linear):\n    source = ''\n"
    (tmp_path / "conformance_mine.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AssertionError, match="conformance_mine:Mine: property 'declares source"):
        check_scalarizer("conformance_mine:Mine")


@pytest.mark.slow
def test_suite_needs_no_test_library() -> None:
    code = (
        "import sys; sys.modules |= dict.fromkeys(['pytest', 'hypothesis', '_pytest', 'trl'])\n"
        "from benchmark.testing import check_scalarizer\n"
        "from benchmark.scalarizers import Linear\n"
        "class NoSource(Linear):\n    source = ''\n"
        "check_scalarizer('ctwa', objectives=[2])\n"
        "check_scalarizer(NoSource)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "AssertionError: NoSource: property 'declares source" in done.stderr
