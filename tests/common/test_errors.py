import pytest

from benchmark.common.errors import CrosstalkError, unknown


def test_a_message_is_one_line_whatever_it_is_made_of() -> None:
    assert str(CrosstalkError("  a file:\n\tno such\r\n  key ")) == "a file: no such key"


def test_nothing_in_a_message_steers_a_terminal() -> None:
    told = str(CrosstalkError("a plug-in: \x1b[2Jgone\x07 \u202eback\x9b1m; é, 数 and − stay"))
    assert told == r"a plug-in: \x1b[2Jgone\x07 \u202eback\x9b1m; é, 数 and − stay"


def test_an_unknown_name_brings_the_closest_and_all_known_ones_in_order() -> None:
    error = unknown("objective", "acuracy", ["clarity", "accuracy"], "lab.yaml: objectives")
    assert isinstance(error, CrosstalkError)
    assert str(error) == (
        "lab.yaml: objectives: unknown objective 'acuracy'; did you mean 'accuracy'? "
        "(known: accuracy, clarity)"
    )


@pytest.mark.parametrize("value", ["zzz", 3, ""])
def test_nothing_is_suggested_for_a_name_like_no_other(value: object) -> None:
    message = str(unknown("objective", value, iter(["clarity", "accuracy"])))
    assert message == f"unknown objective {value!r} (known: accuracy, clarity)"
