"""``crosstalk new KIND NAME``: write a file that runs into the project, with its test."""

import importlib.util
import keyword
import re
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from benchmark.commands.init import PLACEHOLDER, TEMPLATES
from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import MODELS, relative
from benchmark.common.settings import check_name, read_yaml
from benchmark.models.entry import load_models
from benchmark.objectives import OBJECTIVES
from benchmark.scalarizers import SCALARIZERS
from benchmark.study.loading import study_files
from benchmark.tasks import TASKS

CLASS = "CLASS"  # in the templates: the name as that of a class
KNOWN: dict[str, Collection[str]] = {
    "scalarizer": SCALARIZERS,
    "objective": OBJECTIVES,
    "task": TASKS,
}
USES = {  # what to write into a study
    "scalarizer": "algorithms: {{{name}: {{scalarizer: '{name}:{cls}'}}}}",
    "objective": "objectives: {{{name}: {{objective: '{name}:{cls}'}}}}, and {name} in a set",
    "task": "task: {{name: '{name}:{cls}'}}",
}
RECIPE = "tiny-qwen2-base"  # of a new model, until it says where its own weights lie
_MODULE = re.compile(r"[a-z][a-z0-9_]*")


class New(NamedTuple):
    """What was written, and what to do with it."""

    files: list[Path]
    next: str


def new(kind: str, name: str, root: Path) -> New:
    """Write a study, scalarizer, objective, task or model of that name into a project.

    Args:
        kind: ``study``, ``model``, or a key of :data:`KNOWN`.
        name: Of a module for these; for a study and a model any that can be an id.
        root: The project's folder.

    Raises:
        CrosstalkError: The folder is no project, or the name is taken or cannot be one.
    """
    if not (root / MODELS).is_file():
        raise CrosstalkError(
            f"{root}: no models.yaml here: expected a project's folder; `crosstalk init FOLDER` "
            "makes one"
        )
    if kind == "study":
        return _study(name, root)
    return _model(name, root) if kind == "model" else _module(kind, name, root)


def _study(name: str, root: Path) -> New:
    check_name(name, "study")
    taken = study_files(root)
    if name in taken:
        raise CrosstalkError(f"study {name!r}: the name is taken by {relative(taken[name])}")
    file = root / "studies" / f"{name}.yaml"
    write_text(file, _template("study.yaml"))
    return New([file], f"crosstalk check {name} && crosstalk run {name}")


def _model(name: str, root: Path) -> New:
    """Append an entry to ``models.yaml``, which stays as it is otherwise, comments included."""
    check_name(name, "model")
    if name in load_models(root):
        raise CrosstalkError(f"model {name!r}: the name is taken in {MODELS} or by a shipped one")
    file = root / MODELS
    before, text = read_yaml(file), file.read_text(encoding="utf-8")
    if not before:  # nothing but comments and {}
        text = re.sub(r"^\{\s*\}[ \t]*$", "", text, flags=re.M)
    entry = (
        f"{name}:\n  recipe: {RECIPE}  # made on the spot; or path:, hub: and revision:, gguf:\n"
    )
    text = f"{text.rstrip()}\n\n{entry}".lstrip()
    try:
        found = YAML(typ="safe", pure=True).load(text)
    except YAMLError:
        found = None
    if found != before | {name: {"recipe": RECIPE}}:
        raise CrosstalkError(f"{relative(file)}: cannot append to it: expected a key a line")
    write_text(file, text)
    return New([file], f"name it in a study: models: {{{name}: }}")


def _module(kind: str, name: str, root: Path) -> New:
    if not _MODULE.fullmatch(name) or keyword.iskeyword(name):
        raise CrosstalkError(
            f"{kind} {name!r}: expected the name of a Python module, small letters, digits and '_'"
        )
    if name in KNOWN[kind]:
        raise CrosstalkError(f"{kind} {name!r}: the name is taken: the package has one")
    files = {root / f"{name}.py": f"{kind}.py", root / f"test_{name}.py": f"test_{kind}.py"}
    for file in files:
        if file.exists():
            raise CrosstalkError(f"{kind} {name!r}: the name is taken: {relative(file)} exists")
    if importlib.util.find_spec(name) is not None:
        raise CrosstalkError(f"{kind} {name!r}: the name is taken: Python has a module {name}")
    cls = "".join(part.capitalize() for part in name.split("_"))
    for file, template in files.items():
        text = _template(f"new/{template}")
        write_text(file, text.replace(PLACEHOLDER, name).replace(CLASS, cls))
    use = USES[kind].format(name=name, cls=cls)
    return New([*files], f"python -m pytest test_{name}.py; in a study: {use}")


def _template(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")
