"""Compare published files with what the tracked runs give."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

SHOWN = 60  # characters of a value in a message
ROWS = 5  # differences named of a file
_RUN_LINK = re.compile(r'<a href="[^"]*#/runs/\w+">(\w+)</a>')


def differences(folder: Path, wanted: Mapping[str, str]) -> list[str]:
    """Return where the files of a folder differ from what they should hold, one line each.

    Of a CSV file the row (its line in the file) and the column are named, of ``provenance.json``
    the key, of others the line; the first few of each.
    """
    found = []
    for name, text in sorted(wanted.items()):
        file = folder / name
        if not file.is_file():
            found.append(f"{name}: missing")
            continue
        published = file.read_text(encoding="utf-8")
        if name.endswith(".html"):  # which links to runs where they were tracked
            published, text = _RUN_LINK.sub(r"\1", published), _RUN_LINK.sub(r"\1", text)
        if published != text:
            lines = list(_named(name, published, text)) or ["differs in its line ends or spacing"]
            found += [f"{name}: {line}" for line in lines[:ROWS]]
            if len(lines) > ROWS:
                found.append(f"{name}: … and {len(lines) - ROWS} more")
    return found


def _named(name: str, published: str, wanted: str) -> Iterator[str]:
    if name.endswith(".csv"):
        return _rows(published, wanted)
    if name.endswith(".json"):
        return _keys(published, wanted)
    return _lines(published, wanted)


def _rows(published: str, wanted: str) -> Iterator[str]:
    (header, *rows), (own, *others) = (
        list(csv.reader(io.StringIO(text))) or [[]] for text in (published, wanted)
    )
    if header != own:
        yield f"columns: published {_shown(', '.join(header))}, found {_shown(', '.join(own))}"
        return
    for line, (row, other) in enumerate(zip_longest(rows, others), start=2):
        if row is None or other is None:
            yield f"row {line}: {'published' if other is None else 'found'} only"
            continue
        for column, value, right in zip_longest(header, row, other, fillvalue=""):
            if value != right:
                yield f"row {line}, column {column}: published {value!r}, found {right!r}"


def _keys(published: str, wanted: str) -> Iterator[str]:
    try:
        old = json.loads(published)
    except ValueError:
        yield "not JSON"
        return
    yield from _differing(old, json.loads(wanted), "")


def _differing(old: Any, new: Any, key: str) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _differing(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield f"key {key}: published {_shown(repr(old))}, found {_shown(repr(new))}"


def _lines(published: str, wanted: str) -> Iterator[str]:
    pairs = zip_longest(published.splitlines(), wanted.splitlines(), fillvalue="")
    for number, (old, new) in enumerate(pairs, start=1):
        if old != new:
            yield f"line {number}: published {_shown(repr(old))}, found {_shown(repr(new))}"


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
