"""``crosstalk submit`` and ``crosstalk join``: results to send to others, and those of several."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from benchmark.commands.init import check_empty
from benchmark.commands.publish import compared, published_folder
from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import relative
from benchmark.common.settings import read_json
from benchmark.leaderboard.contributions import read_all, write_board
from benchmark.leaderboard.pages.crate import FILE as CRATE
from benchmark.leaderboard.schema import read_provenance
from benchmark.leaderboard.submission import write_submission
from benchmark.study.study import Study


def submit(
    study: Study, to: Path | None, by: str, *, allow_mixed: bool = False, uri: str | None = None
) -> list[Path]:
    """Write what a study published into one folder to send; return its files.

    Args:
        study: The study, which is published and complete.
        to: A new or empty folder; ``results/submissions/<study>`` if None.
        by: Who made the results; if empty, the name that git knows.

    Raises:
        CrosstalkError: The study is not published, not complete, or its tables are not those of the
            tracked runs any more; or nobody says who made them.
    """
    folder = published_folder(study)
    missing = read_provenance(folder).missing
    if missing:
        raise CrosstalkError(
            f"{relative(folder)}: expected results of all cells, got {len(missing)} missing, such "
            f"as {next(iter(missing))}; run and publish {study.name} again"
        )
    to = to or study.layout.root / "results" / "submissions" / study.name
    check_empty(to)
    by = by or _git_name(study)
    frames, different = compared(study, allow_mixed=allow_mixed, uri=uri)
    if different:
        raise CrosstalkError(
            f"{relative(folder)}: expected the tables of the tracked runs, got others "
            f"({different[0]}); run `crosstalk publish {study.name}`"
        )
    return write_submission(folder, [*_published(folder), CRATE], to, by=by, frames=frames)


def join(folders: Sequence[Path], to: Path) -> tuple[list[Path], list[str]]:
    """Write a board of what several people published; return its files, and refused folders.

    It is written only if no folder is refused.

    Raises:
        CrosstalkError: There are fewer than two folders, or the new one is not empty.
    """
    if len(folders) < 2:
        raise CrosstalkError(f"join: expected two folders or more, got {len(folders)}")
    check_empty(to)
    found, refused = read_all(folders)
    return ([] if refused else write_board(found, to)), refused


def _published(folder: Path) -> list[str]:
    """Return the files that a publication says it consists of."""
    try:
        entries = read_json(folder / CRATE)["@graph"]
        return [str(entry["@id"]) for entry in entries if entry["@type"] == "File"]
    except (KeyError, TypeError) as error:
        raise CrosstalkError(f"{relative(folder / CRATE)}: cannot be read: {error!r}") from error


def _git_name(study: Study) -> str:
    command = ["git", "-C", str(study.layout.root), "config", "user.name"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        name = found.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        name = ""
    if not name:
        raise CrosstalkError("--by: expected who made the results, got nothing, nor does git know")
    return name
