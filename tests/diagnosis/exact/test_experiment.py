import numpy as np
import pytest

from benchmark.diagnosis.exact.experiment import measure
from benchmark.diagnosis.exact.measures import orders
from benchmark.diagnosis.exact.problems import random_problems
from benchmark.diagnosis.exact.report import Results, report

COUNT = 100


@pytest.fixture(scope="module")
def results() -> Results:
    return measure(COUNT, 0)


# --- the law ---------------------------------------------------------------------------------


def test_errors_have_the_orders_of_theory(results: Results) -> None:
    table = results.orders.table
    kappa = table["prediction"].str.contains("κ₃")
    expected = np.where(kappa, 3.0, np.where(table["first_order_exact"], 2.0, 1.0))
    np.testing.assert_allclose(table["order"], expected, atol=0.1)
    exact = table.loc[table["first_order_exact"], "step"]
    assert set(exact) == set(table["step"])  # each rule has a prediction that is exact
    assert set(table.loc[~table["first_order_exact"], "prediction"]) >= {"cov(r, s)"}


def test_only_exact_predictions_have_the_sign_at_small_steps(results: Results) -> None:
    table = results.orders.table
    exact = table["first_order_exact"]
    assert (table.loc[exact, "sign@0.0001"] == 1).all()
    assert (table.loc[~exact, "sign@0.0001"] < 1).all()


def test_kappa_explains_the_error_where_steps_are_small(results: Results) -> None:
    curves = results.orders.curves
    kappa = curves[curves["prediction"].str.contains("κ₃")].set_index("step_size")["r_squared"]
    assert kappa.iloc[0] == pytest.approx(1.0, abs=1e-6)
    assert kappa.iloc[-1] < 0.5
    assert (np.diff(kappa) <= 1e-9).all()


def test_signs_fail_first_where_the_covariance_is_small(results: Results) -> None:
    table = results.margins.pivot(index="step_size", columns="margin", values="sign_agreement")
    assert (table.iloc[0] == 1).all()
    assert table.loc[:, 0.001].iloc[-1] < 0.65  # no better than a coin
    assert (table.loc[:, 0.9] == 1).all()
    at = np.isclose(table.index, 0.1)
    assert (np.diff(table[at].to_numpy()[0]) >= 0).all()


def test_rules_disagree_unless_policies_are_uniform(
    results: Results,
) -> None:
    table = results.disagreements.set_index(["step", "setting"])["share"]
    assert table["vanilla gradient", 0.0] == 0
    assert table["vanilla gradient", 3.0] > 0
    assert table["Adam", 0.0] > 0
    assert table["natural gradient, log-linear", 28.0] == 0
    assert table["natural gradient, log-linear", 1.0] > 0.1


def test_distortion_grows_with_the_clipped_fraction(results: Results) -> None:
    for name, rows in results.clipping.groupby("prediction"):
        first, last = rows.iloc[0], rows.iloc[-1]
        assert first["clipped_fraction"] == 0
        assert first["disagreement"] < 0.01
        middle = rows[rows["disagreement"].between(0.01, 0.99)]
        assert (middle["low"] < middle["disagreement"]).all()
        assert (middle["high"] > middle["disagreement"]).all()
        if name == "cov(r, unclipped s), present policy":
            assert rows["disagreement"].max() < 0.01
        else:
            assert last["disagreement"] > 0.05
            assert last["distortion"] > 100 * first["distortion"]
    pairs = results.clipping.groupby("prediction")["pairs"].sum()
    assert (pairs == 11 * COUNT * 3).all()  # drifts x problems x objectives: none is lost


# --- the text --------------------------------------------------------------------------------


def test_a_contradiction_of_theory_is_said(results: Results) -> None:
    assert "CONTRADICTS" not in report(results, COUNT, 0)
    table = results.orders.table.assign(order=lambda t: t["order"].where(t["step"] != "tilt", 1.4))
    changed = results._replace(orders=results.orders._replace(table=table))
    text = report(changed, COUNT, 0)
    assert "CONTRADICTS THEORY: tilt, cov(r, s): order 1.40 instead of 2.0." in text


def test_the_statement_is_made_of_the_numbers(results: Results) -> None:
    margins = results.margins.assign(
        sign_agreement=np.where(results.margins["step_size"] > 0.011, 0.5, 1.0)
    )
    text = report(results._replace(margins=margins), COUNT, 0)
    assert "is 0.01 at 0.001, 0.01 at 0.003," in text
    table = results.bounds.assign(violations=[0, 17])
    assert "entropy-regularised: 17 violations" in report(results._replace(bounds=table), COUNT, 0)


def test_ten_problems_are_enough_for_a_report() -> None:
    text = report(measure(10, 0), 10, 0)
    assert "nan" not in text


def test_another_seed_draws_other_problems() -> None:
    tables = []
    for seed in (0, 1):
        generator = np.random.default_rng(seed)
        tables.append(orders(random_problems(10, generator), generator).table)
    assert not tables[0]["order"].equals(tables[1]["order"])
