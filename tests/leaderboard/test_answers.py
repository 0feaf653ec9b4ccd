"""What policies wrote, on the page: bounded, side by side, and never markup."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas
import pytest

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.site import answers
from benchmark.leaderboard.site.answers import LONGEST, PROMPTS, answers_of, visible
from benchmark.leaderboard.writing import contents
from benchmark.tracking.artifacts import INITIAL
from benchmark.tracking.names import COMPLETIONS
from benchmark.tracking.run import CellRun

from .lab import INITIAL as BEFORE
from .lab import Lab
from .test_site import Page

pytestmark = pytest.mark.xdist_group("site")

HOSTILE = (
    "</script><script>alert(1)</script>",
    '<img src=x onerror="alert(1)">',
    "<!-- <script>",
    "a\u2028b\u2029c\x00\x1b[31m",
    "right \u202eto left\u2066",
    "{{ 7 * 7 }} ${7 * 7} \\u003c",
    "\"'`&amp;",
)


def table(texts: Sequence[str]) -> pandas.DataFrame:
    """Two completions each of as many problems as there are texts."""
    rows = [
        {
            "problem": f"test-{number}",
            "sample": sample,
            "prompt": f"What is {number}?{text}",
            "answer": text,
            "completion": text if sample == 0 else "the second one",
            "tokens": 3 + number,
            "reward/a": 0.25,
            "reward/b": float("nan"),
        }
        for number, text in enumerate(texts)
        for sample in (0, 1)
    ]
    return pandas.DataFrame(rows)


def store(run: CellRun, folder: Path, name: str, texts: Sequence[str]) -> None:
    folder.mkdir(exist_ok=True)
    table(texts).to_parquet(folder / name, index=False)
    run.artifact(folder / name)


def finish(
    lab: Lab, folder: Path, cell: str, written: Sequence[str], before: Sequence[str] = ()
) -> None:
    run = lab.start(cell)
    lab.log(run, cell, [value + 0.1 for value in BEFORE])
    store(run, folder, COMPLETIONS, written)
    if before:
        store(run, folder, INITIAL, before)
    run.end("complete")
    shutil.rmtree(folder)


def test_answers_stand_side_by_side_with_rewards_and_lengths(lab: Lab, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    for algorithm in ("linear", "ctwa"):
        finish(lab, folder, lab.expect("m", algorithm), [algorithm] * 6, ["at first"] * 6)
    (place,) = answers_of(lab.uri, lab.collect())
    assert (place["model"], place["objectives"], place["seed"]) == ("m", "pair", 0)
    assert place["names"] == ["a", "b"]
    assert len(place["prompts"]) == PROMPTS
    second = place["prompts"][1]
    assert second["prompt"].startswith("What is 1?")
    assert [w["by"] for w in second["written"]] == ["", "linear", "ctwa"]
    assert [w["text"] for w in second["written"]] == ["at first", "linear", "ctwa"]
    assert second["written"][0]["tokens"] == 4
    assert second["written"][0]["rewards"] == [0.25, None]  # NaN: it does not apply


def test_one_seed_of_a_place_is_shown_the_one_most_algorithms_have(
    lab: Lab, tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    finish(lab, folder, lab.expect("m", "linear", seed=0), ["seed 0"])
    for algorithm in ("linear", "ctwa"):
        finish(lab, folder, lab.expect("m", algorithm, seed=1), ["seed 1"])
    (place,) = answers_of(lab.uri, lab.collect())
    assert place["seed"] == 1
    assert {w["text"] for w in place["prompts"][0]["written"]} == {"seed 1"}


def test_runs_that_kept_no_completions_leave_the_page_as_it_was(lab: Lab) -> None:
    lab.finish(lab.expect("m", "linear"), [0.5, 0.5])
    results = lab.collect()
    assert answers_of(lab.uri, results) == []
    page = contents(Frames(results), ["html"], store=lab.uri)["index.html"]
    assert 'id="answers"' not in page


@pytest.mark.parametrize("text", HOSTILE)
def test_no_answer_becomes_markup_or_ends_the_data(lab: Lab, tmp_path: Path, text: str) -> None:
    finish(lab, tmp_path / "files", lab.expect("m", "linear"), [text], [text])
    page = contents(Frames(lab.collect()), ["html"], store=lab.uri)["index.html"]
    parsed = Page(page)
    scripts = parsed.scripts()
    assert len(scripts) == 3  # data, library, page: as without any answer
    (place,) = json.loads(scripts[0])["answers"]
    assert place["prompts"][0]["written"][0]["text"] == visible(text, LONGEST)
    assert not any("alert" in str(attributes) for _, attributes in parsed.elements)
    assert "alert(1)" not in "".join(parsed.words)
    assert not any(c in page for c in ("\u202e", "\u2066", "\x00", "\x1b"))


def test_what_steers_the_eye_is_written_out_and_length_is_bounded() -> None:
    assert visible("a\u202eb\x00\n\tc", 20) == "a\\u{202e}b\\u{0}\n\tc"
    assert visible("half \ud83d", 20) == "half \\u{d83d}"  # else no file could hold it
    assert visible("äöü 漢字 🎈", 20) == "äöü 漢字 🎈"
    assert visible("x" * 50, 10) == "x" * 10 + "…"


def test_a_page_of_many_runs_holds_no_more_than_a_bound(
    results: object, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.finish(lab.expect("m", "linear"), [0.5, 0.5])
    table_ = lab.collect()
    (name, origin), (_, cell) = *table_.origins.items(), *table_.expected.items()
    cells = {f"{name}{i}": replace(cell, algorithm=f"rule {i}") for i in range(400)}
    many = replace(table_, expected=cells, origins=dict.fromkeys(cells, origin))
    row = {
        "problem": "",
        "prompt": "p" * 10**5,
        "answer": "a" * 10**5,
        "completion": "<" * 10**5,
        "tokens": 9,
        "reward/a": 1.0,
        "reward/b": 0.0,
    }
    rows = [row | {"problem": str(number)} for number in range(9)]
    monkeypatch.setattr(answers, "_first", lambda uri, run_id, artifact: rows)
    (place,) = answers_of(lab.uri, many)
    texts = [w["text"] for prompt in place["prompts"] for w in prompt["written"]]
    assert len(texts) == PROMPTS * (answers.RUNS + 1)
    assert sum(map(len, texts)) < 1.01 * answers.CHARACTERS + len(texts)
    assert len(json.dumps(place)) < 10**6
