from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from benchmark.common.errors import CrosstalkError
from benchmark.common.settings import parse, read_yaml


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid")
    weight: Annotated[float, Field(gt=0)] = 1.0


class Whole(BaseModel):
    model_config = ConfigDict(extra="forbid")
    steps: int
    name: str = "x"
    parts: dict[str, Part | None] = {}

    @field_validator("name")
    @classmethod
    def _is_short(cls, name: str) -> str:
        if len(name) > 3:
            raise ValueError("at most 3 letters are allowed")
        return name


def message(data: object) -> str:
    with pytest.raises(CrosstalkError) as caught:
        parse(Whole, data, "file.yaml: entry")
    assert "\n" not in str(caught.value)
    return str(caught.value)


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


def test_a_wrong_type_names_key_value_and_what_is_allowed() -> None:
    text = message({"steps": "many"})
    assert text.startswith("file.yaml: entry: steps: found 'many': ")
    assert "valid integer" in text


def test_a_value_out_of_bounds_names_the_bound() -> None:
    text = message({"steps": 1, "parts": {"a": {"weight": -1}}})
    assert "parts.a.weight: found -1: " in text
    assert "greater than 0" in text


def test_a_missing_key_is_named() -> None:
    assert message({}) == "file.yaml: entry: steps: is required"


def test_the_words_of_a_validator_are_kept() -> None:
    assert message({"steps": 1, "name": "long"}).endswith(
        "name: found 'long': at most 3 letters are allowed"
    )


def test_something_else_than_a_mapping_is_refused() -> None:
    assert "found [1, 2]" in message([1, 2])
    assert "found nothing" in message(None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", r"line 3: key 'a' is given twice"),
        ("a:\n  b: 1\n  b: 2\n", r"line 3: key 'b' is given twice"),
        ("a: [1\n", r"line 2: "),
        ("- 1\n", r"holds \[1\], allowed is a mapping"),
        ("", r"holds nothing, allowed is a mapping"),
        ("a: !!python/object/apply:os.system ['true']\n", r"could not determine a constructor"),
        ("1: a\n", r"key 1 is no text"),
        ("a: \x00\n", r"is not YAML"),
    ],
)
def test_wrong_yaml_is_refused_in_one_line(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CrosstalkError, match=expected) as caught:
        read_yaml(path)
    assert str(caught.value).startswith(str(path))


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
