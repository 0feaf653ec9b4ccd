"""Why an objective fell: each cause from the evidence that makes it one, and their shares."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_steps import NAMES, made_up

from benchmark.diagnosis.attribution import (
    CAUSES,
    STEP_MADE,
    TRADE_OFF,
    UNRESOLVED,
    Evidence,
    attribute,
    causes,
    declines,
    gather_evidence,
    in_words,
    per_objective,
    step_metrics,
)


def evidence(
    *,
    advantage: float = 1.0,
    unclipped: float = 1.0,
    clipped: float = 1.0,
    first_order: float = 1.0,
    realised: float = -1.0,
    best: float = 0.5,
    clipping: bool = True,
) -> Evidence:
    """One objective that fell at one step."""
    single = [np.full((1, 1, 1), x) for x in (advantage, unclipped, clipped, first_order, realised)]
    declined = np.array([[realised < 0]])
    return Evidence(*single, np.array([[best]]), declined, clipping)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (evidence(advantage=-1, unclipped=-1, clipped=-1, first_order=-1), "weights"),
        (evidence(advantage=-1, best=TRADE_OFF / 2), "trade-off"),
        (evidence(clipped=-1, first_order=-1), "clipping"),
        (evidence(clipped=-1, first_order=-1, clipping=False), STEP_MADE),
        (evidence(unclipped=-1, clipped=-1, first_order=-1), STEP_MADE),
        (evidence(first_order=-1), STEP_MADE),
        (evidence(), "step size"),
    ],
)
def test_the_first_turn_of_the_sign_is_the_cause(found: Evidence, cause: str) -> None:
    assert CAUSES[causes(found)[0, 0]] == cause
    assert attribute(found)[0, CAUSES.index(cause)] == 1.0


def steps(*parts: Evidence) -> Evidence:
    """Several steps of one objective."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in ("advantage", "unclipped", "clipped", "first_order", "realised", "best")
    }
    declined = np.concatenate([part.declined for part in parts])
    return Evidence(**joined, declined=declined, clipping=True)


def test_declines_weigh_by_their_size() -> None:
    found = steps(evidence(advantage=-1, realised=-3.0), evidence(realised=-1.0))
    assert in_words(attribute(found)[0]) == "weights 75%, step size 25%"


def test_steps_without_a_fall_do_not_count() -> None:
    rose = evidence(first_order=-1, realised=0.5)
    unsure = replace(evidence(first_order=-1), declined=np.array([[False]]))
    found = steps(evidence(advantage=-1), rose, unsure)
    assert in_words(attribute(found)[0]) == "weights 100%"


def test_without_a_decline_nothing_is_attributed() -> None:
    found = evidence(realised=0.1)
    assert np.isnan(attribute(found)).all()
    assert per_objective(found, ("clarity",)) == {"clarity": "no decline at the diagnosed steps"}


FIELDS = ("advantage", "unclipped", "clipped", "first_order", "realised", "best")


def mixed(one: Evidence, other: Evidence) -> Evidence:
    """Resamples of which three in four say one thing, and one the other."""
    joined = {n: np.concatenate([getattr(one, n)] * 30 + [getattr(other, n)] * 10) for n in FIELDS}
    return Evidence(**joined, declined=one.declined, clipping=one.clipping)


@pytest.mark.parametrize(
    ("one", "other", "cause"),
    [
        (evidence(advantage=-1), evidence(), UNRESOLVED),
        (evidence(advantage=-1), evidence(advantage=-1, best=0.0), UNRESOLVED),
        (evidence(clipped=-1), evidence(), UNRESOLVED),
        (evidence(clipped=-1), evidence(unclipped=-1, clipped=-1), UNRESOLVED),
        (evidence(first_order=-1), evidence(), UNRESOLVED),
        # What is not resolved decides nothing where the cause does not turn on it.
        (evidence(best=0.0), evidence(), "step size"),
        (evidence(advantage=-1, first_order=-1), evidence(advantage=-1), "weights"),
        (evidence(clipped=-1, clipping=False), evidence(clipping=False), "step size"),
        (evidence(unclipped=-1, clipped=-1), evidence(unclipped=-1), "step size"),
    ],
)
def test_a_sign_within_its_error_decides_no_cause(
    one: Evidence, other: Evidence, cause: str
) -> None:
    found = mixed(one, other)
    assert CAUSES[causes(found)[0, 0]] == cause
    assert in_words(attribute(found)[0]) == f"{cause} 100%"


def test_declines_are_summed_over_steps_that_fell() -> None:
    rose, unsure = evidence(realised=0.5), evidence(realised=-0.7)
    unsure = replace(unsure, declined=np.array([[False]]))
    found = steps(evidence(realised=-0.2), rose, unsure, evidence(realised=-0.1))
    assert declines(found)[:, 0].tolist() == pytest.approx([0.2, 0, 0, 0.1])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_shares_add_up_to_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [generator.normal(size=(5, 4, 3)) for _ in range(5)]
    declined = generator.random((4, 3)) < 0.5
    found = Evidence(*parts, generator.random((5, 4)) * 0.1, declined, True)
    shares = attribute(found)
    fell = ((parts[4] < 0) & declined).any(axis=(0, 1))
    assert np.isnan(shares).all(axis=1).tolist() == (~fell).tolist()
    assert shares[fell].sum(axis=1) == pytest.approx(1.0)
    assert (shares[fell] >= 0).all()


# --- from measurements ---


@pytest.mark.parametrize(("trade_off", "cause"), [(False, "weights"), (True, "trade-off")])
def test_a_fall_that_the_signal_asks_for(trade_off: bool, cause: str) -> None:
    samples = [made_up(seed, trade_off=trade_off) for seed in range(3)]
    generator = np.random.default_rng(0)
    found = gather_evidence(samples, NAMES, generator, clipping=False, resamples=20)
    assert found.advantage.shape == (20, 3, 2)
    assert found.declined.tolist() == [[False, True]] * 3
    shares = attribute(found)
    assert np.isnan(shares[0]).all()
    assert shares[1, CAUSES.index(cause)] == 1.0


def test_prompts_are_drawn_for_all_together() -> None:
    found = gather_evidence([made_up()], NAMES, np.random.default_rng(0), clipping=False)
    # The signal is a's reward: its covariances are the first row of the rewards' covariance.
    spread = found.advantage[:, 0, 0]
    assert spread.std() > 0
    np.testing.assert_allclose(found.first_order, found.advantage)


def test_metrics_of_a_step() -> None:
    sample = made_up()
    metrics = step_metrics(sample, NAMES)
    assert metrics["diagnosis/realised/1/b"] == sample.realised[1.0][:, 1].mean()
    error = sample.realised[1.0][:, 1].std(ddof=1) / np.sqrt(50)
    assert metrics["diagnosis/realised/1/standard_error/b"] == pytest.approx(error)
    assert metrics["diagnosis/clipped_fraction/1"] == 0.125
    assert (
        metrics["diagnosis/covariance/advantage/a"]
        > 0
        > metrics["diagnosis/covariance/advantage/b"]
    )
    assert metrics["diagnosis/geometry/pl_ratio/score"] == 0.25
    first_order = metrics["diagnosis/covariance/update/b"]
    expected = 2 * (metrics["diagnosis/realised/1/b"] - first_order) / 2.0**2
    assert metrics["diagnosis/curvature/b"] == pytest.approx(expected)
    # r_b = e - r_a with e as wide as r_a: their correlation is -1/sqrt(2).
    assert metrics["diagnosis/weights/best"] == pytest.approx((1 - 2**-0.5) / 2, abs=0.05)
    assert metrics["diagnosis/weights/reached"] < 0
    assert metrics["diagnosis/weights/weight/a"] > metrics["diagnosis/weights/weight/b"]
