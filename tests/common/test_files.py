import errno
import fcntl
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.common.files import exclusive, replacing, write_text

LOCKING = """
import sys, time
from pathlib import Path
from benchmark.common.files import exclusive

with exclusive(Path(sys.argv[1]), "training the cell"):
    print("inside", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def locking(lock: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that takes a lock, says so, and keeps it."""
    return subprocess.Popen(
        [sys.executable, "-c", LOCKING, str(lock), str(seconds)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def next_line(stream: IO[str] | None) -> str:
    """Return the next line of a process's output, or nothing after 20 seconds."""
    assert stream is not None
    ready, _, _ = select.select([stream], [], [], 20)
    return stream.readline() if ready else ""


def is_free(lock: Path) -> bool:
    with lock.open("r+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- replacing -------------------------------------------------------------------------------


def test_file_appears_whole_with_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "file.txt"
    with replacing(path) as temporary:
        temporary.write_text("half")
        assert not path.exists()
        temporary.write_text("whole")
    assert path.read_text() == "whole"
    assert contents(path.parent) == ["file.txt"]


def test_text_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    write_text(path, "Δ old")
    write_text(path, "Δ new")
    assert path.read_bytes() == "Δ new".encode()
    assert contents(tmp_path) == ["file.txt"]


@pytest.mark.parametrize("error", [ValueError("a bug"), KeyboardInterrupt(), SystemExit(143)])
def test_failed_block_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(type(error)), replacing(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert contents(tmp_path) == ["file.txt"]


def make_folder(path: Path, name: str) -> None:
    path.mkdir()
    (path / name).write_text(name)


@pytest.mark.parametrize("name", ["model", "previous"])
def test_a_folder_replaces_a_folder_with_content(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    make_folder(path, "old")
    with replacing(path) as temporary:
        make_folder(temporary, "new")
        assert contents(path) == ["old"]
    assert contents(path) == ["new"]
    assert contents(tmp_path) == [name]


def test_failed_block_leaves_the_old_folder(tmp_path: Path) -> None:
    path = tmp_path / "model"
    make_folder(path, "old")
    with pytest.raises(ValueError, match="a bug"), replacing(path) as temporary:
        make_folder(temporary, "new")
        raise ValueError("a bug")
    assert contents(path) == ["old"]
    with pytest.raises(CrosstalkError, match=r"model: cannot be written"), replacing(path):
        pass
    assert contents(path) == ["old"]
    assert contents(tmp_path) == ["model"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_full_or_forbidden_disk_is_one_line(tmp_path: Path, number: int) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(CrosstalkError) as caught, replacing(path) as temporary:
        temporary.write_text("half")
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"{path}: cannot be written: {os.strerror(number)}"
    assert path.read_text() == "old"
    assert contents(tmp_path) == ["file.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's full device")
def test_full_device_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    with pytest.raises(CrosstalkError, match="No space left"), replacing(path) as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x")
    assert contents(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CrosstalkError, match=r"file/below/x.txt: cannot be written: "):
        write_text(tmp_path / "file" / "below" / "x.txt", "text")


SCRATCH = """
import sys, time
from pathlib import Path
from benchmark.common.files import replacing

with replacing(Path(sys.argv[1])) as path:
    path.write_text("half")
    print(path.parent.name, flush=True)
    time.sleep(60)
"""


def test_scratch_of_a_killed_process_goes_next_time(tmp_path: Path) -> None:
    """That of a process at work stays, and so does what merely looks like it."""
    path = tmp_path / "file.txt"
    killed, working = (
        subprocess.Popen(
            [sys.executable, "-c", SCRATCH, str(path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    )
    left, kept = next_line(killed.stdout).strip(), next_line(working.stdout).strip()
    other = ".other.txt.abcdefgh"
    (tmp_path / other).mkdir()
    killed.kill()
    killed.communicate(timeout=20)
    assert left in contents(tmp_path)
    write_text(path, "new")
    assert contents(tmp_path) == sorted([kept, other, "file.txt"])
    working.terminate()
    working.communicate(timeout=20)
    write_text(path, "newer")
    assert contents(tmp_path) == [other, "file.txt"]


# --- exclusive -------------------------------------------------------------------------------


def test_a_second_process_waits_and_says_for_whom(tmp_path: Path) -> None:
    lock = tmp_path / "runs" / ".lock"
    with exclusive(lock, "training the cell"):
        assert lock.read_text() == f"{os.getpid()}\n"
        second = locking(lock, 0)
        waiting = next_line(second.stderr)
        assert waiting == f"waiting for process {os.getpid()}, which is training the cell\n"
        assert second.poll() is None
    out, _ = second.communicate(timeout=20)
    assert (second.returncode, out) == (0, "inside\n")
    assert lock.read_text() == f"{second.pid}\n"


def test_free_lock_is_taken_silently(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        (tmp_path / ".lock").write_text("the process id of an owner long gone\n")
        with exclusive(tmp_path / ".lock", "training the cell"):
            assert not is_free(tmp_path / ".lock")
            assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"
        assert is_free(tmp_path / ".lock")
    assert caplog.messages == []


def test_lock_ends_with_a_killed_process(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lock = tmp_path / ".lock"
    first = locking(lock, 60)
    assert next_line(first.stdout) == "inside\n"
    assert not is_free(lock)
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=20)
    assert is_free(lock)
    with exclusive(lock, "training the cell"):
        assert lock.read_text() == f"{os.getpid()}\n"  # no longer the killed process's
    assert caplog.messages == []


def test_lock_ends_with_a_failed_block(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a bug"), exclusive(tmp_path / ".lock", "x"):
        raise ValueError("a bug")
    assert is_free(tmp_path / ".lock")


def test_children_do_not_keep_the_lock(tmp_path: Path) -> None:
    with exclusive(tmp_path / ".lock", "x"):
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert child.poll() is None
    assert is_free(tmp_path / ".lock")
    child.communicate(b"\n", timeout=20)


def test_children_who_are_handed_the_lock_keep_it(tmp_path: Path) -> None:
    with exclusive(tmp_path / ".lock", "x") as lock:
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock]
        )
    assert not is_free(tmp_path / ".lock")
    child.communicate(b"\n", timeout=20)
    assert is_free(tmp_path / ".lock")


def test_a_lock_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(CrosstalkError, match=r"file/.lock: cannot be locked: "),
        exclusive(tmp_path / "file" / ".lock", "x"),
    ):
        pytest.fail("the block ran without a lock")
