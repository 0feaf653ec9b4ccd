"""Lease a machine's GPUs to jobs that run side by side; each job sees only its own.

A GPU is leased by a lock (``flock``) on a file of its own, which the operating system releases when
the last process that holds it is gone, however that ends: no lease is ever stale, and a GPU whose
job lost its parent but still runs is not handed out again. Who has a share of a GPU holds that
lock with the others that do, and a file whose name says how much, in hundredths.
"""

import fcntl
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.common.errors import CrosstalkError

logger = logging.getLogger(__name__)

VISIBLE = "CUDA_VISIBLE_DEVICES"
HELD = "CROSSTALK_GPU_LEASES"  # lock files of the leases that a process's children hold with it
ON_CPU = "ACCELERATE_USE_CPU"  # Accelerate's own; for trying out several processes without GPUs
SHARE = "CROSSTALK_GPU_SHARE"  # the hundredths of its GPU that a process may use
WHOLE = 100
ALONE = 0.9  # of the share, where nothing but an engine uses it
POLL = 0.5  # seconds between two looks while GPUs are taken


def kept_on_cpu() -> bool:
    """Return whether the user has models that ask for GPUs trained on the CPU."""
    return os.environ.get(ON_CPU, "").lower() in ("1", "true", "yes")


def machine_gpus() -> tuple[str, ...]:
    """Return the ids of the GPUs that jobs may be given.

    They are those of ``CUDA_VISIBLE_DEVICES`` where it is set, as a scheduler or a user sets it,
    and otherwise all that the driver lists, in the order of their bus numbers.
    """
    given = os.environ.get(VISIBLE)
    return _listed_by_driver() if given is None else _parsed(given)


def _parsed(value: str) -> tuple[str, ...]:
    """Return the ids in a value of ``CUDA_VISIBLE_DEVICES``; as for CUDA, a -1 ends the list."""
    ids: list[str] = []
    for id_ in (part.strip() for part in value.split(",")):
        if not id_ or id_.startswith("-") or id_ == "NoDevFiles":
            break
        ids.append(id_)
    return tuple(dict.fromkeys(ids))


def _listed_by_driver() -> tuple[str, ...]:
    command = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):  # no driver, no GPU
        return ()
    return tuple(listed.stdout.split())


def lease_folder() -> Path:
    """Return the folder of the lock files, one for all runs of a user on this machine."""
    return Path(tempfile.gettempdir()) / f"crosstalk-gpus-{os.getuid()}"


class Lease:
    """GPUs that are this process's, and its children's, until it closes the lease or ends."""

    def __init__(self, ids: Sequence[str], locks: dict[Path, int], percent: int = WHOLE) -> None:
        self.ids = tuple(ids)
        self.percent = percent
        self._locks = locks

    @property
    def environment(self) -> dict[str, str]:
        """The variables that show a process these GPUs alone, and let it hold the lease too."""
        paths = os.pathsep.join(map(str, self._locks))
        shown = {VISIBLE: ",".join(self.ids), "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
        return {**shown, HELD: paths, SHARE: str(self.percent)}

    def close(self) -> None:
        """Give the GPUs back."""
        while self._locks:
            os.close(self._locks.popitem()[1])


def lease_gpus(count: int, pool: Sequence[str], folder: Path) -> Lease:
    """Lease ``count`` GPUs of ``pool``, all at once; wait, and say so, until they are free.

    Raises:
        CrosstalkError: The pool is smaller, or the folder of locks cannot be used.
    """
    check_count(count, pool, "--gpus")

    def take() -> Lease | None:
        locks = _free(pool, count, folder)
        if len(locks) < count:
            return None
        return Lease(list(locks), {_lock_file(folder, id_): fd for id_, fd in locks.items()})

    return _once_free(take, folder, f"{count} of the GPUs {','.join(pool)}")


def lease_share(percent: int, pool: Sequence[str], folder: Path) -> Lease:
    """Lease a share of one GPU of ``pool``, the one that is used least; wait until there is room.

    Args:
        percent: The share in hundredths; from :data:`WHOLE` up, whole GPUs.
        pool: The ids of the GPUs.
        folder: Where their locks are.

    Raises:
        CrosstalkError: There is no GPU, or the folder of locks cannot be used.
    """
    if not 0 < percent < WHOLE:
        return lease_gpus(percent // WHOLE, pool, folder)
    check_count(percent / WHOLE, pool, "--lease-gpu-percent")

    def take() -> Lease | None:
        used = {id_: _used(id_, folder) for id_ in pool}
        for id_ in sorted(pool, key=lambda each: used[each]):
            locks = _shared_out(id_, used[id_], percent, folder)
            if locks:
                return Lease([id_], locks, percent)
        return None

    return _once_free(take, folder, f"{percent}% of one of the GPUs {','.join(pool)}")


def _once_free(take: Callable[[], Lease | None], folder: Path, wanted: str) -> Lease:
    """Return what can be taken, alone among processes; wait, and say so once, until there is."""
    waiting = False
    while True:
        with _allocating(folder):
            lease = take()
        if lease is not None:
            return lease
        if not waiting:
            logger.warning("waiting for %s", wanted)
        waiting = True
        time.sleep(POLL)


def _used(id_: str, folder: Path) -> int:
    """Return how much of a GPU is leased in shares, in hundredths; nobody allocates meanwhile."""
    used = 0
    for file in folder.glob(f"{_lock_file(folder, id_).stem}.share-*.lock"):
        named = re.search(r"\.share-(\d+)-\d+\.lock$", file.name)
        if named is not None and _is_held(file):
            used += int(named[1])
    return used


def _is_held(file: Path) -> bool:
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _shared_out(id_: str, used: int, percent: int, folder: Path) -> dict[Path, int]:
    """Return the locks of a share of a GPU; none if it has no room or is somebody's as a whole."""
    whole = _lock_file(folder, id_)
    if used + percent > WHOLE:
        return {}
    if used:  # so those who hold its lock have shares
        descriptor = _shared(whole)
        os.set_inheritable(descriptor, True)
    else:
        try:
            descriptor = _locked(whole)
        except BlockingIOError:
            return {}
    number = 0
    while True:
        file = whole.with_name(f"{whole.stem}.share-{percent}-{number}.lock")
        with suppress(BlockingIOError):
            return {whole: descriptor, file: _locked(file)}
        number += 1


def limit_memory() -> None:
    """Tell the libraries what share of its GPU's memory this process may use, if not all.

    What the libraries themselves take on the GPU is not theirs to count, so it is left out of what
    torch may hold. vLLM, where it draws by itself, gets as much of the share as else of a GPU.
    """
    percent = int(os.environ.get(SHARE) or WHOLE)
    if percent >= WHOLE:
        return
    import torch

    if not torch.cuda.is_available():
        return
    from benchmark.models.policy import vllm
    from benchmark.study.costs import GIGABYTE, LIBRARIES_GB

    share = percent / WHOLE
    libraries = LIBRARIES_GB * GIGABYTE / torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(max(share / 2, share - libraries))
    vllm.GPU_SHARE = ALONE * share


def share_too_small(error: RuntimeError) -> str | None:
    """Return what to change where a job ran out of its share of a GPU's memory; else None."""
    percent = int(os.environ.get(SHARE) or WHOLE)
    if percent >= WHOLE or type(error).__name__ != "OutOfMemoryError":
        return None
    return (
        f"out of GPU memory with a share of {percent / WHOLE:g} of a GPU; in models.yaml, of the "
        f"job's model: resources.gpus above {percent / WHOLE:g}, which retrains nothing"
    )


def check_count(count: float, pool: Sequence[str], where: str) -> None:
    """Raise if ``pool`` has fewer GPUs than ``count``."""
    if count > len(pool):
        ids = f" ({','.join(pool)})" if pool else ""
        raise CrosstalkError(
            f"{where}: needs {count:g} GPUs, but this machine has {len(pool)}{ids}"
        )


def hold_inherited() -> Lease:
    """Hold the leases of the process that started this one for as long as this one lives.

    A launcher's children outlive it where it is killed, and still use its GPUs.
    """
    paths = [Path(path) for path in os.environ.get(HELD, "").split(os.pathsep) if path]
    return Lease((), {path: _shared(path) for path in paths})


@contextmanager
def _allocating(folder: Path) -> Iterator[None]:
    """Let one process at a time look for free GPUs, so that no two wait for each other's."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(None, "belongs to another user")
        descriptor = os.open(folder / "allocating.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CrosstalkError(f"{folder}: cannot hold locks: {error.strerror or error}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _free(pool: Iterable[str], count: int, folder: Path) -> dict[str, int]:
    """Return ``count`` free GPUs with their locks' descriptors, or none if fewer are free."""
    found: dict[str, int] = {}
    for id_ in pool:
        if len(found) == count:
            break
        with suppress(BlockingIOError):
            found[id_] = _locked(_lock_file(folder, id_))
    if len(found) < count:
        while found:
            os.close(found.popitem()[1])
    return found


def _locked(path: Path) -> int:
    """Return the descriptor of a lock that nobody held: shared, so that children can join it.

    Changing the lock's kind releases it for an instant, in which only another allocation could
    take it: there is none, since allocations take turns.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BaseException:
        os.close(descriptor)
        raise
    os.set_inheritable(descriptor, True)  # a child started in any way holds it too
    return descriptor


def _shared(path: Path) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def _lock_file(folder: Path, id_: str) -> Path:
    return folder / f"{id_.replace('/', '_')}.lock"
