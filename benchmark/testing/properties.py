"""The properties of every scalarizer: one function each, which raises if the property is broken.

Each takes ``make``, which returns a fresh scalarizer of the method under test, and some batches.
"""

import io
import itertools
import math
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from benchmark.advantages import ESTIMATORS, estimate_advantages
from benchmark.common.randomness import separate_stream
from benchmark.scalarizers import (
    AdvantageScalarizer,
    Feedback,
    GradientScalarizer,
    Scalarizer,
    ScoreScalarizer,
    Signal,
)
from benchmark.testing.batches import History

FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
FIELDS = {signal: [signal.value] for signal in Signal} | {
    Signal.LOSSES: ["losses_before", "losses_after"]
}


KIND = "is a scalarizer of a kind"
DECLARED = "declares source, signals and estimators"
FLOATING = "takes any floating types"


class Make(Protocol):
    """Makes a fresh scalarizer, for a fixed number of objectives and fixed parameters."""

    def __call__(self, weights: Sequence[float] | None = None) -> Scalarizer: ...


def given_signals(scalarizer: Scalarizer) -> frozenset[Signal]:
    """Return the signals that reach a scalarizer: those it declares, and what ``weigh`` takes."""
    weighs = {Signal.GRAMIAN, Signal.LOSSES} if isinstance(scalarizer, GradientScalarizer) else ()
    return scalarizer.requires.union(weighs)


def _declared(scalarizer: Scalarizer, batch: Feedback) -> Feedback:
    """Return the batch without the signals that the scalarizer does not ask for."""
    undeclared = set(Signal) - scalarizer.requires
    absent: dict[str, Any] = {name: None for signal in undeclared for name in FIELDS[signal]}
    return replace(batch, **absent)


def _scalarize(scalarizer: Scalarizer, batch: Feedback) -> Tensor:
    """Return what the scalarizer makes of a batch, whatever its kind: (B,) or (M,)."""
    match scalarizer:
        case ScoreScalarizer():
            return scalarizer.score(batch.rewards)
        case AdvantageScalarizer():
            advantages = _advantages(scalarizer, batch)
            return scalarizer.combine(advantages, batch.rewards, batch.groups)
        case GradientScalarizer():
            assert batch.gramian is not None
            assert batch.losses_before is not None
            return scalarizer.weigh(batch.gramian, batch.losses_before)
    raise AssertionError(f"{type(scalarizer).__name__} is of no kind")


def _advantages(scalarizer: Scalarizer, batch: Feedback) -> Tensor:
    """Return the advantages under each objective alone (B, M), by an estimator it allows."""
    allowed = [name for name in ESTIMATORS if name in (scalarizer.estimators or ESTIMATORS)]
    return estimate_advantages(batch.rewards, batch.groups, allowed[0])


def _run(scalarizer: Scalarizer, history: History, *, everything: bool = False) -> list[Tensor]:
    """Return what it makes of batch after batch, with an update after each, as in a training.

    ``everything``: with all signals, and not those alone that it declares.
    """
    signals = []
    for batch in history:
        found: object = _scalarize(scalarizer, batch)
        if not isinstance(found, Tensor):
            raise AssertionError(f"it gives {found!r}, which is no tensor")
        signals.append(found.clone())
        scalarizer.update(batch if everything else _declared(scalarizer, batch))
    return signals


def _require(condition: object, message: str) -> None:
    """Raise an error that the interpreter's ``-O`` leaves in."""
    if not condition:
        raise AssertionError(message)


def _same(found: object, expected: object, message: str, *, exactly: bool = True) -> None:
    tolerance = 0.0 if exactly else None
    try:
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    except AssertionError as error:
        raise AssertionError(f"{message}: {error}") from error


# ---- properties ----------------------------------------------------------------------------------


def _is_of_a_kind(make: Make, history: History) -> None:
    """It is a score, advantage or gradient scalarizer of the objectives given."""
    check_kind(make(), [f"objective{index}" for index in range(history[0].rewards.shape[1])])


def check_kind(scalarizer: Scalarizer, objectives: Sequence[str]) -> None:
    """Check that it is a score, advantage or gradient scalarizer of these objectives."""
    kinds = (ScoreScalarizer, AdvantageScalarizer, GradientScalarizer)
    _require(isinstance(scalarizer, kinds), f"{scalarizer!r} is none of {kinds}")
    found = scalarizer.objectives
    _require(found == tuple(objectives), f"objectives are {found}")
    for values in (scalarizer.weights, scalarizer.upper_bounds):
        shape = tuple(values.shape)
        _require(shape == (len(found),), f"weights or upper bounds have shape {shape}")
        _require(values.isfinite().all(), f"weights or upper bounds are {values}")


def _declares(make: Make, history: History) -> None:
    """It says where it comes from, and asks for signals, estimators and times that exist."""
    scalarizer = make()
    _require(scalarizer.source.strip(), "source is empty")
    _require(scalarizer.requires <= set(Signal), f"requires is {scalarizer.requires!r}")
    known = scalarizer.estimators is None or set() < scalarizer.estimators <= ESTIMATORS.keys()
    _require(known, f"estimators is {scalarizer.estimators!r}, known are {sorted(ESTIMATORS)}")
    scalarizer.check_update_every()


def _needs_what_it_declares(make: Make, history: History) -> None:
    """Signals it does not declare are None; the first batch comes before any validation."""
    try:
        _run(make(), deepcopy(history))
    except AssertionError:
        raise
    except Exception as error:
        declared = sorted(signal.name for signal in make().requires)
        raise AssertionError(
            f"with {declared or 'no signal'}, which is what it declares, "
            f"{type(error).__name__}: {error}"
        ) from error


def _ignores_the_undeclared(make: Make, history: History) -> None:
    """Signals it does not declare would change nothing if they were there."""
    found, everything = _run(make(), history), _run(make(), history, everything=True)
    _same(found, everything, "without the signals it does not declare, others result")


def _is_finite(make: Make, history: History) -> None:
    """One finite number per completion, or per objective; a score may be NaN without a reward."""
    scalarizer = make()
    weighs = isinstance(scalarizer, GradientScalarizer)
    for position, batch in enumerate(history):
        (result,) = _run(scalarizer, [batch])
        where = f"in batch {position + 1} of {len(history)}"
        found = (tuple(result.shape), result.is_floating_point())
        shape = (len(scalarizer.objectives),) if weighs else tuple(batch.groups.shape)
        _require(found == (shape, True), f"{where} (shape, floating) is {found}, not {shape}")
        numbers = result.isfinite()
        if isinstance(scalarizer, ScoreScalarizer):
            numbers |= result.isnan() & batch.rewards.isnan().any(dim=1)
        if not numbers.all():
            raise AssertionError(f"{where} it gives {result.tolist()}")
        metrics = scalarizer.metrics()
        _require(all(map(math.isfinite, metrics.values())), f"{where} metrics are {metrics}")


def _takes_any_float(make: Make, history: History) -> None:
    """Preference weights and batches of any two floating types do, each with each."""
    for weights, given in itertools.product(FLOATS, repeat=2):
        scalarizer = make()
        scalarizer.weights = scalarizer.weights.to(weights)
        where = f"with weights of {weights} and a batch of {given}"
        try:
            (result,) = _run(scalarizer, [_cast(history[0], given)])
        except Exception as error:
            raise AssertionError(f"{where}, {type(error).__name__}: {error}") from error
        _require(result.isfinite().all(), f"{where} it gives {result.tolist()}")


def _cast(batch: Feedback, dtype: torch.dtype) -> Feedback:
    """Return the batch with all that is floating in that type."""
    found = {field.name: getattr(batch, field.name) for field in fields(Feedback)}
    floating = {k: v.to(dtype) for k, v in found.items() if v is not None and v.is_floating_point()}
    return replace(batch, **floating)


def _scores_nothing_without_a_reward(make: Make, history: History) -> None:
    """A completion to which no objective applies has the score NaN."""
    scalarizer = make()
    if isinstance(scalarizer, ScoreScalarizer):
        rewards = history[0].rewards.clone()
        rewards[0] = math.nan
        score = scalarizer.score(rewards)[0]
        _require(score.isnan(), f"its score is {score.item():g}")


def _leaves_out_what_has_no_reward(make: Make, history: History) -> None:
    """A completion to which no objective applies has no advantage, and is as good as absent."""
    for batch in history:
        rewards = batch.rewards.clone()
        rewards[0] = math.nan
        bare = replace(batch, rewards=rewards)
        if len(rewards) < 2:
            continue
        absent = _reordered(bare, torch.arange(1, len(rewards)))
        one, other = make(), make()
        found, expected = _run(one, [bare])[0], _run(other, [absent])[0]
        if isinstance(one, AdvantageScalarizer):
            _require(found[0] == 0, f"its advantage is {found[0].item():g}")
        if not isinstance(one, GradientScalarizer):
            found = found[1:]
        _same(found, expected, "it changes the signal of others", exactly=False)
        _same(one.state_dict(), other.state_dict(), "it changes the state", exactly=False)


def _ignores_order(make: Make, history: History) -> None:
    """The order of the completions in a batch does not matter, now and in what follows."""
    orders = [
        torch.randperm(batch.groups.numel(), generator=torch.Generator().manual_seed(9))
        for batch in history
    ]
    shuffled = [_reordered(batch, order) for batch, order in zip(history, orders, strict=True)]
    plain, permuted = make(), make()
    signals, others = _run(plain, history), _run(permuted, shuffled)
    if not isinstance(plain, GradientScalarizer):
        signals = [one[order] for one, order in zip(signals, orders, strict=True)]
    _same(others, signals, "the signal depends on it", exactly=False)
    _same(permuted.state_dict(), plain.state_dict(), "the state depends on it", exactly=False)


def _reordered(batch: Feedback, order: Tensor) -> Feedback:
    assert batch.completion_weights is not None
    weights = batch.completion_weights[order]
    return replace(
        batch, rewards=batch.rewards[order], groups=batch.groups[order], completion_weights=weights
    )


def _is_deterministic(make: Make, history: History) -> None:
    """The same batches give the same to the bit, whatever the global random streams hold."""
    with separate_stream(1):
        first = make()
        signals = _run(first, history, everything=True)
    with separate_stream(2):
        second = make()
        _same(_run(second, history, everything=True), signals, "another one gives other signals")
    _same(second.state_dict(), first.state_dict(), "another one has another state")
    _require(second.metrics() == first.metrics(), "another one has other metrics")


def _leaves_random_stream_alone(make: Make, history: History) -> None:
    """Neither making it nor running it moves torch's global random stream."""
    with separate_stream(3):
        before = torch.get_rng_state()
        _run(make(), history, everything=True)
        _require(torch.equal(torch.get_rng_state(), before), "it drew from torch's global stream")


def _keeps_its_inputs(make: Make, history: History) -> None:
    """What it is given stays as it was, to the bit."""
    for batch in history:
        given = deepcopy(batch)
        _run(make(), [given, given], everything=True)
        for field in fields(Feedback):
            before, after = getattr(batch, field.name), getattr(given, field.name)
            _same(after, before, f"it changed {field.name}")


def _keeps_advantages(make: Make, history: History) -> None:
    """The advantages that an advantage scalarizer joins stay as they were, to the bit."""
    scalarizer = make()
    if isinstance(scalarizer, AdvantageScalarizer):
        for batch in history:
            given = _advantages(scalarizer, batch)
            before = given.clone()
            scalarizer.combine(given, batch.rewards, batch.groups)
            _same(given, before, "it changed them")


def _has_tensors_for_a_state(make: Make, history: History) -> None:
    """Its state is a dict of CPU tensors."""
    scalarizer = make()
    _run(scalarizer, history)
    for name, value in scalarizer.state_dict().items():
        known = isinstance(value, Tensor) and value.device.type == "cpu"
        _require(known, f"{name!r} is {value!r}")


def _restores(make: Make, history: History) -> None:
    """Restored from a checkpoint file, it goes on exactly as the original."""
    original, restored = make(), make()
    _run(original, history)
    state = original.state_dict()
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    restored.load_state_dict(torch.load(file, weights_only=True))
    _require(restored.metrics() == original.metrics(), "restored, it has other metrics")
    _same(_run(restored, history), _run(original, history), "restored, it gives another signal")
    _same(restored.state_dict(), original.state_dict(), "restored, it comes to another state")


def _copies_its_state(make: Make, history: History) -> None:
    """Neither the scalarizer a state comes from nor the one it is loaded into shares its memory."""
    scalarizer, other = make(), make()
    _run(scalarizer, history)
    state = scalarizer.state_dict()
    expected = deepcopy(state)
    other.load_state_dict(state)
    for value in state.values():
        value.copy_(~value if value.dtype == torch.bool else value.nan_to_num() + 1)
    _same(scalarizer.state_dict(), expected, "changing state_dict() changed the scalarizer")
    _same(other.state_dict(), expected, "changing a state that was loaded changed the scalarizer")


def _refuses_foreign_states(make: Make, history: History) -> None:
    """A state of other names, shapes or types is refused and leaves the scalarizer as it was."""
    scalarizer = make()
    before = scalarizer.state_dict()
    wrong: list[Any] = [{**before, "stranger": torch.zeros(1)}, None, [1]]
    for name, value in before.items():
        wrong.append({key: kept for key, kept in before.items() if key != name})
        wrong.append({**before, name: torch.zeros(*value.shape, 17)})
        wrong.append({**before, name: "text"})
    for state in wrong:
        try:
            scalarizer.load_state_dict(state)
        except ValueError:
            _same(scalarizer.state_dict(), before, "a state that was refused changed it")
        else:
            raise AssertionError(f"it took {state}, its own being {before}")


def _reports_weights(make: Make, history: History) -> None:
    """Every metric is keyed by quantity and objective, and each objective has a weight."""
    scalarizer = make()
    _run(scalarizer, history)
    metrics = scalarizer.metrics()
    foreign = [key for key in metrics if key.partition("/")[2] not in scalarizer.objectives]
    _require(not foreign, f"{foreign} are not named <quantity>/<objective>")
    absent = [name for name in scalarizer.objectives if f"weight/{name}" not in metrics]
    _require(not absent, f"there is no weight/<objective> for {absent}, only {sorted(metrics)}")


def _refuses_wrong_weights(make: Make, history: History) -> None:
    """Preference weights of a wrong number, negative, or not finite are refused."""
    count = history[0].rewards.shape[1]
    others = [1.0] * (count - 1)
    for weights in ([*others, 1.0, 1.0], [*others, -1.0], [*others, math.nan]):
        try:
            make(weights)
        except ValueError:
            continue
        raise AssertionError(f"it took the weights {weights} for {count} objectives")


@dataclass(frozen=True)
class Property:
    """What holds for every scalarizer, and whether it must on degenerate batches as well."""

    check: Callable[[Make, History], None]
    everywhere: bool = False


PROPERTIES: dict[str, Property] = {
    KIND: Property(_is_of_a_kind),
    DECLARED: Property(_declares),
    "refuses wrong weights": Property(_refuses_wrong_weights),
    "declared signals suffice": Property(_needs_what_it_declares),
    "leaves its inputs unchanged": Property(_keeps_its_inputs),
    "leaves the advantages unchanged": Property(_keeps_advantages),
    "leaves the random stream alone": Property(_leaves_random_stream_alone),
    "state is CPU tensors": Property(_has_tensors_for_a_state),
    "is deterministic": Property(_is_deterministic),
    "undeclared signals change nothing": Property(_ignores_the_undeclared),
    "gives finite signals of the right shape": Property(_is_finite, everywhere=True),
    FLOATING: Property(_takes_any_float),
    "no reward, no score": Property(_scores_nothing_without_a_reward),
    "order of completions does not matter": Property(_ignores_order),
    "no reward, no effect": Property(_leaves_out_what_has_no_reward),
    "state round trips through a file": Property(_restores),
    "state_dict is a copy": Property(_copies_its_state),
    "refuses foreign states": Property(_refuses_foreign_states),
    "reports a weight per objective": Property(_reports_weights),
}
