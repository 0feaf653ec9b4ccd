"""Find and read a study. What is read is of the right types; ``study.checks`` says if it fits."""

from pathlib import Path

from benchmark.common.errors import CrosstalkError, unknown
from benchmark.common.paths import WORKFLOW, Layout, project_root, relative
from benchmark.common.settings import check_name, parse, read_yaml
from benchmark.models.entry import load_models
from benchmark.study.schema import StudyFile
from benchmark.study.study import Study


def load_study(name: str, root: Path | None = None) -> Study:
    """Read a study and the models.

    Args:
        name: A name of :func:`study_files`, or the path of a YAML file.
        root: The project's root; :func:`~benchmark.common.paths.project_root` if None.

    Raises:
        CrosstalkError: A file is missing, its name is no id, a key or type in it is wrong, or a
            model has no entry.
    """
    root = root or project_root()
    path = find_study(name, root)
    check_name(path.stem, f"{relative(path)}: the file's name, which is the study's id")
    file = parse(StudyFile, read_yaml(path), relative(path))
    study = Study(path.stem, path, file, load_models(root), Layout(root, path.stem))
    for model in file.models:
        if model not in study.models:
            raise unknown("model", model, study.models, f"{study.where}: models")
    return study


def find_study(name: str, root: Path) -> Path:
    """Return the file of a study given by name or by path."""
    if name.endswith((".yaml", ".yml")):
        if not Path(name).is_file():
            raise CrosstalkError(f"{name}: no such study file")
        return Path(name).resolve()
    files = study_files(root)
    if name not in files:
        raise unknown("study", name, files)
    return files[name]


def study_files(root: Path) -> dict[str, Path]:
    """Return the file of each study that has a name: the project's first, then those we ship.

    A project has them in ``studies`` or, as a checkout has, in ``workflow/studies``; what tuning
    derived from them comes next. Of two with the same name, the one that comes first counts.
    """
    files: dict[str, Path] = {}
    own = (root / "studies", root / "workflow" / "studies", Layout(root, "").tuned)
    for folder in (*own, WORKFLOW / "studies"):
        for path in sorted(folder.glob("*.yaml")):
            files.setdefault(path.stem, path)
    return files


def study_names(root: Path) -> list[str]:
    """Return the names of the studies, in the order of :func:`study_files`."""
    return list(study_files(root))
