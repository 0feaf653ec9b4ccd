"""What no leaderboard can be made of is told in one line; what is odd makes a labelled table."""

import math
import socket
from collections.abc import Iterator

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.sheets import all_sheets
from benchmark.leaderboard.results.table import collect

from .lab import Lab


def one_line(refused: pytest.ExceptionInfo[CrosstalkError]) -> str:
    message = str(refused.value)
    assert "\n" not in message
    return message


def test_without_a_finished_run_the_cells_states_are_counted(lab: Lab) -> None:
    lab.start(lab.expect("m", "linear")).end("failed")
    lab.start(lab.expect("m", "ctwa"))
    lab.expect("n", "linear")
    with pytest.raises(CrosstalkError) as refused:
        lab.collect()
    message = one_line(refused)
    assert "no result yet; its 3 cells" in message
    for part in ("1 failed", "1 still running", "1 never started"):
        assert part in message


def test_a_study_that_is_not_tracked_brings_the_closest_one(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    with pytest.raises(CrosstalkError, match="quick") as refused:
        collect(lab.uri, "quik", lab.expected)
    assert "did you mean" in one_line(refused)


def test_a_result_that_is_not_a_number_is_missing_and_named(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    lab.complete(lab.expect("m", "ctwa"), (0.5, math.nan))
    results = lab.collect()
    assert list(results.origins) == ["m/pair/linear/seed0"]
    ((cell, why),) = results.missing
    assert cell == "m/pair/ctwa/seed0"
    assert why == "evaluated without test/b, test/b/delta, test/score/delta"
    assert why in lab.page()


def test_a_run_of_other_objectives_is_missing_and_what_it_lacks_is_named(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    cell = lab.expect("m", "ctwa", names=("a", "c"))
    lab.complete(cell, (0.5, 0.7))
    lab.expect("m", "ctwa")  # the study now says a and b
    ((missing, why),) = lab.collect().missing
    assert missing == cell
    assert why == "evaluated without test/b/initial, test/b, test/b/delta"


def test_one_algorithm_alone_makes_a_table_that_calls_nothing_the_best(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    frames = Frames(lab.collect())
    assert list(frames.overall.table["mean_rank"]) == [1]
    assert frames.overall.table["improvement"].isna().all()
    assert all(
        cell.place == 0 for sheet in all_sheets(frames) for row in sheet.rows for cell in row
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes requests and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_that_does_not_answer_is_given_up(
    lab: Lab, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROSSTALK_STORE_TIMEOUT", "1")
    lab.expect("m", "linear")
    with pytest.raises(CrosstalkError) as refused:
        collect(silent, "quick", lab.expected)
    assert silent in one_line(refused)
