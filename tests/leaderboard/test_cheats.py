"""Rules that cheat: none leads any table, each is named as what it is, and none moves others."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas
import pytest

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.frames.overall import Overall, compare
from benchmark.leaderboard.pages.sheet import Sheet
from benchmark.leaderboard.pages.sheets import all_sheets

from .lab import INITIAL, Lab

SEEDS = range(5)
Finals = tuple[float, float]  # of objectives a and b, which start at 0.4 and 0.6
# Trained alone, a reaches 0.9 and b 0.9: one gains 0.5, the other 0.3.
REFERENCES: Mapping[str, Finals] = {"single-a": (0.9, 0.5), "single-b": (0.3, 0.9)}
HONEST: Mapping[str, Finals] = {"honest": (0.65, 0.72), "linear": (0.6, 0.69)}
LOSSY: Mapping[str, Finals] = {"linear": (0.85, 0.45), "ctwa": (0.8, 0.5)}  # all give b up


def noisy(finals: Finals, seed: int) -> Finals:
    wobble = 0.01 * np.random.default_rng(seed).standard_normal(2)
    return finals[0] + wobble[0], finals[1] + wobble[1]


def steady(finals: Finals) -> Callable[[int], Finals]:
    return lambda seed: noisy(finals, seed)


def noise(seed: int) -> Finals:
    return noisy(INITIAL, 100 + seed)


def failing(seed: int) -> Finals:
    """Return better values than anybody's, and on one seed in five half of b is lost."""
    return noisy((0.85, 0.85), seed) if seed else (0.6, 0.3)


def collapsing(seed: int) -> Finals:
    """Return better values than anybody's, and on one seed in five a model in ruins."""
    return noisy((0.85, 0.85), seed) if seed else (0.2, 0.1)


# A rule that cheats -> its results by seed, and the verdicts that name it.
CHEATS: Mapping[str, tuple[Callable[[int], Finals], set[str]]] = {
    "frozen": (lambda seed: INITIAL, {"no gain"}),
    "noise": (noise, {"no gain"}),
    "ruins": (steady((0.1, 0.2)), {"collapsed"}),
    "saturates": (steady((0.95, 0.2)), {"gain with loss"}),
    "easy": (steady((0.9, INITIAL[1])), {"partial gain"}),
    "fails-once": (failing, {"partial gain"}),
    "collapses-once": (collapsing, {"no gain"}),
}


@pytest.fixture(scope="module")
def board(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> "Board":
    return Board(empty_store, tmp_path_factory)


class Board:
    """Makes leaderboards of entries on two models, each once."""

    def __init__(self, store: Path, folders: pytest.TempPathFactory) -> None:
        self.folders = folders
        self.labs = {"": Lab(f"sqlite:///{store}")}
        self.made: dict[str, Frames] = {}
        self.written: dict[str, Sequence[Sheet]] = {}

    def lab(self, name: str, entries: Mapping[str, Callable[[int], Finals]], base: str) -> Lab:
        """Return a store of these entries' runs, added to those of a store made before."""
        if name not in self.labs:
            folder, before = self.folders.mktemp("board"), self.labs[base]
            shutil.copy(before.uri.removeprefix("sqlite:///"), folder / "mlflow.db")
            lab = self.labs[name] = Lab(f"sqlite:///{folder}/mlflow.db", dict(before.expected))
            for algorithm, finals in entries.items():
                for model in ("m", "n"):
                    for seed in SEEDS:
                        lab.finish(lab.expect(model, algorithm, seed=seed), finals(seed))
        return self.labs[name]

    def of(self, name: str, entries: Mapping[str, Callable[[int], Finals]], base: str) -> Frames:
        if name not in self.made:
            self.made[name] = Frames(self.lab(name, entries, base).collect())
        return self.made[name]

    def sheets(self, name: str) -> Sequence[Sheet]:
        """Return the sheets of a board that was made."""
        if name not in self.written:
            self.written[name] = all_sheets(self.made[name])
        return self.written[name]

    def honest(self) -> Frames:
        self.lab("all", everyone(REFERENCES) | cheats(), "")
        return self.of("honest", everyone(HONEST), "all")

    def lossy(self) -> Frames:
        self.lab("all", everyone(REFERENCES) | cheats(), "")
        return self.of("lossy", everyone(LOSSY), "all")

    def copied(self) -> Frames:
        """The honest ones, of which one stands twice."""
        self.honest()
        return self.of("copied", {"honest-2": steady(HONEST["honest"])}, "honest")


def everyone(*groups: Mapping[str, Finals]) -> dict[str, Callable[[int], Finals]]:
    return {name: steady(finals) for group in groups for name, finals in group.items()}


def cheats() -> dict[str, Callable[[int], Finals]]:
    return {name: results for name, (results, _) in CHEATS.items()}


def rows(overall: Overall) -> pandas.DataFrame:
    return overall.table.set_index("algorithm")


def best(sheets: Sequence[Sheet], column: str) -> set[str]:
    """Return who is marked as the best of a column in any of the tables."""
    found = set()
    for sheet in sheets:
        if column in sheet.header:
            name, at = sheet.header.index("algorithm"), sheet.header.index(column)
            found |= {row[name].text for row in sheet.rows if row[at].place == 1}
    return found


@pytest.mark.parametrize("name", CHEATS)
def test_no_cheat_leads_beside_honest_rules(board: Board, name: str) -> None:
    table = rows(board.honest().overall)
    assert table.index[0] == "honest"
    assert table.loc["honest", "rank"] == 1
    assert table.loc[name, "rank"] != 1
    assert list(table.index).index("linear") < list(table.index).index(name)


@pytest.mark.parametrize("name", CHEATS)
def test_a_cheat_is_named_as_what_it_is(board: Board, name: str) -> None:
    for frames in (board.honest(), board.lossy()):
        assert rows(frames.overall).loc[name, "verdict"] in CHEATS[name][1]


def test_where_all_rules_lose_something_nobody_leads(board: Board) -> None:
    frames = board.lossy()
    table = rows(frames.overall)
    assert not (table["rank"] == 1).any()
    assert table.loc[["frozen", "noise", "ruins"], "rank"].isna().all()
    sheets = all_sheets(frames)
    assert best(sheets, "worst gain") <= {"linear", "ctwa", "easy", "fails-once"}
    (overall,) = [sheet for sheet in sheets if sheet.name == "overall"]
    assert best([overall], "worst gain") == set()
    assert "none leads" in overall.note


@pytest.mark.parametrize(
    "column", ["worst gain", "interference rate", "severity", "mean rank", "better than linear"]
)
def test_who_does_nothing_is_the_best_of_nothing(board: Board, column: str) -> None:
    board.honest()
    sheets = board.sheets("honest")
    assert not best(sheets, column) & {"frozen", "noise", "ruins"}


def test_a_seed_that_failed_is_counted(board: Board) -> None:
    table = rows(board.honest().overall)
    for name, collapsed in (("fails-once", 0), ("collapses-once", 2)):
        row = table.loc[name]
        assert row["worst_gain"] > table.loc["honest", "worst_gain"]  # which trims what is worst
        assert row["mean_worst_gain"] < row["worst_gain"] - 0.1  # and this does not
        assert (row["lossy_runs"], row["collapsed_runs"], row["runs"]) == (2, collapsed, 10)


def test_what_ruins_all_fell_whatever_the_score_did(board: Board) -> None:
    row = rows(board.honest().overall).loc["ruins"]
    assert (row["interference_rate"], row["fell"], row["pairs"]) == (0, 4, 4)
    assert (row["succeeded"], row["collapsed"]) == (0, 2)


def test_a_copy_changes_no_other_row_and_is_named(board: Board) -> None:
    frames = board.copied()
    before, after = rows(board.honest().overall), rows(frames.overall)
    pandas.testing.assert_frame_equal(after.drop(index="honest-2"), before)
    assert after.loc["honest-2", "same_as"] == "honest"
    sheets = board.sheets("copied")
    text = next(r[3].text for r in sheets[0].rows if r[0].text == "honest-2")
    assert text.endswith("same as honest")
    assert best(sheets[:1], "worst gain") == {"honest"}
    against = [f.against.set_index("algorithm") for f in (frames, board.honest())]
    pandas.testing.assert_frame_equal(against[0].drop(index="honest-2"), against[1])


def test_completions_at_the_limit_are_a_collapse(lab: Lab) -> None:
    for algorithm, tokens in (("linear", 20.0), ("endless", 47.5)):
        cell = lab.expect("m", algorithm)
        lab.finish(cell, (0.6, 0.7), tokens=tokens, limit=48)
    table = rows(compare(lab.collect().cells))
    assert list(table["collapsed"]) == [0, 1]
    assert table.loc["endless", "verdict"] == "collapsed"


def test_ruining_what_cannot_be_gained_is_no_secret(lab: Lab) -> None:
    """Training on b alone gains nothing: b has no scale, but its loss still counts."""
    entries = {"single-a": (0.9, 0.6), "single-b": (0.4, 0.6)}
    entries |= {"careful": (0.7, 0.6), "ruthless": (0.9, 0.3)}
    for algorithm, finals in entries.items():
        lab.finish(lab.expect("m", algorithm), finals)
    overall = compare(lab.collect().cells)
    table = rows(overall)
    assert overall.unscaled == ("b on m",)
    assert table.loc["careful", "worst_gain"] == pytest.approx(0.3 / 0.5)
    assert table.loc["ruthless", "worst_gain"] == pytest.approx(-0.3 / 0.6)
    assert list(table["rank"][["careful", "ruthless"]]) == [1, 2]


def test_leaving_a_hard_model_out_takes_the_rank(lab: Lab) -> None:
    for algorithm, finals in (REFERENCES | HONEST | {"choosy": (0.8, 0.8)}).items():
        for model in ("m", "n"):
            cell = lab.expect(model, algorithm)
            if (model, algorithm) != ("n", "choosy"):
                lab.finish(cell, finals)
    row = rows(compare(lab.collect().cells)).loc["choosy"]
    assert row["verdict"] == "incomplete"
    assert np.isnan(row["rank"])
