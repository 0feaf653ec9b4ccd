"""Runs of different environments do not stand side by side unasked."""

from dataclasses import replace

import pytest

from benchmark.common.errors import CrosstalkError
from benchmark.leaderboard.frames.overall import compare
from benchmark.leaderboard.frames.summary import summarise

from .lab import ENVIRONMENT, Lab

NEWER = ENVIRONMENT | {"torch": "2.14.0", "peft": "0.21"}


@pytest.fixture
def mixed(lab: Lab) -> Lab:
    for algorithm in ("linear", "ctwa"):
        lab.complete(lab.expect("m", algorithm), (0.5, 0.7))
    lab.complete(lab.expect("n", "linear"), (0.5, 0.7), environment=NEWER)
    return lab


def test_mixed_environments_are_refused_with_what_differs(mixed: Lab) -> None:
    with pytest.raises(CrosstalkError) as refused:
        mixed.collect()
    message = str(refused.value)
    assert "2 environments" in message
    assert "peft 0.21 (1 runs), none (2 runs)" in message
    assert "torch 2.13.0 (2 runs), 2.14.0 (1 runs)" in message
    assert "python" not in message
    assert "--allow-mixed" in message


def test_mixed_environments_are_labelled_when_allowed(mixed: Lab) -> None:
    results = mixed.collect(allow_mixed=True)
    overall = compare(results.cells)
    environments = overall.table.set_index("algorithm")["environment"]
    older, newer = "3.11.7-2.13.0", "3.11.7-2.14.0-0.21"
    assert environments.to_dict() == {"linear": f"{older} + {newer}", "ctwa": older}
    summary = summarise(results.cells)
    assert list(summary["environment"]) == [older] * 4 + [newer] * 2
    text = mixed.page(allow_mixed=True)
    assert text.count("**Mixed runs: 2 environments: peft") == 5  # 2 overall, dependence, 2 models


def test_mixture_counts_only_runs_that_count(lab: Lab) -> None:
    cell = lab.expect("m", "linear")
    lab.complete(cell, (0.5, 0.7), environment=NEWER)
    lab.complete(cell, (0.5, 0.7))
    results = lab.collect()
    assert results.mixture == ""
    assert results.origins[cell].environment == ENVIRONMENT


def test_another_commit_or_machine_is_no_mixture(lab: Lab) -> None:
    lab.complete(lab.expect("m", "linear"), (0.5, 0.7))
    lab.complete(lab.expect("m", "ctwa"), (0.5, 0.7), commit="decaf")
    assert lab.collect().mixture == ""


def test_references_weights_are_no_mixture(lab: Lab) -> None:
    for algorithm in ("single-a", "linear", "single-b"):
        lab.complete(lab.expect("m", algorithm), (0.5, 0.7))
    assert lab.expected["m/pair/single-a/seed0"].weights == (1.0, 0.0)
    assert lab.collect().mixture == ""


def test_other_preference_weights_are_a_mixture(lab: Lab) -> None:
    for algorithm in ("linear", "ctwa"):
        lab.complete(lab.expect("m", algorithm), (0.5, 0.7))
    cell = "m/pair/ctwa/seed0"
    lab.expected[cell] = replace(lab.expected[cell], weights=(0.9, 0.1))
    with pytest.raises(CrosstalkError, match=r"weights\.pair a 0\.5, b 0\.5 .* a 0\.9, b 0\.1"):
        lab.collect()


def test_models_of_one_recipe_are_no_mixture(lab: Lab) -> None:
    for number in (1, 2):
        cell = lab.expect(f"m.{number}", "linear")
        lab.expected[cell] = replace(lab.expected[cell], model="m", seed=1000 * number)
        lab.complete(cell, (0.5, 0.7), model_digest=f"digest {number}")
    assert lab.collect().mixture == ""


def test_other_weights_of_one_entry_are_a_mixture(lab: Lab) -> None:
    for algorithm in ("linear", "ctwa"):
        cell = lab.expect("m", algorithm)
        lab.complete(cell, (0.5, 0.7), model_digest=f"digest of {algorithm}")
    with pytest.raises(CrosstalkError, match=r"models\.m digest of ctwa .* digest of linear"):
        lab.collect()
