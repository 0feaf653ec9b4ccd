"""Write the data dictionary: every column of every CSV file, with its meaning and its unit."""

from collections.abc import Mapping, Sequence

from benchmark.leaderboard.files import file_named
from benchmark.leaderboard.pages.markdown import escape, table
from benchmark.leaderboard.pages.sheets import CAPTIONS

VALUE = "objective's value, higher is better"
TRUTH = "True or False"
INTERVALS = {  # columns that have bounds beside them
    "delta": "change of the objective since the initial policy",
    "score": "change of the scalarized score",
    "change": "change of the objective when training on `trained_on` alone",
    "worst_gain": "primary metric: interquartile mean over runs of the least `delta` over what "
    "training on that objective alone gains; in `tables.csv` a mean over seeds",
    "mean_worst_gain": "plain mean over runs of what `worst_gain` is the interquartile mean of",
    "gain": "change of the scalarized score, mean over places (models with objective sets)",
    "worst_loss": "change of a run's worst objective, mean over places",
    "mean_rank": "mean rank by final value among the algorithms, 1 is best; copies count once",
    "interference_rate": "share of objectives interfered with, mean over places",
    "severity": "mean loss of an objective relative to its initial value, gains counting as 0; "
    "each place counts the same",
    "models": "share of models with an objective interfered with",
    "improvement": "probability that the worst objective fares better than with `linear`",
    "difference": "worst objective's change less that with `linear` on the same seed",
    "spread": "standard deviation of `worst_change` over models",
    "seconds": "seconds of training",
}
UNITS = {"mean_rank": "rank", "improvement": "share", "interference_rate": "share"}
UNITS |= {
    "mean_worst_gain": "share",
    "severity": "share",
    "seconds": "s",
    "worst_gain": "share",
    "models": "share",
}
COLUMNS: dict[str, tuple[str, str]] = {  # name -> meaning, unit
    "study": ("study whose run it is", "name"),
    "model": ("model that was trained", "name"),
    "objectives": ("objective set", "name"),
    "estimator": ("advantage estimator", "name"),
    "algorithm": ("algorithm's id in the study", "name"),
    "reference": ("whether it trains one objective alone, as a reference", TRUTH),
    "seed": ("training seed", "integer"),
    "objective": ("objective the row is of", "name"),
    "initial": ("value of the initial policy on the test prompts", VALUE),
    "final": ("value on the test prompts after training, mean over seeds", VALUE),
    "delta_se": ("standard error of `delta`, paired over test prompts", VALUE),
    "drop_from_best": ("best validation value along training less the last", VALUE),
    "interfered": ("whether it fell by its interval while the score rose by its own", TRUTH),
    "fell": ("whether it fell by its interval; over places: number of those that did", TRUTH),
    "rose": ("whether it rose by its interval; over places: number of those that did", TRUTH),
    "succeeded": (
        "whether the score rose by its interval; or number of places where it did",
        TRUTH,
    ),
    "collapsed": ("whether every objective fell or completions fill the limit; or places", TRUTH),
    "fell_in_run": ("whether it fell in this run alone, by its interval over prompts", TRUTH),
    "collapsed_in_run": ("whether this run alone collapsed", TRUTH),
    "lossy_runs": (
        "number of runs in which an objective fell by its interval over prompts",
        "integer",
    ),
    "collapsed_runs": ("number of runs that collapsed", "integer"),
    "rank": ("rank by `worst_gain`; ties within error share one, 1 is gain without loss", "rank"),
    "verdict": ("what the algorithm did: see docs/leaderboards.md", "text"),
    "same_as": ("earlier algorithm whose results all equal this one's", "name"),
    "pairs": ("number of objectives over all places", "integer"),
    "delta_m": ("Δm%: mean change relative to the initial value", "%"),
    "max_tokens": ("the longest completion allowed", "tokens"),
    "conflict_rate": ("initial policy: share of batches in which two gradients conflict", "share"),
    "magnitude_similarity": (
        "initial policy: similarity of two gradients' lengths, 1 is equal",
        "share",
    ),
    "attribution": (
        "why it is interfered with, where it was diagnosed, and of which share of its decline",
        "text",
    ),
    "interfered_objectives": ("objectives of the set that are interfered with", "names"),
    "worst_change": ("least `delta` of the set's objectives; a mean over models", VALUE),
    "worst_change_min": ("least `worst_change` over models", VALUE),
    "worst_change_max": ("greatest `worst_change` over models", VALUE),
    "hypervolume_gain": ("volume between initial and final point; 0 if one fell", "volume"),
    "normalised_gain": ("`delta` over that of training on the objective alone", "share"),
    "score_delta": ("change of the scalarized score, the weighted mean of objectives", VALUE),
    "score_delta_se": ("standard error of `score_delta`, paired over test prompts", VALUE),
    "tokens": ("mean length of a completion after training", "tokens"),
    "tokens_initial": ("mean length of a completion of the initial policy", "tokens"),
    "prompts": ("number of test prompts", "integer"),
    "environment": ("hash of the packages' versions, see provenance.json", "text"),
    "seeds": ("number of seeds; over several places, the fewest of one", "integer"),
    "interval": ("what intervals are over: seeds, or prompts where there is one seed", "name"),
    "trained_on": ("objective that was trained alone", "name"),
    "axis": (f"what the row is restricted by: {', '.join(CAPTIONS)}", "name"),
    "value": ("the model, objective set or estimator", "name"),
    "runs": ("number of runs", "integer"),
    "models": ("number of models", "integer"),
    "models_interfered": ("number of models with an objective interfered with", "integer"),
    "patterns": ("number of different sets of objectives given up", "integer"),
    "given_up": ("objectives given up on each model", "text"),
    "p": ("Student's two-sided p-value of `difference` being 0", "probability"),
    "p_adjusted": ("`p` by Holm's correction over the rows", "probability"),
    "detectable": ("smallest true `difference` that 80% of such studies would show", VALUE),
    "places": ("number of places (models with objective sets)", "integer"),
    "metric": ("what was measured along training: validation/<objective>", "name"),
    "step": ("optimizer steps before it was measured", "integer"),
    "measured": ("mean over the validation prompts", VALUE),
    "trial": ("number of the setting that was tried; 0 is the published one", "integer"),
    "setting": ("what the trial changed of the algorithm's parameters, as JSON", "text"),
    "chosen": ("whether the study has this setting", TRUTH),
    "best_of": ("expected best `worst_gain` of as many of the trials as `trial` + 1", "share"),
    "hours": ("hours of training, summed over runs", "h"),
    "hardware": ("GPUs, or the processor", "text"),
    "steps": ("steps of training", "integer"),
    "generation_seconds": ("of them, drawing completions", "s"),
    "reward_seconds": ("of them, scoring completions", "s"),
    "update_seconds": ("of them, the rest of a step: gradients and the optimizer", "s"),
    "other_seconds": ("of them, stages beside these three", "s"),
    "training_tokens": ("tokens of prompts and completions trained on", "tokens"),
    "tokens_per_second": ("`training_tokens` over `seconds`", "tokens/s"),
    "backward_passes": ("backward passes through the policy, per micro-batch", "number"),
    "peak_memory_mb": ("largest resident memory of the training process", "MiB"),
    "seconds_low": ("seconds of the fastest run", "s"),
    "seconds_high": ("seconds of the slowest run", "s"),
}
for _name, _meaning in INTERVALS.items():
    _unit = UNITS.get(_name, VALUE)
    COLUMNS.setdefault(_name, (_meaning, _unit))
    for _side, _word in (("low", "lower"), ("high", "upper")):
        _bound = f"{_word} bound of the 95% interval of `{_name}`"
        COLUMNS.setdefault(f"{_name}_{_side}", (_bound.replace("`score`", "`score_delta`"), _unit))


def data_dictionary(columns: Mapping[str, Sequence[str]]) -> str:
    """Return the dictionary as Markdown, given the columns of each CSV file by its name."""
    parts = [
        "# What the tables hold",
        "Every CSV file is UTF-8 with a header; an empty field is a value that does not exist. "
        "Numbers have six significant digits.",
    ]
    for name, header in columns.items():
        rows = [[f"`{column}`", *map(_text, COLUMNS[column])] for column in header]
        known = file_named(name)
        parts += [f"## {name}", f"{known.holds if known else name}.".capitalize()]
        parts += [table(["column", "meaning", "unit"], rows, numbers=False)]
    return "\n\n".join(parts) + "\n"


def _text(text: str) -> str:
    return escape(text).replace("\\`", "`")
