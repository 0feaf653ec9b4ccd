"""Results of several people side by side, from what each of them published alone.

Nothing is pooled: on whose machine, and by which versions, a number was made stays to be seen.
Where several made the same cell, that is a repetition, and said to be equal or not.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import pandas

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.common.tables import csv_text
from benchmark.leaderboard.pages.markdown import escape, number, table
from benchmark.leaderboard.submission import Contribution, machines, read_contribution, versions

PAGE = "README.md"
SHOWN = 20  # repeated cells that are not equal, in the page; repeated.csv has all
BITS, DIGITS, NOT = "bit for bit", "in all digits published", "no"
COMPARED = ["initial", "final", "delta", "tokens", "tokens_initial"]
REPEATED = ["cell", "by", "other", "same_hash", "equal", "largest_difference"]


def read_all(folders: Sequence[Path]) -> tuple[list[Contribution], list[str]]:
    """Return what folders hold, each under a name of its own, and why others are refused."""
    found: list[Contribution] = []
    refused: list[str] = []
    for folder in folders:
        try:
            contribution = read_contribution(folder)
            _check_belongs(contribution, found)
        except CrosstalkError as error:
            refused.append(str(error))
        else:
            same = sum(each.by.split(" (")[0] == contribution.by for each in found)
            name = f"{contribution.by} ({same + 1})" if same else contribution.by
            found.append(contribution._replace(by=name))
    return found, refused


def _check_belongs(contribution: Contribution, before: Sequence[Contribution]) -> None:
    where = relative(contribution.folder)
    if any(each.folder.resolve() == contribution.folder.resolve() for each in before):
        raise CrosstalkError(f"{where}: expected each folder once, got it twice")
    study = contribution.provenance.study
    if before and study != before[0].provenance.study:
        raise CrosstalkError(
            f"{where}: study: expected {before[0].provenance.study}, as in "
            f"{relative(before[0].folder)}, got {study}"
        )


def write_board(contributions: Sequence[Contribution], folder: Path) -> list[Path]:
    """Write the board of several people into a folder."""
    repetitions = repeated(contributions)
    files = {
        PAGE: _page(contributions, repetitions),
        "contributors.csv": csv_text(contributors(contributions)),
        "leaderboard.csv": csv_text(_joined(contributions, "board")),
        "runs.csv": csv_text(_joined(contributions, "runs")),
        "objectives.csv": csv_text(_joined(contributions, "objectives")),
        "repeated.csv": csv_text(repetitions),
    }
    for name, text in files.items():
        write_text(folder / name, text)
    return [folder / name for name in files]


def contributors(contributions: Sequence[Contribution]) -> pandas.DataFrame:
    """Return a row per person: who, with what, when."""
    records = [
        {
            "by": each.by,
            "runs": len(each.provenance.cells),
            "missing": len(each.provenance.missing),
            "hardware": machines(each.provenance),
            "git_commits": ", ".join(each.provenance.git_commits),
            "versions": versions(each.provenance),
            "seeds": ", ".join(map(str, each.provenance.seeds)),
            "start_time": each.provenance.start_time,
            "end_time": each.provenance.end_time,
        }
        for each in contributions
    ]
    return pandas.DataFrame(records)


def _joined(contributions: Sequence[Contribution], name: str) -> pandas.DataFrame:
    parts = []
    for each in contributions:
        frame: pandas.DataFrame = getattr(each, name)
        own = frame.copy()
        own.insert(0, "by", each.by)
        times = own.select_dtypes("datetimetz").columns
        parts.append(
            own.assign(**{str(t): own[t].dt.strftime("%Y-%m-%dT%H:%M:%SZ") for t in times})
        )
    return pandas.concat(parts, ignore_index=True)


def repeated(contributions: Sequence[Contribution]) -> pandas.DataFrame:
    """Return a row per cell and pair of people who both made it: whether they got the same.

    Two cells of one hash were to be the same. They are equal bit for bit by the digests of
    submissions; of folders without, no more than the published digits can be compared.
    ``largest_difference`` is that of a mean reward after training.
    """
    found = [row for pair in combinations(contributions, 2) for row in _repeated(*pair)]
    return pandas.DataFrame(found, columns=REPEATED)


def _repeated(one: Contribution, other: Contribution) -> list[tuple[object, ...]]:
    mine, theirs = one.provenance.cells, other.provenance.cells
    rows: list[tuple[object, ...]] = []
    measured = [_measured(each) for each in (one, other)]
    for cell in (cell for cell in mine if cell in theirs):
        values, others = (each[each["cell"] == cell].set_index("objective") for each in measured)
        exact = [each.exact.get(cell) for each in (one, other)]
        if exact[0] and exact[0] == exact[1]:
            equal = BITS
        elif all(exact) or not values.equals(others):
            equal = NOT
        else:
            equal = DIGITS
        apart = (values["final"] - others["final"]).abs().max()
        same = mine[cell].cell_hash == theirs[cell].cell_hash
        rows.append((cell, one.by, other.by, same, equal, float(apart)))
    return rows


def _measured(contribution: Contribution) -> pandas.DataFrame:
    """Return what was measured of each cell and objective, sorted by objective."""
    lengths = contribution.runs[["cell", "tokens", "tokens_initial"]]
    merged = contribution.objectives.merge(lengths, on="cell")
    return merged[["cell", "objective", *COMPARED]].sort_values("objective", ignore_index=True)


# --- the page ----------------------------------------------------------------------------------


def _page(contributions: Sequence[Contribution], repetitions: pandas.DataFrame) -> str:
    study = escape(contributions[0].provenance.study)
    parts = [
        f"# The study {study}, by {len(contributions)} people",
        "From what each of them published. Nothing is pooled: each number is of one person's "
        "runs. `runs.csv` and `objectives.csv` hold all of them, with a column `by`.",
        f"## By whom, and with what\n\n{_who(contributions)}",
        f"## Algorithms\n\n{_algorithms(contributions)}",
        f"## Cells that several made\n\n{_repetitions(repetitions)}",
    ]
    return "\n\n".join(parts) + "\n"


def _who(contributions: Sequence[Contribution]) -> str:
    environments = [each.provenance.environments.values() for each in contributions]
    found = [dict(item for each in own for item in each.items()) for own in environments]
    packages = sorted({name for each in found for name in each})
    other = [name for name in packages if len({each.get(name) for each in found}) > 1]
    header = ["by", "runs", "hardware", "commit", "versions that differ", "from", "to"]
    lines = [
        [
            escape(each.by),
            str(len(each.provenance.cells)),
            escape(machines(each.provenance)),
            escape(", ".join(commit[:12] for commit in each.provenance.git_commits)),
            escape(versions(each.provenance, other)) or "none",
            each.provenance.start_time[:10],
            each.provenance.end_time[:10],
        ]
        for each in contributions
    ]
    return table(header, lines, numbers=False)


def _algorithms(contributions: Sequence[Contribution]) -> str:
    header = [
        "algorithm",
        "by",
        "runs",
        "worst gain",
        "95%",
        "gain",
        "worst loss",
        "runs with loss",
    ]
    joined = _joined(contributions, "board")
    joined = joined.sort_values("algorithm", kind="stable")
    lines = [
        [
            f"`{row['algorithm']}`",
            escape(row["by"]),
            str(row["runs"]),
            number(row["worst_gain"], sign="+"),
            " to ".join(number(row[f"worst_gain_{end}"], sign="+") for end in ("low", "high")),
            number(row["gain"], sign="+"),
            number(row["worst_loss"], sign="+"),
            number(row["lossy_runs"], 0),
        ]
        for row in joined.to_dict("records")
    ]
    return table(header, lines)


def _repetitions(repetitions: pandas.DataFrame) -> str:
    if not len(repetitions):
        return "None: no cell is in two folders."
    lines = []
    for (by, other), rows in repetitions.groupby(["by", "other"], sort=False):
        same = rows[rows["same_hash"]]
        counts = same["equal"].value_counts()
        told = [f"{counts[how]} equal {how}" for how in (BITS, DIGITS) if how in counts]
        if NOT in counts:
            worst = same.loc[same["equal"] == NOT, "largest_difference"].max()
            told.append(f"{counts[NOT]} not equal, by up to {worst:.2g} in a mean reward")
        if len(same) < len(rows):
            told.append(f"{len(rows) - len(same)} of other code or settings, so not the same")
        pair = f"{escape(str(by))} and {escape(str(other))}"
        lines.append(f"- {pair}: {len(rows)} cells; {'; '.join(told)}")
    different = repetitions[repetitions["same_hash"] & (repetitions["equal"] == NOT)]
    worst = different.nlargest(SHOWN, "largest_difference")
    if not len(worst):
        return "\n".join(lines)
    header = ["of one hash, and not equal", "by", "and by", "largest difference"]
    shown = [
        [escape(r["cell"]), escape(r["by"]), escape(r["other"]), f"{r['largest_difference']:.2g}"]
        for r in worst.to_dict("records")
    ]
    return "\n".join(lines) + "\n\n" + table(header, shown)
