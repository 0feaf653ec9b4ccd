"""Lay the documents out for the site: ``python dev/site_sources.py`` writes ``build/site``.

Every file lies there as it lies in the repository, so that the links between documents hold, with
what they link to. Python-Markdown reads lists more strictly than the forge does; the difference is
mended.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from notebook import as_markdown

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "build" / "site"
BOARDS = "results/leaderboards"
NOTEBOOK = "examples/results.ipynb"
REFERENCE = {  # page -> the contracts on it
    "benchmark": ("benchmark",),
    "results": ("benchmark.results",),
    "scalarizers": ("benchmark.scalarizers.base", "benchmark.scalarizers"),
    "advantages": ("benchmark.advantages",),
    "covariance": ("benchmark.covariance",),
    "interference": ("benchmark.interference.metrics", "benchmark.interference.comparisons"),
    "objectives": ("benchmark.objectives.base",),
    "tasks": ("benchmark.tasks.base",),
    "testing": ("benchmark.testing",),
}
_LINK = re.compile(r"(!?\[[^\]]*\]\()([^)\s]+)(\))")
_FENCE = re.compile(r"^( *)```.*?^\1```$", re.M | re.S)
_BADGE = re.compile(r"^\[!\[.*\n", re.M)
_MATH = re.compile(r"^( *)```math\n(.*?)\n\1```$", re.M | re.S)
_ITEM = re.compile(r"( *)(?:[-*]|\d+\.) ")


def assemble(target: Path = TARGET) -> list[Path]:
    """Write the site's sources and return its documents."""
    shutil.rmtree(target, ignore_errors=True)
    documents = []
    for file in _documents():
        text = _BADGE.sub("", file.read_text(encoding="utf-8"))
        for linked in _linked(file, text):
            _copy(linked, target)
        documents.append(_write(target / file.relative_to(ROOT), adapted(_to_files(file, text))))
    for board in sorted((ROOT / BOARDS).iterdir()):
        for file in board.rglob("*"):
            if file.is_file() and file.suffix != ".md":
                _copy(file, target)
    documents.append(_write(target / "boards.md", _boards()))
    documents.append(_write(target / "notebook.md", as_markdown(ROOT / NOTEBOOK)))
    for name, modules in REFERENCE.items():
        text = "\n\n".join(f"::: {module}" for module in modules)
        documents.append(
            _write(target / "reference" / f"{name}.md", f"# {name.capitalize()}\n\n{text}\n")
        )
    return documents


def _documents() -> Iterator[Path]:
    for pattern in ("*.md", "docs/*.md", "results/predictions/*.md", f"{BOARDS}/*/*.md"):
        yield from sorted(ROOT.glob(pattern))


def _linked(file: Path, text: str) -> Iterator[Path]:
    """Yield the files of the repository, no documents, that a document links to."""
    for _, target, _ in _LINK.findall(_FENCE.sub("", text)):
        found = (file.parent / target.partition("#")[0]).resolve()
        if found.is_file() and found.suffix != ".md" and found.is_relative_to(ROOT):
            yield found
        elif found.is_dir() and found != file.parent:
            yield from (each for each in found.iterdir() if each.is_file())


def _to_files(file: Path, text: str) -> str:
    """Lead links to a folder to its first Python file: a site has no listings."""

    def led(found: re.Match[str]) -> str:
        before, target, after = found.groups()
        folder = file.parent / target
        if re.match(r"[a-z]+:|#", target) or not folder.is_dir():
            return found.group()
        first = min(each.name for each in folder.glob("*.py") if "test" not in each.name)
        return f"{before}{target.rstrip('/')}/{first}{after}"

    return _LINK.sub(led, text)


def adapted(text: str) -> str:
    """Return Markdown whose lists and formulas Python-Markdown reads as the forge does.

    It wants an empty line before a list, four columns for what belongs to an item, and dollars
    around a formula.
    """
    text = _MATH.sub(r"\1$$\n\2\n\1$$", text)
    lines: list[str] = []
    fenced, width = False, 0  # of the marker of the item that we are in; 0 outside lists
    for line in text.split("\n"):
        if fenced or line.lstrip().startswith("```"):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            lines.append(_shifted(line, width))
            continue
        item = _ITEM.match(line)
        if item and not item.group(1):
            if lines and lines[-1].strip() and not width:
                lines.append("")
            width = len(item.group())
            lines.append(line)
            continue
        if re.match("#+ .*<", line):  # whose anchor would lack what stands in the brackets
            line = f"{line} {{ #{anchor(line.lstrip('# '))} }}"
        if line.strip() and not line.startswith(" "):
            lazy = width and lines and lines[-1].strip() and not line.startswith(("#", "|", "```"))
            width = width if lazy else 0
        lines.append(_shifted(line, width))
    return "\n".join(lines)


def anchor(title: str) -> str:
    """Return the anchor that the forge gives a heading."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def _shifted(line: str, width: int) -> str:
    """Move what belongs to a list's item from the column behind its marker to the fourth."""
    inside = width and line.startswith(" " * width)
    return " " * (4 - width) + line if inside and width < 4 else line


def _boards() -> str:
    """Return the page that leads to the published boards."""
    lines = ["# Published boards", ""]
    for board in sorted((ROOT / BOARDS).iterdir()):
        at = f"{BOARDS}/{board.name}"
        lines += [f"## {board.name}", "", f"[The page]({at}/index.html){{ .md-button }}", ""]
        tables = [("Tables", "leaderboard"), ("Diagnosis", "diagnosis"), ("Costs", "cost")]
        found = [(word, name) for word, name in tables if (board / f"{name}.md").is_file()]
        lines += [" · ".join(f"[{word}]({at}/{name}.md)" for word, name in found), ""]
        lines += [
            f'<iframe src="{at}/index.html" title="Leaderboard of {board.name}"></iframe>',
            "",
        ]
    return "\n".join(lines)


def _copy(file: Path, target: Path) -> None:
    place = target / file.relative_to(ROOT)
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, place)


def _write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


if __name__ == "__main__":
    print(f"{len(assemble())} documents in {TARGET.relative_to(ROOT)}")
