"""Tell what came of predictions that were written down in ``results/predictions``.

Each study's rules are in a module of its own, which checks them: ``predictions_laboratory``,
``predictions_tuned``, ``causes``, ``clipping`` and ``designed``.
"""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from places import filled, names

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = ROOT / "results" / "leaderboards"
WRITTEN = ROOT / "results" / "predictions"
THEORY = ROOT / "docs" / "theory.md"
NOTHING = "Nothing is published of this study yet.\n"


class Outcome(NamedTuple):
    """What came of a prediction.

    Attributes:
        found: Its values with their intervals, in words.
        met: Whether it is met; None while undecided.
    """

    found: str
    met: bool | None

    @property
    def verdict(self) -> str:
        return {True: "met", False: "missed", None: "undecided"}[self.met]


class Judged(NamedTuple):
    """A study's predictions as they were written, and what came of them, by number."""

    texts: Mapping[int, str]
    outcomes: Mapping[int, Outcome]

    @property
    def counts(self) -> dict[str, int]:
        """How many were met, missed and are undecided."""
        verdicts = [each.verdict for each in self.outcomes.values()]
        return {name: verdicts.count(name) for name in ("met", "missed", "undecided")}

    @property
    def table(self) -> str:
        """A Markdown table of what came of each."""
        rows = ["| # | prediction | what came | |", "|---|---|---|---|"]
        rows += [
            f"| {n} | {self.texts[n]} | {found} | {self.outcomes[n].verdict} |"
            for n, (found, _) in self.outcomes.items()
        ]
        return "\n".join(rows) + "\n"

    def below(self, tables: str | None) -> str:
        """Return the table below others; :data:`NOTHING` where there are none."""
        return NOTHING if tables is None else f"{tables}\n\n{self.table}"

    def tell(self) -> None:
        """Print what came of each."""
        for number, outcome in self.outcomes.items():
            print(f"{number}. {self.texts[number]}\n   {outcome.verdict}: {outcome.found}\n")


def judged(study: str, outcomes: Mapping[int, Outcome]) -> Judged:
    """Return what came of a study's predictions beside how they were written."""
    return Judged(written(study, outcomes), outcomes)


def written(study: str, checked: Collection[int]) -> dict[int, str]:
    """Return the predictions of ``results/predictions/STUDY.md`` as they were written, by number.

    Raises:
        CrosstalkError: The file's numbers are not those that are checked.
    """
    file = WRITTEN / f"{study}.md"
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", file.read_text(encoding="utf-8"), re.M)
    found = {int(number): text for number, text in rows}
    if list(found) != list(checked):
        raise CrosstalkError(f"{file.name}: numbers: expected {list(checked)}, got {list(found)}")
    return found


def tell_theory(parts: Mapping[str, tuple[Judged, str | None]], *, only_check: bool) -> int:
    """Print what came of studies, and fill their places of docs/theory.md (:func:`fill`).

    A part is what came, and the tables that stand above it; None where nothing is published.
    """
    for study, (found, _) in parts.items():
        print(f"{study}:")
        found.tell()
    texts = {study: found.below(tables) for study, (found, tables) in parts.items()}
    return fill(THEORY, texts, only_check=only_check)


def fill(document: Path, parts: Mapping[str, str], *, only_check: bool) -> int:
    """Put what came of studies into a document's places ``<!-- study: NAME -->``.

    Returns 1 if that would change it and ``only_check`` is set, else 0.
    """
    text = document.read_text(encoding="utf-8")
    there = names(text, "study")
    for name in parts:
        if there.count(name) != 1:
            raise CrosstalkError(
                f"{document.name}: <!-- study: {name} -->: expected it once, got it "
                f"{there.count(name)} times"
            )
    made = filled(text, "study", parts.get)
    if made != text and not only_check:
        write_text(document, made)
    return int(only_check and made != text)
