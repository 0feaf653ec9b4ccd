"""``crosstalk publish`` and ``crosstalk verify``: a leaderboard as it is put on the web."""

from pathlib import Path
from typing import NamedTuple

from benchmark.commands.leaderboard import leaderboard_folder, page_maker, tables
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.leaderboard import Frames, Table, contents
from benchmark.leaderboard.pages import crate
from benchmark.leaderboard.pages.result_figures import changes
from benchmark.leaderboard.verifying import differences
from benchmark.study.study import Study

SHOWN = 3  # missing cells that are named


class Publication(NamedTuple):
    """What was published.

    Attributes:
        files: All files.
        uncommitted: How many runs were made from code that no commit holds, so that nobody can
            run it again.
    """

    files: list[Path]
    uncommitted: int


def publish(
    study: Study, *, allow_mixed: bool = False, allow_missing: bool = False, uri: str | None = None
) -> Publication:
    """Write everything a publication of the study holds, and say what that is.

    All tables are made before the first is written; then come the figure and the metadata.

    Args:
        study: The study.
        allow_mixed: Whether runs of different provenance may stand side by side, labelled.
        allow_missing: Whether cells may be missing, named.
        uri: The tracking store, if it is not the usual one.

    Raises:
        CrosstalkError: Cells are missing, runs of different provenance would be mixed, or the
            tracking store cannot be used.
    """
    frames = Frames(_complete(study, allow_mixed, allow_missing, uri))
    files = contents(frames, page_maker([study], uri))
    folder = leaderboard_folder([study])
    for name, text in files.items():
        write_text(folder / name, text)
    written = [*(folder / name for name in files), *changes(frames.summary, folder)]
    names = [file.name for file in written]
    write_text(folder / crate.FILE, crate.metadata(frames, names, study.file.description))
    return Publication([*written, folder / crate.FILE], unversioned(frames))


def verify(study: Study, *, allow_mixed: bool = False, uri: str | None = None) -> list[str]:
    """Return where the published tables differ from what the tracked runs give, a line each.

    Raises:
        CrosstalkError: Nothing is published, no cell has a result, runs of different provenance
            would be mixed, or the tracking store cannot be used.
    """
    folder = leaderboard_folder([study])
    if not folder.is_dir():
        raise CrosstalkError(
            f"{relative(folder)}: nothing is published; `crosstalk publish {study.name}` does"
        )
    results = tables([study], allow_mixed=allow_mixed, uri=uri)
    return differences(folder, contents(Frames(results), page_maker([study], uri)))


def unversioned(frames: Frames) -> int:
    """Return how many runs were made from code that no commit holds."""
    commits = [origin.git_commit for origin in frames.results.origins.values()]
    return sum(commit == "unknown" or commit.endswith("-dirty") for commit in commits)


def _complete(study: Study, allow_mixed: bool, allow_missing: bool, uri: str | None) -> Table:
    """Return the study's results, of all its cells unless some may be missing."""
    results = tables([study], allow_mixed=allow_mixed, uri=uri)
    if results.missing and not allow_missing:
        named = "; ".join(f"{cell}: {why}" for cell, why in results.missing[:SHOWN])
        more = len(results.missing) - SHOWN
        raise CrosstalkError(
            f"study {study.name!r}: {len(results.missing)} of {len(results.expected)} cells have "
            f"no result ({named}{f'; … and {more} more' if more > 0 else ''}). Run them, or use "
            "--allow-missing to publish without and name them"
        )
    return results
