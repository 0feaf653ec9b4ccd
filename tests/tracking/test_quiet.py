"""What MLflow prints and sends, and that no import of ours decides it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark.tracking.quiet import SETTINGS

ROOT = Path(__file__).resolve().parents[2]


def output_of(code: str) -> tuple[str, str]:
    own = {*SETTINGS, "PYTEST_CURRENT_TEST"}
    clean = {name: value for name, value in os.environ.items() if name not in own}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=clean | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout, done.stderr


@pytest.mark.slow
def test_mlflow_is_quiet_and_sends_nothing() -> None:
    code = (
        "from benchmark.tracking.quiet import quiet; quiet()\n"
        "import benchmark.tracking.run, mlflow.telemetry.client\n"
        "print(mlflow.telemetry.client.get_telemetry_client())"
    )
    assert output_of(code) == ("None\n", "")


@pytest.mark.slow
def test_importing_the_room_changes_no_variable() -> None:
    code = (
        "import os; before = dict(os.environ)\n"
        "import benchmark.tracking.quiet, benchmark.tracking.address, benchmark.tracking.names\n"
        "print(dict(os.environ) == before)"
    )
    assert output_of(code) == ("True\n", "")


@pytest.mark.slow
def test_a_users_own_settings_win() -> None:
    code = (
        "import os; os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT'] = '7'\n"
        "from benchmark.tracking.quiet import quiet; quiet()\n"
        "print(os.environ['MLFLOW_HTTP_REQUEST_TIMEOUT'], os.environ['DO_NOT_TRACK'])"
    )
    assert output_of(code) == ("7 true\n", "")
