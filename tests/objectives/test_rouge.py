from importlib.util import find_spec
from pathlib import Path

import pytest
from studies import load_study, make_root

from benchmark.common.errors import CrosstalkError
from benchmark.objectives import rouge
from benchmark.objectives.rouge import Rouge
from benchmark.study.downloads import not_installed

needs_rouge = pytest.mark.skipif(
    find_spec("rouge_score") is None, reason="the package rouge-score is not here"
)


def scored(text: str, answer: str, **parameters: bool) -> float:
    (found,) = Rouge(**parameters)(completions=[text], completion_ids=[[1]], answer=[answer])
    return found


@needs_rouge
def test_the_f_measure_of_the_longest_common_subsequence_by_hand() -> None:
    answer = "The cat sat on the mats."
    # "cat … on … mats" of 6 and 5 words: P = 3/5, R = 3/6.
    assert scored("a cat sits on mat", answer) == pytest.approx(2 * 0.6 * 0.5 / 1.1)
    # Without stems "mat" is not "mats": P = 2/5, R = 2/6.
    assert scored("a cat sits on mat", answer, stemming=False) == pytest.approx(0.8 / 2.2)
    # Order counts: one word of two.
    assert scored("mats cat", "cat mats") == pytest.approx(0.5)
    assert scored(answer, answer) == 1
    assert scored("dogs", answer) == scored("", answer) == scored("котёнок", "котёнок") == 0


@needs_rouge
def test_equal_pairs_are_measured_alike() -> None:
    found = Rouge()(
        completions=["a b", "c d", "a b"], completion_ids=[[1]] * 3, answer=["a b", "a b", "c d"]
    )
    assert found == [1, 0, 0]


def test_without_the_package_one_line_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rouge, "PACKAGE", "no-such-package")
    told = (
        "objective 'rouge': expected the package no-such-package 0.1.2, got none: "
        r"run `pip install 'crosstalk-bench\[rouge\]'`"
    )
    with pytest.raises(CrosstalkError, match=told):
        scored("a", "a")


def test_a_study_that_reads_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rouge, "PACKAGE", "no-such-package")
    pair = {"pair": {"objectives": ["accuracy", "rouge"]}}
    study = load_study(make_root(tmp_path), objective_sets=pair)
    (told,) = not_installed(study)
    assert "expected the package no-such-package" in str(told)
    assert list(not_installed(load_study(study.layout.root))) == []


def test_answers_have_to_be_there() -> None:
    with pytest.raises(CrosstalkError, match="'rouge': expected the dataset column 'answer', got"):
        Rouge()(completions=["a"], completion_ids=[[1]])
