"""Records that jobs leave for one another: a JSON file with the hash that it was made under."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative
from benchmark.common.settings import read_json

TABLES = {  # that a record answers for, beside its file
    "baseline.json": "completions.parquet",
    "evaluation.json": "completions.parquet",
    "calibration.json": "completions.parquet",
}
_PARQUET = b"PAR1"  # begins and ends a file: https://parquet.apache.org/docs/file-format/


@dataclass(frozen=True)
class Record:
    """Base of the records; a subclass is a dataclass whose fields are the file's other keys.

    Attributes:
        FILE: The file's name in the folder that it describes.
        MISSING: What to say where there is none.
        COMMAND: The command of ``crosstalk`` that writes it.
    """

    FILE: ClassVar[str]
    MISSING: ClassVar[str]
    COMMAND: ClassVar[str]

    hash: str

    def write(self, folder: Path) -> None:
        """Write the record into ``folder``."""
        write_text(folder / self.FILE, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, folder: Path, hash_: str) -> Self | None:
        """Return the record in ``folder``, or None if there is none of this hash.

        A file that was cut short, or is something else, counts as none, and so does a record whose
        table was.
        """
        try:
            found = read_json(folder / cls.FILE)
            own = cls(**found) if found.get("hash") == hash_ else None
        except (CrosstalkError, TypeError):  # not there, no JSON, other keys
            return None
        table = TABLES.get(cls.FILE)
        return own if table is None or is_whole_parquet(folder / table) else None

    @classmethod
    def require(cls, folder: Path, hash_: str, whose: str) -> Self:
        """Return the record in ``folder``.

        Args:
            folder: Where it lies.
            hash_: What it has to be made under.
            whose: The arguments of the command that writes it.

        Raises:
            CrosstalkError: There is none of this hash; the message names the command.
        """
        found = cls.read(folder, hash_)
        if found is None:
            first = f"run `crosstalk {cls.COMMAND} {whose}` first"
            raise CrosstalkError(f"{relative(folder)}: {cls.MISSING}; {first}")
        return found


def is_whole_parquet(file: Path) -> bool:
    """Return whether there is a Parquet file that was written to its end."""
    try:
        with file.open("rb") as stream:
            begins = stream.read(len(_PARQUET)) == _PARQUET
            stream.seek(-len(_PARQUET), os.SEEK_END)
            return begins and stream.read() == _PARQUET
    except OSError:
        return False
