"""The predictions on dose and shapes are met and missed by the rules written beforehand."""

from itertools import product

import designed
import numpy as np
import pandas
import pytest
from designed import CONFLICT, DOSE, MASS, OUTCOMES, PL, SHAPES, Shapes, check

from benchmark.leaderboard.frames.geometry import QUANTITIES

DOSES = np.repeat(np.arange(2, 11) / 10, 3)


def dose(
    sign: float = 1.0, covariance: float = 1.0, fell: int = 6, low: float = 0.1
) -> pandas.DataFrame:
    """Return made-up models: accuracy and the first covariance go with the dose."""
    wobble = np.tile([0.001, 0.0, -0.001], 9)
    return pandas.DataFrame(
        {
            "dose": DOSES,
            "seed": np.tile([1000, 2000, 3000], 9),
            "initial": 0.5,
            "delta": sign * (DOSES - 0.5) + wobble,
            "fell": np.arange(27) < fell,
            "covariance": covariance * DOSES / 10 + wobble + low,
        }
    )


def shapes(
    changes: dict[tuple[str, str], tuple[float, float]] | None = None, spread: float = 1.0
) -> Shapes:
    """Return made-up models and relations; ``changes`` has ρ and p by quantity and outcome."""
    names = product(("base", "deep", "wide"), ("long", "wrong", "running", "right"), (1, 2))
    models = pandas.DataFrame(
        [(f"shape-{s}-{m}.{k}", m, s) for s, m, k in names], columns=["model", "mixture", "shape"]
    )
    place = models["mixture"].map({"long": 0, "wrong": 1, "running": 2, "right": 3})
    other = models["shape"].map({"base": 0, "deep": 1, "wide": 2})
    models = models.assign(severity=spread * place + 0.1 * other, **{MASS: -place})
    found = {(CONFLICT, "interference_rate"): (0.5, 0.01), (MASS, "severity"): (0.4, 0.1)}
    found |= changes or {}
    rows = []
    for outcome, quantity in product(OUTCOMES, QUANTITIES):
        rho, p = found.get((quantity, outcome), (0.1, 0.8))
        rows.append((outcome, quantity, rho, p, min(1, 9 * p), ""))
    columns = ["outcome", "quantity", "correlation", "p", "p_adjusted", "reason"]
    return Shapes(models, pandas.DataFrame(rows, columns=columns))


def test_each_prediction_can_be_met() -> None:
    for checks, made in ((DOSE, dose()), (SHAPES, shapes())):
        assert {each.verdict for each in check(checks, made).values()} == {"met"}


@pytest.mark.parametrize(
    ("number", "made", "verdict"),
    [
        (1, dose(sign=-1.0), "missed"),
        (1, dose(sign=0.0), "missed"),
        (2, dose(fell=2), "missed"),
        (2, dose(fell=26), "missed"),
        (3, dose(covariance=-1.0), "missed"),
        (4, dose(covariance=-1.0), "missed"),
        (5, dose(low=-1.0), "missed"),
        (5, dose(fell=4), "undecided"),
    ],
)
def test_a_dose_may_be_otherwise(number: int, made: pandas.DataFrame, verdict: str) -> None:
    assert check(DOSE, made)[number].verdict == verdict


@pytest.mark.parametrize(
    ("number", "made"),
    [
        (1, shapes(spread=0.0)),
        (2, shapes({(CONFLICT, "interference_rate"): (0.5, 0.06)})),
        (2, shapes({(CONFLICT, "interference_rate"): (-0.5, 0.01)})),
        (3, shapes({(PL, "severity"): (0.4, 0.2)})),
        (4, shapes({("condition number", "severity"): (0.3, 0.004)})),
        (5, shapes({(MASS, "severity"): (-0.8, 0.1)})),
        (6, shapes({("entropy", "severity"): (-0.7, 0.001)})),
    ],
)
def test_shapes_may_be_otherwise(number: int, made: Shapes) -> None:
    assert check(SHAPES, made)[number].verdict == "missed"


def test_what_is_not_published_is_undecided() -> None:
    for checks in (DOSE, SHAPES):
        assert {each.verdict for each in check(checks, None).values()} == {"undecided"}


def test_a_balanced_factor_explains_its_own_part() -> None:
    models = pandas.DataFrame({"one": list("aabb"), "two": list("abab"), "severity": [0, 1, 3, 4]})
    assert designed.explained(models, "one") == pytest.approx(0.9)
    assert designed.explained(models, "two") == pytest.approx(0.1)


def test_the_document_has_what_came_of_the_designed_studies() -> None:
    assert designed.main(only_check=True) == 0, "run `python dev/designed.py`"
