"""Why an objective fell: each cause from the evidence that makes it one, and their shares."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmark.diagnosis.attribution import (
    CAUSES,
    TRADE_OFF,
    Evidence,
    attribute,
    causes,
    in_words,
    per_objective,
)


def evidence(
    *,
    advantage: float = 1.0,
    unclipped: float = 1.0,
    clipped: float = 1.0,
    first_order: float = 1.0,
    realised: float = -1.0,
    avoidable: float = 0.5,
    clipping: bool = True,
) -> Evidence:
    """One objective that fell at one step."""
    single = [np.full((1, 1, 1), x) for x in (advantage, unclipped, clipped, first_order, realised)]
    declined = np.array([[realised < 0]])
    return Evidence(*single, np.array([[avoidable]]), declined, clipping)


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        (evidence(advantage=-1, unclipped=-1, clipped=-1, first_order=-1), "weights"),
        (evidence(advantage=-1, avoidable=TRADE_OFF / 2), "trade-off"),
        (evidence(clipped=-1, first_order=-1), "clipping"),
        (evidence(clipped=-1, first_order=-1, clipping=False), "update"),
        (evidence(unclipped=-1, clipped=-1, first_order=-1), "update"),
        (evidence(first_order=-1), "update"),
        (evidence(), "step size"),
    ],
)
def test_the_first_translation_that_turned_the_sign_is_the_cause(
    found: Evidence, cause: str
) -> None:
    assert CAUSES[causes(found)[0, 0, 0]] == cause
    assert attribute(found)[0, CAUSES.index(cause)] == 1.0


def steps(*parts: Evidence) -> Evidence:
    """Several steps of one objective."""
    joined = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in ("advantage", "unclipped", "clipped", "first_order", "realised", "avoidable")
    }
    declined = np.concatenate([part.declined for part in parts])
    return Evidence(**joined, declined=declined, clipping=True)


def test_declines_weigh_by_their_size() -> None:
    found = steps(evidence(advantage=-1, realised=-3.0), evidence(realised=-1.0))
    assert in_words(attribute(found)[0]) == "weights 75%, step size 25%"


def test_steps_at_which_the_objective_did_not_fall_do_not_count() -> None:
    rose = evidence(first_order=-1, realised=0.5)
    unsure = replace(evidence(first_order=-1), declined=np.array([[False]]))
    found = steps(evidence(advantage=-1), rose, unsure)
    assert in_words(attribute(found)[0]) == "weights 100%"


def test_without_a_decline_nothing_is_attributed() -> None:
    found = evidence(realised=0.1)
    assert np.isnan(attribute(found)).all()
    assert per_objective(found, ("clarity",)) == {"clarity": "no decline at the diagnosed steps"}


def test_resamples_that_disagree_share_the_cause() -> None:
    one, other = evidence(advantage=-1), evidence()
    fields = ("advantage", "unclipped", "clipped", "first_order", "realised", "avoidable")
    joined = {n: np.concatenate([getattr(one, n)] * 3 + [getattr(other, n)]) for n in fields}
    found = Evidence(**joined, declined=one.declined, clipping=True)
    assert in_words(attribute(found)[0]) == "weights 75%, step size 25%"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000))
def test_shares_of_every_objective_that_fell_add_up_to_one(seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [generator.normal(size=(5, 4, 3)) for _ in range(5)]
    declined = generator.random((4, 3)) < 0.5
    found = Evidence(*parts, generator.random((5, 4)) * 0.1, declined, True)
    shares = attribute(found)
    fell = ((parts[4] < 0) & declined).any(axis=(0, 1))
    assert np.isnan(shares).all(axis=1).tolist() == (~fell).tolist()
    assert shares[fell].sum(axis=1) == pytest.approx(1.0)
    assert (shares[fell] >= 0).all()
