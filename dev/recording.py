"""Record ``crosstalk run`` on a terminal: ``python dev/recording.py docs/recording.md``.

A new project runs the smoke study with a third algorithm, whose parameter is found to be wrong only
when it is used. tmux (https://github.com/tmux/tmux) is the terminal; of what it shows, frames from
the start, the middle, after the failure and the end are kept as text.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from benchmark.common.paths import PACKAGE, WORKFLOW

WIDTH, HEIGHT = 110, 30
PATIENCE = 1200.0  # seconds, on a busy machine
STUDY = "recorded"
SCALARIZER = '''\
"""``late:Late``, a scalarizer that looks at its parameter only when it is used."""

from benchmark.scalarizers import ScoreScalarizer


class Late(ScoreScalarizer):
    """The weighted sum, times a share."""

    def __init__(self, objectives, weights=None, share=0.5):
        super().__init__(objectives, weights)
        self.share = share

    def score(self, rewards):
        if not 0 <= self.share <= 1:
            raise ValueError(f"share: expected 0 to 1, got {self.share}")
        return self.share * (rewards @ self.weights.to(rewards))
'''
TMUX = ("tmux", "-L", f"recording-{os.getpid()}")
ENDED = "[ended]"

Frame = tuple[float, str]


def project(parent: Path) -> Path:
    """Make a project with the study to record, and return its folder."""
    folder = parent / "my-study"
    command = [sys.executable, "-c", "from benchmark.commands.cli import main; main()"]
    subprocess.run([*command, "init", str(folder)], check=True, capture_output=True)
    smoke = yaml.safe_load((WORKFLOW / "studies" / "smoke.yaml").read_text(encoding="utf-8"))
    smoke["algorithms"]["late"] = {"scalarizer": "late:Late", "share": 1.5}
    (folder / "studies" / f"{STUDY}.yaml").write_text(yaml.safe_dump(smoke, sort_keys=False))
    (folder / "late.py").write_text(SCALARIZER)
    scripts = folder.parent / "bin"
    scripts.mkdir()
    (scripts / "crosstalk").write_text(
        f"#!/bin/sh\nexec {sys.executable} -c "
        '"from benchmark.commands.cli import main; main()" "$@"\n'
    )
    (scripts / "crosstalk").chmod(0o755)
    return folder


def record(folder: Path) -> list[Frame]:
    """Run the study in a terminal; return what it shows, each time that it changes."""
    environment = {
        "PATH": f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": f"{PACKAGE.parent}{os.pathsep}{folder}",
    }
    given = " ".join(f"{name}={shlex.quote(value)}" for name, value in environment.items())
    command = f"cd {shlex.quote(str(folder))}; export {given}; crosstalk run {STUDY} --quiet all"
    shell = f"{command}; echo '{ENDED}'; sleep 60"
    size = ("-x", str(WIDTH), "-y", str(HEIGHT))
    subprocess.run([*TMUX, "new-session", "-d", *size, shell], check=True)
    began, frames = time.monotonic(), list[Frame]()
    try:
        while time.monotonic() - began < PATIENCE:
            pane = [*TMUX, "capture-pane", "-p"]
            shown = subprocess.run(pane, check=True, capture_output=True, text=True).stdout
            if shown.strip() and (not frames or shown != frames[-1][1]):
                frames.append((time.monotonic() - began, shown))
            if ENDED in shown:
                return frames
            time.sleep(0.3)
    finally:
        subprocess.run([*TMUX, "kill-server"], check=False, capture_output=True)
    raise SystemExit(f"no end in {PATIENCE:.0f} s; the last frame:\n{frames[-1][1]}")


def chosen(frames: list[Frame]) -> dict[str, Frame]:
    """Return the frames to keep, by what they show.

    Raises:
        StopIteration: The terminal never showed one of them.
    """

    def first(shows: Callable[[str], bool]) -> Frame:
        return next(frame for frame in frames if shows(frame[1]))

    return {
        "The start: what is done and left": first(lambda text: "cells done" in text),
        "A cell in training: its step, seconds a step and latest rewards": first(
            lambda text: "s a step" in text
        ),
        "A cell has failed; the others go on": first(lambda text: "1 failed, 1" in text),
        "The last cells, and what they should still take": first(lambda text: "to go" in text),
        "All is done: why a cell failed, and how to try it again": first(
            lambda text: "failed: train" in text
        ),
        "The end: the board": frames[-1],
    }


def page(frames: dict[str, Frame], place: str) -> str:
    """Return the recording as a page; ``place``, and where the package lies, are hidden in it."""
    parts = [
        "# A run, recorded\n\n"
        "What `crosstalk run` shows on a terminal: the smoke study with a third algorithm, one\n"
        "parameter of which is wrong (`studies/recorded.yaml`). `python dev/recording.py` took "
        f"these frames of\n{WIDTH} x {HEIGHT} characters from tmux."
    ]
    for title, (seconds, text) in frames.items():
        shown = text.replace(place, "~").replace(f"{PACKAGE.parent}/", "").replace(ENDED, "")
        shown = shown.rstrip()
        parts.append(f"## {title}\n\nAfter {seconds:.0f} s:\n\n```text\n{shown}\n```")
    return "\n\n".join(parts) + "\n"


def main(file: Path) -> None:
    """Record, and write the page."""
    if shutil.which("tmux") is None:
        raise SystemExit("tmux is not installed")
    with tempfile.TemporaryDirectory() as parent:
        frames = record(project(Path(parent)))
        file.write_text(page(chosen(frames), parent), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
