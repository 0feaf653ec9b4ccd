"""The documents' site: what its sources are, and what its check finds."""

from pathlib import Path

import pytest
from site_links import faults
from site_sources import REFERENCE, adapted, assemble


def test_lists_are_what_the_forge_shows() -> None:
    text = "Words:\n- one\n  more of it\n\n  ```sh\n  run\n  ```\n- two\n\nEnd.\n"
    assert adapted(text) == (
        "Words:\n\n- one\n    more of it\n\n    ```sh\n    run\n    ```\n- two\n\nEnd.\n"
    )


def test_code_is_left_as_it_is() -> None:
    text = "```yaml\nkeys:\n- one\n  # <two>\n```\n"
    assert adapted(text) == text


def test_formulas_stand_between_dollars() -> None:
    text = "So:\n\n```math\n\\Delta J_j = 1\n```\n"
    assert adapted(text) == "So:\n\n$$\n\\Delta J_j = 1\n$$\n"


def test_a_heading_keeps_the_anchor_of_the_forge() -> None:
    assert adapted("### `torchjd:<Name>`") == "### `torchjd:<Name>` { #torchjdname }"


def test_the_sources_hold_what_documents_link_to(tmp_path: Path) -> None:
    documents = assemble(tmp_path)
    names = {file.relative_to(tmp_path).as_posix() for file in documents}
    assert {"README.md", "docs/tutorial.md", "docs/howto.md", "boards.md", "notebook.md"} <= names
    assert {f"reference/{name}.md" for name in REFERENCE} <= names
    for name in ("examples/grpo.py", "results/leaderboards/quick/index.html", "LICENSE"):
        assert (tmp_path / name).is_file(), name


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="b.html#there">b</a>', ""),
        ('<a href="none.html">b</a>', "a.html: leads to none.html, which is not there"),
        ('<a href="b.html#gone">b</a>', "a.html: no anchor for b.html#gone"),
        ('<a href="https://x.example">x</a>', ""),
        ('<script src="https://x.example/y.js"></script>', "a.html: loads https://x.example/y.js"),
        ('<img src="data:image/png;base64,AA==">', ""),
    ],
)
def test_a_link_that_leads_nowhere_is_named(tmp_path: Path, body: str, fault: str) -> None:
    (tmp_path / "a.html").write_text(body)
    (tmp_path / "b.html").write_text('<h2 id="there">b</h2>')
    assert faults(tmp_path) == [fault] * bool(fault)
