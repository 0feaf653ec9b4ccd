"""Checkpoints are whole, or told to be corrupt, or removed."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from benchmark.commands.jobs import checkpoints
from benchmark.commands.jobs.checkpoints import MANIFEST, latest, prune, seal, step_of, verify
from benchmark.common.errors import CrosstalkError


def saved(folder: Path, step: int, training_hash: str | None = "h") -> Path:
    """Write a checkpoint of two files; without a hash it is not sealed."""
    checkpoint = folder / f"checkpoint-{step}"
    (checkpoint / "inner").mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(b"weights of step %d" % step)
    (checkpoint / "inner" / "state.json").write_text("{}")
    if training_hash is not None:
        seal(checkpoint, training_hash)
    return checkpoint


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_manifest_lists_files_and_digests(tmp_path: Path) -> None:
    manifest = json.loads((saved(tmp_path, 1) / MANIFEST).read_text())
    assert manifest["training_hash"] == "h"
    assert manifest["files"] == {
        "inner/state.json": "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "model.safetensors": sha256(b"weights of step 1").hexdigest(),
    }


def test_a_whole_checkpoint_passes(tmp_path: Path) -> None:
    whole = saved(tmp_path, 1)
    verify(whole)
    assert latest(tmp_path, "h") == whole


def test_the_latest_is_the_one_of_the_highest_step(tmp_path: Path) -> None:
    for step in (9, 100, 20):
        saved(tmp_path, step)
    assert latest(tmp_path, "h") == tmp_path / "checkpoint-100"
    assert step_of(tmp_path / "checkpoint-100") == 100


def test_there_may_be_none(tmp_path: Path) -> None:
    assert latest(tmp_path / "nowhere", "h") is None
    assert latest(tmp_path, "h") is None


def test_one_that_was_cut_short_is_removed(tmp_path: Path) -> None:
    whole, cut = saved(tmp_path, 1), saved(tmp_path, 2, None)
    assert latest(tmp_path, "h") == whole
    assert not cut.exists()


def test_those_of_another_hash_are_removed(tmp_path: Path) -> None:
    other = saved(tmp_path, 5, "other")
    assert latest(tmp_path, "h") is None
    assert not other.exists()


def test_what_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("model card")
    saved(tmp_path, 1)
    latest(tmp_path, "h")
    assert (tmp_path / "README.md").exists()


@pytest.mark.parametrize("name", ["model.safetensors", "inner/state.json"])
def test_a_flipped_bit_is_told(tmp_path: Path, name: str) -> None:
    checkpoint = saved(tmp_path, 1)
    content = bytearray((checkpoint / name).read_bytes())
    content[0] ^= 1
    (checkpoint / name).write_bytes(content)
    with pytest.raises(CrosstalkError) as caught:
        latest(tmp_path, "h")
    assert str(caught.value).startswith(f"checkpoint-1/{name}: differs from its manifest: the")
    assert "to train the cell again" in str(caught.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    (saved(tmp_path, 1) / "model.safetensors").unlink()
    with pytest.raises(CrosstalkError, match=r"checkpoint-1/model\.safetensors: is missing: the"):
        latest(tmp_path, "h")


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"training_hash": "h", "files": 3}'])
def test_an_unreadable_manifest_is_told(tmp_path: Path, text: str) -> None:
    (saved(tmp_path, 1) / MANIFEST).write_text(text)
    with pytest.raises(CrosstalkError, match=r"manifest\.json: cannot be read: the checkpoint is"):
        latest(tmp_path, "h")


def test_a_checkpoint_to_verify_needs_its_manifest(tmp_path: Path) -> None:
    with pytest.raises(CrosstalkError, match=r"manifest\.json: cannot be read"):
        verify(saved(tmp_path, 1, None))


def test_a_corrupt_earlier_one_does_not_matter(tmp_path: Path) -> None:
    (saved(tmp_path, 1) / "model.safetensors").unlink()
    last = saved(tmp_path, 2)
    assert latest(tmp_path, "h") == last


def test_manifest_leaves_itself_out(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, 1)
    seal(checkpoint, "h")
    assert MANIFEST not in json.loads((checkpoint / MANIFEST).read_text())["files"]
    checkpoints.verify(checkpoint)


def test_pruning_keeps_two_and_the_needed(tmp_path: Path) -> None:
    for step in (2, 4, 6, 8, 10):
        saved(tmp_path, step)
    prune(tmp_path, {4, 99})
    assert sorted(step_of(folder) for folder in tmp_path.iterdir()) == [4, 8, 10]
