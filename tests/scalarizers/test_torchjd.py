import inspect
import subprocess
import sys
from typing import Any

import pytest
import torch
import torchjd.aggregation
from torch import Tensor

from benchmark.common.errors import CrosstalkError
from benchmark.scalarizers import make_scalarizer, scalarizer_class
from benchmark.scalarizers.gramians import norms_and_cosines, square_root
from benchmark.scalarizers.torchjd import PREFIX, TORCHJD, TorchJD
from benchmark.scalarizers.torchjd_methods import METHODS
from benchmark.scalarizers.torchjd_papers import PAPERS

LOSSES = torch.zeros(8, dtype=torch.float64)
REQUIRED: dict[str, dict[str, Any]] = {
    "torchjd:CAGrad": {"c": 0.5},
    "torchjd:FairGrad": {"alpha": 2.0},
    "torchjd:Krum": {"n_byzantine": 0},
}
LEAST = {"torchjd:Krum": 3}  # objectives
SECONDS = {("torchjd:FairGrad", 8), ("torchjd:NashMTL", 8)}  # a solver takes that long with so many
every_name = pytest.mark.parametrize("name", TORCHJD)


def make(name: str, objectives: int = 3, **params: Any) -> TorchJD:
    names = [f"objective{index}" for index in range(objectives)]
    given = REQUIRED.get(name, {}) | params
    scalarizer = make_scalarizer(name, names, range(1, objectives + 1), **given)
    assert isinstance(scalarizer, TorchJD)
    return scalarizer


def theirs(name: str, **params: Any) -> Any:
    """Return TorchJD's own object."""
    return vars(torchjd.aggregation)[TORCHJD[name].method.weighting](**params)


def gramian(objectives: int = 3, seed: int = 0, rank: int = 10) -> Tensor:
    """Return a Gramian with a mean diagonal of 1, in which some gradients conflict."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(objectives, rank, generator=generator, dtype=torch.float64) - 0.2
    rows[0] -= rows[1:].sum(dim=0)
    product = rows @ rows.T
    return product / product.diagonal().mean()


# --- what there is ---------------------------------------------------------------------------


def test_alarm_torchjd_exports_something_new() -> None:
    """An alarm and not a property: a release of TorchJD may fail it. Then add a row, or a name."""
    left_out = {"Aggregator", "Weighting", "WeightedAggregator", "GramianWeightedAggregator"}
    left_out |= {"Sum", "SumWeighting", "Mean", "MeanWeighting", "Constant", "ConstantWeighting"}
    left_out |= {"Random", "RandomWeighting", "ConFIG", "GradDrop", "TrimmedMean", "ExcessMTL"}
    left_out |= {"ExcessMTLWeighting", "CRMOGMWeighting"}
    ours = METHODS.keys() | {method.weighting for method in METHODS.values()}
    without_aggregator = {"MoDo", "SDMGrad"}  # two batches' products are no Jacobian
    assert set(torchjd.aggregation.__all__) == ours - without_aggregator | left_out
    assert not left_out & ours


@every_name
def test_parameters_and_defaults_are_torchjds(name: str) -> None:
    cls = scalarizer_class(name)
    assert cls.__name__ == name.removeprefix(PREFIX)
    ours = dict(list(inspect.signature(cls).parameters.items())[2:])
    method = TORCHJD[name].method
    own = inspect.signature(vars(torchjd.aggregation)[method.weighting]).parameters
    given = {"n_tasks", "pref_vector", "projector", "update_weights_every"}
    assert ours.keys() == own.keys() - given
    assert all(parameter.default == own[key].default for key, parameter in ours.items())
    assert method.preferences == ("pref_vector" in own)
    assert method.options.keys() == PAPERS[cls.__name__].meanings.keys()


@pytest.mark.parametrize(
    ("name", "params", "message"),
    [
        ("torchjd:UPGard", {}, r"unknown algorithm 'torchjd:UPGard'; did you mean 'torchjd:UPG"),
        ("torchjd:UPGradWeighting", {}, r"\(known: torchjd:AlignedMTL, .*torchjd:UPGrad\)"),
        ("torchjd:UPGrad", {"c": 1}, r"'torchjd:UPGrad': unknown parameter 'c' \(it has no par"),
        ("torchjd:CAGrad", {}, r"parameter 'c' is missing \(allowed: c, norm_eps\)"),
        ("torchjd:CAGrad", {"c": 1, "d": 1}, r"unknown parameter 'd'.*\(known: c, norm_eps\)"),
        ("torchjd:CAGrad", {"c": -0.5}, "c: expected a number of at least 0, got -0.5"),
        ("torchjd:CAGrad", {"c": float("nan")}, "c: expected a number"),
        ("torchjd:FairGrad", {"alpha": -1}, "alpha: expected a number"),
        ("torchjd:FairGrad", {"alpha": 1, "max_iters": 0}, "'max_iters': 0}: ValueError"),
        ("torchjd:AlignedMTL", {"scale_mode": "mean"}, "TorchJD refuses {'scale_mode': 'mean'}"),
        ("torchjd:GradVac", {"beta": 1.5}, r"`beta` must be in \[0, 1\]"),
        ("torchjd:PCD", {"tau": 2}, r"`tau` must be in \[0, 1\]"),
        ("torchjd:PCD", {"beta": 1.0}, r"`beta` must be in \[0, 1\)"),
        ("torchjd:MGDA", {"epsilon": 0}, "epsilon must be positive"),
        ("torchjd:NashMTL", {"optim_niter": 0}, "optim_niter must be a positive integer"),
        ("torchjd:Krum", {"n_byzantine": 0.5}, "n_byzantine: expected an integer"),
        ("torchjd:Krum", {"n_byzantine": 1}, "TorchJD refuses {'n_byzantine': 1}: ValueError"),
        ("torchjd:Krum", {"n_byzantine": 0, "n_selected": 4}, "'n_selected': 4}: ValueError"),
    ],
)
def test_bad_names_and_parameters_are_named(name: str, params: dict, message: str) -> None:
    with pytest.raises(CrosstalkError, match=message) as caught:
        make_scalarizer(name, ["a", "b", "c"], **params)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_torchjd_is_loaded_only_when_needed() -> None:
    code = (
        "import sys; from benchmark.scalarizers import make_scalarizer;"
        "make_scalarizer('torchjd:UPGrad', ['a', 'b']).metrics();"
        "print([name for name in ('torchjd', 'cvxpy', 'scipy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- what they compute -----------------------------------------------------------------------


def test_upgrad_is_the_example_of_torchjds_documentation() -> None:
    rows = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]], dtype=torch.float64)
    found = make_scalarizer("torchjd:UPGrad", ["a", "b"]).weigh(rows @ rows.T, LOSSES)
    assert found.tolist() == pytest.approx([1.1109, 0.7894], abs=1e-4)


@pytest.mark.parametrize(
    ("name", "params", "expected"),
    [
        # Orthogonal gradients of norms 2 and 1, preferences 1/4 and 3/4.
        ("torchjd:UPGrad", {}, [1 / 4, 3 / 4]),  # no conflict: the weighted sum
        ("torchjd:DualProj", {}, [1 / 4, 3 / 4]),
        ("torchjd:PCGrad", {}, [1, 1]),  # the sum
        ("torchjd:GradVac", {}, [1, 1]),
        ("torchjd:IMTLG", {}, [1 / 3, 2 / 3]),  # by the inverse norm
        ("torchjd:AlignedMTL", {}, [1 / 8, 3 / 4]),  # norms 1: the smallest singular value
        ("torchjd:FairGrad", {"alpha": 1.0}, [1 / 2, 1]),  # 4 w = 1 / w
        ("torchjd:FairGrad", {"alpha": 0.5}, [1 / 4 ** (1 / 3), 1]),  # 4 w = 1 / w^2
        ("torchjd:MGDA", {"epsilon": 1e-9, "max_iters": 1000}, [1 / 5, 4 / 5]),
        ("torchjd:NashMTL", {"max_norm": 0.0}, [1 / 2, 1]),
        ("torchjd:NashMTL", {}, [1 / 8**0.5, 1 / 2**0.5]),  # of length 1 in place of sqrt 2
        # Unit gradients, the second's constraint w >= tau; then to the first one's length 2.
        ("torchjd:PCD", {"tau": 0.75, "eps": 0.0}, [2 * 0.5 / 1.25, 2 * 0.75 / 1.25]),
    ],
)
def test_two_orthogonal_gradients(name: str, params: dict, expected: list[float]) -> None:
    scalarizer = make_scalarizer(name, ["a", "b"], [1, 3], **params)
    rows = torch.tensor([[4.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    found = scalarizer.weigh(rows, LOSSES).tolist()
    assert found == pytest.approx(expected, rel=1e-3)
    assert list(scalarizer.metrics().values()) == found


@every_name
@pytest.mark.parametrize("weights", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("given", [torch.float32, torch.float64, torch.bfloat16])
def test_floating_types_may_differ(name: str, weights: torch.dtype, given: torch.dtype) -> None:
    found, expected = make(name), make(name)
    found.weights = torch.tensor([1.0, 2.0, 1.0]).to(weights) / 4  # exact in each type
    expected.weights = found.weights.double()
    product = torch.tensor([[4.0, -1.0, 0.5], [-1.0, 1.0, 0.25], [0.5, 0.25, 2.0]]).to(given)
    result = found.weigh(product, LOSSES)
    torch.testing.assert_close(result, expected.weigh(product.double(), LOSSES))


def test_pcgrad_takes_out_conflicts() -> None:
    rows = torch.tensor([[4.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    # g_1 + g_2 and g_2 + g_1 / 4.
    found = make_scalarizer("torchjd:PCGrad", ["a", "b"]).weigh(rows, LOSSES)
    assert found.tolist() == pytest.approx([1 + 1 / 4, 1 + 1])


def test_cagrad_moves_the_mean_by_c_times_its_length() -> None:
    scalarizer = make_scalarizer("torchjd:CAGrad", ["a", "b"], c=0.5)
    product = torch.tensor([[4.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    moved = scalarizer.weigh(product, LOSSES) - 0.5
    length, mean = (moved @ product @ moved).sqrt(), (0.25 * product.sum()).sqrt()
    assert (length / mean).item() == pytest.approx(0.5, rel=1e-4)
    assert (moved[1] > 0).item()  # for the objective that is worst off


def test_krum_takes_the_gradient_nearest_to_the_others() -> None:
    rows = torch.tensor([[1.0, 0.0], [1.1, 0.0], [-5.0, 0.0], [1.3, 0.0]], dtype=torch.float64)
    assert make("torchjd:Krum", 4).weigh(rows @ rows.T, LOSSES).tolist() == [0, 1, 0, 0]


RANDOM = ["torchjd:PCGrad", "torchjd:GradVac"]


@pytest.mark.parametrize("name", sorted(TORCHJD.keys() - {*RANDOM, "torchjd:NashMTL"}))
def test_weights_are_torchjds_over_several_batches(name: str) -> None:
    scalarizer = make(name, 4)
    preferred = (
        {"pref_vector": scalarizer.weights.double()} if scalarizer.method.preferences else {}
    )
    reference = theirs(name, **REQUIRED.get(name, {}), **preferred)
    for seed in range(4):
        found = scalarizer.weigh(gramian(4, seed), LOSSES)
        torch.testing.assert_close(found, reference(gramian(4, seed)), rtol=1e-9, atol=1e-9)


def test_nash_mtl_is_torchjds_over_several_batches() -> None:
    scalarizer, reference = make("torchjd:NashMTL", 3), theirs("torchjd:NashMTL", n_tasks=3)
    for seed in range(3):
        expected = reference.weighting(square_root(gramian(3, seed)))
        found = scalarizer.weigh(gramian(3, seed), LOSSES)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", RANDOM)
def test_random_orders_follow_the_batchs_number(name: str) -> None:
    scalarizer, reference = make(name, 5), theirs(name)
    for number in range(3):
        with torch.random.fork_rng():
            torch.manual_seed(number)
            expected = reference(gramian(5))
        torch.manual_seed(99 + number)
        before = torch.get_rng_state()
        torch.testing.assert_close(scalarizer.weigh(gramian(5), LOSSES), expected)
        assert torch.equal(torch.get_rng_state(), before)
    draws = [make(name, 5).weigh(gramian(5), LOSSES), scalarizer.weigh(gramian(5), LOSSES)]
    assert not torch.allclose(*draws)  # another batch, another order


# --- scale, degenerate Gramians, state -------------------------------------------------------


DEGREES = dict.fromkeys(TORCHJD, 0.0) | {"torchjd:FairGrad": -2 / 3, "torchjd:NashMTL": -1 / 2}
SCALELESS = {"torchjd:PCD": {"eps": 0.0}}  # its eps has a scale


@pytest.mark.parametrize("name", [name for name in TORCHJD if name != "torchjd:MoDo"])  # has one
@pytest.mark.parametrize("scale", [1e-12, 1e-5, 1e12])
def test_weights_have_the_scale_of_the_rule(name: str, scale: float) -> None:
    plain = make(name, **SCALELESS.get(name, {})).weigh(gramian(), LOSSES)
    scaled = make(name, **SCALELESS.get(name, {})).weigh(scale * gramian(), LOSSES)
    torch.testing.assert_close(scaled, plain * scale ** DEGREES[name], rtol=1e-6, atol=1e-12)


def degenerate(objectives: int) -> dict[str, Tensor]:
    without = gramian(objectives)
    without[0] = without[:, 0] = 0.0
    norms = torch.logspace(-4, 4, objectives, dtype=torch.float64)
    return {
        "ordinary": gramian(objectives),
        "one gradient is 0": without,
        "on a line": gramian(objectives, rank=1),
        "equal": torch.ones(objectives, objectives, dtype=torch.float64),
        "deficient": gramian(objectives, rank=max(1, objectives - 2)),
        "uneven": norms[:, None] * norms_and_cosines(gramian(objectives))[1] * norms,
    }


@pytest.mark.parametrize(
    ("name", "objectives"),
    [
        pytest.param(name, count, marks=[pytest.mark.slow] if (name, count) in SECONDS else [])
        for name in TORCHJD
        for count in (1, 2, 3, 8)
        if count >= LEAST.get(name, 1)
    ],
)
def test_weights_are_finite_on_any_gramian(name: str, objectives: int) -> None:
    for what, matrix in degenerate(objectives).items():
        for scale in (1e-12, 1.0, 1e12):
            found = make(name, objectives).weigh(scale * matrix, LOSSES)
            assert found.isfinite().all(), (what, scale)
            assert found.shape == (objectives,)


@pytest.mark.parametrize("name", [name for name in TORCHJD if not TORCHJD[name].halves])
def test_without_gradients_the_preferences_stand_in(name: str) -> None:
    scalarizer = make(name)
    before = scalarizer.state_dict()
    found = scalarizer.weigh(torch.zeros(3, 3, dtype=torch.float64), LOSSES)
    assert found.tolist() == pytest.approx([1 / 6, 2 / 6, 3 / 6])
    assert all(torch.equal(value, before[key]) for key, value in scalarizer.state_dict().items())


def test_two_batches_without_a_gradient_leave_their_weights() -> None:
    pulled = make("torchjd:MoDo", gamma=0.1, rho=0.0)
    first = pulled.weigh(gramian(), LOSSES)
    assert not torch.allclose(first, first.mean())
    assert torch.equal(pulled.weigh(0 * gramian(), LOSSES), first)
    held = make("torchjd:SDMGrad", lambda_=1.0)  # half of (1/3, 1/3, 1/3), half of the preferences
    expected = [(1 / 3 + share / 6) / 2 for share in (1, 2, 3)]
    assert held.weigh(0 * gramian(), LOSSES).tolist() == pytest.approx(expected)


def test_modo_takes_a_projected_step_by_hand() -> None:
    # From (1/2, 1/2) against A (1/2, 1/2) = (1, -1/2), of length 1/5: (.3, .6) less .05 short of 1.
    modo = make("torchjd:MoDo", 2, gamma=0.2, rho=0.0)
    products = torch.tensor([[1.0, 1.0], [-2.0, 1.0]], dtype=torch.float64)
    assert modo.weigh(products, LOSSES).tolist() == pytest.approx([0.35, 0.65])
    # From there A (.35, .65) = (1, -.05): (.15, .66), and .095 each.
    assert modo.weigh(products, LOSSES).tolist() == pytest.approx([0.245, 0.755])


@every_name
def test_resumed_run_goes_on_to_the_bit(name: str) -> None:
    original, resumed = make(name, 4), make(name, 4)
    for seed in range(2):
        original.weigh(gramian(4, seed), LOSSES)
    resumed.load_state_dict(original.state_dict())
    for seed in range(2, 4):
        matrices = [one.weigh(gramian(4, seed), LOSSES) for one in (original, resumed)]
        assert torch.equal(*matrices)


@pytest.mark.parametrize("name", ["torchjd:GradVac", "torchjd:PCD"])
def test_what_is_remembered_counts(name: str) -> None:
    scalarizer = make(name, 4)
    for seed in (1, 2):
        scalarizer.weigh(gramian(4, seed), LOSSES)
    fresh = make(name, 4)
    fresh.state["batches"] = scalarizer.state["batches"].clone()
    found = [one.weigh(gramian(4, 3), LOSSES) for one in (scalarizer, fresh)]
    assert not torch.allclose(*found)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (ValueError("Failed to\nsolve."), "TorchJD's UPGrad failed with ValueError: Failed to so"),
        (torch.tensor([torch.nan, 1.0]), r"TorchJD's UPGrad failed with weights \[nan, 1.0\] on"),
    ],
)
def test_solver_that_fails_is_named(
    result: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def solve(*_: Any) -> Tensor:
        if isinstance(result, Exception):
            raise result
        return result

    scalarizer = make("torchjd:UPGrad", 2)
    monkeypatch.setattr(scalarizer, "solve", solve)
    with pytest.raises(CrosstalkError, match=message) as caught:
        scalarizer.weigh(torch.eye(2, dtype=torch.float64), LOSSES)
    assert "\n" not in str(caught.value)
