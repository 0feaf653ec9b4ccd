"""Put into a wheel what works beside the code: the workflow, the studies, the models.

In a checkout they lie around the package, in a wheel inside it (``SHIPPED`` in
``benchmark/common/paths.py``). All else of the build is in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithWorkflow(build_py):
    """Builds the package with what it ships; an editable install finds that in the checkout."""

    def run(self) -> None:
        super().run()
        for source, target in self._copies().items():
            self.mkpath(str(target.parent))
            self.copy_file(str(source), str(target))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), *map(str, self._copies().values())]

    def get_source_files(self) -> list[str]:
        return [*super().get_source_files(), *map(str, shipped())]

    def _copies(self) -> dict[Path, Path]:
        inside = Path(self.build_lib, "benchmark", "shipped")
        return {} if self.editable_mode else {file: inside / file for file in shipped()}


def shipped() -> list[Path]:
    """Return the files that a wheel holds beside the code, relative to the checkout."""
    found = sorted(file for file in Path("workflow").rglob("*") if file.is_file())
    return [Path("models.yaml"), *(file for file in found if "__pycache__" not in file.parts)]


setup(cmdclass={"build_py": BuildWithWorkflow})
