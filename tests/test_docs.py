"""The documents name what exists, and their code runs."""

import re
from pathlib import Path
from typing import Any

import pytest
from tables import main

from benchmark.advantages import ESTIMATORS
from benchmark.common.paths import PACKAGE
from benchmark.scalarizers import SCALARIZERS
from benchmark.testing import check_scalarizer

ROOT = PACKAGE.parent
DOCS = ROOT / "docs"
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]
ROOMS = [each for each in PACKAGE.iterdir() if each.is_dir() and each.name.isalpha()]
FORGE = "../../actions/"  # pages that only the forge has
every_document = pytest.mark.parametrize(
    "file", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix()
)


def prose(file: Path) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", file.read_text(), flags=re.M | re.S)


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    titles = re.findall(r"^#+ (.*)$", prose(file), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@every_document
def test_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(file)):
        if re.match(r"[a-z]+:", target) or target.startswith(FORGE):
            continue
        path, _, anchor = target.partition("#")
        found = (file.parent / path).resolve() if path else file
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


@every_document
def test_named_files_exist(file: Path) -> None:
    rooms = r"benchmark|tests|workflow|dev|examples|" + "|".join(each.stem for each in ROOMS)
    named = re.findall(rf"`((?:{rooms})/[\w/.-]+)`", prose(file))
    assert not [path for path in named if not ((ROOT / path).exists() or (PACKAGE / path).exists())]


def test_the_map_shows_every_module() -> None:
    shown = set(re.findall(r"\w+", (ROOT / "ARCHITECTURE.md").read_text()))
    files = [file for file in PACKAGE.rglob("*.py") if not file.stem.startswith("__")]
    methods = {cls.__module__.rpartition(".")[2] for cls in SCALARIZERS.values()}
    assert {file.stem for file in files} - methods <= shown


@every_document
def test_commands_and_studies_exist(file: Path) -> None:
    from benchmark.commands.cli import app

    commands = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    text = file.read_text()
    for command, study in re.findall(r"(?:`|^)crosstalk ([a-z]+) ?([a-z][\w-]*)?", text, re.M):
        assert command in commands
        if study and command in ("check", "run", "prepare", "diagnose", "leaderboard"):
            places = ("workflow/studies", "results/tuned")
            shipped = any((ROOT / place / f"{study}.yaml").is_file() for place in places)
            assert shipped or f"`studies/{study}.yaml`" in text  # which the reader writes
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.M)) <= targets


def test_tables_are_those_of_the_classes() -> None:
    assert main(check=True) == 0, "run dev/tables.py"


def test_algorithms_have_their_sections() -> None:
    parts = re.findall(r"^#+ (.*)\n((?:(?!#).*\n)*)", prose(DOCS / "algorithms.md"), flags=re.M)
    sections = {name: body for title, body in parts for name in re.findall("`(.+?)`", title)}
    entries = {name: re.sub(r":.*", ":<Name>", name) for name in SCALARIZERS}
    assert sections.keys() == {*entries.values(), *ESTIMATORS}
    for name, cls in SCALARIZERS.items():
        section, bases = sections[entries[name]], {base.__name__ for base in cls.__mro__}
        assert f"{section.split('.')[0].strip()}Scalarizer" in bases, name
        papers = {*re.findall(r"arXiv (\d{4}\.\d{5})", cls.source)} - {"2602.06869"}  # "the study"
        assert all(paper in section for paper in papers), name


def test_the_plug_in_guide() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / "plugins.md").read_text(), re.M | re.S)
    written: dict[str, Any] = {"__name__": "mine"}
    for block in blocks:
        exec(compile(block, "docs/plugins.md", "exec"), written)  # noqa: S102
    for name in ("WorstFirst", "Agreement", "EqualNorms", "Laggards", "Unscaled"):
        check_scalarizer(written[name])
    for test in ("test_worst_first", "test_laggards"):
        written[test]()


def test_the_readme_loads_what_is_published(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.M | re.S)
    (block,) = [each for each in blocks if "import load" in each]
    monkeypatch.chdir(ROOT)
    written: dict[str, Any] = {}
    exec(compile(block, "README.md", "exec"), written)  # noqa: S102
    assert len(written["fell"])
    assert f"{written['fell']['cell'].iloc[0]} " in capsys.readouterr().out


def test_the_how_to_writes_a_study_of_what_it_makes() -> None:
    """The four that `crosstalk new` writes under the names of the document are in its study."""
    text = (DOCS / "howto.md").read_text()
    (study,) = re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S)
    made = dict(re.findall(r"^crosstalk new (\w+) ([\w-]+)", text, re.M))
    assert made.keys() == {"task", "objective", "model", "scalarizer"}
    for kind, name in made.items():
        cls = "".join(part.capitalize() for part in name.split("_"))
        assert (f"{name}:" if kind == "model" else f'"{name}:{cls}"') in study, kind
