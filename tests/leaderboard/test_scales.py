"""What tables say of objectives whose scale was fitted before training."""

import json
from dataclasses import replace
from pathlib import Path

from benchmark.leaderboard.results.cells import ExpectedCell
from benchmark.leaderboard.results.origins import Origin, differing, provenance_record
from benchmark.leaderboard.results.scales import scale_notes
from benchmark.leaderboard.schema import read_provenance


def origin(run: str, low: str = "-4.03125", objective: str = "helpful") -> Origin:
    tracked = {
        "policy": "small",
        "kind": "affine",
        "completions": "512",
        "low.quantile": "0.01",
        "low.reward": low,
        "high.quantile": "0.99",
        "high.reward": "4.53125",
    }
    settings = {f"calibration.{objective}.{key}": value for key, value in tracked.items()}
    rest = {"task.name": "hh-rlhf"}
    return Origin(run, "hash", 0, "c0ffee", "e", {}, {}, "", "", settings | rest)


def expected(algorithm: str) -> ExpectedCell:
    return ExpectedCell("hash", "m", "pair", algorithm, 0, ("a", "b"), (0.5, 0.5), False)


def test_each_scale_is_told_once() -> None:
    assert scale_notes([origin("1"), origin("2"), origin("3", objective="kind")]) == (
        "helpful is calibrated (affine): -4.031 at its 0.01-quantile and 4.531 at its "
        "0.99-quantile of 512 completions of training prompts by the initial policy of small.",
        "kind is calibrated (affine): -4.031 at its 0.01-quantile and 4.531 at its "
        "0.99-quantile of 512 completions of training prompts by the initial policy of small.",
    )
    assert scale_notes([]) == ()


def test_scales_are_in_the_provenance_of_their_cells(tmp_path: Path) -> None:
    cells = {f"m/pair/{name}/seed0": expected(name) for name in ("linear", "ctwa")}
    origins = dict(zip(cells, (origin("1"), origin("2", objective="kind")), strict=True))
    record = provenance_record("lab", origins, {}, expected=cells)
    assert record["scales"]["m/pair/linear/seed0"]["helpful.low.reward"] == "-4.03125"
    assert record["scales"]["m/pair/ctwa/seed0"]["kind.kind"] == "affine"
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    assert read_provenance(tmp_path).scales == record["scales"]
    plain = {cell: replace(each, settings={}) for cell, each in origins.items()}
    record = provenance_record("lab", plain, {}, expected=cells)
    assert "scales" not in record
    (tmp_path / "provenance.json").write_text(json.dumps(record))
    assert read_provenance(tmp_path).scales == {}


def test_runs_on_other_scales_differ() -> None:
    found = differing([origin("1"), origin("2", low="-3"), origin("3")])
    assert {name: dict(tally) for name, tally in found.items()} == {
        "calibration.helpful.low.reward": {"-4.03125": 2, "-3": 1}
    }
