"""``crosstalk law``: what it writes, and what it refuses."""

import re
import sys
from pathlib import Path

import pandas
import pytest

from benchmark.commands import cli
from benchmark.commands.law import law

FIGURES = ["clipping", "convergence", "error_by_step", "kappa", "sign_by_rule", "sign_by_step"]
TEXTS = {f"{name}.csv" for name in FIGURES} | {"law.txt", "orders.csv", "bounds.csv", "optimum.csv"}


def save_data(figure: object, folder: Path, name: str, data: pandas.DataFrame) -> None:
    """Save a figure's data alone, for drawing takes seconds."""
    text = data.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    (folder / f"{name}.csv").write_text(text)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a run of the command says, and its folder, without the drawings."""
    folder = tmp_path_factory.mktemp("law") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.diagnosis.exact.figures.save", save_data)
        return law(40, 3, folder), folder


@pytest.mark.slow
def test_the_command_draws_its_figures_beside_their_data(
    written: tuple[str, Path], tmp_path: Path
) -> None:
    law(40, 3, tmp_path / "out")
    drawn = {f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg")}
    assert {path.name for path in (tmp_path / "out").iterdir()} == TEXTS | drawn
    for name in TEXTS:  # nor does drawing change what is written
        assert (tmp_path / "out" / name).read_bytes() == (written[1] / name).read_bytes()


def test_the_command_writes_its_tables(written: tuple[str, Path]) -> None:
    text, folder = written
    assert {path.name for path in folder.iterdir()} == TEXTS
    assert text.startswith((folder / "law.txt").read_text())
    assert len(re.findall(r"^\* ", text, re.M)) >= 10
    orders_table = pandas.read_csv(folder / "orders.csv")
    for _, row in orders_table.iterrows():
        assert re.search(rf"{re.escape(row['prediction'])} +{row['order']:.2f} ", text)


def test_the_same_arguments_give_the_same_numbers(
    written: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.diagnosis.exact.figures.save", save_data)
    text, folder = written
    again = law(40, 3, tmp_path / "out")
    assert again.replace(str(tmp_path / "out"), "") == text.replace(str(folder), "")
    compared = [path for path in folder.iterdir() if path.suffix in (".csv", ".txt")]
    assert len(compared) == 10
    for path in compared:
        assert (tmp_path / "out" / path.name).read_bytes() == path.read_bytes()


def call(*arguments: str) -> object:
    """Call the command in a project of its own; return its exit status."""
    Path("models.yaml").write_text("")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_DISABLE_TELEMETRY", "1")
        patch.setattr(sys, "argv", ["crosstalk", "law", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
    return caught.value.code


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--problems", "9", "10"),
        ("--problems", "20001", "20000"),
        ("--problems", "many", "integer"),
        ("--problems", "2.5", "integer"),
        ("--seed", "-1", "equal to 0"),
        ("--out", "file", "file"),
    ],
)
def test_bad_values_are_refused_and_write_nothing(
    option: str,
    value: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("kept")
    assert call(option, value) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert option in err
    assert said in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "models.yaml"]


def test_files_go_to_the_projects_results_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmark.commands.law.draw", lambda *_: None)  # takes seconds
    monkeypatch.chdir(tmp_path)
    assert not call("--problems", "10")
    assert capsys.readouterr().out.endswith("\nFigures and data: results/law\n")
    assert (tmp_path / "results" / "law" / "law.txt").is_file()
