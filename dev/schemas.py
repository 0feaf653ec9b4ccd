"""Write the JSON Schemas of what is published. Usage: dev/schemas.py FOLDER, one that was built.

The columns are those of the CSV files in the folder, ``results/boards/quick`` for instance.
"""

import csv
import json
import sys
from pathlib import Path
from typing import Any

from benchmark.leaderboard import schema
from benchmark.leaderboard.files import FILES

PLACE = Path(schema.__file__).parent


def main(folder: Path) -> None:
    """Write both files, each beside the module that says what they say."""
    columns = {}
    for name in (name for name in FILES if name.endswith(".csv")):
        with (folder / name).open(encoding="utf-8", newline="") as stream:
            columns[name] = next(csv.reader(stream))
    _write("provenance.schema.json", schema.provenance_schema())
    _write("tables.schema.json", schema.tables_schema(columns))


def _write(name: str, content: dict[str, Any]) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False)
    (PLACE / name).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
