"""The form of what is published: ``provenance.json`` and the columns of the CSV files.

``provenance.schema.json`` and ``tables.schema.json`` beside this file say the same as JSON Schema
(https://json-schema.org, 2020-12); ``dev/schemas.py`` writes them. The version that a folder's
``provenance.json`` gives is that of the whole folder. Of older versions, the last can be read:

========  ====================================================================================
version   what is new
========  ====================================================================================
1         ``provenance.json`` with the key ``schema``; no ``curves.csv``
2         ``schema_version``, a ``row`` for each cell, ``curves.csv``, further columns of tables
========  ====================================================================================
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from benchmark.common.errors import CrosstalkError
from benchmark.common.paths import relative
from benchmark.common.settings import Section, parse, read_json
from benchmark.leaderboard.files import FILES, PROVENANCE
from benchmark.leaderboard.pages.dictionary import COLUMNS, TRUTH
from benchmark.leaderboard.results.origins import SCHEMA_VERSION

FIRST = 1  # whose key was `schema`
LOCK = "requirements/cpu.txt"  # the only lock of packages when the first version began
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES = {  # by unit; others are numbers
    "integer": ("integer",),
    TRUTH: ("boolean", "integer"),  # the integers count places
    **dict.fromkeys(("name", "names", "text"), ("string",)),
}


class Row(Section):
    """Under which names the tables show a run."""

    model: str
    objectives: str = Field(description="the objective set")
    algorithm: str
    seed: int


class CellProvenance(Section):
    """Where the run that counts for a cell comes from."""

    row: Row
    cell_hash: str = Field(description="digest of all that determines the cell's result")
    run_id: str = Field(description="of the run in MLflow")
    seed: int = Field(description="training seed")
    git_commit: str = Field(description="commit; ends in -dirty where files differed from it")
    environment: str = Field(description="key of `environments`")
    hardware: dict[str, str]
    hardware_class: str = Field(description="kinds of GPU, or CPU")
    start_time: str = Field(description="ISO 8601, UTC")
    end_time: str = Field(description="ISO 8601, UTC")


class Provenance(Section):
    """Where the results in the tables of a folder come from: the content of provenance.json."""

    schema_version: int = Field(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)
    study: str = Field(description="its name; of several, joined by ` + `")
    cells: dict[str, CellProvenance] = Field(description="by the cells' ids")
    missing: dict[str, str] = Field(description="cells without a result, and why")
    lock_hashes: dict[str, str] = Field(description="SHA-256 of each lock of packages, by file")
    seeds: list[int]
    git_commits: list[str]
    environments: dict[str, dict[str, str]] = Field(description="versions of packages, by hash")
    scales: dict[str, dict[str, str]] = Field(
        default={},
        description="of objectives that were calibrated, as tracked, by cell; absent without any",
    )
    start_time: str = Field(description="of the first run; ISO 8601, UTC")
    end_time: str = Field(description="of the last run; ISO 8601, UTC")


def version_of(folder: Path) -> int:
    """Return the version of what a folder holds.

    Raises:
        CrosstalkError: Its ``provenance.json`` cannot be read, or is of a version not known here.
    """
    return _version(read_json(folder / PROVENANCE), relative(folder / PROVENANCE))


def read_provenance(folder: Path) -> Provenance:
    """Read a folder's ``provenance.json``; one of the last version in the form of this one.

    Raises:
        CrosstalkError: It cannot be read, is of a version not known here, or not of its form.
    """
    record, where = read_json(folder / PROVENANCE), relative(folder / PROVENANCE)
    if _version(record, where) == FIRST:
        record = _from_first(record, where)
    return parse(Provenance, record, where)


def _version(record: Mapping[str, Any], where: str) -> int:
    key = "schema_version" if "schema_version" in record else "schema"
    found = record.get(key)
    known = SCHEMA_VERSION if key == "schema_version" else FIRST
    if type(found) is not int or found != known:
        raise CrosstalkError(
            f"{where}: schema_version: expected {FIRST} or {SCHEMA_VERSION}, got {found!r}: "
            "another version of Crosstalk wrote it"
        )
    return known


def _from_first(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a record of version 1 in the form of version 2: ids say which rows are meant."""
    cells: dict[str, Any] = {}
    for name, cell in dict(record.get("cells", {})).items():
        parts = str(name).split("/")
        if len(parts) < 4 or not isinstance(cell, dict) or "seed" not in cell:
            raise CrosstalkError(
                f"{where}: cells.{name}: expected <model>/<objectives>/<algorithm>/seed<k> with "
                "its run"
            )
        model, objectives, algorithm = parts[-4:-1]
        axes = {"model": model, "objectives": objectives, "algorithm": algorithm}
        cells[name] = cell | {"row": axes | {"seed": cell["seed"]}}
    rest = {key: value for key, value in record.items() if key not in ("schema", "cells")}
    if "lock_hash" in rest:  # at first there was one lock
        rest["lock_hashes"] = {LOCK: rest.pop("lock_hash")}
    return rest | {"schema_version": SCHEMA_VERSION, "cells": cells}


# --- as JSON Schema ----------------------------------------------------------------------------


def provenance_schema() -> dict[str, Any]:
    """Return the JSON Schema of ``provenance.json``."""
    return {"$schema": DIALECT, **Provenance.model_json_schema()}


def tables_schema(columns: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return the JSON Schema of the CSV files, each a list of rows, given each file's columns.

    An empty field of a file is null, or an empty string in a column of texts.
    """
    return {
        "$schema": DIALECT,
        "title": "Tables",
        "description": f"The CSV files of a published folder, schema_version {SCHEMA_VERSION}.",
        "type": "object",
        "properties": {name: _rows(name, header) for name, header in sorted(columns.items())},
    }


def _rows(name: str, header: Sequence[str]) -> dict[str, Any]:
    row = {
        "type": "object",
        "properties": {column: _column(column) for column in header},
        "required": list(header),
        "additionalProperties": False,
    }
    return {"description": FILES[name].holds, "type": "array", "items": row}


def _column(name: str) -> dict[str, Any]:
    meaning, unit = COLUMNS[name]
    kinds = TYPES.get(unit, ("number",))
    empty = [] if kinds == ("string",) else ["null"]
    return {"description": meaning, "unit": unit, "type": [*kinds, *empty]}
