"""The page of findings, its figure and the README's tables come from what is published."""

import re
import shutil
from pathlib import Path

import facts_quick
import findings
import pandas
import pytest
from laboratory import EVERY, RULES

from benchmark.common.errors import CrosstalkError

from .made_up_laboratory import made_up, trials

BOUNDED = ("worst_gain", "mean_worst_gain", "gain", "worst_loss")


def board(shift: float) -> pandas.DataFrame:
    """Return a table of rules, of which the first gains by ``shift``."""
    rows = [
        {"algorithm": rule, "reference": False, "rank": place + 2, "verdict": "gain with loss"}
        | dict.fromkeys(BOUNDED, shift - place / 10)
        | {f"{name}_low": shift - place / 10 - 0.05 for name in BOUNDED}
        | {f"{name}_high": shift - place / 10 + 0.05 for name in BOUNDED}
        for place, rule in enumerate(RULES)
    ]
    reference = rows[0] | {"algorithm": "single-clarity", "reference": True}
    return pandas.DataFrame([*rows, reference])


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the quick study as it is published, and a made-up main study."""
    root = tmp_path_factory.mktemp("project")
    boards = root / "results" / "leaderboards"
    (boards / "laboratory").mkdir(parents=True)
    (root / "docs").mkdir()
    (boards / "quick").symlink_to(findings.ROOT / "results" / "leaderboards" / "quick")
    shutil.copy(findings.ROOT / "docs" / "theory.md", root / "docs" / "theory.md")
    shutil.copy(findings.ROOT / "README.md", root / "README.md")
    made_up().to_csv(boards / "laboratory" / "cells.csv", index=False)
    board(0.1).to_csv(boards / "laboratory" / "leaderboard.csv", index=False)
    parts = [board(k / 10).assign(axis="model", value=name) for k, name in enumerate(EVERY)]
    pandas.concat(parts).to_csv(boards / "laboratory" / "breakdown.csv", index=False)
    (boards / "laboratory-tuned").mkdir()
    tuned = made_up({("ctwa", name): (0.7, 0.6, 0.4) for name in EVERY})
    tuned.assign(study="laboratory-tuned").to_csv(
        boards / "laboratory-tuned" / "cells.csv", index=False
    )
    trials().to_csv(boards / "laboratory-tuned" / "tuning.csv", index=False)
    return root


@pytest.fixture(scope="module")
def made(root: Path) -> dict[str, str]:
    return findings.contents(root)


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The texts, to be changed."""
    copied = shutil.copytree(findings.PAGES, tmp_path / "pages")
    monkeypatch.setattr(findings, "PAGES", copied)
    return copied


def test_files_are_those_of_what_is_published() -> None:
    assert findings.main(findings.ROOT, check=True) == 0, "run `make findings`"


def test_every_part_of_the_main_study_is_told(made: dict[str, str]) -> None:
    page, readme = made["docs/findings.md"], made["README.md"]
    assert "not published yet" not in page + readme
    assert len(re.findall(r" \| met \|$", page, re.M)) == 9 + 4  # of the study, and tuned
    first = "| `linear` | −0.00 ± 0.05 | **+0.10 ± 0.05** | **+0.20 ± 0.05** | **+0.30 ± 0.05** |"
    assert first.replace("−0.00", "+0.00") in page
    (upgrad,) = re.findall(
        r"^\| `upgrad` \|.* (\S+) ± 0.0\d\*\* \| (\S+) ± 0.0\d\*\* \|$", page, re.M
    )
    assert upgrad == ("**+0.84", "**+1.15")  # less linear's: as predictions 6 and 9 have it
    assert "| `upgrad` | 10 of 10 [69%, 100%] | 5 of 5 [48%, 100%] |" in page
    assert "9 are met and 0 missed" in " ".join(page.split())
    (tuned,) = re.findall(
        r"^\| `linear` \| 2 \| \*\*\+0\.10 ± 0\.05\*\* \| (\S+) ± \S+ \| 0 of 10 \[", readme, re.M
    )
    assert float(tuned.strip("*").replace("−", "-")) < 0  # of its made-up runs
    assert "nan" not in page


def test_the_figure_has_the_same_bytes_again(root: Path, made: dict[str, str]) -> None:
    figure = made["docs/images/findings-plane.svg"]
    assert findings.figure(root / "results" / "leaderboards" / "laboratory") == figure
    assert "<svg" in figure
    assert "date" not in figure
    assert "<text" not in figure  # letters are paths


def test_a_file_that_differs_is_named(
    root: Path,
    made: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(findings, "contents", lambda _: made)
    assert findings.main(root, check=False) == 0
    assert findings.main(root, check=True) == 0
    page = root / "docs" / "findings.md"
    page.write_text(page.read_text().replace("69%", "68%"))
    capsys.readouterr()
    assert findings.main(root, check=True) == 1
    assert capsys.readouterr().out == "docs/findings.md: differs from what is published\n"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("It rose by 0.25 here.", ["0.25"]),
        ("Of nine models\n12% fell.", ["nine", "12%"]),
        ("It rose by {{ rise }}, see [it](a1.md#b2) and `lab-rare-2`.", []),
        ("`0.25` is no name.", ["0.25"]),
    ],
)
def test_numbers_without_a_source_are_found(text: str, numbers: list[str]) -> None:
    assert [number.rstrip(".,") for _, number in findings.unsourced_numbers(text)] == numbers


def test_a_number_in_a_text_is_refused(pages: Path) -> None:
    with (pages / "quick.md.jinja").open("a") as stream:
        stream.write("It fell by 0.3 there.\n")
    lines = len((pages / "quick.md.jinja").read_text().splitlines())
    with pytest.raises(CrosstalkError, match=rf"quick.md.jinja:{lines}: 0.3: expected the name"):
        findings.contents(findings.ROOT)


@pytest.mark.parametrize(
    ("value", "message"),
    [("quick.nothing", "no attribute 'nothing'"), ("quick.law", "expected text or a number")],
)
def test_a_value_that_does_not_exist_is_refused(pages: Path, value: str, message: str) -> None:
    (pages / "quick.md.jinja").write_text(f"{{{{ {value} }}}}")
    with pytest.raises(CrosstalkError, match=message):
        findings.render("quick", {"quick": {"law": {}}})


def test_the_law_is_as_theory_has_it() -> None:
    theory = (findings.ROOT / "docs" / "theory.md").read_text()
    quick = facts_quick.gather(findings.ROOT / "results" / "leaderboards" / "quick")
    for row in quick["law"]["kinds"]:
        assert all(row[key] in theory for key in ("all", "changed", "slope", "correlation"))
    assert len(quick["law_by_model"]) == 3
    for row in quick["law_by_model"]:
        one, other = row["shares"]
        assert re.search(
            rf"\| {row['model']} \| {re.escape(one)} of \d+ \| {re.escape(other)}", theory
        )


def test_the_main_cause_has_most_of_the_decline() -> None:
    assert facts_quick._parts("parameters and optimizer 60%, unresolved 40%") == [
        ("parameters and optimizer", 60),
        ("unresolved", 40),
    ]
    assert facts_quick._parts("no decline at the diagnosed steps") == [
        ("no decline at the diagnosed steps", 100)
    ]
