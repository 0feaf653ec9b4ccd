"""Write docs/findings.md, its figure and the README's tables from what is published.

    python dev/findings.py            # write; `make findings` does the same
    python dev/findings.py --check    # write nothing; exit status 1 if a file would change

The texts are in ``dev/pages``, and take every number from :mod:`facts` by its name: a number that
stands in a text itself has no source, and is refused.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from facts import gather
from jinja2 import Environment, FileSystemLoader, StrictUndefined, UndefinedError
from places import filled
from planes import plane

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text

PAGES = Path(__file__).resolve().parent / "pages"
ROOT = PAGES.parents[1]
FIGURE = Path("docs/images/findings-plane.svg")
SOURCED = re.compile(
    r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}"  # named values
    r"|`[^`\n]*[a-z][^`\n]*`"  # names of files, commands, classes
    r"|\]\([^)]*\)",  # where links lead
    re.DOTALL,
)
NUMBER = re.compile(
    r"\d[\d.,]*%?|\b(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|hundred)\b",
    re.IGNORECASE,
)


def main(root: Path, *, check: bool) -> int:
    """Bring all files up to date, or say which are not."""
    stale = []
    for name, content in contents(root).items():
        file = root / name
        if not file.is_file() or file.read_text(encoding="utf-8") != content:
            stale.append(name)
            if not check:
                file.parent.mkdir(parents=True, exist_ok=True)
                write_text(file, content)
    for name in stale:
        print(f"{name}: {'differs from what is published' if check else 'written'}")
    return int(check and bool(stale))


def contents(root: Path) -> dict[str, str]:
    """Return what the files hold, by their names from the root.

    Raises:
        CrosstalkError: A text has a number without a source, or names a value that there is not.
    """
    for page in sorted(PAGES.glob("*.jinja")):
        unsourced = list(unsourced_numbers(page.read_text(encoding="utf-8")))
        if unsourced:
            line, number = unsourced[0]
            raise CrosstalkError(
                f"{page.name}:{line}: {number}: expected the name of a value, got the number itself"
            )
    facts = gather(root)
    readme = (root / "README.md").read_text(encoding="utf-8")
    made = {
        "docs/findings.md": render("findings", facts),
        "README.md": filled(readme, "findings", lambda name: render(name, facts)),
    }
    if facts["laboratory"]:
        made[FIGURE.as_posix()] = figure(root / "results" / "leaderboards" / "laboratory")
    return made


def render(name: str, facts: Mapping[str, object]) -> str:
    """Return a text of ``dev/pages`` with its values."""
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        undefined=StrictUndefined,
        finalize=_printed,
        keep_trailing_newline=True,
    )
    try:
        return environment.get_template(f"{name}.md.jinja").render(facts)
    except UndefinedError as error:
        raise CrosstalkError(f"{name}.md.jinja: expected a value of facts.py: {error}") from error


def _printed(value: object) -> object:
    """Return a value as it is; only text and numbers can be printed."""
    if isinstance(value, str | int | float | StrictUndefined):
        return value
    raise CrosstalkError(f"a text prints {value!r}; expected text or a number")


def unsourced_numbers(text: str) -> Iterator[tuple[int, str]]:
    """Yield the numbers that stand in a text themselves, each with its line."""
    blank = SOURCED.sub(lambda own: re.sub(r"[^\n]", " ", own[0]), text)
    for found in NUMBER.finditer(blank):
        yield blank.count("\n", 0, found.start()) + 1, found[0]


def figure(folder: Path) -> str:
    """Return the figure of the main study, from its published folder."""
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / FIGURE.name
        plane(folder, file)
        return file.read_text(encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(ROOT, check="--check" in sys.argv[1:]))
