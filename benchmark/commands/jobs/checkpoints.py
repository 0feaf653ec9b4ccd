"""Seal checkpoints, and find the last whole one.

The trainer writes a checkpoint file by file. A manifest with every file's digest is written last:
a folder without one was cut short and is removed, a folder whose files differ from it is corrupt.
"""

import json
import shutil
from collections.abc import Collection
from pathlib import Path

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.fingerprint import file_sha256
from benchmark.common.paths import relative

MANIFEST = "manifest.json"


def seal(checkpoint: Path, training_hash: str) -> None:
    """Write the manifest of a checkpoint that has just been saved."""
    files = sorted(
        path for path in checkpoint.rglob("*") if path.is_file() and path.name != MANIFEST
    )
    digests = {str(path.relative_to(checkpoint)): file_sha256(path) for path in files}
    manifest = {"training_hash": training_hash, "files": digests}
    write_text(checkpoint / MANIFEST, json.dumps(manifest, indent=1))


def verify(checkpoint: Path) -> None:
    """Check a sealed checkpoint against its manifest.

    Raises:
        CrosstalkError: A file is missing or differs; the message says what to remove.
    """
    for name, expected in _manifest(checkpoint)["files"].items():
        file = checkpoint / name
        if not file.is_file() or file_sha256(file) != expected:
            state = "differs from its manifest" if file.is_file() else "is missing"
            raise CrosstalkError(
                f"{relative(file)}: {state}: the checkpoint is corrupt; remove the folder "
                f"{relative(checkpoint.parent)} to train the cell again"
            )


def latest(folder: Path, training_hash: str) -> Path | None:
    """Return the last whole checkpoint in ``folder``; remove those cut short or of another hash.

    Raises:
        CrosstalkError: The last checkpoint is corrupt.
    """
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        sealed = (checkpoint / MANIFEST).is_file()
        if sealed and _manifest(checkpoint)["training_hash"] == training_hash:
            whole.append(checkpoint)
        else:
            shutil.rmtree(checkpoint)
    if not whole:
        return None
    last = max(whole, key=step_of)
    verify(last)
    return last


def prune(folder: Path, needed: Collection[int]) -> None:
    """Remove the checkpoints in ``folder`` except the last two and those of the steps needed."""
    ordered = sorted(folder.glob("checkpoint-*"), key=step_of)
    for checkpoint in ordered[:-2]:
        if step_of(checkpoint) not in needed:
            shutil.rmtree(checkpoint)


def step_of(checkpoint: Path) -> int:
    """Return the step a checkpoint's folder is named after."""
    return int(checkpoint.name.rpartition("-")[2])


def _manifest(checkpoint: Path) -> dict:
    file = checkpoint / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        return {"training_hash": manifest["training_hash"], "files": dict(manifest["files"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CrosstalkError(
            f"{relative(file)}: cannot be read: the checkpoint is corrupt; remove the folder "
            f"{relative(checkpoint.parent)} to train the cell again"
        ) from error
