"""The documents say what the code has."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.advantages import ESTIMATORS
from benchmark.common.paths import PACKAGE
from benchmark.scalarizers import SCALARIZERS
from benchmark.testing import check_scalarizer

ROOT = PACKAGE.parent
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]

every_document = pytest.mark.parametrize(
    "file", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix()
)


def sections(file: Path) -> dict[str, str]:
    """Return the text below each heading that names things in backquotes, by each such name."""
    parts = re.split(r"^#+ (.*)\n", without_code(file.read_text()), flags=re.M)[1:]
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    return {name: text for title, text in texts.items() for name in re.findall("`(.+?)`", title)}


def without_code(text: str) -> str:
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.M | re.S)


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub gives a document's headings."""
    titles = re.findall(r"^#+ (.*)$", without_code(file.read_text()), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


ALGORITHMS = sections(DOCS / "algorithms.md")
TORCHJD = "torchjd:<Name>"


def test_algorithms_and_estimators_have_a_section_each() -> None:
    own = {name for name in SCALARIZERS if not name.startswith("torchjd:")}
    assert ALGORITHMS.keys() == {TORCHJD} | own | ESTIMATORS.keys()


@pytest.mark.parametrize("name", sorted(SCALARIZERS))
def test_a_section_cites_the_paper_that_the_class_does(name: str) -> None:
    if not name.startswith("torchjd:"):
        for number in re.findall(r"arXiv (\d{4}\.\d{5})", SCALARIZERS[name].source):
            assert number in ALGORITHMS[name] or number == "2602.06869"  # "the study"


@every_document
def test_relative_links_lead_somewhere(file: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(file.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (file.parent / path).resolve() if path else file
        assert found.exists(), target
        if anchor:
            assert anchor in anchors(found), target


def test_anchors_are_those_of_github() -> None:
    found = anchors(DOCS / "algorithms.md")
    assert {"kinds-signals-and-costs", "max_min_covariance", "ctwa-cover", "torchjdname"} <= found


# ---- code in docs/plugins.md ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """What the document's code blocks define, in one module as a reader would have it."""
    blocks = re.findall(r"^```python\n(.*?)^```", (DOCS / "plugins.md").read_text(), re.M | re.S)
    names: dict[str, Any] = {"__name__": "mine"}
    for block in blocks:
        exec(compile(block, "docs/plugins.md", "exec"), names)  # noqa: S102
    return names


@pytest.mark.parametrize("name", ["WorstFirst", "Agreement", "EqualNorms", "Laggards", "Unscaled"])
def test_scalarizers_of_the_plug_in_guide_keep_the_contract(
    name: str, written: dict[str, Any]
) -> None:
    check_scalarizer(written[name])


def test_tests_of_the_plug_in_guide_pass(written: dict[str, Any]) -> None:
    tests = [name for name in written if name.startswith("test_")]
    assert tests == ["test_worst_first", "test_laggards"]
    for name in tests:
        written[name]()
