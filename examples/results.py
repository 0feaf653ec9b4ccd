# %% [markdown]
# # Results in Python
#
# Load, filter, draw, compare, and add a metric of your own. `examples/results.ipynb` is this as a
# notebook, `python examples/results.py [SOURCE]` as a script, where SOURCE is a published folder, a
# study of the project, or the address of an MLflow store.

# %%
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import benchmark
from benchmark.interference.comparisons import improvement_interval
from benchmark.results import load

PUBLISHED = Path(benchmark.__file__).parents[1] / "results" / "leaderboards" / "quick"
source = PUBLISHED if "ipykernel" in sys.modules else next(iter(sys.argv[1:]), PUBLISHED)
results = load(source)
print(f"{results.source}: {len(results.runs)} runs, {len(results.objectives)} objectives of them")
print(results.columns("objectives").to_string(index=False))

# %% [markdown]
# ## Filter
#
# The frames are pandas': `runs` has a row per run, `objectives` a row per run and objective. They
# share the column `cell`.

# %%
runs = results.runs[~results.runs["reference"]]
fallen = results.objectives.query("interfered and not reference")
print(fallen[["cell", "objective", "initial", "final", "delta"]].to_string(index=False))

# %% [markdown]
# ## Draw

# %%
# %matplotlib inline
figure = Figure(figsize=(6, 4), layout="constrained")
axes = figure.subplots()
for algorithm, rows in runs.groupby("algorithm"):
    axes.scatter(rows["score_delta"], rows["worst_change"], label=algorithm)
axes.axhline(0, color="grey", linewidth=0.5)
axes.set(xlabel="change of the weighted score", ylabel="change of the worst objective")
axes.legend()
figure.savefig("gain-and-loss.svg")
figure  # noqa: B018  a notebook shows it

# %% [markdown]
# ## Compare in pairs
#
# Two algorithms on the same models, objective sets and seeds: a row per place, a column per seed.

# %%
places = ["model", "objectives"]
worst = runs.pivot(index=places, columns=["algorithm", "seed"], values="worst_change")
for algorithm in runs["algorithm"].unique():
    if algorithm == "linear" or "linear" not in worst:
        continue
    mine, baseline = worst[algorithm].align(worst["linear"], join="inner", axis=1)
    known = (mine.notna() & baseline.notna()).all(axis=1)
    found = improvement_interval(mine[known].to_numpy(), baseline[known].to_numpy())
    print(
        f"{algorithm} loses less than linear with probability {found.estimate:.2f} "
        f"({found.low:.2f} to {found.high:.2f})"
    )

# %% [markdown]
# ## Add a metric
#
# How unevenly a run treats its objectives: the standard deviation of their changes.
# `examples/own_results.py` computes the package's own metrics on arrays of yours.

# %%
uneven = results.objectives.groupby("cell")["delta"].agg(lambda delta: np.std(delta, ddof=0))
ranked = runs.assign(uneven=runs["cell"].map(uneven)).groupby("algorithm")["uneven"].mean()
print(ranked.sort_values().round(3).to_string())
