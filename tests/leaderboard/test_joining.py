"""Several studies in one leaderboard."""

from dataclasses import replace

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.results.joining import join
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.writing import contents


def test_a_cell_in_two_studies_counts_once(results: Table) -> None:
    joined = join([results, replace(results, study="other")], allow_mixed=False)
    assert len(joined.cells) == len(results.cells)
    assert joined.notes == (
        "8 cells of the study other are in a study before it too, and count once.",
    )


def test_another_budget_is_refused_with_its_values_or_labelled(results: Table) -> None:
    def with_steps(study: str, steps: str) -> Table:
        origins = {n: replace(o, settings={"steps": steps}) for n, o in results.origins.items()}
        return replace(results, study=study, origins=origins)

    pair = [with_steps("short", "10"), with_steps("long", "60")]
    with pytest.raises(CrosstalkError, match=r"steps 10 \(8 runs\), 60 \(8 runs\)"):
        join(pair, allow_mixed=False)
    joined = join(pair, allow_mixed=True)
    assert set(joined.cells["objectives"]) == {"pair (short)", "pair (long)"}
    assert "Mixed runs: steps 10" in contents(Frames(joined))["leaderboard.md"]
