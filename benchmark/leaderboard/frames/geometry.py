"""Relate each model's geometry to how much interference it suffers."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas

from benchmark.interference.correlation import relate
from benchmark.leaderboard.frames.ranking import numbered, rate_interval, severity_interval
from benchmark.leaderboard.results.diagnosed import Diagnosed
from benchmark.leaderboard.results.evidence import PLACE, judged
from benchmark.tracking.names import GEOMETRY

SEED = 11  # of permutations and resamples
OUTCOMES = ("interference_rate", "severity")
# Of the initial policy; those of pairs or objectives by the one that should matter most.
QUANTITIES: Mapping[str, tuple[str, Callable[[Sequence[float]], float]]] = {
    "smallest singular value": ("sigma_min", np.mean),
    "condition number": ("condition", np.mean),
    "effective rank": ("effective_rank", np.mean),
    "entropy": ("entropy", np.mean),
    "mass on optimal completions": ("optimal_mass/score", np.mean),
    "PL ratio": ("pl_ratio/score", np.mean),
    "smallest cosine of gradients": ("cosine/", np.min),
    "conflict rate": ("conflict/", np.mean),
    "smallest magnitude similarity": ("magnitude_similarity/", np.min),
}
BOUNDS = ("/low", "/high")
SCORE = "/score"  # pairs of an objective and the scalarized one are left out


def model_table(diagnosed: Iterable[Diagnosed], cells: pandas.DataFrame) -> pandas.DataFrame:
    """Return a row per model: ``mixture``, ``runs``, the outcomes, and each quantity, if known.

    Quantities are means over objective sets; outcomes are over the competitors' runs (references
    train one objective alone) of all sets and seeds. A set that another one of the model contains
    is left out: its objectives would count twice. Models that are samples of one recipe are models
    of their own here, named and judged each by itself: each was probed. ``mixture`` is the model's
    own id where it shares none.
    """
    everything = list(diagnosed)
    nested = nested_places(cells)
    by_place: dict[tuple[str, str], Mapping[str, float]] = {
        (each.cell.entry, each.cell.objectives): each.geometry
        for each in everything
        if (each.cell.model, each.cell.objectives) not in nested
    }
    entries = {(each.cell.model, each.cell.seed): each.cell.entry for each in everything}
    mixtures = {each.cell.entry: each.cell.mixture for each in everything}
    competitors = cells[~cells["reference"] & ~cells.set_index(PLACE).index.isin(nested)]
    runs = zip(competitors["model"], competitors["seed"], strict=True)
    names = [entries.get((model, seed), model) for model, seed in runs]
    competitors = judged(competitors.assign(model=names))
    rows = []
    for model, group in competitors.groupby("model", sort=False):
        places = [metrics for (name, _), metrics in by_place.items() if name == model]
        if not places:
            continue
        units = numbered(group.assign(objectives=group["objectives"] + "/" + group["algorithm"]))
        row = {
            "model": model,
            "mixture": mixtures[str(model)] or model,
            "runs": len(group[["objectives", "algorithm", "seed"]].drop_duplicates()),
            "interference_rate": rate_interval(units).estimate,
            "severity": severity_interval(units).estimate,
        }
        for quantity, (name, of) in QUANTITIES.items():
            row[quantity] = float(np.mean([_quantity(metrics, name, of) for metrics in places]))
        rows.append(row)
    return pandas.DataFrame(rows)


def nested_places(cells: pandas.DataFrame) -> list[tuple[str, str]]:
    """Return the models with objective sets all of whose objectives are in a larger set."""
    sets = {
        (str(model), str(objectives)): frozenset(names)
        for (model, objectives), names in cells.groupby(PLACE, sort=False)["objective"]
    }
    return [
        (model, objectives)
        for (model, objectives), names in sets.items()
        if any(model == other and names < larger for (other, _), larger in sets.items())
    ]


def _quantity(
    metrics: Mapping[str, float], name: str, of: Callable[[Sequence[float]], float]
) -> float:
    """Return a metric, or the summary of those of all pairs of objectives."""
    if not name.endswith("/"):
        return metrics.get(f"{GEOMETRY}{name}", np.nan)
    found = [
        value
        for key, value in metrics.items()
        if key.startswith(f"{GEOMETRY}{name}") and not key.endswith((*BOUNDS, SCORE))
    ]
    return float(of(found)) if found else np.nan


def relation_table(models: pandas.DataFrame) -> pandas.DataFrame:
    """Return how each outcome relates to each quantity over models of the same mixture.

    One row per pair, columns as ``correlation.Relation``; p-values are adjusted within an outcome.
    """
    rows = []
    quantities = {name: models[name].to_numpy() for name in QUANTITIES}
    for outcome in OUTCOMES:
        generator = np.random.default_rng(SEED)
        mixtures = models["mixture"].tolist()
        found = relate(models[outcome].to_numpy(), quantities, generator, mixtures)
        for name, relation in found.items():
            rows.append({"outcome": outcome, "quantity": name, **vars(relation)})
    return pandas.DataFrame(rows)
