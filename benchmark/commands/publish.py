"""``crosstalk publish`` and ``crosstalk verify``: a leaderboard as it is put on the web."""

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmark.commands import report
from benchmark.commands.leaderboard import collect_frames, store_of
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages import crate
from benchmark.leaderboard.pages.figures import changes
from benchmark.leaderboard.results.diagnosed import NotDiagnosed
from benchmark.leaderboard.results.table import Table
from benchmark.leaderboard.schema import version_of
from benchmark.leaderboard.verifying import differences
from benchmark.leaderboard.writing import contents, remove_stale
from benchmark.study.study import Study

SHOWN = 3  # missing cells that are named


class Publication(NamedTuple):
    """The files that were published, and how many runs were made from code that no commit holds."""

    files: list[Path]
    uncommitted: int


def publish(
    study: Study, *, allow_mixed: bool = False, allow_missing: bool = False, uri: str | None = None
) -> Publication:
    """Write everything a publication of the study holds, and say what that is.

    All tables are made before the first is written; then come the figure, the report on the
    diagnosis if there is one, and the metadata.
    """
    frames = collect_frames([study], allow_mixed=allow_mixed, uri=uri)
    if not allow_missing:
        _check_complete(study, frames.results)
    files = _contents(study, frames, uri)
    folder = study.layout.leaderboard
    for name, text in files.items():
        write_text(folder / name, text)
    remove_stale(folder, files)
    written = [*(folder / name for name in files), *changes(frames.summary, folder)]
    if study.file.diagnosis is not None:
        with suppress(NotDiagnosed):
            written += report.write(study, frames.results, store_of([study], uri), folder).files
    names = [file.relative_to(folder).as_posix() for file in written]
    write_text(folder / crate.FILE, crate.metadata(frames, names, study.file.description))
    commits = [origin.git_commit for origin in frames.results.origins.values()]
    uncommitted = sum(commit == "unknown" or commit.endswith("-dirty") for commit in commits)
    return Publication([*written, folder / crate.FILE], uncommitted)


def verify(study: Study, *, allow_mixed: bool = False, uri: str | None = None) -> list[str]:
    """Return where the published tables differ from what the tracked runs give, a line each.

    Raises:
        CrosstalkError: Nothing is published, or it is of a version not known here.
    """
    return compared(study, allow_mixed=allow_mixed, uri=uri)[1]


def compared(
    study: Study, *, allow_mixed: bool = False, uri: str | None = None
) -> tuple[Frames, list[str]]:
    """Return the frames of the tracked runs, and where the published tables differ from them.

    Raises:
        CrosstalkError: As of :func:`verify`.
    """
    folder = published_folder(study)
    frames = collect_frames([study], allow_mixed=allow_mixed, uri=uri)
    return frames, differences(folder, _contents(study, frames, uri))


def published_folder(study: Study) -> Path:
    """Return the folder of what a study published.

    Raises:
        CrosstalkError: Nothing is published, or it is of a version not known here.
    """
    folder = study.layout.leaderboard
    if not folder.is_dir():
        raise CrosstalkError(
            f"{relative(folder)}: nothing is published; run `crosstalk publish {study.name}` first"
        )
    version_of(folder)
    return folder


def _contents(study: Study, frames: Frames, uri: str | None) -> dict[str, str]:
    store = store_of([study], uri)
    return contents(frames, store=store, description=study.file.description)


def _check_complete(study: Study, results: Table) -> None:
    if not results.missing:
        return
    named = "; ".join(f"{cell}: {why}" for cell, why in results.missing[:SHOWN])
    more = len(results.missing) - SHOWN
    raise CrosstalkError(
        f"study {study.name!r}: {len(results.missing)} of {len(results.expected)} cells have "
        f"no result ({named}{f'; … and {more} more' if more > 0 else ''}). Run them, or use "
        "--allow-missing to publish without and name them"
    )
