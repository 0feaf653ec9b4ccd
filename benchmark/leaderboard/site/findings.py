"""Say what the tables show in a few plain sentences."""

from collections.abc import Iterator, Sequence

import pandas
from markupsafe import Markup

from benchmark.leaderboard.frames.all import Frames
from benchmark.leaderboard.frames.verdicts import RANKED, WITHOUT_LOSS
from benchmark.leaderboard.pages.markdown import minus, number
from benchmark.leaderboard.results.evidence import PLACE
from benchmark.leaderboard.site.tables import place_name

NAMED = 4  # places that a sentence names one by one; of more, it counts them


def findings(frames: Frames) -> list[Markup]:
    """Return sentences, the most telling first, as HTML in which all names are escaped."""
    competing = frames.summary[~frames.summary["reference"]]
    sentences = [] if competing.empty else [_how_many(competing), *_what(competing)]
    return [*sentences, *_best(frames.overall.table), *_costliest(frames.matrices)]


def _how_many(competing: pandas.DataFrame) -> Markup:
    """Say how many pairs of algorithm and place give up an objective."""
    pairs = competing.groupby([*PLACE, "algorithm"], sort=False)["interfered"].any()
    given_up, count = int(pairs.sum()), len(pairs)
    kind = _pairs(competing)
    if not given_up:
        return Markup("<b>No</b> objective is given up in any of the {} pairs of {}.").format(
            count, kind
        )
    share = "every one" if given_up == count else f"{given_up}"
    return Markup(
        "In <b>{} of the {}</b> pairs of {}, training gives up at least one objective while the "
        "scalarized score rises."
    ).format(share, count, kind)


def _pairs(competing: pandas.DataFrame) -> str:
    sets = competing["objectives"].nunique()
    return "algorithm and model" if sets == 1 else "algorithm and model with an objective set"


def _what(competing: pandas.DataFrame) -> Iterator[Markup]:
    """Say which objective most algorithms give up, and where."""
    most = [top for _, group in competing.groupby(PLACE, sort=False) if (top := _top(group))]
    places = competing.groupby(PLACE).ngroups
    if not most:
        return
    names = list(dict.fromkeys(name for name, _, _, _ in most))
    if len(names) == 1:
        yield Markup("What most algorithms give up is <b>{}</b>, on {} of {} models.").format(
            names[0], len(most), places
        )
    elif len(most) <= NAMED:
        parts = [
            Markup("<b>{}</b> on <span>{}</span> ({} of {})").format(
                name, place_name(place, competing), count, total
            )
            for name, count, total, place in most
        ]
        yield Markup("What most algorithms give up depends on the model: {}.").format(_and(parts))
    else:
        counts = [sum(name == other for other, _, _, _ in most) for name in names]
        ordered = sorted(zip(names, counts, strict=True), key=lambda pair: -pair[1])
        parts = [Markup("<b>{}</b> on {}").format(name, count) for name, count in ordered]
        yield Markup("Of {} models, most algorithms give up {}.").format(places, _and(parts))


def _top(group: pandas.DataFrame) -> tuple[str, int, int, tuple[str, str]] | None:
    """Return the objective that most algorithms of a place give up, if more than half do."""
    counts = group.groupby("objective", sort=False)["interfered"].sum()
    name, count = str(counts.idxmax()), int(counts.max())
    total = group["algorithm"].nunique()
    place = (str(group["model"].iloc[0]), str(group["objectives"].iloc[0]))
    return (name, count, total, place) if 2 * count > total else None


def _best(table: pandas.DataFrame) -> Iterator[Markup]:
    """Say who leads by the primary metric, if anybody does, and whose value may be as good."""
    competing = table[~table["reference"] & table["worst_gain"].notna()]
    if len(competing) < 2:
        return
    ahead = competing[competing["verdict"] == WITHOUT_LOSS]
    original = competing[competing["verdict"].isin(RANKED) & (competing["same_as"] == "")]
    if original.empty:
        yield Markup("<b>No</b> algorithm raised the scalarized score.")
        return
    top = original.iloc[:1]
    value = minus(number(top["worst_gain"].iloc[0], 2, "+"))
    if ahead.empty:
        yield Markup(
            "<b>No</b> algorithm gains on every objective without a loss; least is given up by {} "
            "(worst gain {})."
        ).format(_names(top), value)
    else:
        yield Markup(
            "{} leads: on its worst objective it gains {} of what training on that alone does."
        ).format(_names(top), value)
    near = original[original["rank"] == top["rank"].iloc[0]]
    if len(near) > 1:
        yield Markup("The ranking is open between {}: their differences are within error.").format(
            _names(near)
        )


def _costliest(matrices: pandas.DataFrame) -> Iterator[Markup]:
    """Say which objective, trained alone, costs which other most, on average over places."""
    others = matrices[matrices["trained_on"] != matrices["objective"]].dropna(subset="change")
    if others.empty:
        return
    effects = [
        (float(group["change"].mean()), source, target, group["change"])
        for (source, target), group in others.groupby(["trained_on", "objective"], sort=False)
    ]
    mean, source, target, changes = min(effects, key=lambda effect: effect[0])
    if mean < 0:
        yield Markup(
            "Training on <b>{}</b> alone costs <b>{}</b> most: {} on average, a loss on {} of {} "
            "models."
        ).format(
            source, target, minus(number(mean, 2, "+")), int((changes < 0).sum()), len(changes)
        )


def _names(rows: pandas.DataFrame) -> Markup:
    return _and([Markup("<b>{}</b>").format(name) for name in rows["algorithm"]])


def _and(parts: Sequence[Markup]) -> Markup:
    if len(parts) < 2:
        return Markup("").join(parts)
    return Markup("{} and {}").format(Markup(", ").join(parts[:-1]), parts[-1])
