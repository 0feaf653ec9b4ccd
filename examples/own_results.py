"""Measure interference in your own results. Usage: python examples/own_results.py

Any trainings will do: all it takes is each objective's value before and after, per test prompt.
"""

import numpy as np

from benchmark.interference import interfered_with, interference_rate, severity, worst_change

OBJECTIVES = ["accuracy", "conciseness"]
WEIGHTS = np.array([0.5, 0.5])

# Replace these by your own: (run, prompt, objective), higher is better. Two runs on 200 prompts:
# the first gives up conciseness for accuracy, the second improves both.
generator = np.random.default_rng(0)
chances = np.array([[0.9, 0.1], [0.7, 0.7]])  # (run, objective)
before = (generator.random((2, 200, 2)) < 0.5).astype(float)
after = (generator.random((2, 200, 2)) < chances[:, None]).astype(float)

differences = after - before  # paired by prompt: (run, prompt, objective)
scores = differences @ WEIGHTS  # (run, prompt)
root = np.sqrt(differences.shape[1])
delta = differences.mean(axis=1)  # (run, objective)
interfered = interfered_with(
    delta=delta,
    delta_se=differences.std(axis=1, ddof=1) / root,
    score_delta=scores.mean(axis=1),
    score_delta_se=scores.std(axis=1, ddof=1) / root,
    degrees_of_freedom=differences.shape[1] - 1,
)  # (run, objective)

for run, (changes, fell) in enumerate(zip(delta, interfered, strict=True)):
    for name, change, flag in zip(OBJECTIVES, changes, fell, strict=True):
        print(f"run {run}: {name} {change:+.2f}{' interfered with' if flag else ''}")
print(f"interference rate {interference_rate(interfered):.0%}")
print(f"severity {severity(delta, before.mean(axis=1)):.2f}")
print("worst change", *(f"{value:+.2f}" for value in worst_change(delta)))
