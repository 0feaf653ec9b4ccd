"""Writing tables of problems of our own."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

Rows = list[dict[str, Any]]


def json_lines(path: Path, rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def parquet_file(path: Path, rows: Rows) -> Path:
    parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def sums(count: int) -> Rows:
    return [{"prompt": f"What is 1 + {n}?", "answer": f"{n + 1}"} for n in range(count)]
