from collections.abc import Iterator
from pathlib import Path

import pytest
from hub import COMMIT, Hub, connect, serving
from huggingface_hub import constants

from benchmark.common.errors import CrosstalkError
from benchmark.common.hub import HubNeed, cached_files, check_revision, download

FILES = {"own/data/train.jsonl": b"{}\n", "own/data/sub/test.jsonl": b"{}\n{}\n"}
NEED = HubNeed("own/data", COMMIT, "dataset", 0.001, ("train.jsonl", "sub/test.jsonl"))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def hub(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with serving(Hub(dict(FILES))) as served:
        connect(served, monkeypatch)
        yield served


def test_what_was_downloaded_is_there_without_the_hub(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cached_files(NEED) is None
    files = download(NEED)
    assert [path.read_bytes() for path in files.values()] == [b"{}\n", b"{}\n{}\n"]
    assert len(hub.asked) == 2
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert cached_files(NEED) == download(NEED) == files
    assert len(hub.asked) == 2


def test_a_download_that_broke_off_is_taken_up(hub: Hub) -> None:
    part = HubNeed(NEED.repo, COMMIT, "dataset", 0.001, NEED.files[:1])
    download(part)
    assert cached_files(NEED) is None
    assert download(NEED).keys() == set(NEED.files)
    assert len(hub.asked) == 2  # the first file was not asked for again


def refusal(need: HubNeed) -> str:
    with pytest.raises(CrosstalkError) as caught:
        download(need)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_gated_dataset_says_how_to_get_access(hub: Hub) -> None:
    hub.gated.add("own/data")
    said = refusal(NEED)
    assert said.startswith(
        f"dataset own/data at revision {COMMIT} cannot be downloaded: it is gated"
    )
    assert f"accept its terms at {hub.url}/datasets/own/data" in said
    assert "HF_TOKEN" in said


def test_a_dataset_that_is_not_there_may_be_private(hub: Hub) -> None:
    said = refusal(HubNeed("own/dta", COMMIT, "dataset", 0.001, ("a",)))
    assert "there is no" in said
    assert "HF_TOKEN" in said


def test_a_wrong_revision_is_named(hub: Hub) -> None:
    said = refusal(HubNeed("own/data", "f" * 40, "dataset", 0.001, ("train.jsonl",)))
    assert f"at revision {'f' * 40} cannot be downloaded: no such revision" in said


def test_a_missing_file_is_named(hub: Hub) -> None:
    said = refusal(HubNeed("own/data", COMMIT, "dataset", 0.001, ("val.jsonl",)))
    assert said.endswith("it lacks one of val.jsonl")


def test_without_the_hub_the_way_to_bring_the_data_is_told(cache: Path) -> None:
    said = refusal(NEED)  # HF_HUB_OFFLINE is set in the tests
    assert "not in the cache" in said
    assert "`crosstalk prepare`" in said
    assert not cache.exists() or not list(cache.rglob("*.jsonl"))


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:-1], COMMIT.upper(), 3])
def test_what_is_no_commit_is_refused(revision: object) -> None:
    with pytest.raises(CrosstalkError, match=r"m: revision: expected a commit of 40 hex"):
        check_revision(revision, "m")


def test_a_commit_is_taken() -> None:
    assert check_revision(COMMIT, "m") == COMMIT
