from pathlib import Path

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.tracking.address import TIMEOUT, patience, tracking_uri


def test_address_is_the_environments_or_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri(Path("/data/x")) == "sqlite:////data/x/results/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://tracking.example")
    assert tracking_uri(Path("/data/x")) == "https://tracking.example"


@pytest.mark.parametrize("text", ["soon", "0", "inf"])
def test_timeout_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TIMEOUT, text)
    with pytest.raises(CrosstalkError, match=f"CROSSTALK_STORE_TIMEOUT: .* got '{text}'"):
        patience()
