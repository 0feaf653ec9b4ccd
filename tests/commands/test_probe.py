"""The geometry of an initial policy, from a study to its record."""

import json
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmark.commands import probe
from benchmark.commands.baseline import evaluate_initial
from benchmark.commands.probe import Geometry, probe_folder, probe_model, read_probe
from benchmark.common.errors import CrosstalkError

if TYPE_CHECKING:
    from projects import Project


def test_a_probe_is_recorded_reproducibly(
    project: "Project", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "STATES", 1)
    study = project.study()
    with pytest.raises(CrosstalkError, match="not probed; run `crosstalk probe lab tiny math3`"):
        read_probe(study, "tiny", "math3")
    with pytest.raises(CrosstalkError, match="run `crosstalk baseline lab tiny math3` first"):
        probe_model(study, "tiny", "math3")
    evaluate_initial(study, "tiny", "math3")
    probe_model(study, "tiny", "math3")
    file = probe_folder(study, "tiny", "math3") / Geometry.FILE
    first, found = file.read_bytes(), read_probe(study, "tiny", "math3")
    assert found["geometry/sigma_max"] > found["geometry/sigma_min"] > 0
    assert found["geometry/jacobian_rows"] == 141
    assert 0 < found["geometry/entropy"] < math.log(141)
    known = json.loads(first)["metrics"].items()
    assert all(v is None or np.isfinite(v) for _, v in known)
    for name in ("accuracy", "conciseness", "clarity", "score"):
        assert {f"geometry/pl_ratio/{name}", f"geometry/optimal_mass/{name}/low"} <= found.keys()
    probe_model(study, "tiny", "math3")
    assert file.read_bytes() == first
    other = project.study(sampling={"temperature": 0.5})
    with pytest.raises(CrosstalkError, match="not probed"):
        read_probe(other, "tiny", "math3")


def test_rewards_that_are_not_finite_leave_no_record(
    project: "Project", monkeypatch: pytest.MonkeyPatch
) -> None:
    study = project.study()
    evaluate_initial(study, "tiny", "math3")
    true = probe.score_everywhere
    monkeypatch.setattr(probe, "score_everywhere", lambda *given: true(*given) * math.nan)
    with pytest.raises(CrosstalkError, match=r"rewards of accuracy: .* not finite"):
        probe_model(study, "tiny", "math3")
    assert not (probe_folder(study, "tiny", "math3") / Geometry.FILE).exists()


def test_the_hash_ignores_training(project: "Project") -> None:
    before = project.study().probe_hash("tiny", "math3")
    longer = project.study(training={"steps": 9})
    assert longer.probe_hash("tiny", "math3") == before
    weighted = project.study(objective_sets={"math3": {"weights": [0.5, 0.3, 0.2]}})
    assert weighted.probe_hash("tiny", "math3") != before
