"""Records that jobs leave for one another: a JSON file with the hash that it was made under."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import write_text
from benchmark.common.paths import relative


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
        """Return the record in ``folder``, or None if there is none of this hash."""
        file = folder / cls.FILE
        found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return cls(**found) if found.get("hash") == hash_ else None

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
