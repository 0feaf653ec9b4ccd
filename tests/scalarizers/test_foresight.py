import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from benchmark.covariance import group_covariance
from benchmark.scalarizers import Feedback, Foresight
from benchmark.scalarizers.foresight import RIDGE, signal_parts
from benchmark.testing import make_batch

HALF = torch.tensor([0.5, 0.5])
ONE_PROMPT = torch.zeros(4)
# One prompt, both objectives of variance 1/4 and uncorrelated: z-scores of +-a, +-b.
FIRST, SECOND = torch.tensor([1.0, 0.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 1.0, 1.0])
BOTH = torch.stack([FIRST, SECOND], dim=1)
Z = 0.5 / (math.sqrt(1 / 3) + 1e-4)


def told(rewards: Tensor, rises: list[float]) -> Feedback:
    """Return the feedback of an update by which mean rewards rose by so much."""
    before = torch.ones(len(rises), dtype=torch.float64)
    after = before - torch.tensor(rises, dtype=torch.float64)
    return Feedback(rewards, torch.zeros(len(rewards)), losses_before=before, losses_after=after)


def combined(scalarizer: Foresight, rewards: Tensor) -> Tensor:
    return scalarizer.combine(rewards, rewards, torch.zeros(len(rewards)))


def test_undisputed_part_compares_where_no_objective_objects() -> None:
    # Differences of z-scores are 0 or 2Z. Completion 2 = (1, 1) is ahead of all: 2Z, 4Z and 2Z,
    # with weights 1/2; 0 = (1, 0) and 3 = (0, 1) dispute each other, and both beat 1 = (0, 0).
    # Sums: 0: Z - Z = 0; 1: -Z - Z - 2Z = -4Z; 2: 4Z; 3: 0. Of mean square 8Z^2 before scaling.
    parts = signal_parts(BOTH, ONE_PROMPT, HALF)
    root = math.sqrt(2)
    assert parts[:, 2].tolist() == pytest.approx([0, -root, root, 0])
    assert parts[:, 0].tolist() == pytest.approx([Z, -Z, Z, -Z])


def test_opposed_objectives_leave_no_undisputed_part() -> None:
    parts = signal_parts(torch.stack([FIRST, 1 - FIRST], dim=1), ONE_PROMPT, HALF)
    assert parts[:, 2].tolist() == [0, 0, 0, 0]


def test_objective_of_weight_0_disputes_nothing() -> None:
    rewards = torch.stack([FIRST, 1 - FIRST], dim=1)
    parts = signal_parts(rewards, ONE_PROMPT, torch.tensor([1.0, 0.0]))
    assert parts[:, 2].tolist() == pytest.approx([1, -1, 1, -1])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(1, 7), min_size=1, max_size=4),
    objectives=st.integers(1, 5),
)
def test_no_objective_covaries_negatively_with_the_undisputed_part(
    seed: int, sizes: list[int], objectives: int
) -> None:
    batch = make_batch(objectives, sizes, seed)
    weights = torch.full((objectives,), 1 / objectives)
    last = signal_parts(batch.rewards, batch.groups, weights)[:, -1]
    for prompt in batch.groups.unique():
        own = batch.groups == prompt
        covariances = group_covariance(batch.rewards[own].double(), last[own], batch.groups[own])
        assert (covariances >= -1e-9).all()


def test_mixes_by_the_law_before_any_update() -> None:
    # C: 1 for an objective's own part and 0 for the other's; the undisputed part has covariance
    # (sqrt 2 / 2 + sqrt 2 / 2) / 4 = sqrt 2 / 4 with each, over Z / 2: sqrt 2 / (2 Z). For both at
    # once that beats 1/2 of each own part, so it has all that bonus and floor leave.
    scalarizer = Foresight(["a", "b"], bonus=0.1, floor=0.2)
    found = combined(scalarizer, BOTH)
    last = signal_parts(BOTH, ONE_PROMPT, HALF)[:, 2]
    expected = 0.1 * signal_parts(BOTH, ONE_PROMPT, HALF)[:, :2].sum(dim=1) + 0.8 * last
    assert found.tolist() == pytest.approx(expected.tolist())
    metrics = scalarizer.metrics()
    assert [metrics["weight/a"], metrics["weight/b"]] == pytest.approx([0.1, 0.1])
    foreseen = 0.1 + 0.8 * math.sqrt(2) / (2 * Z)
    assert [metrics["foreseen/a"], metrics["foreseen/b"]] == pytest.approx([foreseen] * 2)


def test_opposed_objectives_share_equally_by_the_law() -> None:
    # No undisputed part, C = [[1, -1], [-1, 1]]: the best worst change is 0, at 1/2 each.
    scalarizer = Foresight(["a", "b"], [1, 1], bonus=0.0, floor=0.0)
    found = combined(scalarizer, torch.stack([FIRST, 1 - FIRST], dim=1))
    metrics = scalarizer.metrics()
    assert metrics["foreseen/a"] == pytest.approx(0, abs=1e-9)
    assert metrics["weight/a"] == pytest.approx(metrics["weight/b"])
    assert found.abs().max() < 1e-9


def test_what_the_law_did_not_foresee_is_added() -> None:
    # All weight on the undisputed part: lambda = e_0, the law foresees c = sqrt 2 / (2 Z) of each.
    # On the scale of covariances with own z-scores, Z / 2, the changes found are x and y.
    scalarizer = Foresight(["a", "b"], bonus=1.0, floor=0.0)
    combined(scalarizer, BOTH)
    x, y = 3.0, -1.0
    scalarizer.update(told(BOTH, [x * Z / 2, y * Z / 2]))
    metrics = scalarizer.metrics()
    assert [metrics["found/a"], metrics["found/b"]] == pytest.approx([x, y])
    c = math.sqrt(2) / (2 * Z)
    eta = (x + y) * c / (2 * c * c)
    beyond = [(change - eta * c) / (1 + RIDGE) for change in (x, y)]
    response = scalarizer.response()
    assert response[:, 2].tolist() == pytest.approx([eta * c + each for each in beyond])
    assert response[:, :2].flatten().tolist() == pytest.approx([eta, 0, 0, eta])


def test_learns_a_response_that_the_law_gets_wrong() -> None:
    # The law holds the undisputed part to serve both; here every part but b's own lowers b. The
    # best mixtures let both rise by 1/4.
    response = torch.tensor([[1.0, -0.5, 1.0], [-0.5, 1.0, -0.6]], dtype=torch.float64)
    scalarizer = Foresight(["a", "b"], bonus=0.0, floor=0.0)
    changes = []
    for _ in range(20):
        combined(scalarizer, BOTH)
        changes.append(response @ scalarizer.state["parts"])
        scalarizer.update(told(BOTH, (changes[-1] * Z / 2).tolist()))
    assert changes[0].tolist() == pytest.approx([1.0, -0.6])
    assert changes[-1].min() > 0.2
    # At rest the changes are those foreseen, up to the ridge: its share of the residual is below
    # RIDGE (1 - memory) over a squared weight of at least 1/3.
    torch.testing.assert_close(changes[-1], scalarizer.state["foreseen"], rtol=0.05, atol=0.02)


def test_memory_0_goes_by_the_last_update_alone() -> None:
    forgetful, fresh = Foresight(["a", "b"], memory=0.0), Foresight(["a", "b"])
    combined(forgetful, BOTH)
    forgetful.update(told(BOTH, [-0.5, 0.5]))
    forgetful.state["parts"] = fresh.state["parts"] = HALF.double().new_tensor([0.5, 0.25, 0.25])
    for each in (forgetful, fresh):
        each.state["law"] = forgetful.state["law"].clone()
        each.state["speeds"] = forgetful.state["speeds"].clone()
        each.update(told(BOTH, [0.1, 0.2]))
    torch.testing.assert_close(forgetful.response(), fresh.response())


def test_objective_that_does_not_vary_stays_out_and_is_not_learnt_of() -> None:
    scalarizer = Foresight(["a", "b"])
    rewards = torch.stack([FIRST, torch.ones(4)], dim=1)
    combined(scalarizer, rewards)
    scalarizer.update(told(rewards, [0.1, 0.0]))
    metrics = scalarizer.metrics()
    assert metrics["weight/b"] == 0.125  # half of the floor
    assert "foreseen/b" not in metrics
    assert "found/b" not in metrics
    assert scalarizer.state["squares"][1].abs().sum() == 0


def test_preferences_are_used_while_nothing_varies() -> None:
    scalarizer = Foresight(["a", "b"], [1, 3], bonus=0.2, floor=0.1)
    assert combined(scalarizer, torch.ones(4, 2)).tolist() == [0, 0, 0, 0]
    metrics = scalarizer.metrics()
    assert metrics == pytest.approx({"weight/a": 0.2, "weight/b": 0.6})


def test_faster_rise_is_asked_for_the_preferred() -> None:
    # Own parts alone (opposed pairs leave no undisputed one): u = w up to the correlation.
    scalarizer = Foresight(["a", "b"], [3, 1], bonus=0.0, floor=0.0)
    combined(scalarizer, BOTH)
    metrics = scalarizer.metrics()
    assert metrics["foreseen/a"] == pytest.approx(3 * metrics["foreseen/b"])


def test_update_without_losses_is_refused() -> None:
    with pytest.raises(ValueError, match="losses"):
        Foresight(["a", "b"]).update(Feedback(BOTH, ONE_PROMPT))
