"""``crosstalk init``: make a project folder, with models, a study and what git should ignore."""

import re
from pathlib import Path

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import MODELS, WORKFLOW, relative

TEMPLATES = WORKFLOW / "project"
PLACEHOLDER = "NAME"  # in the templates: the project's name
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def init(folder: Path) -> str:
    """Write a project into a new or empty folder; return its name, which is the folder's.

    Raises:
        CrosstalkError: The folder has something in it or cannot be written to, or its name cannot
            be that of a study.
    """
    folder = folder.resolve()
    name = folder.name
    if not _NAME.fullmatch(name):
        raise CrosstalkError(
            f"{folder}: expected a folder's name of letters and digits, and after the first one "
            f"also '.', '_' and '-', got {name!r}: its study has the same name"
        )
    check_empty(folder)
    for template, file in (
        (MODELS, MODELS),
        ("README.md", "README.md"),
        ("gitignore", ".gitignore"),
        ("study.yaml", f"studies/{name}.yaml"),
    ):
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        write_text(folder / file, text.replace(PLACEHOLDER, name))
    return name


def check_empty(folder: Path) -> None:
    """Refuse a folder that has something in it.

    Raises:
        CrosstalkError: It has, or cannot be looked at.
    """
    try:
        first = next(folder.iterdir(), None)
    except FileNotFoundError:
        return
    except OSError as error:
        raise CrosstalkError(f"{relative(folder)}: {error.strerror or error}") from error
    if first is not None:
        raise CrosstalkError(
            f"{relative(folder)}: expected an empty folder or none, got one with {first.name!r}"
        )
