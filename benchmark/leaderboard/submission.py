"""A submission: a folder with what a person published, to be sent to others and put beside theirs.

It holds the published files, ``submission.json``, which says who made them and what each file's
digest is, and a README for people.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas
from pydantic import Field

from benchmark import __version__
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import replacing, write_text
from benchmark.common.fingerprint import file_sha256
from benchmark.common.paths import relative
from benchmark.common.settings import Section, parse, read_json
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.markdown import escape
from benchmark.leaderboard.reading import read_table, runs_and_objectives
from benchmark.leaderboard.results import rows
from benchmark.leaderboard.results.origins import ROW
from benchmark.leaderboard.schema import Provenance, read_provenance

FILE, README = "submission.json", "README.md"
VERSION = 1
BOARD = [  # columns of leaderboard.csv that stand side by side
    *("algorithm", "runs", "worst_gain", "worst_gain_low", "worst_gain_high"),
    *("gain", "worst_loss", "lossy_runs", "verdict"),
]
MEASURED = ["objective", "initial", "final", "delta", "tokens", "tokens_initial"]
VALIDATED = ["metric", "step", "measured"]


class Submission(Section):
    """The content of ``submission.json``."""

    version: int = Field(ge=VERSION, le=VERSION)
    study: str
    by: str = Field(min_length=1, max_length=200, description="who made the results")
    crosstalk: str = Field(description="version that wrote this")
    files: dict[str, str] = Field(description="SHA-256 of each published file")
    exact: dict[str, str] = Field(
        description="by cell, SHA-256 of what was measured, in all digits: see `exact_digests`"
    )


class Contribution(NamedTuple):
    """What a folder of one person holds.

    Attributes:
        by: Who made it; the folder's name where it does not say.
        exact: :func:`exact_digests`; empty where it does not say.
        board: The columns :data:`BOARD` of its leaderboard.
    """

    by: str
    folder: Path
    provenance: Provenance
    runs: pandas.DataFrame
    objectives: pandas.DataFrame
    board: pandas.DataFrame
    exact: Mapping[str, str]


def exact_digests(frames: Frames) -> dict[str, str]:
    """Return the digest of what each run measured, in all digits, by cell.

    Of the test split each objective's mean before and after training and the change, and the mean
    length; of the validation split each objective's mean along training.
    """
    results, axes = frames.results, list(ROW)
    parts: dict[tuple[object, ...], list[str]] = {}
    for frame, columns in ((results.cells, MEASURED), (results.curves, VALIDATED)):
        if len(frame):
            for key, group in frame.groupby(axes, observed=True):
                lines = (repr(tuple(map(_exact, row))) for row in group[columns].to_numpy(object))
                parts.setdefault(tuple(key), []).extend(sorted(lines))
    names = {
        cell: tuple(getattr(results.expected[cell], a) for a in axes) for cell in results.origins
    }
    digests = {cell: "\n".join(parts[key]) for cell, key in names.items()}
    return {cell: hashlib.sha256(text.encode()).hexdigest() for cell, text in digests.items()}


def _exact(value: object) -> str:
    return value if isinstance(value, str) else float(value).hex()  # type: ignore[arg-type]


def write_submission(
    published: Path, names: Iterable[str], to: Path, *, by: str, frames: Frames
) -> list[Path]:
    """Copy the published files of these names into a folder, with who made them and a README.

    Raises:
        CrosstalkError: A published file is missing, or the folder cannot be written to.
    """
    kept = sorted(names)
    with replacing(to) as folder:
        for name in kept:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                shutil.copyfile(published / name, target)
            except FileNotFoundError as error:
                file = relative(published / name)
                raise CrosstalkError(f"{file}: no such file: publish the study again") from error
        provenance = read_provenance(folder)
        submission = Submission(
            version=VERSION,
            study=provenance.study,
            by=by,
            crosstalk=__version__,
            files={name: file_sha256(folder / name) for name in kept},
            exact=exact_digests(frames),
        )
        write_text(folder / FILE, json.dumps(submission.model_dump(), indent=1) + "\n")
        write_text(folder / README, _readme(provenance, by))
    return [to / name for name in (README, FILE, *kept)]


def read_contribution(folder: Path) -> Contribution:
    """Read what a person sent: a submission, or just a published folder.

    Raises:
        CrosstalkError: It is no such folder, of a version not known here, or not whole: a file is
            missing or is not the one that was sent.
    """
    provenance = read_provenance(folder)
    by, exact = folder.resolve().name, dict[str, str]()
    if (folder / FILE).is_file():
        where = relative(folder / FILE)
        submission = parse(Submission, read_json(folder / FILE), where)
        _check_whole(folder, submission.files)
        by, exact = submission.by, submission.exact
    cells = read_table(folder, "cells.csv", rows.COLUMNS)
    runs, objectives = runs_and_objectives(cells, provenance, relative(folder))
    board = read_table(folder, "leaderboard.csv", BOARD)
    return Contribution(by, folder, provenance, runs, objectives, board, exact)


def _check_whole(folder: Path, files: Mapping[str, str]) -> None:
    for name, expected in files.items():
        file = folder / name
        if not file.resolve().is_relative_to(folder.resolve()) or not file.is_file():
            raise CrosstalkError(f"{relative(file)}: no such file: the submission is not whole")
        if file_sha256(file) != expected:
            raise CrosstalkError(
                f"{relative(file)}: expected the file that was submitted, got another: it was "
                "edited, or not copied to its end"
            )


# --- in words ----------------------------------------------------------------------------------


def machines(provenance: Provenance) -> str:
    """Return the machines that made a folder's runs, in words."""
    return _counted(_machine(cell.hardware) for cell in provenance.cells.values())


def _machine(hardware: Mapping[str, str]) -> str:
    told = hardware.get
    gpus = "" if told("gpus", "none") == "none" else f"{hardware['gpus']}, "
    memory = f", {hardware['memory_gib']} GiB" if "memory_gib" in hardware else ""
    return f"{gpus}{told('cpu', 'a CPU')}, {told('cores', '?')} cores{memory}"


def _counted(names: Iterable[str]) -> str:
    found = Counter(names)
    if len(found) == 1:
        return next(iter(found))
    return "; ".join(f"{name} ({number} runs)" for name, number in found.most_common())


def versions(provenance: Provenance, names: Sequence[str] | None = None) -> str:
    """Return the versions of packages, those of these names alone if some are given."""
    told = (
        ", ".join(f"{n} {v}" for n, v in sorted(found.items()) if names is None or n in names)
        for found in provenance.environments.values()
    )
    return "; or ".join(dict.fromkeys(told))


def _readme(provenance: Provenance, by: str) -> str:
    study = provenance.study
    lines = {
        "by": by,
        "machine": machines(provenance),
        "versions": f"Crosstalk {__version__}; {versions(provenance)}",
        "commit": ", ".join(provenance.git_commits),
        "runs": f"{len(provenance.cells)}, seeds {', '.join(map(str, provenance.seeds))}",
        "time": f"{provenance.start_time} to {provenance.end_time}",
    }
    table = "\n".join(f"| {key} | {escape(value)} |" for key, value in lines.items())
    return (
        f"# Results of the study {escape(study)}\n\n"
        f"| | |\n|---|---|\n{table}\n\n"
        "`leaderboard.md` has the tables, `index.html` is the page, `DATA.md` says what the "
        "columns of the CSV files mean.\nBefore this was written, all tables were made again from "
        "the tracked runs, and were the same.\n\n"
        "Beside the results of others: `crosstalk join THIS-FOLDER OTHER-FOLDER --to NEW-FOLDER`. "
        f"To make them again, at the commit:\n`crosstalk run {study}`.\n"
    )
