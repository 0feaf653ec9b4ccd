"""``crosstalk tune``: try settings of a study's algorithms, and write the study with the best."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path

import typer
from ruamel.yaml import YAML

from benchmark.commands.run import is_dry, run_study
from benchmark.commands.selection import select
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.leaderboard.frames.tuning import tuning_frame, tuning_note
from benchmark.leaderboard.pages.page import sheet_text
from benchmark.leaderboard.pages.tuning import tuning_sheet
from benchmark.study.checks import check
from benchmark.study.loading import load_study
from benchmark.study.study import Study
from benchmark.study.tuning import derived_settings, plan_of, told_as, trials_study, tuned_study
from benchmark.study.tuning_schema import Tuned

logger = logging.getLogger(__name__)

WRITTEN = (
    "# Written by `crosstalk tune {study}`, which writes it anew: change that study instead.\n"
)


def tune(study: Study, arguments: Sequence[str], profile: str) -> int:
    """Run the trials by the workflow, choose, write the tuned study, and say what was tried.

    Trials that are done already are not run again. Returns the exit status: 0, or Snakemake's where
    trials are missing that did not diverge.

    Args:
        study: What to tune.
        arguments: Further arguments for Snakemake.
        profile: Where jobs run: a profile's name or folder.

    Raises:
        CrosstalkError: The study says nothing of tuning, or nothing can be chosen.
    """
    plan_of(study)
    file = write_study(study, trials_study(study))
    trials = load_study(str(file), study.layout.root)
    check(trials)
    status = run_study(trials, arguments, profile)
    if is_dry(arguments):
        return status
    try:
        found = select(study, trials)
    except CrosstalkError as error:
        if status == 0:
            raise
        logger.error("error: %s", error)
        return status
    written = write_study(study, tuned_study(study, found))
    typer.echo(table(found))
    typer.echo(f"To run it: crosstalk run {written.stem} ({relative(written)})")
    return 0


def tried(study: Study) -> str:
    """Return the table of the trials there are, from their tracked runs alone."""
    return table(select(study, trials_study(study)))


def table(found: Tuned) -> str:
    """Return the table of what was tried, in Markdown, with what there is to know."""
    record = found.model_dump(mode="json")
    sheet = tuning_sheet(tuning_frame(record), tuning_note(record))
    return f"{sheet_text(sheet)}\n\n{sheet.note}\n"


def write_study(study: Study, derived: Study) -> Path:
    """Write a derived study's file, unless it is there and says the same; return its path."""
    stream = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.default_flow_style = None  # lists of numbers on one line
    writer.width = 120
    writer.dump(derived_settings(derived), stream)
    text = WRITTEN.format(study=told_as(study)) + stream.getvalue()
    if not derived.path.is_file() or derived.path.read_text(encoding="utf-8") != text:
        write_text(derived.path, text)
    return derived.path
