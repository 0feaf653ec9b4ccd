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


def written(file: Path, checked: Collection[int]) -> dict[int, str]:
    """Return the predictions of ``results/predictions`` as they were written, by number.

    Raises:
        CrosstalkError: The file's numbers are not those that are checked.
    """
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .+ \|$", file.read_text(encoding="utf-8"), re.M)
    found = {int(number): text for number, text in rows}
    if list(found) != list(checked):
        raise CrosstalkError(f"{file.name}: numbers: expected {list(checked)}, got {list(found)}")
    return found


def tell(texts: Mapping[int, str], outcomes: Mapping[int, Outcome]) -> None:
    """Print what came of each prediction."""
    for number, outcome in outcomes.items():
        print(f"{number}. {texts[number]}\n   {outcome.verdict}: {outcome.found}\n")


def table(texts: Mapping[int, str], outcomes: Mapping[int, Outcome]) -> str:
    """Return a Markdown table of what came of each prediction."""
    rows = ["| # | prediction | what came | |", "|---|---|---|---|"]
    rows += [
        f"| {n} | {text} | {outcomes[n].found} | {outcomes[n].verdict} |"
        for n, text in texts.items()
    ]
    return "\n".join(rows) + "\n"


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
