import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.common.errors import CrosstalkError
from benchmark.objectives.script import SCRIPTS, Script


def share(text: str, *scripts: str) -> float:
    (found,) = Script(scripts or "latin")(completions=[text], completion_ids=[[1]])
    return found


def test_shares_of_letters_by_hand() -> None:
    assert share("So x = 2, 因此") == pytest.approx(3 / 5)
    assert share("因此 x", "cjk") == pytest.approx(2 / 3)
    assert share("これは漢字です", "cjk", "hiragana") == 1
    assert share("Straße, naïve") == 1
    assert share("но") == 0


def test_a_text_without_letters_mixes_nothing() -> None:
    assert share("") == share("12 + 3 = 15.") == 1


@given(text=st.text(max_size=20))
def test_shares_lie_between_nothing_and_all(text: str) -> None:
    found = [share(text, script) for script in SCRIPTS]
    assert all(0 <= each <= 1 for each in found)
    assert share(text, *SCRIPTS) >= max(found)


def test_an_unknown_script_is_refused() -> None:
    with pytest.raises(CrosstalkError, match=r"scripts: expected one of latin, .*, got 'english'"):
        Script(["latin", "english"])
