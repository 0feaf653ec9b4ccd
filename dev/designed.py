"""Check the predictions for the studies `dose` and `shapes`; tell docs/theory.md what came.

    python dev/designed.py            # of what is published; writes the parts of docs/theory.md
    python dev/designed.py --check    # write nothing; exit status 1 if they would change

Every rule is in ``results/predictions/``. All are undecided as long as a study is not published.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas
import predictions
from predictions import PUBLISHED, Outcome
from scipy import stats
from wording import count

from benchmark.diagnosis.samples import ADVANTAGE
from benchmark.interference.correlation import Relation, relate
from benchmark.leaderboard.pages.markdown import minus, number
from benchmark.leaderboard.reading import read_table, typed
from benchmark.leaderboard.results.rows import COLUMNS

SEED = 12  # of the permutations
STRONG, SIGNIFICANT = 0.5, 0.05
FEWEST = 5  # models on which accuracy has to fall, for the sign to be judged
OUTCOMES = ("interference_rate", "severity")
JACOBIAN = ("smallest singular value", "condition number", "effective rank")
MASS, PL, CONFLICT = "mass on optimal completions", "PL ratio", "conflict rate"


# ---- dose ---------------------------------------------------------------------------------------


def read_dose(folder: Path = PUBLISHED / "dose") -> pandas.DataFrame | None:
    """Return a row per model: ``dose``, ``seed``, ``initial``, ``delta``, ``fell``, ``covariance``.

    All are of accuracy; the covariance is that with the advantage at the first step. None if the
    study is not published.
    """
    if not folder.is_dir():
        return None
    cells = typed(read_table(folder, "cells.csv", COLUMNS))
    cells = cells[cells["objective"] == "accuracy"]
    changes = pandas.read_csv(folder / "diagnosis" / "changes.csv")
    first = changes[(changes["objective"] == "accuracy") & (changes["step"] == 0)]
    rows = cells.merge(first[["model", "seed", ADVANTAGE]], on=["model", "seed"])
    return pandas.DataFrame(
        {
            "dose": rows["model"].str.removeprefix("dose-").astype(float) / 100,
            "seed": rows["seed"],
            "initial": rows["initial"],
            "delta": rows["delta"],
            "fell": rows["fell_in_run"].astype(bool),
            "covariance": rows[ADVANTAGE],
        }
    ).sort_values(["dose", "seed"], ignore_index=True)


def related(models: pandas.DataFrame, one: str, other: str, strata: str | None = None) -> Relation:
    """Return Spearman's correlation of two columns over all models, with its p-value.

    With ``strata``, a column's name, ranks are less the mean of their stratum, and only models of
    one stratum are exchanged.
    """
    generator = np.random.default_rng(SEED)
    groups = None if strata is None else models[strata].tolist()
    values = {other: models[other].to_numpy()}
    return relate(models[one].to_numpy(), values, generator, groups)[other]


def strong(models: pandas.DataFrame, one: str, other: str) -> Outcome:
    found = related(models, one, other)
    met = found.correlation >= STRONG and found.p < SIGNIFICANT
    return Outcome(told(found.correlation, found.p), bool(met))


def at_the_ends(models: pandas.DataFrame) -> Outcome:
    low, high = (models.loc[models["dose"] == dose, "fell"] for dose in (0.2, 1.0))
    words = f"{count(low.tolist())} at the dose 0.2, {count(high.tolist())} at 1"
    return Outcome(words, bool(low.all() and high.sum() <= 1))


def sign_is_no_sign(models: pandas.DataFrame) -> Outcome:
    fallen = models[models["fell"]]
    positive = (fallen["covariance"] > 0).tolist()
    met = sum(positive) >= len(positive) / 2 if len(positive) >= FEWEST else None
    return Outcome(f"{count(positive)} of the models where accuracy fell", met)


DOSE: Mapping[int, Callable[[pandas.DataFrame], Outcome]] = {
    1: lambda models: strong(models, "delta", "dose"),
    2: at_the_ends,
    3: lambda models: strong(models, "covariance", "dose"),
    4: lambda models: strong(models, "delta", "covariance"),
    5: sign_is_no_sign,
}


def dose_table(models: pandas.DataFrame) -> str:
    """Return a row per dose: accuracy before, its change, and the first covariance."""
    rows = [
        "| right in the style | accuracy before | its change | fell on | first covariance |",
        "|---|---|---|---|---|",
    ]
    for dose, own in models.groupby("dose"):
        changes = ", ".join(minus(number(each, 2, "+")) for each in own["delta"])
        first = ", ".join(minus(number(each, 3, "+")) for each in own["covariance"])
        fell = f"{int(own['fell'].sum())} of {len(own)}"
        rows.append(f"| {dose:.0%} | {own['initial'].mean():.2f} | {changes} | {fell} | {first} |")
    pairs = (("delta", "dose"), ("covariance", "dose"), ("delta", "covariance"))
    found = [related(models, *pair, strata="seed") for pair in pairs]
    within = [told(each.correlation, each.p) for each in found]
    positive = f"{int((models['covariance'] > 0).sum())} of {len(models)}"
    return "\n".join(rows) + (
        f"\n\nThe first covariance is above 0 on {positive} models. Models of one seed share their "
        "initial weights, so they are not independent, which the "
        "predictions did not think of. Within seeds accuracy's change goes with the dose by "
        f"{within[0]}, the first covariance with the dose by {within[1]}, and accuracy's change "
        f"with the first covariance by {within[2]}."
    )


# ---- shapes -------------------------------------------------------------------------------------


class Shapes(NamedTuple):
    """What is published of geometry by design.

    Attributes:
        models: A row per model of ``models.csv``, with its ``shape``.
        relation: ``relation.csv``.
    """

    models: pandas.DataFrame
    relation: pandas.DataFrame

    def of(self, quantity: str, outcome: str) -> Mapping[str, Any]:
        """Return the row of a quantity and an outcome."""
        rows = self.relation
        (row,) = rows[(rows["quantity"] == quantity) & (rows["outcome"] == outcome)].to_dict(
            "records"
        )
        return row


def read_shapes(folder: Path = PUBLISHED / "shapes") -> Shapes | None:
    if not folder.is_dir():
        return None
    models = pandas.read_csv(folder / "diagnosis" / "models.csv")
    models = models.assign(shape=models["model"].str.split("-").str[1])
    return Shapes(models, pandas.read_csv(folder / "diagnosis" / "relation.csv"))


def mixture_decides(found: Shapes) -> Outcome:
    mixture, shape = (explained(found.models, name) for name in ("mixture", "shape"))
    return Outcome(f"{mixture:.0%} by mixture, {shape:.0%} by shape", mixture > shape)


def explained(models: pandas.DataFrame, factor: str, outcome: str = "severity") -> float:
    """Return the share of the variance between the values of a factor, in a balanced design."""
    values = models[outcome]
    means = models.groupby(factor)[outcome].transform("mean")
    return float(((means - values.mean()) ** 2).sum() / ((values - values.mean()) ** 2).sum())


def conflict_tells(found: Shapes) -> Outcome:
    row = found.of(CONFLICT, "interference_rate")
    met = row["correlation"] > 0 and row["p"] < SIGNIFICANT
    return Outcome(told(row["correlation"], row["p"]), bool(met))


def pl_does_not(found: Shapes) -> Outcome:
    row = found.of(PL, "severity")
    return Outcome(told(row["correlation"], row["p"]), bool(row["correlation"] < 0.4))


def jacobian_is_silent(found: Shapes) -> Outcome:
    rows = [found.of(quantity, outcome) for quantity in JACOBIAN for outcome in OUTCOMES]
    row = min(rows, key=lambda each: each["p_adjusted"])
    words = f"the smallest is that of the {row['quantity']} with {_outcome(row)}: "
    words += told(row["correlation"], row["p_adjusted"], "adjusted p")
    return Outcome(words, not row["p_adjusted"] < SIGNIFICANT)


def trap_returns(found: Shapes) -> Outcome:
    plain = float(stats.spearmanr(found.models[MASS], found.models["severity"]).statistic)
    within = found.of(MASS, "severity")["correlation"]
    words = f"plain {minus(number(plain, 2, '+'))}, within {minus(number(within, 2, '+'))}"
    return Outcome(words, bool(plain <= -0.5 and within - plain >= 0.3))


def foretells_little(found: Shapes) -> Outcome:
    row = found.relation.loc[found.relation["correlation"].abs().idxmax()].to_dict()
    words = f"the largest is that of the {row['quantity']} with {_outcome(row)}: "
    met = abs(row["correlation"]) < 0.7
    return Outcome(words + told(row["correlation"], row["p"]), bool(met))


SHAPES: Mapping[int, Callable[[Shapes], Outcome]] = {
    1: mixture_decides,
    2: conflict_tells,
    3: pl_does_not,
    4: jacobian_is_silent,
    5: trap_returns,
    6: foretells_little,
}


def shapes_table(found: Shapes) -> str:
    """Return a row per quantity: how it goes with both outcomes within mixtures."""
    rows = [
        "| quantity of the model before training | with the interference rate | with severity |",
        "|---|---|---|",
    ]
    for quantity in dict.fromkeys(found.relation["quantity"]):
        cells = [_cell(found.of(str(quantity), outcome)) for outcome in OUTCOMES]
        rows.append(f"| {quantity} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(row: Mapping[str, Any]) -> str:
    if np.isnan(row["correlation"]):
        return str(row["reason"])
    text = told(row["correlation"], row["p_adjusted"], "adjusted p")
    return f"**{text}**" if row["p_adjusted"] < SIGNIFICANT else text


def _outcome(row: Mapping[str, Any]) -> str:
    return str(row["outcome"]).replace("_", " ")


def told(rho: float, p: float, name: str = "p") -> str:
    """Return ``ρ = +0.50 (p = 0.03)``."""
    chance = "below 0.001" if p < 0.001 else f"= {p:.2g}"
    return f"ρ = {minus(number(rho, 2, '+'))} ({name} {chance})"


# ---- both ---------------------------------------------------------------------------------------


def check(checks: Mapping[int, Callable[[Any], Outcome]], results: Any) -> dict[int, Outcome]:
    """Return what came of each prediction, by its number; undecided of a study not published."""
    if results is None:
        return {number: Outcome("not published", None) for number in checks}
    return {number: own(results) for number, own in checks.items()}


def main(*, only_check: bool) -> int:
    """Print what came of the predictions; bring the document up to date with what is published."""
    studies: Mapping[str, tuple[Any, Any, Callable[[Any], str]]] = {
        "dose": (DOSE, read_dose(), dose_table),
        "shapes": (SHAPES, read_shapes(), shapes_table),
    }
    parts = {
        study: (
            predictions.judged(study, check(checks, own)),
            None if own is None else table(own),
        )
        for study, (checks, own, table) in studies.items()
    }
    return predictions.tell_theory(parts, only_check=only_check)


if __name__ == "__main__":
    sys.exit(main(only_check="--check" in sys.argv[1:]))
