"""A leaderboard from a real MLflow server equals the one from its store."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import requests

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.pages.sheets import all_sheets
from benchmark.leaderboard.results.table import Table, collect
from benchmark.leaderboard.site.curves import curves_of
from benchmark.leaderboard.site.rendering import render
from benchmark.leaderboard.writing import contents

from .lab import Lab

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("site")]
PATIENCE = 60.0  # seconds that a server may take to start


@pytest.fixture
def server(study_lab: Lab) -> Iterator[str]:
    """The address of an MLflow server of the made-up study's store."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", study_lab.uri, "--workers", "1"]
    process = subprocess.Popen(
        command,
        env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},  # nine more processes
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(process, address)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=30)


def _await(process: "subprocess.Popen[bytes]", address: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if requests.get(f"{address}/health", timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError("the server did not start")


def files(uri: str, results: Table) -> dict[str, str]:
    """Return all files of a leaderboard; its page without links to the runs on a server."""
    frames = Frames(results)
    page = render(frames, all_sheets(frames), curves_of(uri, results))
    return contents(frames) | {"index.html": page}


def test_files_from_a_server_are_those_of_its_store_byte_for_byte(
    server: str, study_lab: Lab, results: Table
) -> None:
    local = files(study_lab.uri, results)
    assert files(server, collect(server, "quick", study_lab.expected)) == local
