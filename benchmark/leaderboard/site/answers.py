"""Read from the tracked runs what policies wrote: a few test prompts, answered side by side.

Of each model and objective set one seed is shown, with each algorithm's first completion of the
same prompts. Texts are a model's, so nobody's to trust: they go to the page as data, which a script
sets as text, and what would steer a reader's eye is written out.
"""

import math
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas

from benchmark.common.files import scratch_folder
from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.site.curves import rounded
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.names import COMPLETIONS, REWARD
from benchmark.tracking.reading import download

PROMPTS = 4  # test prompts of a place: the first of the split, so always the same
RUNS = 300  # runs whose answers a page holds
CHARACTERS = 600_000  # of all answers: with more runs, each is cut shorter
LONGEST, SHORTEST = 600, 80  # characters of an answer that a page holds
KEPT = "\n\t"

Place = dict[str, Any]


def answers_of(uri: str, results: Table) -> list[Place]:
    """Return what the policies of each place wrote, for the page; none of runs that kept nothing.

    A place is ``{model, objectives, seed, names, prompts}``, a prompt ``{prompt, answer,
    written}``, and what was written ``{by, text, tokens, rewards}``, of the initial policy (where
    its completions are kept with a run) and of each algorithm in the study's order.
    """
    shown = _chosen(results)
    longest = max(SHORTEST, min(LONGEST, CHARACTERS // (PROMPTS * max(1, len(shown)))))
    places = []
    for (model, objectives), group in groupby(shown, lambda pair: _place(pair[1])):
        cells = list(group)
        found = _place_answers(uri, results, cells, longest)
        if found:
            names = list(cells[0][1].names)
            seed = cells[0][1].seed
            about = {"model": model, "objectives": objectives, "seed": seed, "names": names}
            places.append(about | {"prompts": found})
    return places


def _place(cell: ExpectedCell) -> tuple[str, str]:
    return cell.model, cell.objectives


def _chosen(results: Table) -> list[tuple[str, ExpectedCell]]:
    """Return the runs to show, place by place: those of the seed that most algorithms have."""
    by_place: dict[tuple[str, str], list[tuple[str, ExpectedCell]]] = {}
    for name in results.origins:
        cell = results.expected[name]
        by_place.setdefault(_place(cell), []).append((name, cell))
    chosen = []
    for cells in by_place.values():
        seeds = Counter(cell.seed for _, cell in cells)
        seed = min(seeds, key=lambda each: (-seeds[each], each))
        chosen += [(name, cell) for name, cell in cells if cell.seed == seed]
    return chosen[:RUNS]


def _place_answers(
    uri: str, results: Table, cells: Sequence[tuple[str, ExpectedCell]], longest: int
) -> list[dict[str, Any]]:
    names = cells[0][1].names
    prompts: dict[str, dict[str, Any]] = {}
    first = results.origins[cells[0][0]].run_id
    tables = [("", _first(uri, first, INITIAL))]
    tables += [
        (cell.algorithm, _first(uri, results.origins[name].run_id, COMPLETIONS))
        for name, cell in cells
    ]
    for by, table in tables:
        for row in table[:PROMPTS]:
            asked, right = visible(row["prompt"], longest), visible(row["answer"], SHORTEST)
            about = {"prompt": asked, "answer": right, "written": []}
            prompt = prompts.setdefault(row["problem"], about)
            prompt["written"].append(_written(by, row, names, longest))
    return list(prompts.values())[:PROMPTS]


def _written(by: str, row: Mapping[str, Any], names: Sequence[str], longest: int) -> dict[str, Any]:
    rewards = [float(row.get(f"{REWARD}{name}", math.nan)) for name in names]
    return {
        "by": by,
        "text": visible(row["completion"], longest),
        "tokens": int(row["tokens"]),
        "rewards": [rounded(value) for value in rewards],
    }


def _first(uri: str, run_id: str, artifact: str) -> list[dict[str, Any]]:
    """Return the first completion of each of the first prompts that a run keeps; none if gone."""
    with scratch_folder("crosstalk-answers-") as folder:
        file = download(uri, run_id, artifact, folder)
        return [] if file is None else _rows(file)


def _rows(file: Path) -> list[dict[str, Any]]:
    frame = pandas.read_parquet(file)
    rows = frame[frame["sample"] == 0].head(PROMPTS).to_dict("records")
    return [{str(column): value for column, value in row.items()} for row in rows]


def visible(text: Any, longest: int) -> str:
    """Return a text with what cannot be seen written out, cut to so many characters.

    Written out are characters of control and of format (which turn or hide what follows), halves of
    characters and those that are none.
    """
    whole = str(text)
    kept = whole[:longest]
    seen = "".join(
        c if c in KEPT or unicodedata.category(c)[0] != "C" else _spelled(c) for c in kept
    )
    return f"{seen}…" if len(whole) > longest else seen


def _spelled(character: str) -> str:
    return f"\\u{{{ord(character):x}}}"
