"""LaTeX shows names as they are, whatever they hold."""

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.latex import escape
from benchmark.leaderboard.writing import write_leaderboard

from .lab import Lab


def test_specials_of_latex_are_escaped() -> None:
    assert escape(r"a_b & 5% $x$ \cmd{}") == (r"a\_b \& 5\% \$x\$ \textbackslash{}cmd\{\}")
    assert escape("模") == "[U+6A21]"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_tables_compile_whatever_a_name_holds(lab: Lab, tmp_path: Path) -> None:
    for algorithm in (r"x_&%$#{}~^\|<b>--模é", "linear"):
        lab.complete(lab.expect("m_1", algorithm), (0.5, 0.7))
    write_leaderboard(Frames(lab.collect()), tmp_path)
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "leaderboard.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout[-2000:]
