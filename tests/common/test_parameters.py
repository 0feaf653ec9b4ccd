import math
from collections.abc import Callable
from typing import Any

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.common.parameters import choice, flag, integer, names, number, text

AB = ("alpha", "beta")


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (integer("k", 3, minimum=3), 3),
        (number("k", 1, 0.0, 1.0), 1.0),
        (number("k", math.inf, 0.0, finite=False), math.inf),
        (flag("k", False), False),
        (text("k", ""), ""),
        (choice("k", "beta", AB), "beta"),
        (names("k", ["beta", "alpha", "beta"], AB), ("beta", "alpha")),
    ],
)
def test_value_that_fits_is_returned(found: object, expected: object) -> None:
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("check", "expected", "values"),
    [
        (lambda v: integer("k", v, 1), "an integer of at least 1", [0, 1.0, True, "1", None]),
        (lambda v: number("k", v, 0.0), "a number of at least 0", [-1, math.inf, True, "0"]),
        (lambda v: number("k", v, 0.0, 1.0), "a number of at least 0 and at most 1", [2, math.nan]),
        (lambda v: number("k", v, 1.0, finite=False), "a number of at least 1", [0, math.nan]),
        (lambda v: flag("k", v), "true or false", [0, "yes", None]),
        (lambda v: text("k", v, "a column's name"), "a column's name", [3, None]),
        (lambda v: choice("k", v, AB), "one of alpha, beta", ["gamma", 3]),
        (lambda v: names("k", v, AB), "a list of some of alpha, beta", ["alpha", [], None]),
    ],
)
def test_another_value_is_repeated_in_the_error(
    check: Callable[[Any], object], expected: str, values: list[Any]
) -> None:
    for value in values:
        with pytest.raises(CrosstalkError) as caught:
            check(value)
        shown = "nothing" if value is None else repr(value)
        assert str(caught.value) == f"k: expected {expected}, got {shown}"


def test_long_value_is_shortened() -> None:
    with pytest.raises(CrosstalkError, match="got 'xxx") as caught:
        flag("k", 1000 * "x")
    assert len(str(caught.value)) < 100


def test_wrong_name_in_a_list_brings_the_closest() -> None:
    with pytest.raises(CrosstalkError, match="k: unknown name 'alpah'; did you mean 'alpha'"):
        names("k", ["beta", "alpah"], AB)
