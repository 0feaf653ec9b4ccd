"""A project root with its models and a study file, for tests that train nothing."""

from pathlib import Path
from typing import Any

import yaml

from benchmark.study import Study, check
from benchmark.study import load_study as load

STUDY = "lab"
WHERE = f"workflow/studies/{STUDY}.yaml"  # as messages name the file, from the root
SETTINGS: dict[str, Any] = {
    "models": {"tiny-qwen2-base": None, "tiny-qwen3-base": None},
    "objective_sets": {"math3": None, "accuracy-conciseness": None},
    "algorithms": {"linear": None, "ctwa": {"step_size": 0.1}, "single": {"objective": "each"}},
    "seeds": [0, 1],
}
MODELS = """\
tiny-qwen2-base: {recipe: tiny-qwen2-base}
tiny-qwen2-ift: {recipe: tiny-qwen2-ift}
tiny-qwen3-base: {recipe: tiny-qwen3-base}
hub-model: {hub: owner/name, revision: 0123456789abcdef0123456789abcdef01234567}
"""


def make_root(folder: Path) -> Path:
    """Make a project root: ``models.yaml`` and a valid study."""
    (folder / "models.yaml").write_text(MODELS)
    write_study(folder)
    return folder


def write_study(root: Path, text: str | None = None, **changes: Any) -> Path:
    """Write the study file: ``text``, or :data:`SETTINGS` with some keys changed."""
    file = root / WHERE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(SETTINGS | changes, sort_keys=False) if text is None else text)
    return file


def load_study(root: Path, **changes: Any) -> Study:
    """Write the study with some keys changed, load it and check it."""
    write_study(root, **changes)
    study = load(STUDY, root)
    check(study)
    return study


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder with its content, and every folder."""
    found = sorted(folder.rglob("*"))
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"/" for p in found}
