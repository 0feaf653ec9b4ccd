"""``crosstalk`` called in this process, where the process is not the point: it imports nothing."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.commands import cli

Call = Callable[..., tuple[int, str]]


def caller(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Return a function of a project's root and of a command's words: its status and its output.

    What the command starts prints to where it does, and is in the output too.
    """
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def call(root: Path, *words: str) -> tuple[int, str]:
        capfd.readouterr()
        with monkeypatch.context() as patch:
            patch.chdir(root)
            patch.setattr(sys, "argv", ["crosstalk", *words])
            with pytest.raises(SystemExit) as caught:
                cli.main()
        return int(caught.value.code or 0), "".join(capfd.readouterr())

    return call
