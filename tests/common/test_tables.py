import io

import pandas
import pytest

from benchmark.common.tables import csv_text


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_text_is_a_formula(text: str) -> None:
    frame = pandas.DataFrame({"model": [text, "m"], "value": [-0.5, 2.0]})
    read = pandas.read_csv(io.StringIO(csv_text(frame)), lineterminator="\n")
    assert list(read["model"]) == [f"'{text}", "m"]
    assert list(read["value"]) == [-0.5, 2.0]


def test_numbers_and_other_texts_stay_as_they_are() -> None:
    frame = pandas.DataFrame(
        {"a": ["-0.5", "x=1", None], "b": [1, -2, 3], "c": [True, False, True]}
    )
    assert csv_text(frame) == "a,b,c\n-0.5,1,True\nx=1,-2,False\n,3,True\n"


def test_numbers_have_six_significant_digits() -> None:
    values = [1 / 3, -0.0, 0.0, float("nan"), float("inf"), 1234567.0, 1e-9, 1 / 3]
    frame = pandas.DataFrame({"a": values, "b": ["x, y", 'z "z"', "", None, "x, y", "u", "v", "w"]})
    expected = frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    assert csv_text(frame) == expected
    assert expected.startswith(
        'a,b\n0.333333,"x, y"\n-0,"z ""z"""\n0,\n,\ninf,"x, y"\n1.23457e+06,u'
    )
