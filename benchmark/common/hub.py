"""Read files of the Hugging Face hub at a pinned commit: downloaded once, offline after that.

Importing this module is cheap; the hub's client is imported where it is used.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.common.errors import CrosstalkError, Transient

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class HubNeed:
    """Files of the hub that a study reads.

    Attributes:
        repo: The repository, ``owner/name``.
        revision: The commit, 40 hexadecimal digits.
        kind: What the repository holds.
        gigabytes: About how much is downloaded; None if that is not known.
        files: The paths of the files inside the repository; of a model, the patterns of those kept.
    """

    repo: str
    revision: str
    kind: Literal["dataset", "model"]
    gigabytes: float | None
    files: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.repo} at revision {self.revision}"


def check_revision(revision: object, where: str) -> str:
    """Return a revision that names one commit; refuse branches and tags, which can move."""
    if isinstance(revision, str) and _COMMIT.fullmatch(revision):
        return revision
    found = "none" if revision is None else repr(revision)
    raise CrosstalkError(f"{where}: revision: expected a commit of 40 hex digits, got {found}")


def cached_files(need: HubNeed) -> dict[str, Path] | None:
    """Return the path of each file in the user's cache; None if one is missing."""
    from huggingface_hub import try_to_load_from_cache

    found = {}
    for name in need.files:
        path = try_to_load_from_cache(need.repo, name, revision=need.revision, repo_type=need.kind)
        if not isinstance(path, str):  # unknown, or known not to exist
            return None
        found[name] = Path(path)
    return found


def missing(needs: Iterable[HubNeed]) -> list[HubNeed]:
    """Return the needs of which a file is not in the user's cache."""
    return [need for need in needs if cached_files(need) is None]


def download(need: HubNeed) -> dict[str, Path]:
    """Return :func:`cached_files`, after downloading those that are missing.

    Raises:
        CrosstalkError: There is no such repository, revision or file, the user lacks access, or the
            hub cannot be reached.
    """
    found = cached_files(need)
    if found is not None:
        return found
    from huggingface_hub import hf_hub_download

    with _explained(need):
        return {
            name: Path(
                hf_hub_download(need.repo, name, revision=need.revision, repo_type=need.kind)
            )
            for name in need.files
        }


def cached_snapshot(need: HubNeed) -> Path | None:
    """Return the folder of a repository in the user's cache, whole or not; None if not there."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(need.repo, revision=need.revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None


def download_snapshot(need: HubNeed, ignored: Iterable[str] = ()) -> Path:
    """Return a repository's folder in the user's cache, after downloading what is missing of it.

    Args:
        need: The repository; ``files`` are the patterns of what is downloaded.
        ignored: Patterns of what is not.

    Raises:
        CrosstalkError: As :func:`download`.
    """
    from huggingface_hub import snapshot_download

    with _explained(need):
        found = snapshot_download(
            need.repo,
            revision=need.revision,
            allow_patterns=list(need.files),
            ignore_patterns=list(ignored),
        )
        return Path(found)


@contextmanager
def _explained(need: HubNeed) -> Iterator[None]:
    """Turn a failed download into one line that says what to do."""
    from httpx import HTTPError
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except (OSError, HTTPError, HFValidationError) as error:
        lasting = isinstance(
            error, HFValidationError | RepositoryNotFoundError | EntryNotFoundError
        )
        kind = CrosstalkError if lasting else Transient
        raise kind(f"{need} cannot be downloaded: {_reason(error, need)}") from error


def _reason(error: Exception, need: HubNeed) -> str:
    """Return why a download failed, and what to do about it."""
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{'datasets/' if need.kind == 'dataset' else ''}{need.repo}"
    if isinstance(error, errors.GatedRepoError):
        return f"it is gated: accept its terms at {page}, then `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"there is no {page}, or it is private: `hf auth login` or set HF_TOKEN"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"no such revision; {page}/commits/main lists them"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return (
            "it is not in the cache, and the hub cannot be reached (network, proxy, "
            "HF_HUB_OFFLINE); run `crosstalk prepare` where it can, and bring HF_HOME along"
        )
    if isinstance(error, errors.EntryNotFoundError):
        return f"it lacks one of {', '.join(need.files)}"
    return str(error)
