"""Two runs compared, by hand."""

import pandas
import pytest

from benchmark.leaderboard.pages.comparison import differing_settings, paired_differences
from benchmark.tracking.record import RunRecord

pytestmark = pytest.mark.xdist_group("site")


def test_differences_are_paired_by_prompt() -> None:
    one = pandas.DataFrame({"problem": ["p", "p", "q"], "reward/a": [0.0, 1.0, 0.0]})
    other = pandas.DataFrame({"problem": ["p", "q", "r"], "reward/a": [1.0, 1.0, 0.0]})
    found = paired_differences(one, other)["a"]  # 0.5 and 1; the third prompt is in one alone
    assert found.estimate == pytest.approx(0.75)
    assert found.high - found.estimate == pytest.approx(12.7062 * 0.25, rel=1e-4)


def run(params: dict[str, str]) -> RunRecord:
    return RunRecord("r", "FINISHED", 0, 1, {}, params, {})


def test_settings_that_differ_are_listed_with_both_values() -> None:
    found = differing_settings(run({"a": "1", "b": "2"}), run({"a": "3"}))
    assert found == [("a", "1", "3"), ("b", "2", "–")]
