"""Read YAML and JSON files, and check settings: errors are one line of file, key and value."""

import json
import re
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from benchmark.common.errors import CrosstalkError, unknown

Model = TypeVar("Model", bound=BaseModel)
Positive = Annotated[int, Field(gt=0, le=10**12)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every random generator takes
LONGEST_NAME = 100  # two of them, joined, still name a folder
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]  # may name a folder
_MAPPING = "a mapping (key: value)"
_EXPECTED = {  # by pydantic's type of fault; the braces are its context
    "bool_type": "true or false",
    "dict_type": _MAPPING,
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "int_from_float": "an integer",
    "int_type": "an integer",
    "invalid-json-value": "numbers, text, true, false, lists and mappings",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "{expected}",
    "model_type": _MAPPING,
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "text",
    "string_type": "text",
    "too_short": "at least one entry",
    "tuple_type": "a list",
}
_LONGEST = 60  # characters of a wrong value that are repeated in a message
_MOST_CHARACTERS = 2_000_000  # of a YAML file
_MOST_VALUES = 100_000  # in one; an alias counts what it stands for each time
_DEEPEST = 40  # levels of lists and mappings
_MOST_DIGITS = 18  # of an integer: it fits into 64 bits
_INTEGER = "tag:yaml.org,2002:int"


class Section(BaseModel):
    """Base of all settings in files: strict and frozen, without unknown keys and infinities."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a file of YAML 1.2, where ``off`` and ``no`` are text.

    Raises:
        CrosstalkError: The file cannot be read, is not YAML, gives a key twice, or is not a mapping
            with text keys.
    """
    text = _text(path)
    if len(text) > _MOST_CHARACTERS:
        raise CrosstalkError(
            f"{path}: expected at most {_MOST_CHARACTERS:,} characters, got {len(text):,}"
        )
    try:
        data = deepcopy(_loaded(text, path))
    except CrosstalkError:
        raise
    except MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CrosstalkError(f"{path}{line}: {error.problem or error.context}") from error
    except RecursionError as error:
        raise CrosstalkError(f"{path}: is not YAML: it is nested too deeply") from error
    except Exception as error:  # a date or number that is none fails in its own way
        raise CrosstalkError(f"{path}: is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise CrosstalkError(f"{path}: expected {_MAPPING}, got {_shown(data)}")
    for key in data:
        if not isinstance(key, str):
            raise CrosstalkError(f"{path}: expected text as a key, got {key!r}; put it in quotes")
    return data


@lru_cache(maxsize=16)
def _loaded(text: str, path: Path) -> Any:
    """Return what a YAML text says; to read it takes long, and a project's are read often."""
    _check_size(YAML(typ="safe", pure=True).compose(text), path)
    return YAML(typ="safe", pure=True).load(text)


def _check_size(root: Node | None, path: Path) -> None:
    """Refuse a document that aliases of aliases blow up, that contains itself, or that is too deep.

    Integers that no machine holds are refused, too.
    """
    pending, count = [(root, 0)], 0
    while pending:
        (node, depth), count = pending.pop(), count + 1
        if count > _MOST_VALUES:
            raise CrosstalkError(f"{path}: expected at most {_MOST_VALUES:,} values, got more")
        if depth > _DEEPEST:
            raise CrosstalkError(f"{path}: expected at most {_DEEPEST} levels, got more")
        if isinstance(node, MappingNode):
            pending += [(each, depth + 1) for pair in node.value for each in pair]
        elif isinstance(node, SequenceNode):
            pending += [(value, depth + 1) for value in node.value]
        elif isinstance(node, ScalarNode) and node.tag == _INTEGER:
            _check_digits(node, path)


def check_name(value: str, where: str) -> str:
    """Return a name that may name a folder, by the rule of :data:`Name`."""
    if not re.fullmatch(NAME, value) or len(value) > LONGEST_NAME:
        raise CrosstalkError(
            f"{where}: expected up to {LONGEST_NAME} characters that match {NAME}, "
            f"got {_shown(value)}"
        )
    return value


def _check_digits(node: ScalarNode, path: Path) -> None:
    digits = len(node.value.strip("+-").replace("_", ""))
    if digits > _MOST_DIGITS:
        line = f", line {node.start_mark.line + 1}" if node.start_mark else ""
        raise CrosstalkError(
            f"{path}{line}: expected an integer of at most {_MOST_DIGITS} digits, got {digits}"
        )


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        CrosstalkError: The file cannot be read, is not JSON, or is not an object.
    """
    text = _text(path)
    try:
        data = json.loads(text)
    except ValueError as error:
        raise CrosstalkError(f"{path}: is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CrosstalkError(f"{path}: expected an object, got {_shown(data)}")
    return data


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CrosstalkError(f"{path}: is not UTF-8 text: {error}") from error


def parse(model_class: type[Model], data: Any, where: str) -> Model:
    """Return ``model_class`` made from ``data``.

    Args:
        model_class: The pydantic model that describes what is allowed.
        data: What was read, usually a mapping.
        where: What starts a message: the file, and the entry in it if there are several.

    Raises:
        CrosstalkError: ``data`` does not fit; one line on the first fault, unknown keys first,
            since a misspelt key often shows as a missing one as well.
    """
    try:
        return model_class.model_validate(data)
    except ValidationError as error:
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise _fault(model_class, faults[0], data, where) from error


def _fault(model_class: type[BaseModel], fault: Any, data: Any, where: str) -> CrosstalkError:
    location = _location(fault, data)
    if fault["type"] == "extra_forbidden":
        place = ": ".join([where, *([".".join(location[:-1])] if location[:-1] else [])])
        return unknown("key", location[-1], _fields(model_class, fault["loc"][:-1]), place)
    place = ": ".join([where, *([".".join(location)] if location else [])])
    if fault["type"] == "missing":
        return CrosstalkError(f"{place}: is required")
    if fault["type"] == "value_error":
        reason = fault["msg"].removeprefix("Value error, ")
        if isinstance(fault["input"], dict):  # the reason names the keys at fault
            return CrosstalkError(f"{place}: {reason}")
    elif fault["type"] in _EXPECTED:
        bounds = {key: _plain(value) for key, value in fault.get("ctx", {}).items()}
        reason = f"expected {_EXPECTED[fault['type']].format(**bounds)}"
    else:
        reason = fault["msg"][:1].lower() + fault["msg"][1:]
    return CrosstalkError(f"{place}: {reason}, got {_shown(fault['input'])}")


def _plain(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _location(fault: Any, data: Any) -> list[str]:
    """Return the keys and indices that lead to a fault, without the validator's own steps."""
    location = []
    for step in fault["loc"]:
        keys = data if isinstance(data, dict) else range(len(data) if isinstance(data, list) else 0)
        if step in keys:
            data = data[step]
        elif fault["type"] != "missing":
            continue  # the name of a union's member, or a mark that the fault is in the key
        location.append(str(step))
    return location


def _fields(model_class: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed at ``location``, following nested models, lists and mappings."""
    classes = {model_class}
    for step in location:
        inner = {
            found
            for each in classes
            if step in each.model_fields
            for found in _models_in(each.model_fields[str(step)].annotation)
        }
        classes = inner or classes  # an index, a mapping's key or a union's tag leads no deeper
    return [field.alias or name for each in classes for name, field in each.model_fields.items()]


def _models_in(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {found for inner in get_args(annotation) for found in _models_in(inner)}


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
