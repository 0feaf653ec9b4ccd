import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from studies import STUDY, WHERE, make_root, tree, write_study

import benchmark
from benchmark.commands import cli
from benchmark.common.errors import CrosstalkError

CELL = "tiny-qwen2-base/math3/linear/seed0"


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return make_root(tmp_path)


@pytest.fixture
def crosstalk(
    root: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Run ``crosstalk`` with these arguments in this process."""
    for name in ("handlers", "level", "propagate"):  # set by the command line, put back here
        monkeypatch.setattr(cli.logger, name, getattr(cli.logger, name))

    def run(*arguments: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["crosstalk", *arguments])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return Outcome(int(caught.value.code or 0), *capfd.readouterr())

    return run


# --- what is there ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("models", "tiny-qwen2-ift"),
        ("algorithms", "tchebycheff"),
        ("objectives", "clarity"),
        ("studies", STUDY),
    ],
)
def test_list_names_what_a_study_can_name(crosstalk: Command, what: str, expected: str) -> None:
    status, out, err = crosstalk("list", what)
    assert (status, err) == (0, "")
    assert expected in [line.split()[0] for line in out.splitlines()]


def test_check_says_how_many_cells_there_are_and_how_long_they_take(crosstalk: Command) -> None:
    status, out, err = crosstalk("check", STUDY)
    cells, hours = out.splitlines()
    assert (status, cells, err) == (0, f"{WHERE}: 36 cells, nothing wrong", "")
    assert hours.startswith("about 19 minutes of one core")


def test_check_lists_the_data_to_download(crosstalk: Command, root: Path) -> None:
    write_study(root, task={"name": "math500", "revision": "0" * 40})
    said = crosstalk("check", STUDY).out.splitlines()
    assert said[0].endswith("nothing wrong")
    assert said[-1].startswith("about 19 minutes of one core")
    assert said[1:-1] == [
        f"from the hub: 0.0005 GB to download with `crosstalk prepare {STUDY}`",
        f"  to download: dataset HuggingFaceH4/MATH-500 at revision {'0' * 40}, 0.0005 GB",
    ]


def test_cells_are_printed_with_their_hashes(crosstalk: Command) -> None:
    status, out, err = crosstalk("cells", STUDY)
    hashes, ids = zip(*(line.split("  ") for line in out.splitlines()), strict=True)
    assert (status, err, len(ids), ids[0]) == (0, "", 36, CELL)
    assert all(len(hash_) == 16 and int(hash_, 16) >= 0 for hash_ in hashes)


def test_a_study_is_named_by_path_too(crosstalk: Command, root: Path) -> None:
    write_study(root).rename(root / "own.yaml")
    assert crosstalk("check", str(root / "own.yaml")).out.startswith("own.yaml: 36 cells")
    assert crosstalk("check", "own.yaml").out.startswith("own.yaml: 36 cells")


def test_help_names_every_command(crosstalk: Command) -> None:
    out = crosstalk("--help").out
    for command in (
        "list",
        "check",
        "cells",
        "run",
        "prepare",
        "train",
        "evaluate",
        "leaderboard",
        "compare",
    ):
        assert command in out


def test_version(crosstalk: Command) -> None:
    assert crosstalk("--version") == (0, f"crosstalk {benchmark.__version__}\n", "")


@pytest.mark.slow
def test_python_m_benchmark_is_the_same_command(root: Path) -> None:
    command = [sys.executable, "-m", "benchmark"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    good, bad = (
        subprocess.run(
            [*command, "check", study], capture_output=True, text=True, env=environment, cwd=root
        )
        for study in (STUDY, "lap")
    )
    assert (good.returncode, good.stdout.splitlines()[0]) == (
        0,
        f"{WHERE}: 36 cells, nothing wrong",
    )
    assert (bad.returncode, bad.stdout) == (2, "")
    shipped = (Path(__file__).parents[2] / "workflow" / "studies").glob("*.yaml")
    known = ", ".join(sorted([STUDY, *(file.stem for file in shipped)]))  # ours come along
    assert bad.stderr == f"error: unknown study 'lap'; did you mean 'lab'? (known: {known})\n"


# --- what is wrong ---------------------------------------------------------------------------

OF_A_STUDY = ["check", "cells", "run", "prepare", "leaderboard", "diagnose", "report"]
OF_A_STUDY += ["publish", "verify"]
OF_A_CELL = ["train", "evaluate", "diagnose-cell"]
OF_A_MODEL = ["baseline", "probe"]


def refused(outcome: Outcome) -> str:
    """Return the message of a refusal: status 2, and one line that is all there is."""
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("\n") == 1
    return outcome.err.removeprefix("error: ").rstrip("\n")


@pytest.mark.parametrize("command", [*OF_A_STUDY, *OF_A_CELL, *OF_A_MODEL])
def test_wrong_study_is_one_line_everywhere(crosstalk: Command, root: Path, command: str) -> None:
    write_study(root, training={"estimator": "grop"})
    before = tree(root)
    rest = {each: [CELL] for each in OF_A_CELL}
    rest |= {each: ["tiny-qwen2-base", "math3"] for each in OF_A_MODEL}
    message = refused(crosstalk(command, STUDY, *rest.get(command, [])))
    assert message.startswith(f"{WHERE}: training.estimator: unknown estimator 'grop'; did you")
    assert tree(root) == before


@pytest.mark.parametrize("arguments", [["diagnose"], ["diagnose-cell", CELL], ["report"]])
def test_study_without_diagnosis_is_told(
    crosstalk: Command, root: Path, arguments: list[str]
) -> None:
    before = tree(root)
    message = refused(crosstalk(arguments[0], STUDY, *arguments[1:]))
    assert message.startswith(f"{WHERE}: diagnosis: there is none; `diagnosis: {{steps: 8}}`")
    assert tree(root) == before


def test_file_that_is_no_study(crosstalk: Command, root: Path) -> None:
    write_study(root, "- models\n")
    before = tree(root)
    message = refused(crosstalk("check", STUDY)).replace(f"{root}/", "")
    assert message == f"{WHERE}: expected a mapping (key: value), got ['models']"
    assert tree(root) == before


@pytest.mark.parametrize("command", [*OF_A_CELL, *OF_A_MODEL, "prepare", "leaderboard", "report"])
def test_job_of_another_hash_writes_nothing(crosstalk: Command, root: Path, command: str) -> None:
    before = tree(root)
    rest = {each: [STUDY, CELL] for each in OF_A_CELL}
    rest |= {each: [STUDY, "tiny-qwen2-base", "math3"] for each in OF_A_MODEL}
    rest |= {"prepare": ["--model", "tiny-qwen2-base"], "leaderboard": [STUDY], "report": [STUDY]}
    message = refused(crosstalk(command, "--hash", "0" * 16, *rest[command]))
    assert f"expected hash {'0' * 16}, got " in message
    assert message.endswith("changed since the workflow started; run `crosstalk run` again")
    assert tree(root) == before


@pytest.mark.parametrize("command", OF_A_CELL)
def test_an_unknown_cell_brings_the_closest_one(
    crosstalk: Command, root: Path, command: str
) -> None:
    before = tree(root)
    message = refused(crosstalk(command, STUDY, CELL.replace("linear", "linaer")))
    assert message.startswith(f"{WHERE}: unknown cell 'tiny-qwen2-base/math3/linaer/seed0'; ")
    assert f"did you mean '{CELL}'?" in message
    assert tree(root) == before


@pytest.mark.parametrize("pair", [("tiny-qwen2-bas", "math3"), ("tiny-qwen2-base", "math")])
def test_unknown_model_brings_the_closest(
    crosstalk: Command, root: Path, pair: tuple[str, str]
) -> None:
    before = tree(root)
    message = refused(crosstalk("baseline", STUDY, *pair))
    assert f"unknown model and objective set '{'/'.join(pair)}'" in message
    assert "did you mean 'tiny-qwen2-base/math3'?" in message
    assert tree(root) == before


def test_a_study_file_that_is_not_there_is_named(crosstalk: Command) -> None:
    assert refused(crosstalk("check", "none.yaml")) == "none.yaml: no such study file"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["list", "model"], "'model' is not one of 'models', 'algorithms'"),
        (["list"], "Missing argument"),
        (["chekc"], "No such command 'chekc'"),
        (["check", "--studdy"], "No such option"),
        (["train", STUDY], "Missing argument"),
        (["check", "--filled", "1.5"], "'--filled'"),
    ],
)
def test_wrong_command_line_has_status_2(
    crosstalk: Command, root: Path, arguments: list[str], reason: str
) -> None:
    before = tree(root)
    status, out, err = crosstalk(*arguments)
    assert (status, out) == (2, "")
    assert reason in " ".join(err.replace("│", " ").split())
    assert tree(root) == before


# --- what goes wrong while a command runs ----------------------------------------------------


def failing(error: BaseException) -> Callable[[], None]:
    def app() -> None:
        raise error

    return app


def test_users_error_is_one_line_with_notes(
    crosstalk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = CrosstalkError("the store\nis locked")
    error.add_note("the cell is trained")
    monkeypatch.setattr(cli, "app", failing(error))
    assert refused(crosstalk()) == "the store is locked (the cell is trained)"


def test_full_disk_is_one_line(crosstalk: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/runs/checkpoint")
    monkeypatch.setattr(cli, "app", failing(full))
    assert refused(crosstalk()) == "/runs/checkpoint: no space left on the disk"


@pytest.mark.parametrize("error", [RuntimeError("a bug"), FileNotFoundError("gone")])
def test_bug_shows_its_traceback(
    crosstalk: Command, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(cli, "app", failing(error))
    with pytest.raises(type(error), match=str(error)):
        crosstalk()


def test_verbose_shows_where_an_error_was_raised(crosstalk: Command) -> None:
    status, out, err = crosstalk("-v", "check", "none.yaml")
    assert (status, out) == (2, "")
    assert "Traceback" in err
    assert err.endswith("\nerror: none.yaml: no such study file\n")


def test_quiet_leaves_warnings_and_errors(
    crosstalk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(what: str, root: Path) -> list[str]:
        logger = logging.getLogger("benchmark.common.files")
        logger.info("said")
        logger.warning("warned")
        return ["row"]

    monkeypatch.setattr("benchmark.commands.listing.rows", rows)
    assert crosstalk("list", "models") == (0, "row\n", "said\nwarned\n")
    assert crosstalk("--quiet", "list", "models") == (0, "row\n", "warned\n")


def test_libraries_are_quiet_unless_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("TRANSFORMERS_VERBOSITY", "MLFLOW_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS")
    for name in names:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    cli.quiet()
    assert [os.environ[name] for name in names] == ["info", "true", "1"]


def test_ends_with_parent_only_if_asked(
    crosstalk: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(cli, "die_with_parent", lambda: asked.append("asked"))
    assert crosstalk("check", STUDY).status == 0
    assert asked == []
    assert crosstalk("--end-with-parent", "check", STUDY).status == 0
    assert asked == ["asked"]


# --- what it costs ---------------------------------------------------------------------------

LIGHT = f"""
import json, sys
from benchmark.commands.cli import main

commands = [["list", what] for what in ("models", "algorithms", "objectives", "studies")]
commands += [["check", "{STUDY}"], ["cells", "{STUDY}"], ["train", "{STUDY}", "nope"], ["--help"]]
for command in commands:
    sys.argv = ["crosstalk", *command]
    try:
        main()
    except SystemExit:
        pass
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


@pytest.mark.slow
def test_light_commands_import_nothing_heavy(root: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", LIGHT],
        capture_output=True,
        text=True,
        cwd=root,
        env=environment,
        check=True,
    )
    imported = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"benchmark", "typer"} <= imported
    heavy = {"trl", "transformers", "mlflow", "datasets", "accelerate", "math_verify"}
    heavy |= {"snakemake", "pandas", "scipy", "huggingface_hub"}
    assert imported & heavy == set()
