"""The predictions on clipping are met and missed by the rules that were written beforehand."""

import clipping
import pandas
import pytest
from clipping import NUMBERS, SHARE, STUDIES, Results, check

from benchmark.diagnosis.samples import KINDS, UNCLIPPED_WEIGHT, WEIGHT

CLIPPED = STUDIES["clipping"]
MEASURES = ("changed_agreement", "slope")


def results(
    agreement: float = 0.97,
    slope: float = 1.0,
    share: float = 0.2,
    better: int = 10,
    worse: int = 1,
) -> Results:
    """Return made-up results: ``better`` and ``worse`` records that the two weights judge apart."""
    spread = {"": 0.0, "_low": -0.01, "_high": 0.01}
    values = {"changed_agreement": agreement, "slope": slope}
    numbers = {f"{m}{end}": values[m] + off for m in MEASURES for end, off in spread.items()}
    splits = (("all", "all"), ("clipped", "0.1 to 1"))
    law = [{"kind": kind, "split": s, "value": v, **numbers} for kind in KINDS for s, v in splits]
    steps = pandas.DataFrame({SHARE: [share, share, share, 0.0]})
    signs = [(1.0, -1.0)] * better + [(-1.0, 1.0)] * worse + [(1.0, 1.0)] * 5
    changes = pandas.DataFrame(signs, columns=[WEIGHT, UNCLIPPED_WEIGHT])
    changes = changes.assign(realised=1.0, **{SHARE: share})
    return Results(pandas.DataFrame(law), steps, changes, CLIPPED)


def test_each_prediction_can_be_met() -> None:
    assert {each.verdict for each in check(results()).values()} == {"met"}


@pytest.mark.parametrize(
    ("number", "made", "verdict"),
    [
        (1, results(share=CLIPPED), "missed"),
        (2, results(agreement=0.94), "missed"),
        (3, results(agreement=0.79), "missed"),
        (4, results(better=1, worse=10), "missed"),
        (4, results(better=6, worse=4), "undecided"),
        (4, results(better=0, worse=0), "undecided"),
        (4, results(share=CLIPPED), "undecided"),
        (5, results(slope=1.3), "missed"),
    ],
)
def test_each_prediction_can_be_missed(number: int, made: Results, verdict: str) -> None:
    assert check(made)[number].verdict == verdict


def test_nothing_published_decides_nothing() -> None:
    assert {each.verdict for each in check(None).values()} == {"undecided"}
    assert list(check(None)) == list(NUMBERS)


def test_the_document_has_what_came_of_the_predictions() -> None:
    assert clipping.main(only_check=True) == 0, "run `python dev/clipping.py`"
