"""YAML files into validated settings, with errors of one line that name file, key and value."""

import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

from benchmark.common.errors import CrosstalkError, unknown

Model = TypeVar("Model", bound=BaseModel)
_ALLOWED = {
    "dict_type": "allowed is a mapping (key: value)",
    "model_type": "allowed is a mapping (key: value)",
    "tuple_type": "allowed is a list",
    "invalid-json-value": "allowed are numbers, text, true, false, lists and mappings",
    "too_short": "at least one is needed",
}
_LONGEST = 60  # characters of a wrong value that are repeated in a message


class _Loader(yaml.SafeLoader):
    """The safe loader, but a key given twice is an error instead of the last one winning."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue  # a list or mapping as a key; the safe loader itself refuses it
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add((key.tag, key.value))
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(  # YAML 1.1 takes 3e-4, without a point, for text
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        CrosstalkError: The file is not there or unreadable, is not YAML, gives a key twice, or
            holds something else than a mapping with text keys.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # a safe loader
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise CrosstalkError(f"{path}: is not UTF-8 text: {error}") from error
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise CrosstalkError(f"{path}{line}: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise CrosstalkError(f"{path}: is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise CrosstalkError(f"{path}: holds {_shown(data)}, allowed is a mapping (key: value)")
    for key in data:
        if not isinstance(key, str):
            raise CrosstalkError(f"{path}: key {key!r} is no text; put it in quotes")
    return data


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
    reason = _ALLOWED.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    reason = reason[:1].lower() + reason[1:]
    if fault["type"] == "value_error" and isinstance(fault["input"], dict):  # the reason names it
        return CrosstalkError(f"{place}: {reason}")
    return CrosstalkError(f"{place}: found {_shown(fault['input'])}: {reason}")


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


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        CrosstalkError: The file cannot be read, or holds anything else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CrosstalkError(f"{path}: cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise CrosstalkError(f"{path}: is not JSON: {error}") from error
    if not isinstance(data, dict):
        raise CrosstalkError(f"{path}: found a {type(data).__name__}, allowed is an object")
    return data


Positive = Annotated[int, Field(gt=0)]


Seed = Annotated[int, Field(ge=0, lt=2**32)]  # what every random generator takes


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Section(BaseModel):
    """Base of every part of a study file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
