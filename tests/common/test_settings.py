from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field, field_validator

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import Section, parse, read_json, read_yaml


class Part(Section):
    weight: Annotated[float, Field(gt=0)] = 1.0


class Whole(Section):
    steps: int
    name: str = "x"
    parts: dict[str, Part | None] = Field(default={})

    @field_validator("name")
    @classmethod
    def _is_short(cls, name: str) -> str:
        if len(name) > 3:
            raise ValueError("expected at most 3 letters")
        return name


def message(data: object) -> str:
    with pytest.raises(CrosstalkError) as caught:
        parse(Whole, data, "file.yaml: entry")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_file_is_read_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "file.yaml"
    path.write_text("a: {b: [1]}\n")
    first = read_yaml(path)
    first["a"]["b"].append(2)  # whoever was handed it may change it
    assert read_yaml(path) == {"a": {"b": [1]}}
    path.write_text("a: {b: [3]}\n")
    assert read_yaml(path) == {"a": {"b": [3]}}


def test_what_fits_is_returned() -> None:
    whole = parse(Whole, {"steps": 3, "parts": {"a": {"weight": 2}, "b": None}}, "file.yaml")
    assert whole.steps == 3
    assert whole.parts["a"] == Part(weight=2)


def test_an_unknown_key_is_named_with_the_closest_one() -> None:
    assert message({"step": 3}) == (
        "file.yaml: entry: unknown key 'step'; did you mean 'steps'? (known: name, parts, steps)"
    )


def test_an_unknown_key_of_a_nested_part_is_compared_with_its_own_keys() -> None:
    text = message({"steps": 3, "parts": {"a": {"wieght": 2}}})
    assert text.startswith("file.yaml: entry: parts.a: unknown key 'wieght'")
    assert "did you mean 'weight'" in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"steps": "many"}, "steps: expected an integer, got 'many'"),
        ({"steps": "2"}, "steps: expected an integer, got '2'"),
        ({"steps": 2.0}, "steps: expected an integer, got 2.0"),
        ({"steps": 1, "name": 3}, "name: expected text, got 3"),
        ({"steps": 1, "name": "long"}, "name: expected at most 3 letters, got 'long'"),
        ({"steps": 1, "parts": {"a": {"weight": -1}}}, "parts.a.weight: expected more than 0, got"),
        ({"steps": 1, "parts": {"a": {"weight": float("inf")}}}, "parts.a.weight: expected a fini"),
    ],
)
def test_a_wrong_value_names_key_value_and_what_is_expected(data: dict, expected: str) -> None:
    assert message(data).startswith(f"file.yaml: entry: {expected}")


def test_a_missing_key_is_named() -> None:
    assert message({}) == "file.yaml: entry: steps: is required"


def test_something_else_than_a_mapping_is_refused() -> None:
    assert message([1, 2]) == "file.yaml: entry: expected a mapping (key: value), got [1, 2]"
    assert message(None).endswith("got nothing")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", r"line 3: found duplicate key \"a\" with value \"3\""),
        ("a:\n  b: 1\n  b: 2\n", r"line 3: found duplicate key \"b\""),
        ("a: [1\n", r"line 2: expected ',' or '\]'"),
        ("a: *b\n", r"line 1: found undefined alias 'b'"),
        ("- 1\n", r"expected a mapping \(key: value\), got \[1\]"),
        ("", r"expected a mapping \(key: value\), got nothing"),
        ("a: !!python/object/apply:os.system ['true']\n", r"could not determine a constructor"),
        ("1: a\n", r"expected text as a key, got 1"),
        ("a: \x00\n", r"is not YAML"),
        ("a: 2024-13-45\n", r"is not YAML: month must be in 1\.\.12"),
        ("b:\n  - " + "9" * 5000, r"line 2: expected an integer of at most 18 digits, got 5000"),
        ("a: -1" + "0" * 400, r"line 1: expected an integer of at most 18 digits, got 401"),
        ("a: 'x'\nb: '" + "x" * 2_000_000 + "'", r"expected at most 2,000,000 characters, got"),
    ],
)
def test_wrong_yaml_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CrosstalkError, match=expected) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))


LISTS = "a0: &a0 [x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 9)
)
MERGES = "a0: &a0 {x: 1}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}\n" for i in range(1, 9)
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LISTS, "expected at most 100,000 values"),
        (MERGES, "expected at most 100,000 values"),
        ("a: &a [*a]\n", "expected at most 40 levels"),
        ("a: " + "{a: " * 3000 + "1" + "}" * 3000, "nested too deeply"),
        ("a: " + "[" * 41 + "]" * 41, "expected at most 40 levels"),
        ("a: {? [" + "[" * 41 + "]" * 41 + "] : 1}", "expected at most 40 levels"),
    ],
    ids=["lists", "merges", "itself", "deep", "levels", "keys"],
)
def test_a_document_that_would_blow_up_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CrosstalkError, match=expected):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("off", "off"), ("yes", "yes"), ("3e-4", 3e-4), ("1e5", 1e5), ("010", 10), ("~", None)),
        *(("1:30", "1:30"), ("1.0e308", 1e308), ("0o10", 8), ("-0", 0), ("'010'", "010")),
    ],
)
def test_scalars_are_those_of_yaml_1_2(tmp_path: Path, text: str, value: object) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(f"a: {text}\n", encoding="utf-8")
    assert read_yaml(path) == {"a": value}


@pytest.mark.parametrize(
    ("text", "expected"), [("{", "is not JSON"), ("[1]", r"expected an object, got \[1\]")]
)
def test_wrong_json_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CrosstalkError, match=expected):
        read_json(path)


def test_a_merge_key_may_be_overridden(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("a: &base {x: 1, y: 2}\nb:\n  <<: *base\n  x: 3\n", encoding="utf-8")
    assert read_yaml(path)["b"] == {"x": 3, "y": 2}


def test_a_missing_file_and_other_encodings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match="cannot be read"):
        read_yaml(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: é".encode("latin-1"))
    with pytest.raises(CrosstalkError, match="UTF-8"):
        read_yaml(path)
